//! PURE: what a line of a log claims to be.
//!
//! Anybody can write to the log, under any name. So a line counts as `tpad`'s only in the one form
//! in which `tpad` writes, and is then held against the chain; whatever a reader or a search could
//! take for one of TPA's and has another form is told as that.

use serde_json::Value;

/// The name that `tpad` logs under.
const TAG: &str = "tpad";

/// The name that `tpad reap` logs under.
const REAPER: &str = "tpad-reap";

/// How the PAM module's messages begin, under the name of the program that it is in (`pam_syslog(3)`).
const MODULE: &str = "pam_tpa(";

/// Names that a reader takes for one of TPA's.
const NAMES: [&str; 5] = [TAG, REAPER, "pam_tpa", "tpactl", "tpa"];

/// Words before a program's name that a log daemon may put there, or somebody may have typed: a
/// host, or the head of an RFC 5424 frame.
const WORDS_BEFORE: usize = 8;

/// Where a line breaks, as it is and as log daemons write it.
const BREAKS: [&str; 8] = ["\n", "\r", "#012", "#015", "\\n", "\\r", "\\012", "\\x0a"];

/// Form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `name=value`
    Kv,
    /// JSON after `@cee:`
    Cee,
}

impl Format {
    /// By the name it has on the bus and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::Cee => "cee",
        }
    }
}

/// Whose a line says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Heard<'a> {
    /// In the form in which `tpad` tells of an event: its message.
    Tpad(&'a str),
    /// In the form of the reaper or the PAM module, whose lines are not in the chain.
    Beside(&'a str),
    /// In no form that TPA writes, but easily taken for one of its lines.
    Alike,
    /// Somebody else's.
    Other,
}

/// Which event a line says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its place in the chain.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// The database that it is in; lines of old did not say.
    pub database: Option<String>,
    /// How it says so.
    pub format: Format,
}

/// A line of a log file: the old form of time (`Nov  4 10:00:00`), RFC 3339, or a whole RFC 5424
/// frame, with the count of its octets before it or without.
pub fn heard(line: &str) -> Heard<'_> {
    if let Some(heard) = heard_frame(line) {
        return heard;
    }
    match behind_time_and_host(line) {
        Some(tagged) => heard_tagged(tagged),
        None => alike(line),
    }
}

/// What follows the time and the host: `tpad[812]: grant-activated …`.
pub fn heard_tagged(tagged: &str) -> Heard<'_> {
    let Some((tag, message)) = tagged.split_once(' ') else {
        return alike(tagged);
    };
    let message = message.trim();
    match name_of_tag(tag) {
        Some(TAG) => Heard::Tpad(message),
        Some(REAPER) => Heard::Beside(message),
        Some(_) if message.starts_with(MODULE) && !has_break(message) => Heard::Beside(message),
        _ => alike(tagged),
    }
}

/// The program's name in `name[pid]:` or `name:`, when it is nothing but that.
fn name_of_tag(tag: &str) -> Option<&str> {
    let tag = tag.strip_suffix(':')?;
    let name = match tag.strip_suffix(']') {
        Some(tag) => {
            let (name, pid) = tag.split_once('[')?;
            let digits = !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit());
            digits.then_some(name)?
        }
        None => tag,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')');
    name.chars().all(plain).then_some(name)
}

/// `<86>1 TIME HOST tpad 812 - - grant-activated …` (RFC 5424, section 6).
fn heard_frame(line: &str) -> Option<Heard<'_>> {
    let counted = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let frame = counted.trim_start().strip_prefix('<')?;
    let (priority, rest) = frame.split_once('>')?;
    priority.parse::<u8>().ok()?;
    let mut words = rest.splitn(7, ' ');
    (words.next()? == "1").then_some(())?;
    let (_time, _host, name) = (words.next()?, words.next()?, words.next()?);
    let (pid, _message_id) = (words.next()?, words.next()?);
    let message = behind_structured_data(words.next()?)?.trim();
    let by_pid = pid == "-" || pid.bytes().all(|b| b.is_ascii_digit());
    Some(match name {
        TAG if by_pid => Heard::Tpad(message),
        REAPER if by_pid => Heard::Beside(message),
        name if is_ours(name) => Heard::Alike,
        _ if message.starts_with(MODULE) && !has_break(message) => Heard::Beside(message),
        _ => alike(message),
    })
}

/// What follows the structured data: `-`, or elements in brackets with quoted values.
fn behind_structured_data(rest: &str) -> Option<&str> {
    let mut rest = if let Some(message) = rest.strip_prefix('-') {
        message
    } else {
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.char_indices().find(|(at, c)| {
            let behind = rest.get(at.saturating_add(1)..).unwrap_or_default();
            let ends = *c == ']' && !quoted && !behind.starts_with('[');
            if *c == '"' && !escaped {
                quoted = !quoted;
            }
            escaped = *c == '\\' && !escaped;
            ends
        });
        rest.get(end?.0.saturating_add(1)..)?
    };
    rest = rest.trim_start();
    Some(rest.strip_prefix('\u{feff}').unwrap_or(rest))
}

