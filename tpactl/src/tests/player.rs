//! Replaying and watching, against a `tpad` that hands out three bytes at a time.

use tpa_bus::access::Recording;

use super::{Daemon, Exit, json, run};

/// Two recordings of a grant: one on a terminal, cut off before its last timing was written, and one
/// through pipes.
pub fn recorded() -> Daemon {
    let daemon = Daemon::default();
    let one = |name: &str, command: &str| Recording {
        name: name.to_owned(),
        command: command.to_owned(),
        target: "root".to_owned(),
        ..Recording::default()
    };
    daemon.state().recordings = vec![
        (
            one("alice-00/00/01", "/usr/bin/vim"),
            vec![
                (
                    "timing",
                    b"4 0.5 9\n5 1.0 30 100\n7 0.1 TSTP\n4 90.0 7\n".to_vec(),
                ),
                (
                    "ttyout",
                    b"one \x1b[6n\r\ntwo\x1b[1mmore\r\ncut off".to_vec(),
                ),
            ],
        ),
        (
            one("alice-00/00/02", "/usr/bin/id"),
            vec![
                ("timing", b"1 0.0 4\n2 0.0 4\n".to_vec()),
                ("stdout", b"out\n".to_vec()),
                ("stderr", b"err\n".to_vec()),
            ],
        ),
    ];
    daemon
}

#[test]
fn all_that_was_shown_is_replayed_also_what_the_cut_left_without_its_timing() {
    let came = run(&recorded(), "tpactl replay 7H2KM4QX", None);
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert_eq!(came.out, "one \r\ntwomore\r\ncut offout\nerr\n");
    assert!(
        came.err.contains("alice-00/00/02: /usr/bin/id as root"),
        "{}",
        came.err
    );
    let came = run(&recorded(), "tpactl replay 7H2KM4QX alice-00/00/02", None);
    assert_eq!(came.out, "out\nerr\n");
    let came = run(&recorded(), "tpactl replay 7H2KM4QX alice-00/00/03", None);
    assert_eq!(came.exit, Exit::UnknownId);
}

#[test]
fn recordings_are_listed_and_that_there_are_none_is_said() {
    let list = json(&run(&recorded(), "tpactl replay 7H2KM4QX --json", None));
    assert_eq!(list["kind"], "RecordingList");
    assert_eq!(list["items"][1]["command"], "/usr/bin/id");
    let came = run(&recorded(), "tpactl replay 7H2KM4QX --list", None);
    assert_eq!(came.out.lines().count(), 3, "{}", came.out);
    let came = run(&Daemon::default(), "tpactl replay 7H2KM4QX", None);
    assert_eq!(came.exit, Exit::Failure);
    assert!(
        came.err.contains("nothing was recorded under 7H2KM4QX"),
        "{}",
        came.err
    );
}

#[test]
fn one_is_written_for_a_player_and_nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vim.cast");
    let line = format!(
        "tpactl replay 7H2KM4QX alice-00/00/01 --idle 2s --export {}",
        path.display()
    );
    assert_eq!(run(&recorded(), &line, None).exit, Exit::Done);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["version"], 2);
    let of = |kind: &str| -> String {
        let events = lines[1..].iter().filter(|line| line[1] == kind);
        events.map(|line| line[2].as_str().unwrap()).collect()
    };
    assert_eq!(of("o"), "one \r\ntwo\u{1b}[1mmore\r\ncut off");
    assert_eq!(of("r"), "100x30");
    let last = lines.last().unwrap()[0].as_f64().unwrap();
    assert!((last - 3.6).abs() < 0.001, "{last}");
    assert_eq!(
        run(&recorded(), &line, None).exit,
        Exit::Failure,
        "it is there"
    );
    let both = format!(
        "tpactl replay 7H2KM4QX --export {}/both",
        folder.path().display()
    );
    assert_eq!(run(&recorded(), &both, None).exit, Exit::Usage);
}

#[test]
fn what_goes_on_is_watched_until_it_is_over_and_nothing_else_is() {
    let daemon = recorded();
    let came = run(&daemon, "tpactl watch 7H2KM4QX", None);
    assert_eq!(came.exit, Exit::Failure);
    assert!(
        came.err.contains("nothing that is recorded runs"),
        "{}",
        came.err
    );
    daemon.state().recordings[0].0.live = true;
    let came = run(&daemon, "tpactl watch 7H2KM4QX", None);
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert_eq!(came.out, "one \r\ntwomore\r\ncut off");
    daemon.state().recordings[0].0.live = true;
    daemon.state().recordings[1].0.live = true;
    let came = run(&daemon, "tpactl watch 7H2KM4QX", None);
    assert_eq!(came.exit, Exit::Usage);
    assert!(
        came.err.contains("tpactl watch 7H2KM4QX RECORDING"),
        "{}",
        came.err
    );
    let came = run(&daemon, "tpactl watch 7H2KM4QX alice-00/00/02", None);
    assert_eq!(came.out, "out\nerr\n");
}
