//! A recording as a file for players (asciicast v2, docs.asciinema.org): a line of JSON for what it
//! is of, and one for each thing that was shown. What acts on a terminal is out of it already.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tpa_bus::access::Recording;

use super::filter::Filter;
use super::recording::{Frame, Shown, Source};
use super::show::Pace;
use crate::fail::{Exit, Fail};

/// Size of a terminal that does not tell it.
const UNKNOWN_SIZE: (u32, u32) = (24, 80);

/// Writes a recording into a new file, which only whoever writes it can read.
pub async fn export(
    recording: &Recording,
    source: &mut Source<'_>,
    pace: Pace,
    path: &Path,
) -> Result<(), Fail> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = BufWriter::new(file.map_err(|error| cannot(path, &error))?);
    let mut write = |line: String| writeln!(file, "{line}").map_err(|error| cannot(path, &error));
    write(heading(recording))?;
    let mut filter = Filter::default();
    let (mut past, mut at) = (Duration::ZERO, Duration::ZERO);
    while let Some(Frame { after, shown }) = source.next().await? {
        at = at.saturating_add(pace.pause(after, past));
        past = past.saturating_add(after);
        match shown {
            Shown::Bytes(bytes) => {
                let text = filter.feed(&bytes);
                if !text.is_empty() {
                    write(event(at, "o", &text))?;
                }
            }
            Shown::Size(rows, columns) => write(event(at, "r", &format!("{columns}x{rows}")))?,
        }
    }
    file.flush().map_err(|error| cannot(path, &error))
}

fn heading(recording: &Recording) -> String {
    let (rows, columns) = UNKNOWN_SIZE;
    json!({
        "version": 2,
        "width": recording.columns.unwrap_or(columns),
        "height": recording.rows.unwrap_or(rows),
        "timestamp": recording.started_at,
        "title": format!("{} as {}", recording.command, recording.target),
    })
    .to_string()
}

fn event(at: Duration, kind: &str, text: &str) -> String {
    json!([at.as_secs_f64(), kind, text]).to_string()
}

fn cannot(path: &Path, error: &std::io::Error) -> Fail {
    Fail::new(
        Exit::Failure,
        format!("cannot write {}: {error}", path.display()),
        "name a file that is not there yet, in a folder of yours",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_format() {
        let recording = Recording {
            command: "/usr/bin/id".to_owned(),
            target: "root".to_owned(),
            started_at: 1_795_680_394,
            rows: Some(30),
            columns: Some(100),
            ..Recording::default()
        };
        let heading: serde_json::Value = serde_json::from_str(&heading(&recording)).unwrap();
        assert_eq!(heading["version"], 2);
        assert_eq!(
            (&heading["width"], &heading["height"]),
            (&json!(100), &json!(30))
        );
        let line = event(Duration::from_millis(1_250), "o", "a\x1b[1mb\r\n");
        assert_eq!(line, r#"[1.25,"o","a\u001b[1mb\r\n"]"#);
    }
}