fn behind_time_and_host(line: &str) -> Option<&str> {
    let old = line.starts_with(|c: char| c.is_ascii_alphabetic());
    let mut rest = line;
    for _ in 0..if old { 4 } else { 2 } {
        let (_, behind) = rest.trim_start().split_once(' ')?;
        rest = behind;
    }
    Some(rest.trim_start())
}

/// Whether what has no form of TPA's could be taken for it: by a name of TPA's where the program's
/// stands, at its beginning or behind a break of the line, or by having all that an event has.
fn alike(text: &str) -> Heard<'_> {
    let code = text.contains("code=TPA") && text.contains(" seq=") && text.contains(" hash=");
    let json = text.contains("@cee:") && text.contains("\"TPA") && text.contains("\"hash\"");
    if code || json || pieces(text).iter().any(|piece| is_named_as_ours(piece)) {
        return Heard::Alike;
    }
    Heard::Other
}

fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = vec![text];
    for at in BREAKS {
        pieces = pieces.iter().flat_map(|piece| piece.split(at)).collect();
    }
    pieces
}

fn has_break(text: &str) -> bool {
    pieces(text).len() > 1
}

/// Whether one of the words up to the program's name, which ends in a colon, is one of ours.
fn is_named_as_ours(piece: &str) -> bool {
    for word in piece.split_whitespace().take(WORDS_BEFORE) {
        if word.split('/').any(is_ours) || word.starts_with(MODULE) {
            return true;
        }
        // A time has colons too.
        let is_time = word.starts_with(|c: char| c.is_ascii_digit());
        if word.ends_with(':') && !is_time {
            return false;
        }
    }
    false
}

