use std::collections::BTreeMap;

use serde_json::Value;
use tpa_bus::offline::GateFile;

use super::*;
use crate::config::people::fake::Host;
use crate::policy::{AuditFormat, Gives, SudoRule};

fn policy() -> Policy {
    let group = |name: &str| vec![Who::Group(name.into())];
    let role = Role {
        name: "web-ops".into(),
        description: "Restart the web tier".into(),
        requesters: group("engineers"),
        default_s: 3_600,
        max_s: 14_400,
        reason_min: 10,
        ticket_required: true,
        ticket_pattern: Some("OPS-[0-9]+".into()),
        lapse_s: 3_600,
        approvers: group("oncall"),
        needed: 1,
        proof: crate::policy::ProofLevel::Session,
        auto: group("oncall"),
        use_within_s: None,
        exact: None,
        gives: Gives {
            login: true,
            record: false,
            break_glass: false,
            on_end: OnEnd::Kill,
            sudo: vec![SudoRule {
                run_as: "root".into(),
                run_as_group: None,
                run: vec!["/bin/bash".into()],
                edit: Vec::new(),
                password: true,
                tidy: false,
            }],
        },
    };
    Policy {
        revision: "0123456789ab".into(),
        gate: GateFile {
            login: group("engineers"),
            sudo: Vec::new(),
            exempt: group("tpa-emergency"),
            ..GateFile::default()
        },
        pending_per_user: 5,
        warn_before: vec![60],
        audit_format: AuditFormat::Kv,
        audit_keep_s: None,
        audit_keep_recordings_s: None,
        notify: Vec::new(),
        roles: BTreeMap::from([("web-ops".into(), role)]),
        signers: None,
        seen: danger::Seen::default(),
    }
}

#[test]
fn a_role_for_single_commands_that_sudo_rs_could_not_record_is_an_error() {
    let mut policy = policy();
    policy.seen.sudo_rs = true;
    let role = policy.roles.get_mut("web-ops").unwrap();
    role.gives.sudo.clear();
    role.exact = Some(crate::policy::exact::Exact {
        run_as: vec!["root".into()],
        programs: vec!["/usr/bin/*".into()],
    });
    let place = Path::new("/etc/tpa/web-ops.toml");
    assert_eq!(not_for_this_sudo(place, &policy), []);
    let role = policy.roles.get_mut("web-ops").unwrap();
    role.gives.record = true;
    let problems = not_for_this_sudo(place, &policy);
    let said = complaint(&problems);
    assert!(
        said.contains("web-ops.toml: has to be recorded, which this host's sudo-rs cannot do"),
        "{said}"
    );
    policy.seen.sudo_rs = false;
    assert_eq!(not_for_this_sudo(place, &policy), []);
}

#[test]
fn a_good_configuration_is_told_in_plain_words() {
    let expected = "\
/etc/tpa: good, revision 0123456789ab

gate
  login    @engineers needs a grant
  sudo     nobody needs a grant
  exempt   @tpa-emergency, every use logged loudly

role web-ops: Restart the web tier
  may ask  @engineers
  for      up to 4h, default 1h
  with     a reason of 10 characters or more and a ticket like OPS-[0-9]+
  needs    1 approval from @oncall within 1h, never for themselves; approved at once when asked by @oncall
  gives    login
           sudo as root: /bin/bash
  the end  kills what the grant started, logins included
           but not processes that root starts through other services

warning: role web-ops: a shell: this amounts to being root: \"/bin/bash\"
  next: give the commands that are run in it
";
    assert_eq!(summary(Path::new("/etc/tpa"), &policy(), None), expected);
}

#[test]
fn what_is_removed_after_the_end_is_told_in_words() {
    let mut policy = policy();
    let role = policy.roles.get_mut("web-ops").unwrap();
    for run_as in ["shopdb", "postgres", "shopdb"] {
        let mut given = role.gives.sudo[0].clone();
        given.run_as = run_as.into();
        given.tidy = run_as == "shopdb";
        role.gives.sudo.push(given);
    }
    let text = summary(Path::new("/etc/tpa"), &policy, None);
    let line = "\n           then removes the crontab, at jobs and authorized keys of shopdb that appeared \
                meanwhile\n";
    assert!(text.contains(line), "{text}");
    let json: Value = serde_json::from_str(&explain_json::good(&policy, None)).unwrap();
    let role = &json["roles"][0];
    assert!(role["tidies"].as_str().unwrap().contains("keys of shopdb"));
    assert_eq!(role["sudo"][1]["tidy"], true);
    assert_eq!(role["sudo"][2]["tidy"], false);
}

