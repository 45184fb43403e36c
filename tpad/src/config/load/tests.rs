mod bad;
mod cookbook;
mod manual;
mod usable;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nix::unistd::geteuid;
use tempfile::TempDir;
use tpa_bus::offline::{Class, GateFile, Listing, Who};

use super::*;
use crate::config::people::fake::Host;
use crate::policy::notify::{PROGRAM, Way};
use crate::policy::{AuditFormat, Gives, OnEnd, SudoRule, danger};

/// A configuration in a folder of its own.
struct Config {
    folder: TempDir,
}

impl Config {
    fn new(settings: &str, roles: &[(&str, &str)]) -> Self {
        let config = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(config.path("roles.d")).unwrap();
        config.chmod("roles.d", 0o755);
        config.write("tpad.toml", settings);
        for (name, text) in roles {
            config.write(&format!("roles.d/{name}"), text);
        }
        config
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        self.chmod(name, 0o644);
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn source(&self) -> Source {
        Source {
            login_defs: self.folder.path().to_owned(),
            ..Source::in_folder(self.folder.path(), geteuid().as_raw())
        }
    }

    fn load(&self) -> Result<Policy, Vec<Problem>> {
        load(&self.source(), &Host)
    }

    /// What is wrong, with paths relative to the folder.
    fn complaints(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let problems = self.load().unwrap_err();
        let texts = problems.iter().map(ToString::to_string);
        texts.map(|text| text.replace(&folder, "")).collect()
    }
}

const WEB_OPS: &str = r#"
description = "Restart and reconfigure the web tier"

[request]
who     = ["@engineers"]          # users and @groups
default = "1h"
max     = "4h"
reason_min = 10                   # characters
ticket  = { required = true, pattern = "OPS-[0-9]+" }
lapse   = "1h"                    # undecided for this long: lapsed

[approve]
who    = ["@oncall", "carol"]
needed = 1                        # distinct people, never the requester, never whom it is for
auto   = ["@oncall"]              # asked by one of these: approved at once, and logged as that
use_within = "8h"                 # optional: the clock starts on first use, within this

[gives]
login  = true                     # may log in while it lives
record = true                     # sudo's own input/output log for what runs under it
break_glass = false               # true: no approval, loud, must be reviewed
on_end = "kill"                   # "kill" ends what the grant started

[[gives.sudo]]
as   = "root"                     # "user" or "user:group"
run  = ["/usr/bin/systemctl restart nginx", "/usr/bin/journalctl -u nginx *"]
edit = ["/etc/nginx/nginx.conf"]  # sudoedit

[[gives.sudo]]
as   = "postgres"
run  = ["/usr/bin/psql -d shop"]  # a database role: peer authentication does the rest
password = false                  # default true: sudo asks for the person's password
"#;

const TPAD: &str = r#"
[gate]
login    = ["@engineers"]
sudo     = ["@engineers"]
exempt   = ["@tpa-emergency"]
help     = "Ask in #oncall"
services = { login = ["sshd", "login", "su", "su-l", "cron", "crond", "atd"], sudo = ["sudo", "sudo-i"] }
[limits]
pending_per_user = 5
[warn]
before = ["15m", "5m", "1m"]
[audit]
format = "kv"
keep = "400d"
[notify]
run = "/etc/tpa/notify"
"#;

fn group(name: &str) -> Who {
    Who::Group(name.into())
}

#[test]
fn the_documented_files_load_to_what_they_say() {
    let policy = Config::new(TPAD, &[("web-ops.toml", WEB_OPS)])
        .load()
        .unwrap();
    let role = Role {
        name: "web-ops".into(),
        description: "Restart and reconfigure the web tier".into(),
        requesters: vec![group("engineers")],
        default_s: 3_600,
        max_s: 14_400,
        reason_min: 10,
        ticket_required: true,
        ticket_pattern: Some("OPS-[0-9]+".into()),
        lapse_s: 3_600,
        approvers: vec![group("oncall"), Who::User("carol".into())],
        needed: 1,
        proof: crate::policy::ProofLevel::Session,
        auto: vec![group("oncall")],
        use_within_s: Some(28_800),
        exact: None,
        gives: Gives {
            login: true,
            record: true,
            break_glass: false,
            on_end: OnEnd::Kill,
            sudo: vec![
                SudoRule {
                    run_as: "root".into(),
                    run_as_group: None,
                    run: vec![
                        "/usr/bin/systemctl restart nginx".into(),
                        "/usr/bin/journalctl -u nginx *".into(),
                    ],
                    edit: vec!["/etc/nginx/nginx.conf".into()],
                    password: true,
                    tidy: false,
                },
                SudoRule {
                    run_as: "postgres".into(),
                    run_as_group: None,
                    run: vec!["/usr/bin/psql -d shop".into()],
                    edit: Vec::new(),
                    password: false,
                    tidy: false,
                },
            ],
        },
    };
    let expected = Policy {
        revision: policy.revision.clone(),
        gate: GateFile {
            login: vec![group("engineers")],
            sudo: vec![group("engineers")],
            exempt: vec![group("tpa-emergency")],
            help: "Ask in #oncall".into(),
            ..GateFile::default()
        },
        pending_per_user: 5,
        warn_before: vec![900, 300, 60],
        audit_format: AuditFormat::Kv,
        audit_keep_s: Some(400 * 86_400),
        audit_keep_recordings_s: None,
        notify: vec![Target {
            name: PROGRAM.into(),
            way: Way::Program("/etc/tpa/notify".into()),
            events: None,
            roles: Vec::new(),
            unusual: false,
            per_minute: u32::MAX,
            retry_for_s: 600,
        }],
        roles: BTreeMap::from([("web-ops".into(), role)]),
        signers: None,
        seen: policy.seen.clone(),
    };
    assert_eq!(policy, expected);
}

#[test]
fn without_any_files_nobody_is_gated() {
    let config = Config::new("", &[]);
    fs::remove_file(config.path("tpad.toml")).unwrap();
    fs::remove_dir(config.path("roles.d")).unwrap();
    let policy = config.load().unwrap();
    assert_eq!((policy.gate.login, policy.gate.sudo), (vec![], vec![]));
    assert_eq!(policy.gate.services, GateFile::default().services);
    assert_eq!((policy.pending_per_user, policy.roles.len()), (5, 0));

    let source = Source {
        below: PathBuf::from("etc/tpa"),
        ..config.source()
    };
    assert_eq!(load(&source, &Host).unwrap().roles.len(), 0);
}

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

#[test]
fn who_signs_as_whom_is_loaded_and_without_the_file_nobody_does() {
    let config = Config::new("", &[]);
    let without = config.load().unwrap();
    assert_eq!(without.signers, None);
    config.write("signers", &format!("# people\nalice {KEY}\n"));
    let with = config.load().unwrap();
    let signers = with.signers.unwrap();
    let people: Vec<_> = signers.iter().flat_map(|line| &line.principals).collect();
    assert_eq!(people, ["alice"]);
    assert_ne!(without.revision, with.revision);
}

#[test]
fn a_line_of_signers_that_cannot_be_read_is_told_and_left_out_and_a_file_that_others_write_is_none()
{
    let config = Config::new("", &[]);
    let text = format!("alice {KEY}\nbob no-key\n* {KEY}\n");
    config.write("signers", &text);
    let policy = config.load().unwrap();
    let found = left_out(&config.source().folder(), &policy);
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("signers:2: "), "{found:?}");
    assert!(found[1].contains("is a pattern"), "{found:?}");
    assert_eq!(policy.signers.unwrap().iter().count(), 1);
    config.write("signers", &format!("alice {KEY}\n"));
    for mode in [0o664, 0o646] {
        config.chmod("signers", mode);
        let found = config.complaints();
        assert!(found[0].contains("can be written by others"), "{found:?}");
    }
    fs::remove_file(config.path("signers")).unwrap();
    config.write("elsewhere", "");
    symlink(config.path("elsewhere"), config.path("signers")).unwrap();
    assert!(config.complaints()[0].contains("is a link"));
}

