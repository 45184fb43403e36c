//! What sudo runs under a grant: what the role gives, and nothing else.

use anyhow::ensure;
use serde_json::{Value, json};
use tpa_tests::grant::{grant, role, shown};
use tpa_tests::on_both_debians;
use tpa_tests::people::WEB_OPS;
use tpa_tests::scenario::play;

/// Commands and files full of what sudoers(5) takes for punctuation.
const ODD: &str = r#"[request]
who = ["@engineers"]
[approve]
who = ["@oncall"]
[[gives.sudo]]
as = "root:adm"
run = ["/bin/a,b:c=d x=1,2:3 !e {f,g} 'h' ü", "/bin/echo a, /bin/sh, ALL", "/bin/echo  b   c*", '/bin/e ""', "/bin/r ^x$"]
edit = ["/etc/a,b:c=d", "/etc/conf.d/[!a]?"]
[[gives.sudo]]
as = "postgres"
run = ["/bin/echo NOPASSWD: ALL"]
password = false
"#;

/// What sudo has to read of it, all in all (cvtsudoers(1)).
fn as_read(uid: u32, end: &str) -> Value {
    let part = |commands: Value| {
        json!({
            "User_List": [{ "userid": uid }],
            "Host_List": [{ "hostname": "ALL" }],
            "Cmnd_Specs": [commands],
        })
    };
    let options = [
        json!({ "pam_acct_mgmt": true }),
        json!({ "pam_session": true }),
    ];
    let defaults = json!([{ "Binding": [{ "userid": uid }], "Options": options }]);
    json!({ "Defaults": defaults, "User_Specs": [
        part(json!({
            "runasusers": [{ "username": "root" }],
            "runasgroups": [{ "usergroup": "adm" }],
            "Options": [{ "notafter": end }, { "authenticate": true }],
            "Commands": [
                { "command": "/bin/a,b:c=d x=1,2:3 !e {f,g} 'h' ü" },
                { "command": "/bin/echo a, /bin/sh, ALL" },
                { "command": "/bin/echo b c*" },
                { "command": "/bin/e \"\"" },
                { "command": "/bin/r ^x$" },
                { "command": "sudoedit /etc/a,b:c=d" },
                { "command": "sudoedit /etc/conf.d/[!a]?" },
            ],
        })),
        part(json!({
            "runasusers": [{ "username": "postgres" }],
            "Options": [{ "notafter": end }, { "authenticate": false }],
            "Commands": [{ "command": "/bin/echo NOPASSWD: ALL" }],
        })),
    ] })
}