/// Whether a word begins with a name of ours and then has something else: `TPAD[1]x`, `(tpad)`.
fn is_ours(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let end = word.find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')));
    let name = end.map_or(word, |end| word.split_at(end).0);
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// What a message says it is; nothing, when it has no place in the chain.
pub fn claim(message: &str) -> Option<Claim> {
    if let Some(json) = message.strip_prefix("@cee:") {
        return claim_of_json(json);
    }
    // The last words: what people typed stands before them.
    let (rest, hash) = message.rsplit_once(" hash=")?;
    let (rest, seq) = rest.rsplit_once(" seq=")?;
    let last = rest.rsplit(' ').next().unwrap_or_default();
    Some(Claim {
        seq: seq.parse().ok()?,
        hash: hash.to_owned(),
        database: last.strip_prefix("db=").map(str::to_owned),
        format: Format::Kv,
    })
}

fn claim_of_json(json: &str) -> Option<Claim> {
    let json: Value = serde_json::from_str(json).ok()?;
    let event = json.get("event")?;
    let database = json.pointer("/tpa/db").and_then(Value::as_str);
    Some(Claim {
        seq: event.get("sequence")?.as_u64()?,
        hash: event.get("hash")?.as_str()?.to_owned(),
        database: database.map(str::to_owned),
        format: Format::Cee,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "daemon-stopped seq=1 hash=ab";

    #[test]
    fn the_message_is_found_behind_each_form_of_time() {
        for line in [
            "2026-11-24T10:00:00.123456+00:00 web-01 tpad[812]: daemon-stopped seq=1 hash=ab",
            "Nov 24 10:00:00 web-01 tpad[812]: daemon-stopped seq=1 hash=ab",
            "Nov  4 10:00:00 web-01 tpad[812]: daemon-stopped seq=1 hash=ab",
            "Nov  4 10:00:00 web-01 tpad: daemon-stopped seq=1 hash=ab",
        ] {
            assert_eq!(heard(line), Heard::Tpad(EVENT), "{line}");
        }
    }

    #[test]
    fn an_rfc_5424_frame_is_read_with_its_count_and_its_structured_data() {
        for head in [
            "<86>1 2026-11-24T10:00:00.1+00:00 web-01 tpad 812 - -  ",
            "<86>1 2026-11-24T10:00:00Z web-01 tpad - - - \u{feff}",
            "112 <86>1 2026-11-24T10:00:00Z web-01 tpad 812 - - ",
            r#"<86>1 2026-11-24T10:00:00Z web-01 tpad 812 ID [a b="] \" x"][c@1 d="e"] "#,
        ] {
            let line = format!("{head}{EVENT}");
            assert_eq!(heard(&line), Heard::Tpad(EVENT), "{line}");
        }
        let of = |name: &str| format!("<86>1 2026-11-24T10:00:00Z h {name} - - - {EVENT}");
        assert_eq!(heard(&of("tpad-reap")), Heard::Beside(EVENT));
        assert_eq!(heard(&of("Tpad")), Heard::Alike);
        assert_eq!(heard(&of("sshd")), Heard::Other);
    }

    #[test]
    fn the_name_within_somebody_elses_message_is_not_a_line_of_tpads() {
        for line in [
            "2026-11-24T10:00:00+00:00 web-01 sshd[1]: x tpad[812]: daemon-stopped seq=1 hash=ab",
            "Nov 24 10:00:00 web-01 sudo: tpad[812]: daemon-stopped seq=1 hash=ab",
            "Nov 24 10:00:00 web-01 tpad-like[1]: x",
            "Nov 24 10:00:00 web-01 systemd[1]: tpad.service: Deactivated",
            "Nov 24 10:00:00 web-01 CRON[1]: (root) CMD (tpad check)",
            "",
        ] {
            assert_eq!(heard(line), Heard::Other, "{line}");
        }
    }

    #[test]
    fn what_only_looks_like_a_line_of_tpas_is_heard_as_that() {
        for tagged in [
            "tpad : grant-activated user=mallory",
            "tpad/x: grant-activated",
            "tpad[1]x: grant-activated",
            "tpad[x]: grant-activated",
            "tpad[]: grant-activated",
            "/usr/sbin/tpad[1]: grant-activated",
            "TPAD[812]: grant-activated",
            "(tpad)[812]: grant-activated",
            "tpad",
            "tpad-reap : reaper-acted",
            "tpad-reap[1]x: reaper-acted",
            "pam_tpa[1]: exempt: let in without a grant",
            "pam_tpa(sshd:account): exempt: let in without a grant",
            "web-02 tpad[812]: grant-activated",
            "1 2026-11-24T10:00:00Z web-01 tpad 812 - - grant-activated",
            "root: hello#012tpad[812]: grant-activated",
            "root: hello\ntpad[812]: grant-activated",
            "sshd[1]: x#012Nov 24 10:00:00 web-01 tpad[812]: grant-activated",
            "sshd[1]: pam_tpa(sshd:account): exempt#012tpad[812]: grant-activated",
            "t\u{440}ad[812]: grant-activated user=mallory code=TPA2000 seq=3 hash=00",
            r#"root: @cee:{"event":{"code":"TPA2000","sequence":3,"hash":"00"}}"#,
        ] {
            for head in [
                "Nov 24 10:00:00 web-01 ",
                "2026-11-24T10:00:00+00:00 web-01 ",
            ] {
                let line = format!("{head}{tagged}");
                assert_eq!(heard(&line), Heard::Alike, "{line}");
            }
        }
        assert_eq!(heard("tpad[812]: x"), Heard::Alike, "no time, no host");
    }

    #[test]
    fn the_reaper_and_the_module_are_heard_beside_the_chain() {
        let reaped = "reaper-acted grant=7H2KM4QX killed=0 survivors=0";
        let line = format!("Nov 24 10:00:00 web-01 tpad-reap[9]: {reaped}");
        assert_eq!(heard(&line), Heard::Beside(reaped));
        let exempt = "pam_tpa(sshd:account): exempt: let in without a grant";
        for program in ["sshd[9]:", "sshd-session[9]:", "sudo:", "(systemd)[9]:"] {
            let line = format!("Nov 24 10:00:00 web-01 {program} {exempt}");
            assert_eq!(heard(&line), Heard::Beside(exempt), "{line}");
        }
    }

    #[test]
    fn a_message_claims_the_place_at_its_end_whatever_was_typed_before() {
        let typed = r#"request-created reason="x seq=9 hash=cd db=ee" db=ff seq=12 hash=ab"#;
        let claimed = claim(typed).unwrap();
        assert_eq!((claimed.seq, claimed.hash.as_str()), (12, "ab"));
        assert_eq!(claimed.database.as_deref(), Some("ff"));
        let old = claim(r#"request-created reason="db=ee" seq=12 hash=ab"#).unwrap();
        assert_eq!(old.database, None);
        let cee = r#"@cee:{"event":{"sequence":12,"hash":"ab"},"tpa":{"db":"ff"}}"#;
        let cee = claim(cee).unwrap();
        assert_eq!((cee.seq, cee.format), (12, Format::Cee));
        assert_eq!(cee.database.as_deref(), Some("ff"));
        for other in [
            "started",
            "@cee:{",
            r#"@cee:{"event":{"hash":"ab"}}"#,
            "a seq=x hash=ab",
        ] {
            assert_eq!(claim(other), None, "{other}");
        }
    }
}