#[test]
fn signers_are_checked_by_themselves_before_they_are_put_in_place() {
    let config = Config::new("", &[]);
    config.write("signers", &format!("alice {KEY}\n"));
    let checked = load_file(&config.path("signers"), &Host).unwrap();
    assert_eq!(checked.signers.unwrap().iter().count(), 1);
    config.write("signers", "alice\n");
    let draft = load_file(&config.path("signers"), &Host).unwrap();
    let found = left_out(&config.path("signers"), &draft);
    assert!(found[0].to_string().contains("signers:1: "), "{found:?}");
}

#[test]
fn a_service_is_what_the_configuration_says_it_is() {
    let listing = |toml: &str, service: &str| {
        let policy = Config::new(toml, &[]).load().unwrap();
        policy.gate.listing(service)
    };

    assert_eq!(listing("", "chfn"), Listing::Ignored);
    assert_eq!(listing("", "cockpit"), Listing::Unlisted);
    let named = "gate.services = { login = ['sshd', 'chfn'], ignore = ['cockpit'] }";
    assert_eq!(listing(named, "chfn"), Listing::As(Class::Login));
    assert_eq!(listing(named, "cockpit"), Listing::Ignored);
    assert_eq!(listing(named, "su"), Listing::Unlisted);
    assert_eq!(listing(named, "chsh"), Listing::Unlisted, "named anew");
    let one = "gate.services.login = ['sshd', 'systemd-user']";
    assert_eq!(listing(one, "systemd-user"), Listing::As(Class::Login));
    assert_eq!(listing(one, "chsh"), Listing::Ignored, "the usual ones");
}

