//! Held against OpenSSH's own tool: what `ssh-keygen -Y sign` signs is taken, what `ssh-keygen -Y
//! verify` refuses is not, for every kind of key that it makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod desk;

use std::fs;
use std::process::{Command, Stdio};

use tpa_statement::accept::{Accepted, Refused, accept, authenticate};
use tpa_statement::login::Credential;
use tpa_statement::paper::Paper;
use tpa_statement::signers::Signers;
use tpa_statement::sshsig::Presence;

use desk::Desk;

/// 2026-11-25T16:10:00Z.
const NOW: i64 = 1_795_623_000;

const STATEMENT: &str = r#"{"v":1,"verb":"revoke","id":"7H2KM4QX","by":"carol","hosts":["web-01"],
    "at":"2026-11-25T16:00:00Z","expires":"2026-11-25T17:00:00Z","reason":"enough"}"#;

/// What OpenSSH says of the same paper and the same file of signers.
fn openssh_takes(desk: &Desk, paper: &Paper, signers: &str, by: &str) -> bool {
    fs::write(desk.path("signers"), signers).unwrap();
    fs::write(desk.path("paper.sig"), &paper.signature).unwrap();
    fs::write(desk.path("paper"), &paper.statement).unwrap();
    let mut command = Command::new("/usr/bin/ssh-keygen");
    command
        .args([
            "-Y",
            "verify",
            "-f",
            "signers",
            "-I",
            by,
            "-n",
            "statement@tpa.v1",
        ])
        .args(["-O", "verify-time=20261125160000Z", "-s", "paper.sig"])
        .current_dir(desk.path(""))
        .stdin(fs::File::open(desk.path("paper")).unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap().success()
}

fn taken(paper: &Paper, signers: &str) -> Result<Accepted, Refused> {
    accept(paper, &Signers::parse(signers), &["web-01"], NOW)
}

/// Taken here and by OpenSSH.
fn both_take(desk: &Desk, paper: &Paper, signers: &str) -> Accepted {
    assert!(
        openssh_takes(desk, paper, signers, "carol"),
        "OpenSSH: {signers}"
    );
    taken(paper, signers).unwrap()
}

/// Refused here and by OpenSSH.
fn both_refuse(desk: &Desk, paper: &Paper, signers: &str) -> String {
    assert!(
        !openssh_takes(desk, paper, signers, "carol"),
        "OpenSSH: {signers}"
    );
    taken(paper, signers).unwrap_err().to_string()
}

#[test]
fn every_kind_of_key_signs() {
    let desk = Desk::new();
    let kinds: [(&str, &[&str]); 7] = [
        ("ed25519", &["ed25519"]),
        ("p256", &["ecdsa", "-b", "256"]),
        ("p384", &["ecdsa", "-b", "384"]),
        ("p521", &["ecdsa", "-b", "521"]),
        ("rsa2048", &["rsa", "-b", "2048"]),
        ("rsa3072", &["rsa", "-b", "3072"]),
        ("rsa4096", &["rsa", "-b", "4096"]),
    ];
    for (name, kind) in kinds {
        let signers = format!("carol {}", desk.key(name, kind));
        let paper = desk.sign(name, "statement@tpa.v1", STATEMENT);
        let accepted = both_take(&desk, &paper, &signers);
        assert_eq!(accepted.statement.by, "carol");
        assert_eq!(accepted.proof.presence, Presence::Key, "{name}");
        // Any byte of it makes it another statement.
        let mut changed = paper.clone();
        changed.statement[100] ^= 1;
        assert!(!openssh_takes(&desk, &changed, &signers, "carol"), "{name}");
        assert!(authenticate(&changed, &Signers::parse(&signers)).is_err());
    }
}

#[test]
fn another_person_namespace_key_or_time_is_refused() {
    let desk = Desk::new();
    let key = desk.key("carol", &["ed25519"]);
    let other = desk.key("other", &["ed25519"]);
    let paper = desk.sign("carol", "statement@tpa.v1", STATEMENT);
    let refused = |signers: &str| both_refuse(&desk, &paper, signers);
    assert!(refused(&format!("erin {key}")).contains("it is the key of erin"));
    assert!(refused(&format!("carol {other}")).contains("is nobody's"));
    assert!(refused("").contains("is nobody's"));
    assert!(refused(&format!("carol namespaces=\"git\" {key}")).contains("other namespaces"));
    let late = format!("carol valid-after=\"202611251601Z\" {key}");
    assert!(refused(&late).contains("not valid when"));
    let over = format!("carol valid-before=\"202611251559Z\" {key}");
    assert!(refused(&over).contains("not valid when"));
    // A CA's own key vouches for others and says nothing itself.
    assert!(refused(&format!("carol cert-authority {key}")).contains("is nobody's"));
    let git = desk.sign("carol", "git", STATEMENT);
    assert!(both_refuse(&desk, &git, &format!("carol {key}")).contains("made for \"git\""));
}

#[test]
fn the_signature_of_one_statement_is_no_other_s() {
    let desk = Desk::new();
    let signers = format!("carol {}", desk.key("carol", &["ed25519"]));
    let paper = desk.sign("carol", "statement@tpa.v1", STATEMENT);
    let other = desk.sign(
        "carol",
        "statement@tpa.v1",
        &STATEMENT.replace("enough", "more"),
    );
    let mixed = Paper {
        signature: other.signature,
        ..paper.clone()
    };
    assert!(both_refuse(&desk, &mixed, &signers).contains("not that of these bytes"));
    for cut in [1, paper.signature.len() / 2, paper.signature.len() - 30] {
        let cut = Paper {
            signature: paper.signature[..cut].to_owned(),
            ..paper.clone()
        };
        assert!(both_refuse(&desk, &cut, &signers).contains("cannot be read"));
    }
}

#[test]
fn hosts_and_times_of_the_statement_count() {
    let desk = Desk::new();
    let signers = format!("carol {}", desk.key("carol", &["ed25519"]));
    let signers = Signers::parse(&signers);
    let paper = desk.sign("carol", "statement@tpa.v1", STATEMENT);
    let on = |host: &str, now: i64| accept(&paper, &signers, &[host], now);
    assert!(on("web-01", NOW).is_ok());
    assert!(on("Web-01", NOW).is_ok(), "names of hosts have no case");
    assert!(matches!(on("web-02", NOW), Err(Refused::OtherHost { .. })));
    assert_eq!(on("web-01", NOW + 3_000), Err(Refused::Expired(0)));
    assert!(on("web-01", NOW - 660).is_ok());
    assert_eq!(on("web-01", NOW - 661), Err(Refused::Future(61)));
    // As evidence it holds for ever.
    assert!(authenticate(&paper, &signers).is_ok());
}

#[test]
fn a_certificate_of_a_ca_vouches_for_the_people_it_names_while_it_is_valid() {
    let desk = Desk::new();
    let authority = desk.key("ca", &["ed25519"]);
    let _key = desk.key("carol", &["ecdsa"]);
    let issue = |principals: &str, validity: &str, more: &[&str]| {
        let fixed = [
            "-q",
            "-s",
            "ca",
            "-I",
            "carol@corp",
            "-V",
            validity,
            "-n",
            principals,
        ];
        assert!(desk.keygen(&[&fixed, more, &["carol.pub"]].concat()));
        // OpenSSH signs with the certificate when it is the key that is named.
        desk.sign("carol-cert.pub", "statement@tpa.v1", STATEMENT)
    };
    let valid = "20261125000000Z:20261126000000Z";
    let signers = format!("carol,erin cert-authority {authority}");
    let accepted = both_take(&desk, &issue("carol", valid, &[]), &signers);
    assert!(accepted.proof.fingerprint.starts_with("SHA256:"));
    let refused = |paper: &Paper| both_refuse(&desk, paper, &signers);
    assert!(refused(&issue("erin", valid, &[])).contains("not carol's"));
    let over = issue("carol", "20261124000000Z:20261125000000Z", &[]);
    assert!(refused(&over).contains("not valid then"));
    assert!(refused(&issue("carol", valid, &["-h"])).contains("a host's"));
    // Whoever is not on the CA's own line is not vouched for, whatever the certificate says.
    let paper = issue("carol", valid, &[]);
    let erin = format!("erin cert-authority {authority}");
    assert!(both_refuse(&desk, &paper, &erin).contains("it is the key of erin"));
    let plain = format!("carol {authority}");
    assert!(both_refuse(&desk, &paper, &plain).contains("is nobody's"));
    // Stricter than OpenSSH: a condition that nobody here knows is no yes.
    let forced = issue("carol", valid, &["-O", "force-command=true"]);
    assert!(
        taken(&forced, &signers)
            .unwrap_err()
            .to_string()
            .contains("force-command")
    );
}

#[test]
fn a_certificate_logs_in_whom_it_and_the_line_of_its_ca_name() {
    let desk = Desk::new();
    let ca = desk.key("ca", &["ed25519"]);
    desk.key("alice", &["ed25519"]);
    let certify = |more: &[&str]| {
        let fixed = ["-q", "-s", "ca", "-I", "id", "-V", "20261101Z:20270101Z"];
        let signed = desk.keygen(&[&fixed, more, &["alice.pub"]].concat());
        assert!(signed, "{more:?}");
        let text = fs::read_to_string(desk.path("alice-cert.pub")).unwrap();
        let words: Vec<_> = text.split_whitespace().take(2).collect();
        Credential::parse(&words.join(" ")).unwrap()
    };
    let lines = |text: &str| Signers::parse(text);
    let of_both = lines(&format!("alice,carol cert-authority {ca}"));
    let alice = certify(&["-n", "alice,prod"]);
    let login = alice.person(&of_both, NOW).unwrap();
    assert_eq!(login.person, "alice");
    assert!(ca.starts_with(&login.authority.unwrap()));
    // The certificate's own key says nothing beside it, and a CA's line is no key's.
    let plain = fs::read_to_string(desk.path("alice.pub")).unwrap();
    for (signers, why) in [
        (lines(&format!("alice {plain}")), "is nobody's"),
        (lines(&format!("alice {ca}")), "is nobody's"),
        (
            lines(&format!("carol cert-authority {ca}")),
            "names nobody of that line",
        ),
    ] {
        let refused = alice.person(&signers, NOW).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    for (certificate, why) in [
        (certify(&["-n", "alice,carol"]), "several people"),
        (certify(&[]), "names nobody of that line"),
        (
            certify(&["-n", "alice", "-V", "20200101Z:20200102Z"]),
            "not valid",
        ),
        (certify(&["-n", "alice", "-h"]), "a host's"),
        (
            certify(&["-n", "alice", "-O", "force-command=id"]),
            "critical option",
        ),
    ] {
        let refused = certificate.person(&of_both, NOW).unwrap_err().to_string();
        assert!(refused.contains(why), "{why}: {refused}");
    }
}

#[test]
fn a_certificate_is_checked_once_however_many_people_the_line_of_its_ca_names() {
    let desk = Desk::new();
    let ca = desk.key("ca", &["rsa", "-b", "4096"]);
    desk.key("alice", &["ed25519"]);
    let certify = "-q -s ca -I id -V 20261101Z:20270101Z -n alice alice.pub";
    assert!(desk.keygen(&certify.split(' ').collect::<Vec<_>>()));
    let text = fs::read_to_string(desk.path("alice-cert.pub")).unwrap();
    let words: Vec<_> = text.split_whitespace().take(2).collect();
    let alice = Credential::parse(&words.join(" ")).unwrap();
    let mut people: Vec<String> = (0..20_000).map(|n| format!("person{n}")).collect();
    people.push("alice".to_owned());
    let signers = format!("{} cert-authority {ca}", people.join(","));
    let login = alice.person(&Signers::parse(&signers), NOW);
    assert_eq!(login.unwrap().person, "alice");
}
