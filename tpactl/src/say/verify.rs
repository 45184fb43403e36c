//! What a verification found.

use super::{clean, count};
use crate::logs::compare::{Chain, Findings, Oddities};
use crate::verbs::verify::{Evidence, Missed, Recorded};

/// The chain is whole.
pub fn whole(chain: &Chain) -> String {
    let head = chain.hashes.last().map_or("none", String::as_str);
    let pruned = match chain.after {
        0 => String::new(),
        through => format!(", behind a checkpoint at event {through}"),
    };
    format!(
        "the audit chain is whole: {}{pruned}, head {}",
        count(chain.hashes.len(), "event"),
        clean(head)
    )
}

/// The signatures in it.
pub fn signed(evidence: &Evidence) -> Vec<String> {
    let mut lines = vec![format!(
        "{} in the trail: {} by a key that the signers file names",
        count(evidence.signed, "signed statement"),
        evidence.vouched
    )];
    if evidence.unlisted > 0 {
        lines.push(format!(
            "  {} signed well, by a key that it does not name, or that cannot be looked up here",
            evidence.unlisted
        ));
    }
    let bad = evidence.bad.iter();
    lines.extend(bad.map(|bad| format!("  event {}: {}", bad.seq, clean(&bad.problem))));
    lines
}

/// The recordings that it names; nothing where there were none.
pub fn recorded(recorded: &Recorded) -> Vec<String> {
    let whole = usize::try_from(recorded.whole).unwrap_or(usize::MAX);
    let mut lines = Vec::new();
    if whole > 0 {
        let are = if whole == 1 { "is" } else { "are" };
        let number = count(whole, "recording");
        lines.push(format!("{number} {are} what the trail says"));
    }
    if recorded.removed > 0 {
        let number = recorded.removed;
        lines.push(format!(
            "  {number} removed, kept for as long as the configuration says"
        ));
    }
    lines.extend(recorded.bad.iter().map(|bad| {
        let (grant, name) = (super::id(&bad.grant), clean(&bad.recording));
        format!(
            "  event {}: {name} of {grant}: {}",
            bad.seq,
            clean(&bad.problem)
        )
    }));
    lines
}

/// What nobody looked at.
pub fn not_looked_at(missed: &[Missed]) -> Vec<String> {
    let missed = missed.iter();
    missed
        .map(|one| format!("{} were not looked at: {}", one.what, clean(&one.why)))
        .collect()
}

/// The log beside the chain.
pub fn log(name: &str, found: &Findings) -> Vec<String> {
    let name = clean(name);
    let read = match found.first {
        None => format!("{name}: no line of tpad's"),
        Some(first) => format!(
            "{name}: lines of {} events, from event {first} on",
            found.lines
        ),
    };
    let mut lines = vec![read];
    if !found.missing.is_empty() {
        let number: u64 = found
            .missing
            .iter()
            .map(|(first, last)| last.saturating_sub(*first).saturating_add(1))
            .sum();
        let ranges: Vec<String> = found.missing.iter().take(20).map(range).collect();
        let more = if found.missing.len() > ranges.len() {
            ", …"
        } else {
            ""
        };
        lines.push(format!("  missing: {number} ({}{more})", ranges.join(", ")));
    }
    odd(&mut lines, "changed", &found.altered);
    odd(&mut lines, "not in the database", &found.beyond);
    odd(&mut lines, "not tpad's", &found.foreign);
    odd(&mut lines, "of another database", &found.other_database);
    if found.pruned > 0 {
        lines.push(format!("  of events that were pruned: {}", found.pruned));
    }
    lines
}

/// What anybody who can write to the log could have written.
pub fn others(name: &str, found: &Findings) -> String {
    let mut what = Vec::new();
    if found.foreign.count > 0 {
        let lines = count(found.foreign.count, "line");
        what.push(format!("{lines} only to look like one of TPA's"));
    }
    if found.other_database.count > 0 {
        let lines = count(found.other_database.count, "line");
        what.push(format!("{lines} to be another database's"));
    }
    format!("{} has {}", clean(name), what.join(" and "))
}

fn range((first, last): &(u64, u64)) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}

fn odd(lines: &mut Vec<String>, what: &str, odd: &Oddities) {
    if odd.count == 0 {
        return;
    }
    lines.push(format!("  {what}: {}", count(odd.count, "line")));
    let shown = odd.first.iter();
    lines.extend(shown.map(|one| format!("    {}: {}", clean(&one.place), clean(&one.text))));
    if odd.count > odd.first.len() {
        lines.push("    …".to_owned());
    }
}

/// What to do about a log that does not agree.
pub fn next(found: &Findings) -> &'static str {
    if found.altered.count > 0 {
        "the log was edited: compare with the one that left this host, and with: tpactl log"
    } else if found.beyond.count > 0 {
        "the database lost its tail, or the lines are made up: compare with the log that left this \
         host; the journal knows who wrote a line: tpactl verify --log journal"
    } else if !found.missing.is_empty() {
        "was the log daemon stopped, or the power cut? The journal may have what it missed: tpactl \
         verify --log journal; to have it sent again: sudo tpactl verify --resend"
    } else {
        "the journal knows who wrote them: tpactl verify --log journal"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::compare::Odd;

    #[test]
    fn findings_are_told_by_kind_and_cleanly() {
        let mut found = Findings {
            lines: 7,
            first: Some(3),
            missing: vec![(4, 4), (8, 9)],
            ..Findings::default()
        };
        found.foreign.count = 1;
        found.foreign.first.push(Odd {
            place: "/var/log/auth.log:12".into(),
            text: "grant-activated \x1b[2J".into(),
        });
        assert_eq!(
            log("/var/log/auth.log", &found),
            [
                "/var/log/auth.log: lines of 7 events, from event 3 on",
                "  missing: 3 (4, 8-9)",
                "  not tpad's: 1 line",
                "    /var/log/auth.log:12: grant-activated \\u{1b}[2J",
            ]
        );
    }
}