#[test]
fn what_a_role_leaves_out_stands_at_its_default() {
    let text = "request.who = ['alice']\napprove.who = ['carol']\nrequest.max = '30m'";
    let policy = Config::new("", &[("x.toml", text)]).load().unwrap();
    let role = &policy.roles["x"];
    assert_eq!(
        (role.default_s, role.max_s, role.lapse_s),
        (1_800, 1_800, 3_600)
    );
    assert_eq!((role.reason_min, role.needed), (1, 1));
    assert!(role.gives.login && !role.gives.record && !role.gives.break_glass);
    assert_eq!(role.gives.on_end, OnEnd::Kill);

    let text = "request.who = ['alice']\ngives.break_glass = true\napprove.who = ['carol']";
    let policy = Config::new("", &[("x.toml", text)]).load().unwrap();
    assert_eq!(policy.roles["x"].needed, 0);
}

#[test]
fn gate_sudo_is_as_login_until_it_says_otherwise() {
    let gate = |text| Config::new(text, &[]).load().unwrap().gate;
    assert_eq!(gate("gate.login = ['*']").sudo, [Who::Everyone]);
    assert_eq!(gate("gate.login = ['*']\ngate.sudo = []").sudo, []);
}

#[test]
fn warnings_are_sorted_longest_first() {
    let policy = Config::new("warn.before = ['1m', '1h', '60s', '5m']", &[])
        .load()
        .unwrap();
    assert_eq!(policy.warn_before, [3_600, 300, 60]);
}

#[test]
fn uid_min_is_taken_from_login_defs() {
    let config = Config::new("", &[]);
    config.write("login.defs", "UID_MIN 500\n");
    assert_eq!(config.load().unwrap().gate.uid_min, 500);
    config.write("login.defs", "\nUID_MIN many\n");
    assert_eq!(
        config.complaints(),
        ["login.defs:2: UID_MIN must be a number from 1: \"UID_MIN many\""]
    );
}

