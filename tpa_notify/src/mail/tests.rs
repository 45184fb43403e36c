use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use proptest::prelude::*;

use super::*;
use crate::words::tests::job;

const ALICE: [(&str, &str); 5] = [
    ("user", "alice"),
    ("requested_by", "alice"),
    ("approvers", "@oncall,carol"),
    ("grant", "7H2KM4QX"),
    ("role", "web-ops"),
];

fn two(group: &str) -> Vec<String> {
    assert_eq!(group, "oncall");
    vec!["carol".to_owned(), "dave".to_owned()]
}

/// Headers by name, and the text of the body.
fn read(mail: &str) -> (Vec<String>, String) {
    let (head, body) = mail.split_once("\n\n").unwrap();
    let unfolded = head.replace("\n ", "\u{1}");
    let headers = unfolded.lines().map(str::to_owned).collect();
    let body: String = body.split_whitespace().collect();
    let body = base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap();
    (headers, String::from_utf8(body).unwrap())
}

#[test]
fn who_decides_is_told_of_what_waits_and_who_asked_of_the_decision() {
    let to = |event: &str, waits: bool, more: &[(&str, &str)]| {
        let mut job = job("mail", event, &[ALICE.as_slice(), more].concat());
        if !waits {
            job.events[0].0["state_now"] = "active".into();
        }
        let mails = mails(&job, &two);
        mails.into_keys().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(to("request-created", true, &[]), "carol dave");
    assert_eq!(to("request-reminder", true, &[]), "carol dave");
    assert_eq!(to("request-created", false, &[]), "");
    assert_eq!(to("request-denied", false, &[]), "alice");
    assert_eq!(to("grant-revoked", false, &[]), "alice");
    assert_eq!(to("approval-recorded", false, &[]), "alice");
    // Who was not asked is told all the same.
    assert_eq!(
        to("approval-recorded", false, &[("approval", "auto")]),
        "alice carol dave"
    );
    assert_eq!(to("break-glass-used", false, &[]), "alice carol dave");
    assert_eq!(to("policy-rejected", false, &[]), "");
}

#[test]
fn nobody_reads_in_one_mail_what_another_one_asked() {
    let mut job = job("mail", "request-denied", &ALICE);
    let mut of_bob = job.events[0].clone();
    of_bob.0["fields"]["user"] = "bob".into();
    of_bob.0["fields"]["requested_by"] = "bob".into();
    of_bob.0["fields"]["reason"] = "for the audit".into();
    job.events.push(of_bob);
    job.more = [("login-denied".to_owned(), 4)].into();
    let mails = mails(&job, &two);
    let (_, alices) = read(&mails["alice"]);
    let (_, bobs) = read(&mails["bob"]);
    assert!(
        !alices.contains("audit") && !alices.contains("4 more"),
        "{alices}"
    );
    assert!(bobs.contains("audit"), "{bobs}");
}

#[test]
fn a_recipient_is_a_name_or_a_plain_address() {
    for good in ["carol", "sec@example.com", "a.b+c@x-y.example", "_apt"] {
        assert!(is_recipient(good), "{good}");
    }
    for bad in [
        "",
        "-oQ/tmp",
        "|/bin/sh",
        "/etc/passwd",
        "a b",
        "a,b",
        "a@",
        "@b",
        "a@-b",
        "a@b@c",
        "a\nb",
        "\"a\"@b",
        "a;b",
        ":include:/x",
        "*",
    ] {
        assert!(!is_recipient(bad), "{bad}");
    }
}

proptest! {
    #[test]
    fn nothing_typed_begins_a_header_or_ends_the_body(
        text in "(\r\n|\n|\r|: |Bcc: x@y\\.zz|\\.|=\\?utf-8\\?B\\?|.){0,60}",
    ) {
        let fields = [
            ("user", text.as_str()), ("role", &text), ("reason", &text), ("actor", &text),
            ("grant", "7H2KM4QX"),
        ];
        let mut job = job("mail", "request-created", &fields);
        job.to = vec!["carol".into()];
        let mail = mail(&job, "carol");
        prop_assert!(mail.is_ascii());
        let (headers, body) = read(&mail);
        let names: Vec<_> = headers.iter().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
        prop_assert_eq!(names, [
            "To", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Auto-Submitted",
        ]);
        prop_assert_eq!(headers.len(), 6);
        for line in mail.lines() {
            prop_assert!(line.len() <= 78, "{}", line);
        }
        prop_assert!(!body.contains('\r'));
        prop_assert!(!body.contains("y.zz"), "{}", body);
    }
}

/// A sendmail that keeps what it is given.
fn stand_in(folder: &std::path::Path, ends: &str) -> String {
    let path = folder.join("sendmail");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >>{0}/called\ncat >>{0}/mail\n{ends}\n",
        folder.display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn sendmail_is_told_whom_by_its_arguments_and_its_failure_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = job("mail", "request-created", &ALICE);
    job.to = vec!["carol".into(), "-t".into(), "sec@example.com".into()];
    job.from = Some("tpa@example.com".into());
    assert_eq!(
        send(&job, &stand_in(folder.path(), "exit 0"), drop),
        Outcome::Told
    );
    let called = std::fs::read_to_string(folder.path().join("called")).unwrap();
    assert_eq!(
        called,
        "-i -f tpa@example.com carol\n-i -f tpa@example.com sec@example.com\n"
    );
    let outcome = send(&job, &stand_in(folder.path(), "exit 75"), drop);
    assert!(
        matches!(&outcome, Outcome::Failed { why, .. } if why.contains("exit status: 75")),
        "{outcome:?}"
    );
    let outcome = send(&job, "/no/sendmail", drop);
    assert!(matches!(&outcome, Outcome::Failed { .. }), "{outcome:?}");
    job.to = vec!["-t".into()];
    assert!(matches!(
        send(&job, "/no/sendmail", drop),
        Outcome::Refused { .. }
    ));
}

/// What a run with this job comes to, and whom it has told in order.
fn run(job: &Job, sendmail: &str) -> (Outcome, Vec<String>, Vec<String>) {
    let (mut told, mut tried) = (Vec::new(), Vec::new());
    let outcome = send(job, sendmail, |step| match step {
        Step::Told(to) => told.push(to),
        Step::Trying(to) => tried.push(to),
    });
    (outcome, told, tried)
}

#[test]
fn a_recipient_whose_mail_is_not_taken_holds_up_nobody_and_nobody_is_told_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = job("mail", "request-created", &ALICE);
    job.to = ["ann", "bob", "cid"].map(str::to_owned).to_vec();
    let sendmail = stand_in(folder.path(), "case $* in *bob*) exit 75;; esac");
    let (outcome, told, tried) = run(&job, &sendmail);
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    assert_eq!(told, ["ann", "cid"]);
    assert_eq!(tried, ["ann", "bob", "cid"]);
    // Again: those who have it are left alone, and whoever was tried comes last.
    job.told = told.into_iter().collect();
    job.tried = ["bob".to_owned()].into();
    job.to.push("dan".into());
    let (_, told, tried) = run(&job, &sendmail);
    assert_eq!(told, ["dan"]);
    assert_eq!(tried, ["dan", "bob"]);
    job.told.extend(["bob".to_owned(), "dan".to_owned()]);
    let (outcome, told, _) = run(&job, &sendmail);
    assert_eq!((outcome, told), (Outcome::Told, Vec::new()));
}

#[test]
fn whoever_is_behind_the_fiftieth_is_told_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = job("mail", "request-created", &ALICE);
    job.to = (0..120).map(|number| format!("u{number:03}")).collect();
    let sendmail = stand_in(folder.path(), "exit 0");
    for expected in [50, 50, 20] {
        let (outcome, told, _) = run(&job, &sendmail);
        assert_eq!(told.len(), expected);
        assert_eq!(outcome == Outcome::Told, expected == 20, "{outcome:?}");
        job.told.extend(told);
    }
    assert_eq!(job.told.len(), 120);
}
