//! What is said of recordings.

use tpa_bus::access::Recording;

use super::table::Table;
use super::{clean, time};
use crate::clock::Clock;

/// A line for each.
pub fn table(recordings: &[Recording], clock: &Clock, width: Option<usize>) -> Vec<String> {
    let mut table = Table::new(["RECORDING", "SINCE", "AS", "BYTES", "STATE", "COMMAND"]);
    for one in recordings {
        table.row([
            clean(&one.name),
            time::distance(one.started_at, clock),
            clean(&one.target),
            one.bytes.to_string(),
            if one.live { "live" } else { "over" }.to_owned(),
            clean(&one.command),
        ]);
    }
    table.lines(width)
}

/// The line that stands before what one of them shows.
pub fn heading(one: &Recording, clock: &Clock) -> String {
    let size = match (one.columns, one.rows) {
        (Some(columns), Some(rows)) => format!(", {columns}x{rows}"),
        _ => String::new(),
    };
    format!(
        "{}: {} as {}, {}{size}",
        clean(&one.name),
        clean(&one.command),
        clean(&one.target),
        time::relative(one.started_at, clock)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fixed;

    #[test]
    fn a_recording_is_told_in_one_clean_line() {
        let one = Recording {
            name: "alice-00/00/01".to_owned(),
            command: "/usr/bin/id\u{202e} -u".to_owned(),
            target: "root".to_owned(),
            started_at: 0,
            rows: Some(24),
            columns: Some(80),
            live: true,
            ..Recording::default()
        };
        let line = heading(&one, &fixed());
        assert!(
            line.starts_with("alice-00/00/01: /usr/bin/id\\u{202e} -u as root, "),
            "{line}"
        );
        assert!(line.ends_with(", 80x24"), "{line}");
        let table = table(&[one], &fixed(), None);
        assert!(
            table.len() == 2 && table[1].contains("  live  "),
            "{table:?}"
        );
    }
}