#[test]
fn one_person_reads_what_it_means_to_them() {
    for (name, expected) in [
        (
            "alice",
            "alice (uid 1001; groups alice, engineers)\n  login    needs a grant\n  sudo     \
             passes without a grant\n  may ask  web-ops: up to 4h, default 1h\n",
        ),
        (
            "dave",
            "dave (uid 1004; groups dave, oncall)\n  login    passes without a grant\n  sudo     \
             passes without a grant\n           web-ops is approved at once\n  decides  web-ops, \
             for others\n",
        ),
    ] {
        let subject = subject(name, &Host, no_rules).unwrap();
        let text = summary(Path::new("x"), &policy(), Some(&subject));
        let (_, told) = text.split_once("\n\n").unwrap();
        assert_eq!(told, expected);
    }
    let eve = subject("eve", &Host, no_rules).unwrap();
    assert_eq!(concern(&policy(), Class::Login, &eve).0, "exempt");
    let error = subject("mallory", &Host, no_rules).err().unwrap();
    assert!(
        error.starts_with("no such user on this host: mallory"),
        "{error}"
    );
}

fn no_rules(_: &str) -> Rules {
    Rules::Are(Vec::new())
}

#[test]
fn what_somebody_has_beside_grants_is_named() {
    let mut policy = policy();
    let told = |policy: &Policy, rules: Rules| {
        let alice = subject("alice", &Host, |_| rules.clone()).unwrap();
        let text = summary(Path::new("x"), policy, Some(&alice));
        let standing = text.lines().filter(|line| line.starts_with("  standing "));
        standing.map(str::to_owned).collect::<Vec<_>>()
    };
    let rules = Rules::Are(vec!["(ALL : ALL) ALL".to_owned()]);
    let free = told(&policy, rules.clone());
    assert!(
        free[0].contains("(ALL : ALL) ALL, a rule of the host's own"),
        "{free:?}"
    );
    assert!(free[0].ends_with("works without a grant"), "{free:?}");
    assert_eq!(free.len(), 1);
    policy.gate.sudo = policy.gate.login.clone();
    assert!(told(&policy, rules)[0].contains("while they hold any sudo grant"));
    let unknown = Rules::NotLookedAt("run this as root".to_owned());
    assert!(told(&policy, unknown)[0].ends_with("not looked at: run this as root"));
}

#[test]
fn everyone_does_not_mean_root_and_system_users() {
    let means = |user: &str, uid| policy().means(&[Who::Everyone], user, uid, &[]);
    assert!(means("alice", 1001));
    assert!(!means("root", 0) && !means("postgres", 105) && !means("nobody", 65_534));
}

#[test]
fn a_gate_without_an_emergency_exit_is_warned_of() {
    let mut policy = policy();
    assert_eq!(danger::of_gate(&policy), None);
    policy.gate.exempt.clear();
    let text = summary(Path::new("x"), &policy, None);
    assert!(text.contains("\nwarning: nobody is exempt"), "{text}");
}

#[test]
fn problems_are_told_each_with_its_next_step() {
    let problem = Problem::at_line("x.toml", 3, "maxx", "unknown key").next("known here: max");
    assert_eq!(
        complaint(&[problem]),
        "x.toml:3: unknown key: \"maxx\"\n  next: known here: max\n1 problem: this configuration \
         would not be loaded\n"
    );
}

#[test]
fn json_carries_the_same() {
    let alice = subject("alice", &Host, no_rules).unwrap();
    let good: Value = serde_json::from_str(&explain_json::good(&policy(), Some(&alice))).unwrap();
    assert_eq!(good["apiVersion"], "tpa/v1");
    assert_eq!(good["kind"], "CheckResult");
    assert_eq!(good["ok"], true);
    assert_eq!(good["roles"][0]["max_s"], 14_400);
    assert_eq!(good["warnings"][0]["rule"], "/bin/bash");
    assert_eq!(good["user"]["login"], "gated");
    assert_eq!(good["user"]["may_request"][0], "web-ops");
    assert_eq!(good["user"]["may_approve"], Value::Array(Vec::new()));

    let problem = Problem::at_line("x.toml", 3, "maxx", "unknown key");
    let bad: Value = serde_json::from_str(&explain_json::bad(&[problem])).unwrap();
    assert_eq!(bad["ok"], false);
    assert_eq!(bad["problems"][0]["line"], 3);
    assert_eq!(bad["problems"][0]["next"], Value::Null);
}
