//! PURE: what a line of a log claims to be.

use serde_json::Value;

/// The name that `tpad` logs under.
pub const TAG: &str = "tpad";

/// Form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Which event a line says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its place in the chain.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// How it says so.
    pub format: Format,
}

/// The message of a line of a log file that carries `tpad`'s name. The name stands behind the
/// time and the host, in the old form of time (`Nov  4 10:00:00`) and in RFC 3339; wherever else
/// it stands, it belongs to the message of somebody else.
pub fn message(line: &str) -> Option<&str> {
    let old = line.starts_with(|c: char| c.is_ascii_alphabetic());
    let mut rest = line;
    for _ in 0..if old { 4 } else { 2 } {
        let (_, behind) = rest.trim_start().split_once(' ')?;
        rest = behind;
    }
    let rest = rest.trim_start().strip_prefix(TAG)?;
    let rest = match rest.strip_prefix('[') {
        Some(pid) => pid.split_once(']')?.1,
        None => rest,
    };
    rest.strip_prefix(':').map(str::trim)
}

/// What a message says it is; nothing, when it has no place in the chain.
pub fn claim(message: &str) -> Option<Claim> {
    if let Some(json) = message.strip_prefix("@cee:") {
        return claim_of_json(json);
    }
    // The last two words: what people typed stands before them.
    let (rest, hash) = message.rsplit_once(" hash=")?;
    let (_, seq) = rest.rsplit_once(" seq=")?;
    Some(Claim {
        seq: seq.parse().ok()?,
        hash: hash.to_owned(),
        format: Format::Kv,
    })
}

fn claim_of_json(json: &str) -> Option<Claim> {
    let json: Value = serde_json::from_str(json).ok()?;
    let event = json.get("event")?;
    Some(Claim {
        seq: event.get("sequence")?.as_u64()?,
        hash: event.get("hash")?.as_str()?.to_owned(),
        format: Format::Cee,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_found_behind_either_form_of_time() {
        for line in [
            "2026-11-24T10:00:00.123456+00:00 web-01 tpad[812]: daemon-stopped seq=1 hash=ab",
            "Nov 24 10:00:00 web-01 tpad[812]: daemon-stopped seq=1 hash=ab",
            "Nov  4 10:00:00 web-01 tpad[812]: daemon-stopped seq=1 hash=ab",
            "Nov  4 10:00:00 web-01 tpad: daemon-stopped seq=1 hash=ab",
        ] {
            let found = message(line);
            assert_eq!(found, Some("daemon-stopped seq=1 hash=ab"), "{line}");
        }
    }

    #[test]
    fn the_name_within_somebody_elses_message_is_not_a_line_of_tpads() {
        for line in [
            "2026-11-24T10:00:00+00:00 web-01 sshd[1]: x tpad[812]: daemon-stopped seq=1 hash=ab",
            "Nov 24 10:00:00 web-01 sudo: tpad[812]: daemon-stopped seq=1 hash=ab",
            "Nov 24 10:00:00 web-01 tpad-like[1]: x",
            "tpad[812]: x",
            "",
        ] {
            assert_eq!(message(line), None, "{line}");
        }
    }

    #[test]
    fn a_message_claims_the_place_at_its_end_whatever_was_typed_before() {
        let typed = r#"request-created reason="x seq=9 hash=cd" seq=12 hash=ab"#;
        let claimed = claim(typed).unwrap();
        assert_eq!((claimed.seq, claimed.hash.as_str()), (12, "ab"));
        let cee = claim(r#"@cee:{"event":{"sequence":12,"hash":"ab"}}"#).unwrap();
        assert_eq!((cee.seq, cee.format), (12, Format::Cee));
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
