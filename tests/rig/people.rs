//! Who is on a host, and how it is configured for them.

/// A person of the host's stories.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Login name. The password is the name with `-pw` after it, the ssh key is root's.
    pub name: &'static str,
    /// Groups beside their own.
    pub groups: &'static str,
}

const fn person(name: &'static str, groups: &'static str) -> Person {
    Person { name, groups }
}

/// alice and mallory are gated; bob is not; carol, dave and erin decide; frank is gated and may
/// get in all the same.
pub const PEOPLE: [Person; 7] = [
    person("alice", "engineers"),
    person("bob", ""),
    person("carol", "oncall"),
    person("dave", "oncall"),
    person("erin", "oncall"),
    person("frank", "engineers,tpa-emergency"),
    person("mallory", "engineers"),
];

/// Configuration of a host that gates the engineers.
pub const TPAD_TOML: &str = r#"[gate]
login  = ["@engineers"]
exempt = ["@tpa-emergency"]
help   = "Ask in #oncall"

[warn]
before = ["15m", "5m", "1m"]
"#;

/// A role that lets people log in, with what runs under it recorded.
#[must_use]
pub fn recorded(role: &str) -> String {
    role.replace("login = true\n", "login = true\nrecord = true\n")
}

/// A role with a command with arguments, one as another user, a file to edit, and one that goes
/// on for as long as it is let.
pub const WEB_OPS: &str = r#"description = "Restart and reconfigure the web tier"

[request]
who        = ["@engineers"]
default    = "1h"
max        = "4h"
reason_min = 10

[approve]
who    = ["@oncall"]
needed = 1

[gives]
login = true

[[gives.sudo]]
as       = "root"
run      = ["/usr/bin/systemctl restart cron", "/usr/bin/sleep 4711"]
edit     = ["/etc/nginx/nginx.conf"]
password = false

[[gives.sudo]]
as       = "postgres"
run      = ["/usr/bin/id -un"]
password = false
"#;

/// A role that engineers ask for as for [`WEB_OPS`], and that gives this.
#[must_use]
pub fn role(description: &str, gives: &str) -> String {
    format!(
        r#"description = "{description}"

[request]
who        = ["@engineers"]
default    = "1h"
max        = "4h"
reason_min = 10

[approve]
who    = ["@oncall"]
needed = 1

[gives]
{gives}"#
    )
}

/// A role that takes two approvers.
pub const DB_ADMIN: &str = r#"description = "Look after the database"

[request]
who        = ["@engineers"]
default    = "30m"
max        = "2h"
reason_min = 10
ticket     = { required = true, pattern = "OPS-[0-9]+" }

[approve]
who    = ["@oncall"]
needed = 2

[gives]
login = true

[[gives.sudo]]
as       = "postgres"
run      = ["/usr/bin/id -un"]
password = false
"#;
