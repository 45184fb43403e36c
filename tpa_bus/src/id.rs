//! The id of a request, which is also its grant's, its drop-in's and its log lines'.

use std::fmt;

/// Crockford's base32 alphabet: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters in an id.
pub const LENGTH: usize = 8;

/// Eight characters of Crockford base32, 40 random bits. Stored, logged and shown alike
/// (`7H2KM4QX`), so that one that is pasted is found by grep.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; LENGTH]);

/// The text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is eight letters and digits, such as 7H2KM4QX")]
pub struct ParseIdError;

impl Id {
    /// The id that the given random bytes spell.
    #[must_use]
    pub fn from_random(bytes: [u8; 5]) -> Self {
        let bits = bytes
            .iter()
            .fold(0u64, |acc, byte| acc << 8 | u64::from(*byte));
        let mut characters = [b'0'; LENGTH];
        for (place, character) in characters.iter_mut().rev().enumerate() {
            let index = usize::try_from(bits >> (5 * place) & 31).unwrap_or(0);
            *character = ALPHABET.get(index).copied().unwrap_or(b'0');
        }
        Self(characters)
    }

    /// Reads an id in full. Case and dashes do not count; I and L are read as 1, O as 0.
    pub fn parse(text: &str) -> Result<Self, ParseIdError> {
        let prefix = normalize(text).ok_or(ParseIdError)?;
        prefix
            .into_bytes()
            .try_into()
            .map(Self)
            .map_err(|_| ParseIdError)
    }

    /// The bare eight characters, as stored, logged and used for file names.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Always ASCII by construction; an empty string can match nothing.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The normal form of an id or the beginning of one: upper case, no dashes, look-alikes resolved.
/// `None` when empty, too long, or when a character cannot stand in an id.
#[must_use]
pub fn normalize(text: &str) -> Option<String> {
    let normal: Option<String> = text
        .chars()
        .filter(|c| *c != '-')
        .map(|c| match c.to_ascii_uppercase() {
            'I' | 'L' => Some('1'),
            'O' => Some('0'),
            c if u8::try_from(c).is_ok_and(|b| ALPHABET.contains(&b)) => Some(c),
            _ => None,
        })
        .collect();
    normal.filter(|n| !n.is_empty() && n.len() <= LENGTH)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_shown_as_it_is_logged_and_read_without_regard_to_case_or_dash() {
        let id = Id::parse("7h2km4qx").unwrap();
        assert_eq!(id.to_string(), "7H2KM4QX");
        assert_eq!(id.as_str(), "7H2KM4QX");
        assert_eq!(Id::parse("7H2K-M4QX"), Ok(id));
    }

    #[test]
    fn look_alikes_are_read_as_the_digit_they_look_like() {
        assert_eq!(Id::parse("ILO00000").unwrap().as_str(), "11000000");
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in [
            "",
            "7H2K",
            "7H2K-M4QXX",
            "7H2K_M4Q",
            "../../et",
            "7H2KM4Qu",
            "七H2KM4QX",
        ] {
            assert_eq!(Id::parse(text), Err(ParseIdError), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_random_id_reads_back_as_itself(bytes: [u8; 5]) {
            let id = Id::from_random(bytes);
            proptest::prop_assert_eq!(Id::parse(&id.to_string()), Ok(id));
            proptest::prop_assert_eq!(Id::parse(&id.as_str().to_lowercase()), Ok(id));
        }

        #[test]
        fn different_bytes_make_different_ids(a: [u8; 5], b: [u8; 5]) {
            proptest::prop_assert_eq!(Id::from_random(a) == Id::from_random(b), a == b);
        }
    }
}
