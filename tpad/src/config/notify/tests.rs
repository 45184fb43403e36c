use super::super::people::fake::Host;
use super::*;

fn load(text: &str) -> Result<Vec<Target>, String> {
    read(Path::new("notify.toml"), text, &Host).map_err(|problems| {
        let each: Vec<_> = problems.iter().map(ToString::to_string).collect();
        each.join("\n")
    })
}

fn refused(text: &str, why: &str) {
    let found = load(text).map(|_| ()).expect_err(text);
    assert!(found.contains(why), "{text}\n{found}");
}

fn one(lines: &str) -> String {
    format!("[[target]]\nname = \"a\"\n{lines}\n")
}

#[test]
fn the_documented_file_loads_to_what_it_says() {
    let targets = load(
        r#"
[[target]]
name   = "oncall"
kind   = "slack"
url_file = "/etc/tpa/secrets/oncall"
events = ["request-created", "break-glass-used"]
roles  = []
unusual = false

[[target]]
name = "post"
kind = "mail"
to   = ["@oncall", "sec@example.com", "root"]
from = "tpa@example.com"
per_minute = 3
retry_for  = "2h"

[[target]]
name = "siem"
kind = "webhook"
url  = "https://siem.example/tpa"
headers = ["X-Team: web tier"]
secret_file = "/etc/tpa/secrets/siem.key"
token_file  = "/etc/tpa/secrets/siem.token"
unusual = true
"#,
    )
    .unwrap();
    let [slack, mail, hook] = targets.as_slice() else {
        panic!("{targets:?}")
    };
    assert_eq!(
        (slack.kind(), slack.per_minute, slack.retry_for_s),
        ("slack", 10, 3_600)
    );
    assert_eq!(
        slack.secret_files().collect::<Vec<_>>(),
        [("url", "/etc/tpa/secrets/oncall")]
    );
    assert_eq!((mail.per_minute, mail.retry_for_s), (3, 7_200));
    assert!(matches!(&mail.way, Way::Mail { to, from: Some(_) } if to.len() == 3));
    assert!(hook.unusual);
    let Way::Service(service) = &hook.way else {
        panic!()
    };
    assert_eq!(service.headers["X-Team"], "web tier");
    assert_eq!(service.files.len(), 2);
    assert_eq!(load("").unwrap(), []);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (lines, why) in [
        ("kind = \"slak\"", "3: there is no such kind"),
        ("kind = \"slack\"", "slack needs an address"),
        ("kind = \"pagerduty\"", "pagerduty needs a key"),
        (
            "kind = \"slack\"\nurl = \"http://example.com/\"",
            "without TLS only to this host",
        ),
        (
            "kind = \"slack\"\nurl = \"http://127.0.0.1.example.com/\"",
            "without TLS only",
        ),
        (
            "kind = \"slack\"\nurl = \"https://u:p@example.com/\"",
            "no password in it",
        ),
        (
            "kind = \"slack\"\nurl = \"ftp://example.com/\"",
            "begins with https://",
        ),
        (
            "kind = \"slack\"\nurl_file = \"/root/x\"",
            "secrets lie in /etc/tpa/secrets",
        ),
        (
            "kind = \"slack\"\nurl_file = \"/etc/tpa/secrets/../x\"",
            "secrets lie in /etc/tpa/secrets",
        ),
        (
            "kind = \"slack\"\nurl_file = \"/etc/tpa/secrets/a:b\"",
            "secrets lie in /etc/tpa/secrets",
        ),
        (
            "kind = \"slack\"\nurl = \"https://a/\"\nurl_file = \"/etc/tpa/secrets/a\"",
            "not both",
        ),
        (
            "kind = \"slack\"\nurl = \"https://a/\"\nheaders = [\"A: b\"]",
            "unknown key",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://a/\"\nheaders = [\"A: b\\r\\nC: d\"]",
            "not a header",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://a/\"\nheaders = [\"Host: b\"]",
            "not yours to set",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://a/\"\nheaders = [\"X-TPA-Signature: b\"]",
            "not yours",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://a/\"\nevents = [\"request-make\"]",
            "no such event",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://a/\"\nevents = []",
            "no event at all",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://a/\"\nper_minute = 0",
            "at least 1",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://a/\"\nretry_for = \"5s\"",
            "from \"1m\" to \"7d\"",
        ),
        (
            "kind = \"mail\"\nto = [\"-oQ/tmp\"]",
            "not a user, an @group or a plain mail address",
        ),
        (
            "kind = \"mail\"\nto = [\"a@b, c@d\"]",
            "not a user, an @group or a plain mail address",
        ),
        ("kind = \"mail\"\nto = [\"@nobody-knows\"]", "no such group"),
        ("kind = \"mail\"\nurl = \"https://a/\"", "unknown key"),
    ] {
        refused(&one(lines), why);
    }
    refused("[[target]]\nkind = \"mail\"", "a target needs a name");
    refused(
        "[[target]]\nname = \"run\"\nkind = \"mail\"",
        "the name of the program",
    );
    refused(
        "[[target]]\nname = \"A b\"\nkind = \"mail\"",
        "a name has up to 32",
    );
    refused(
        &one("kind = \"mail\"\n[[target]]\nname = \"a\"\nkind = \"mail\""),
        "two targets",
    );
    refused("[target]\nname = \"a\"", "must be a list of tables");
    refused(&one("kind = \"mail\"").repeat(17), "more than 16 targets");
}

#[test]
fn an_address_on_this_host_goes_without_tls_and_another_where_it_is_said() {
    for url in [
        "http://127.0.0.1:8080/x",
        "http://localhost/",
        "http://[::1]:80/",
    ] {
        load(&one(&format!("kind = \"webhook\"\nurl = \"{url}\""))).unwrap();
    }
    load(&one(
        "kind = \"webhook\"\nurl = \"http://10.0.0.1/\"\nplain_http = true",
    ))
    .unwrap();
}
