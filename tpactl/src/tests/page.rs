//! Reports as pages, from `tpad` to the file.

use std::os::unix::fs::PermissionsExt as _;

use super::player::recorded;
use super::{Exit, events, json, run, sample};

#[test]
fn a_report_is_written_as_one_page_with_the_text_of_what_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let daemon = recorded();
    daemon.state().requests = vec![sample::ended("expired")];
    daemon.state().events = events(1);
    let line = format!("tpactl report 7H2K --html {}", file.display());
    let came = run(&daemon, &line, None);
    assert_eq!((came.exit, came.out.as_str()), (Exit::Done, ""), "{came:?}");
    let page = std::fs::read_to_string(&file).unwrap();
    for part in [
        "<!DOCTYPE html>",
        "alice on web-01",
        "one \ntwomore\ncut off",
        "out\nerr",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    // What is there is not written over, and nothing is read for it.
    let calls = daemon.state().calls;
    let came = run(&daemon, &line, None);
    assert_eq!(came.exit, Exit::Failure);
    assert!(came.err.contains("is there already"), "{}", came.err);
    assert_eq!(daemon.state().calls, calls);
    let came = run(&daemon, &format!("{line} --force --no-replay"), None);
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(
        page.contains("Left out of this page") && !page.contains("twomore"),
        "{page}"
    );

    let came = run(&daemon, "tpactl report --since 30d --html -", None);
    assert!(
        came.out.starts_with("<!DOCTYPE html>") && came.out.contains("By role"),
        "{}",
        came.out
    );
}

#[test]
fn every_form_of_a_report_has_its_host_its_absolute_times_the_end_and_how_long_it_lasted() {
    let daemon = recorded();
    daemon.state().requests = vec![sample::ended("expired")];
    daemon.state().events = events(1);
    let text = run(&daemon, "tpactl report 7H2K", None).out;
    let list = run(&daemon, "tpactl report --since 30d", None).out;
    for (of, part) in [
        (&text, "Report of web-01, 2026-11-24 14:31:00 CET"),
        (&text, "carol, 2026-11-24 14:30:00 CET"),
        (&text, "ended       2026-11-24 16:30:00 CET: expired"),
        (&text, "lasted      2h"),
        (&list, "Report of web-01, 2026-11-24 14:31:00 CET"),
        (&list, "LASTED"),
        (&list, "2026-11-24 16:30:00 CET"),
    ] {
        assert!(of.contains(part), "{part} in {of}");
    }
    let of_grant = json(&run(&daemon, "tpactl report 7H2K --json", None));
    assert_eq!(of_grant["host"], "web-01");
    assert_eq!(of_grant["made_at"], "2026-11-24T13:31:00Z");
    assert_eq!(of_grant["request"]["lasted_s"], 7_200);
    let of_time = json(&run(&daemon, "tpactl report --since 30d --json", None));
    assert_eq!(of_time["host"], "web-01");
    assert_eq!(of_time["items"][0]["lasted_s"], 7_200);
    let csv = run(&daemon, "tpactl report --since 30d --csv", None).out;
    assert!(csv.contains(",decided_at,lasted_s,proofs,host\n"), "{csv}");
    assert!(csv.ends_with(",7200,session,web-01\n"), "{csv}");
}
