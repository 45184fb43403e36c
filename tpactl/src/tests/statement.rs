//! `tpactl verify --statement` against what `ssh-keygen -Y sign` signs. There is no tpad in any of it.

#[path = "../../../tpa_statement/tests/desk/mod.rs"]
pub mod desk;

use std::fs;

use clap::Parser;
use tpa_statement::NAMESPACE;
use tpa_statement::paper::{Paper, TEXT_MAX};

use super::Came;
use crate::cli::Cli;
use crate::clock::fixed;
use crate::context::Context;
use crate::fail::Exit;
use crate::screen::fake::screen;
use desk::Desk;

/// Signed half an hour before the tests' clock, and good for half an hour more.
const STATEMENT: &str = r#"{"v":1,"verb":"revoke","id":"7H2KM4QX","by":"carol","hosts":["web-01","web-02"],"at":"2026-11-24T13:01:00Z","expires":"2026-11-24T14:01:00Z","reason":"enough\u202e"}"#;

/// A desk where carol has a key and is listed.
struct Scene {
    desk: Desk,
    key: String,
}

impl Scene {
    fn new() -> Self {
        let desk = Desk::new();
        let key = desk.key("carol", &["ed25519"]);
        let scene = Self { desk, key };
        scene.signers(&format!("carol {}", scene.key));
        scene
    }

    fn signers(&self, text: &str) {
        fs::write(self.desk.path("signers"), text).unwrap();
    }

    fn signed(&self, statement: &str) -> Paper {
        self.desk.sign("carol", NAMESPACE, statement)
    }

    /// Hands on a paper as the text that a person pastes.
    fn verify(&self, paper: &Paper) -> Came {
        self.verify_text(&paper.to_text(&["carol revokes".to_owned()]).unwrap())
    }

    fn verify_text(&self, text: &str) -> Came {
        let file = self.desk.path("pasted");
        fs::write(&file, text).unwrap();
        self.run(&file.display().to_string(), "", None)
    }

    fn run(&self, file: &str, more: &str, typed: Option<&'static str>) -> Came {
        let signers = self.desk.path("signers");
        let line = format!(
            "tpactl verify --statement {file} --signers {}{more}",
            signers.display()
        );
        let (screen, out, err) = screen(typed);
        let context = Context {
            screen,
            clock: fixed(),
            connected: None,
            host: "web-01".into(),
            outside: false,
        };
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let ended = zruntime::block_on(crate::run(cli.verb, &context));
        Came {
            exit: crate::finish(ended, &context),
            out: out.text(),
            err: err.text(),
        }
    }
}

#[track_caller]
fn is_refused(came: &Came, exit: Exit, says: &str) {
    assert_eq!(came.exit, exit, "{came:?}");
    assert!(came.err.contains(says), "{came:?}");
    assert!(came.err.contains("next: "), "{came:?}");
    assert!(came.out.is_empty(), "{came:?}");
}

#[test]
fn a_good_statement_is_told_in_plain_words() {
    let scene = Scene::new();
    let came = scene.verify(&scene.signed(STATEMENT));
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    for says in [
        "good signature: carol says revoke 7H2KM4QX\n",
        "  hosts       web-01, web-02\n",
        "  signed      2026-11-24 14:01:00 CET\n",
        "  expires     2026-11-24 15:01:00 CET\n",
        "  reason      enough\\u{202e}\n",
        "  key         SHA256:",
        " (ssh-ed25519)\n",
        "  presence    not told: the key is not a security key\n",
        "  this host   web-01 is among the hosts\n",
        "  now         expires in 30m\n",
    ] {
        assert!(came.out.contains(says), "{says}: {}", came.out);
    }
    assert!(came.err.contains("nothing is decided"), "{}", came.err);
}

#[test]
fn evidence_of_another_host_and_time_is_still_good() {
    let scene = Scene::new();
    let old = STATEMENT
        .replace("web-01", "db-01")
        .replace("2026-11-24T1", "2026-11-23T1");
    let came = scene.verify(&scene.signed(&old));
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert!(came.out.contains("web-01 is not among the hosts"));
    assert!(came.out.contains("expired 23h30m ago"), "{}", came.out);
}

#[test]
fn the_json_form_has_what_was_said_and_what_is_proven() {
    let scene = Scene::new();
    let text = scene.signed(STATEMENT).to_text(&[]).unwrap();
    // From stdin, as a pipe gives it.
    let came = scene.run("-", " --json", Some(text.leak()));
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert!(!came.out.contains('\u{202e}'));
    let json: serde_json::Value = serde_json::from_str(&came.out).unwrap();
    assert_eq!(json["apiVersion"], "tpa/v1");
    assert_eq!(json["kind"], "Statement");
    assert_eq!(json["by"], "carol");
    assert_eq!(json["verb"], "revoke");
    assert_eq!(json["at"], "2026-11-24T13:01:00Z");
    assert_eq!(json["reason"], "enough\u{202e}");
    assert_eq!(json["key_type"], "ssh-ed25519");
    assert_eq!(json["touched"], serde_json::Value::Null);
    assert_eq!(
        (&json["for_this_host"], &json["expired"]),
        (&true.into(), &false.into())
    );
}