/// A good role with one line more, or one replaced.
fn role_with(line: &str) -> String {
    let key = line.split(" = ").next().unwrap();
    let good = [
        "request.who = ['alice', '@engineers']",
        "approve.who = ['carol', 'dave']",
        "gives.login = true",
    ];
    let kept = good.iter().filter(|good| !good.starts_with(key)).copied();
    [line]
        .into_iter()
        .chain(kept)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_ticket_pattern_must_be_one_expression() {
    for pattern in ["(", "a)|(b", "(?x)a #"] {
        let line = format!("request.ticket.pattern = '{pattern}'");
        let found = Config::new("", &[("x.toml", &role_with(&line))]).complaints();
        assert!(
            found.len() == 1 && found[0].contains(":1: not a regular expression ("),
            "{found:?}"
        );
    }
}

#[test]
fn a_ticket_matches_as_a_whole_or_not_at_all() {
    let line = "request.ticket.pattern = 'OPS-[0-9]+|INC[0-9]'";
    let policy = Config::new("", &[("x.toml", &role_with(line))])
        .load()
        .unwrap();
    let accepts = |ticket| policy.roles["x"].accepts_ticket(ticket);
    assert!(accepts("OPS-12") && accepts("INC1"));
    for ticket in [
        "",
        "OPS-",
        "xOPS-1",
        "OPS-1x",
        "INC1\n",
        "OPS-1\nOPS-2",
        "INC12",
    ] {
        assert!(!accepts(ticket), "{ticket:?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_in_the_order_of_the_files() {
    let config = Config::new(
        "gate.login = ['mallory']\nx = 1",
        &[
            ("b.toml", "request.who = ['alice']\ny = 2"),
            ("a.toml", "not toml"),
        ],
    );
    let found = config.complaints();
    let starts = [
        "tpad.toml:1: no such user",
        "tpad.toml:2: unknown key",
        "roles.d/a.toml:1: not TOML",
    ];
    for (complaint, start) in found.iter().zip(starts) {
        assert!(complaint.starts_with(start), "{found:#?}");
    }
    let rest: Vec<_> = found.iter().skip(3).collect();
    assert_eq!(
        rest,
        [
            "roles.d/b.toml: a role that nobody can approve",
            "roles.d/b.toml:2: unknown key: \"y\"",
        ]
    );
}

#[test]
fn files_that_others_can_write_are_refused() {
    for (name, mode) in [
        ("tpad.toml", 0o664),
        ("roles.d/x.toml", 0o646),
        ("roles.d", 0o777),
    ] {
        let config = Config::new("", &[("x.toml", WEB_OPS)]);
        config.chmod(name, mode);
        assert_eq!(
            config.complaints(),
            [format!(
                "{name}: can be written by others than root (mode {mode:04o})"
            )]
        );
    }
}

#[test]
fn files_of_another_owner_are_refused() {
    let config = Config::new("", &[]);
    let source = Source {
        owners: vec![geteuid().as_raw() + 1],
        ..config.source()
    };
    let problems = load(&source, &Host).unwrap_err();
    let message = format!("belongs to uid {}, not to root", geteuid());
    assert_eq!(problems[0].message, message);
    assert!(
        problems[0]
            .next
            .as_deref()
            .unwrap()
            .starts_with("chown root:root /")
    );
}

#[test]
fn links_and_what_is_no_file_are_refused() {
    let config = Config::new("", &[("x.toml", WEB_OPS)]);
    let replace = |name: &str| fs::remove_file(config.path(name)).unwrap();

    replace("tpad.toml");
    symlink(config.path("roles.d/x.toml"), config.path("tpad.toml")).unwrap();
    assert_eq!(config.complaints(), ["tpad.toml: is a link"]);

    replace("tpad.toml");
    nix::unistd::mkfifo(&config.path("tpad.toml"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert_eq!(config.complaints(), ["tpad.toml: is not a regular file"]);

    replace("tpad.toml");
    fs::rename(config.path("roles.d"), config.path("elsewhere")).unwrap();
    symlink(config.path("elsewhere"), config.path("roles.d")).unwrap();
    assert_eq!(
        config.complaints(),
        ["roles.d: is not a directory, or is a link to one"]
    );
}

#[test]
fn only_files_that_end_in_toml_are_roles() {
    let config = Config::new(
        "",
        &[
            ("web.toml", WEB_OPS),
            ("web.toml.bak", "x"),
            ("web.toml~", "x"),
            (".web.toml", "x"),
            ("README", "x"),
        ],
    );
    let roles: Vec<_> = config.load().unwrap().roles.into_keys().collect();
    assert_eq!(roles, ["web"]);
}

#[test]
fn a_file_that_cannot_name_a_role_is_refused() {
    for name in [
        "Web.toml",
        "-web.toml",
        "a b.toml",
        "a_b.toml",
        &format!("{}.toml", "a".repeat(33)),
    ] {
        let found = Config::new("", &[(name, WEB_OPS)]).complaints();
        let complaint = format!("roles.d/{name}: is not named as a role can be");
        assert_eq!(found, [complaint]);
    }
}

#[test]
fn the_revision_names_the_contents() {
    let revision = |settings: &str, roles: &[(&str, &str)]| {
        Config::new(settings, roles).load().unwrap().revision
    };
    let first = revision(TPAD, &[("web.toml", WEB_OPS)]);
    assert!(
        first.len() == 12 && first.chars().all(|c| c.is_ascii_hexdigit()),
        "{first}"
    );
    assert_eq!(first, revision(TPAD, &[("web.toml", WEB_OPS)]));
    assert_ne!(first, revision(TPAD, &[("ops.toml", WEB_OPS)]));
    assert_ne!(
        first,
        revision(&format!("{TPAD}\n"), &[("web.toml", WEB_OPS)])
    );
}

#[test]
fn the_files_that_ship_load_and_are_free_of_warnings() {
    let packaging = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
        fs::read_to_string(folder.join(name)).unwrap()
    };
    let tiny = Config::new(&packaging("etc/tpad.toml"), &[])
        .load()
        .unwrap();
    assert_eq!((tiny.gate.login, tiny.gate.sudo), (vec![], vec![]));

    let role = packaging("share/web-ops.toml.example");
    let settings = packaging("share/tpad.toml.example");
    let policy = Config::new(&settings, &[("web-ops.toml", &role)])
        .load()
        .unwrap();
    assert_eq!(policy.gate.login, [group("engineers")]);
    let found = danger::of_role(&policy.roles["web-ops"], &danger::Seen::default());
    assert_eq!(found, []);

    // What is commented out states the default, and is good itself.
    let uncomment = |text: &str| {
        let strip = |line: &str| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest.to_owned(),
            _ => line.to_owned(),
        };
        text.lines().map(strip).collect::<Vec<_>>().join("\n")
    };
    let whole = Config::new(
        &uncomment(&settings),
        &[("web-ops.toml", &uncomment(&role))],
    );
    let whole = whole.load().unwrap();
    assert_eq!(
        (whole.gate, whole.warn_before),
        (policy.gate, policy.warn_before)
    );
    let expected = Role {
        use_within_s: Some(28_800),
        proof: crate::policy::ProofLevel::Touch,
        ..policy.roles["web-ops"].clone()
    };
    assert_eq!(whole.roles["web-ops"], expected);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in r##"([a-z.\[\]{}=,'"#@*\n 0-9]|who|gives|sudo|run|\PC){0,60}"##) {
        let path = Path::new("x");
        let _ = settings::read(path, &text, 1000, &Host);
        let _ = role::read("x", path, &text, 1000, &Host);
    }

    #[test]
    fn a_damaged_role_is_refused_or_read_but_never_panics(at in 0..WEB_OPS.len(), byte in 0..128u8) {
        let mut bytes = WEB_OPS.as_bytes().to_vec();
        bytes[at] = byte;
        let text = String::from_utf8(bytes).unwrap();
        if let Err(problems) = role::read("x", Path::new("x"), &text, 1000, &Host) {
            proptest::prop_assert!(!problems.is_empty());
        }
    }
}

#[test]
fn tidy_is_for_accounts_of_services_alone_and_says_so() {
    let role = |run_as: &str, tidy: &str| {
        let rule =
            format!("[[gives.sudo]]\nas = '{run_as}'\nrun = ['/usr/bin/psql']\ntidy = {tidy}\n");
        let text = format!("request.who = ['alice']\napprove.who = ['carol']\n{rule}");
        Config::new("", &[("x.toml", &text)])
    };
    for (run_as, tidy) in [
        ("postgres", "true"),
        ("postgres", "false"),
        ("root", "false"),
    ] {
        let policy = role(run_as, tidy).load().unwrap();
        assert_eq!(policy.roles["x"].gives.sudo[0].tidy, tidy == "true");
    }
    for (run_as, why) in [
        (
            "root",
            "nothing of root can be removed after the end: what is root's is never removed",
        ),
        (
            "bob",
            "nothing of bob can be removed after the end: it is a person's account by its uid",
        ),
    ] {
        let found = role(run_as, "true").complaints();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("x.toml:6: ") && found[0].contains(why),
            "{found:?}"
        );
    }
    // One problem for one mistake.
    let found = role("no-such", "true").complaints();
    assert_eq!(found.len(), 1, "{found:?}");
    let config = role("www-data", "true");
    config.write("login.defs", "UID_MIN 30\n");
    assert!(config.complaints()[0].contains("a person's account"));
}