on_both_debians! {
    with play;

    fn without_a_grant_sudo_is_refused_even_where_another_rule_allows_it(host) {
        host.write("/etc/sudoers.d/local", "alice ALL=(root) NOPASSWD: /usr/bin/true\n")?;
        host.console("alice", "sudo -n /usr/bin/true").fails()?.says("no active grant for alice")?;
        host.console("alice", "sudo -n -i /usr/bin/true").fails()?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "sudo -n /usr/bin/true").ok()?;
        // What it does not give is told as that, and what it gives is not, however it is called.
        host.logged_with(&[" sudo-opened ", "unusual=outside-role", "/usr/bin/true", " user=alice "])?;
        host.write("/etc/sudoers.d/local", "alice ALL=(ALL:ALL) NOPASSWD: ALL\n")?;
        host.root("install -o alice -m 755 /usr/bin/true /home/alice/systemctl").ok()?;
        let outside = [
            "-s true",
            "-i true",
            "bash -c true systemctl restart cron",
            "-p systemctl true restart cron",
            "/home/alice/systemctl restart cron",
            "-u postgres -g shadow /usr/bin/id -un",
        ];
        let given = [
            "systemctl restart cron",
            "-nu root -p id -- /bin/systemctl restart cron",
            "-u postgres /usr/bin/id -un",
        ];
        for (lines, mark) in [(&outside[..], "unusual=outside-role"), (&given[..], "")] {
            for line in lines {
                let before = host.log_length()?;
                host.ssh("alice", &format!("sudo -n {line}")).ok()?;
                let told = host.logged_behind(before, &[" sudo-opened ", " user=alice ", mark])?;
                ensure!(told.contains("outside-role") != mark.is_empty(), "{line}: {told}");
            }
        }
        let before = host.log_length()?;
        host.ssh("alice", "SUDO_EDITOR=/usr/bin/true sudoedit -n /etc/nginx/nginx.conf").ok()?;
        let told = host.logged_behind(before, &[" sudo-opened ", " user=alice "])?;
        ensure!(!told.contains("outside-role"), "{told}");
        let before = host.log_length()?;
        host.ssh("alice", "SUDO_EDITOR=/usr/bin/true sudoedit -n /etc/hosts").ok()?;
        host.logged_behind(before, &[" sudo-opened ", " user=alice ", "unusual=outside-role"])?;
        host.root(&format!("tpactl log {id} | grep '^! outside-role: '")).ok()?;
        host.root("tpactl check --user alice").says("(ALL : ALL) NOPASSWD: ALL")?;
    }

    fn a_grant_runs_exactly_the_commands_of_its_role(host) {
        grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "sudo -n /usr/bin/systemctl restart cron").ok()?;
        let postgres = host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un");
        ensure!(postgres.ok()? == "postgres", "{postgres}");
        for line in [
            "/usr/bin/systemctl restart ssh",
            "/usr/bin/systemctl restart cron ssh",
            "/usr/bin/systemctl stop cron",
            "/usr/bin/systemctl",
            "/usr/bin/id -un",
            "-u bob /usr/bin/id -un",
            "-u postgres /usr/bin/id -u",
            "-g root /usr/bin/id -un",
            "-i",
            "-s",
            "/bin/sh -c id",
        ] {
            host.ssh("alice", &format!("sudo -n {line}")).fails()?.keeps_quiet_about("uid=0")?;
        }
    }

    fn sudo_reads_in_a_rule_what_its_role_says_and_nothing_else(host) {
        role(host, "odd", ODD)?;
        let id = grant(host, "alice", "odd", "1h")?;
        host.root("visudo -c").ok()?;
        let uid = host.root("id -u alice");
        let end = shown(host, &id)?.text("not_after")?.replace(['-', ':', 'T'], "");
        let read = host.root(&format!("cvtsudoers -f json /run/tpa/sudoers.d/{id}")).json()?;
        ensure!(read.0 == as_read(uid.ok()?.parse()?, &end), "{}", read.0);
        host.ssh("alice", "sudo -n -u postgres /bin/echo NOPASSWD: ALL").says("NOPASSWD: ALL")?.ok()?;
        host.ssh("alice", "sudo -n -u postgres /bin/echo").fails()?;
        host.ssh("alice", "sudo -n -u postgres /bin/sh -c id").fails()?;
    }

    fn sudoedit_edits_the_named_file_and_no_other(host) {
        grant(host, "alice", "web-ops", "1h")?;
        let edit = "SUDO_EDITOR='/usr/bin/sed -i s/1/4/' sudoedit -n";
        host.ssh("alice", &format!("{edit} /etc/nginx/nginx.conf")).ok()?;
        host.root("cat /etc/nginx/nginx.conf").says("worker_processes 4;")?;
        host.ssh("alice", &format!("{edit} /etc/hosts")).fails()?;
        host.ssh("alice", &format!("{edit} /etc/nginx/../hosts")).fails()?;

        // The end leaves no copy that she can read.
        let secret = WEB_OPS.replace("/etc/nginx/nginx.conf", "/etc/secret.conf");
        role(host, "secret", &secret)?;
        host.root("umask 077 && echo the secret >/etc/secret.conf").ok()?;
        let id = grant(host, "alice", "secret", "1h")?;
        host.write("/usr/local/bin/editor", "#!/bin/sh\ncp $1 $1~\nexec sleep 4711\n")?;
        host.root("chmod 755 /usr/local/bin/editor").ok()?;
        let editing = host.start_ssh("alice", &["-T", "SUDO_EDITOR=/usr/local/bin/editor sudoedit -n /etc/secret.conf"])?;
        host.eventually("grep 'the secret' /var/tmp/secret*.conf~")?;
        host.root(&format!("tpactl revoke {id} --reason test --yes")).ok()?;
        host.logged_event("removal-confirmed", &id)?;
        drop(editing);
        host.root("! grep -rs 'the secret' /var/tmp /tmp").ok()?;
    }
}