#[test]
fn a_changed_statement_and_a_signature_for_something_else_are_not_verified() {
    let scene = Scene::new();
    let mut changed = scene.signed(STATEMENT);
    changed.statement = STATEMENT.replace("web-02", "web-03").into();
    is_refused(
        &scene.verify(&changed),
        Exit::Unverified,
        "they were changed",
    );
    let git = scene.desk.sign("carol", "git", STATEMENT);
    is_refused(&scene.verify(&git), Exit::Unverified, "made for \"git\"");
}

#[test]
fn a_key_that_is_not_listed_for_the_person_at_that_time_is_not_verified() {
    let scene = Scene::new();
    let (key, paper) = (&scene.key, scene.signed(STATEMENT));
    for (signers, says) in [
        (String::new(), "is nobody's"),
        (format!("erin {key}"), "it is the key of erin"),
        (
            format!("carol valid-before=\"202611241300Z\" {key}"),
            "was not valid when",
        ),
        (
            format!("carol namespaces=\"git\" {key}"),
            "other namespaces",
        ),
    ] {
        scene.signers(&signers);
        is_refused(&scene.verify(&paper), Exit::Unverified, says);
    }
    // A key that went out of use since was good when it signed.
    scene.signers(&format!("carol valid-before=\"202611241302Z\" {key}"));
    assert_eq!(scene.verify(&paper).exit, Exit::Done);
}

#[test]
fn what_is_no_whole_statement_cannot_be_read() {
    let scene = Scene::new();
    let text = scene.signed(STATEMENT).to_text(&[]).unwrap();
    let cut = text.get(..text.len() - 40).unwrap();
    is_refused(&scene.verify_text(cut), Exit::Failure, "cut off or damaged");
    is_refused(
        &scene.verify_text("hello"),
        Exit::Failure,
        "no signed statement",
    );
    let unknown = STATEMENT.replace("\"v\":1", "\"v\":1,\"sudo\":true");
    let came = scene.verify(&scene.signed(&unknown));
    is_refused(&came, Exit::Failure, "unknown field `sudo`");
}

#[test]
fn of_several_statements_all_are_verified_or_none() {
    let scene = Scene::new();
    let other = STATEMENT.replace("7H2KM4QX", "7H2KM4QY");
    let text = |paper: Paper| paper.to_text(&[]).unwrap();
    let (first, second) = (text(scene.signed(STATEMENT)), text(scene.signed(&other)));
    let came = scene.verify_text(&format!("{first}{second}"));
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    for id in ["7H2KM4QX", "7H2KM4QY"] {
        let says = format!("good signature: carol says revoke {id}\n");
        assert!(came.out.contains(&says), "{}", came.out);
    }
    let both = format!("{first}{second}");
    let came = scene.run("-", " --json", Some(both.leak()));
    let json: serde_json::Value = serde_json::from_str(&came.out).unwrap();
    assert_eq!(json["kind"], "StatementList");
    assert_eq!(json["items"][1]["id"], "7H2KM4QY");
    let mut changed = scene.signed(&other);
    changed.statement = STATEMENT.into();
    is_refused(
        &scene.verify_text(&format!("{first}{}", text(changed))),
        Exit::Unverified,
        "the statement 2 of 2 is not verified",
    );
}

#[test]
fn what_has_no_end_is_refused() {
    let scene = Scene::new();
    let huge = "x".repeat(TEXT_MAX + 1);
    is_refused(&scene.verify_text(&huge), Exit::Failure, "more than");
    is_refused(
        &scene.run("-", "", Some(huge.leak())),
        Exit::Failure,
        "more than",
    );
    let pipe = scene.desk.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for file in [pipe.to_str().unwrap(), "/dev/zero", "/"] {
        let came = scene.run(file, "", None);
        is_refused(&came, Exit::Failure, "not a regular file");
    }
}

#[test]
fn without_a_whole_file_of_signers_no_statement_is_accepted() {
    let scene = Scene::new();
    let paper = scene.signed(STATEMENT);
    scene.signers("carol\n*@example.com x\n");
    is_refused(&scene.verify(&paper), Exit::Failure, "line 1: ");
    fs::remove_file(scene.desk.path("signers")).unwrap();
    let came = scene.verify(&paper);
    is_refused(&came, Exit::Failure, "no statement is accepted without it");
}
