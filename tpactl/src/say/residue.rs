//! What is said of what a grant left behind. Never that it left nothing: what was looked for.

use tpa_bus::access::{Residue, ResidueCount, ResidueFinding};

use super::page::field;
use super::time::relative;
use super::{clean, id, style};
use crate::clock::Clock;

/// `2 certain, 1 doubtful`
pub fn count(found: &ResidueCount) -> String {
    let all = match (found.certain, found.doubtful) {
        (0, 0) => "nothing was found of what was looked for".to_owned(),
        (certain, doubtful) => format!("{certain} certain, {doubtful} doubtful"),
    };
    let part = if found.complete {
        ""
    } else {
        " (not all could be looked for)"
    };
    format!("{all}{part}")
}

/// The whole of it.
pub fn page(residue: &Residue, clock: &Clock) -> Vec<String> {
    let of = |sure: &str| {
        residue
            .findings
            .iter()
            .filter(|one| one.sure == sure)
            .count() as u64
    };
    let found = ResidueCount {
        certain: of("certain"),
        doubtful: of("doubtful").saturating_add(residue.more),
        complete: residue.complete,
    };
    let heading = format!("After {}: {}", id(&residue.id), count(&found));
    let noted = match residue.noted_at {
        Some(at) => relative(at, clock),
        None => "no: only what files' times tell could be told".to_owned(),
    };
    let mut lines = vec![heading, String::new()];
    lines.extend(field("looked", [relative(residue.looked_at, clock)]));
    lines.extend(field("noted", [noted]));
    lines.extend(field("looked for", [clean(&residue.looked.join(", "))]));
    lines.extend(field(
        "not for",
        residue.not_looked.iter().map(|why| clean(why)),
    ));
    for (sure, heading) in [
        ("certain", "By the grant's person, as others' records say"),
        ("doubtful", "In that time, by whom is doubtful"),
    ] {
        let found = residue.findings.iter().filter(|one| one.sure == sure);
        let found: Vec<_> = found.map(|one| format!("  {}", finding(one))).collect();
        if !found.is_empty() {
            lines.extend([String::new(), style::bold(heading)]);
            lines.extend(found);
        }
    }
    if residue.more > 0 {
        lines.push(format!("  and {} more", residue.more));
    }
    lines.extend(tidied(residue, clock));
    lines
}

/// What the role has removed of it, and what became of that.
fn tidied(residue: &Residue, clock: &Clock) -> Vec<String> {
    let Some(all) = &residue.tidied else {
        return Vec::new();
    };
    let when = match residue.tidied_at {
        Some(at) => relative(at, clock),
        None => "not done yet".to_owned(),
    };
    let heading = format!("What its role has removed of that ({when})");
    let each = all.iter().map(|one| {
        let why = one.why.as_ref().map(|why| format!(": {}", clean(why)));
        format!(
            "  {:8}{:9}{} (of {}){}",
            clean(&one.came_to),
            clean(&one.kind),
            clean(&one.what),
            clean(&one.account),
            why.unwrap_or_default()
        )
    });
    [String::new(), style::bold(&heading)]
        .into_iter()
        .chain(each)
        .collect()
}

/// `new cron /var/spool/cron/crontabs/postgres (postgres, whose it is)`
fn finding(one: &ResidueFinding) -> String {
    let by = one.by.as_ref().map(|by| format!(" ({})", clean(by)));
    format!(
        "{:8}{:9}{}{}",
        clean(&one.change),
        clean(&one.kind),
        clean(&one.what),
        by.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fixed;
    use tpa_bus::access::ResidueTidied;

    fn residue() -> Residue {
        let finding = |sure: &str, what: &str, by: Option<&str>| ResidueFinding {
            kind: "cron".into(),
            what: what.into(),
            change: "new".into(),
            by: by.map(str::to_owned),
            sure: sure.into(),
        };
        Residue {
            id: "7H2KM4QX".into(),
            depth: "short".into(),
            looked: vec!["accounts".into(), "cron jobs".into()],
            not_looked: vec!["/home/x: it is on nfs4".into()],
            complete: false,
            noted_at: Some(fixed().now),
            looked_at: fixed().now,
            findings: vec![
                finding("certain", "/a\u{1b}[2J", Some("alice, whose it is")),
                finding("doubtful", "/b", None),
            ],
            more: 7,
            tidied: None,
            tidied_at: None,
        }
    }

    #[test]
    fn what_was_removed_is_told_and_what_stays_with_why() {
        let tidied = |what: &str, came_to: &str, why: Option<&str>| ResidueTidied {
            account: "shopdb".into(),
            kind: "cron".into(),
            what: what.into(),
            came_to: came_to.into(),
            why: why.map(str::to_owned),
        };
        let done = Residue {
            tidied: Some(vec![
                tidied("/c/shopdb", "removed", None),
                tidied("/x\u{1b}[2J", "stays", Some("a link stands there by now")),
            ]),
            tidied_at: Some(fixed().now),
            ..residue()
        };
        let told = page(&done, &fixed()).join("\n");
        assert!(
            told.contains("removed cron     /c/shopdb (of shopdb)"),
            "{told}"
        );
        assert!(
            told.contains("stays   cron     /x\\u{1b}[2J (of shopdb): a link stands there by now"),
            "{told}"
        );
        let due = Residue {
            tidied: Some(vec![tidied("/c/shopdb", "due", None)]),
            ..residue()
        };
        let told = page(&due, &fixed()).join("\n");
        assert!(told.contains("(not done yet)"), "{told}");
    }

    #[test]
    fn what_was_found_stands_under_whose_doing_it_is_and_cannot_move_the_cursor() {
        let page = page(&residue(), &fixed()).join("\n");
        assert!(
            page.starts_with("After 7H2KM4QX: 1 certain, 8 doubtful (not all"),
            "{page}"
        );
        assert!(
            page.contains("new     cron     /a\\u{1b}[2J (alice, whose it is)"),
            "{page}"
        );
        assert!(
            page.contains("not for     /home/x: it is on nfs4"),
            "{page}"
        );
        assert!(page.contains("and 7 more"), "{page}");
    }

    #[test]
    fn it_is_never_said_that_nothing_is_left() {
        let found = Residue {
            findings: Vec::new(),
            more: 0,
            ..residue()
        };
        let page = page(&found, &fixed()).join("\n");
        assert!(
            page.contains("nothing was found of what was looked for"),
            "{page}"
        );
        assert!(page.contains("accounts, cron jobs"), "{page}");
    }
}
