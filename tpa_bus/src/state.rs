//! Where a request stands, and the words for it.

use crate::access::Request;

/// Where a request stands. Two of these share the word `approved`, which is older than the
/// difference: an approved extension is over and done with, while a grant that waits for its first
/// use is access that somebody holds. They are told apart by whether the request extends another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has decided yet.
    Pending,
    /// Approved: first use starts it.
    Unused,
    /// Approved: it starts at a time.
    Scheduled,
    /// Access is on.
    Active,
    /// An extension that was approved: its time went to the grant that it extends.
    Extended,
    /// An approver said no.
    Denied,
    /// Taken back before anybody decided.
    Withdrawn,
    /// Not decided, or not used, in time.
    Lapsed,
    /// Its time is up.
    Expired,
    /// Taken away.
    Revoked,
    /// Given back.
    Ended,
}

impl State {
    const ALL: [Self; 11] = [
        Self::Pending,
        Self::Denied,
        Self::Withdrawn,
        Self::Lapsed,
        Self::Unused,
        Self::Extended,
        Self::Scheduled,
        Self::Active,
        Self::Expired,
        Self::Revoked,
        Self::Ended,
    ];

    /// The words, each once.
    pub const WORDS: [&str; 10] = [
        "pending",
        "denied",
        "withdrawn",
        "lapsed",
        "approved",
        "scheduled",
        "active",
        "expired",
        "revoked",
        "ended",
    ];

    /// The word that people, scripts and the bus have for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Unused | Self::Extended => "approved",
            Self::Scheduled => "scheduled",
            Self::Active => "active",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Ended => "ended",
        }
    }

    /// What a word stands for, of a request for more time or of another; `None` for one of a later
    /// version's.
    #[must_use]
    pub fn of(word: &str, extension: bool) -> Option<Self> {
        Self::ALL.into_iter().find(|state| {
            state.word() == word
                && match state {
                    Self::Unused => !extension,
                    Self::Extended => extension,
                    _ => true,
                }
        })
    }

    /// Whether it is access that somebody holds: on, or to come without another decision.
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::Unused | Self::Scheduled | Self::Active)
    }
}

impl Request {
    /// Where it stands; `None` for a word of a later version's.
    #[must_use]
    pub fn standing(&self) -> Option<State> {
        State::of(&self.state, self.extends.is_some())
    }

    /// Whether it is access that somebody holds: on, or to come without another decision.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.standing().is_some_and(State::is_held)
    }
}

/// The words of what somebody holds. An approved extension has one of them too: see
/// [`Request::is_held`].
pub const HELD: [&str; 3] = ["active", "approved", "scheduled"];

#[cfg(test)]
mod tests {
    use super::*;

    fn request(state: &str, extends: Option<&str>) -> Request {
        Request {
            state: state.into(),
            extends: extends.map(str::to_owned),
            ..Request::default()
        }
    }

    #[test]
    fn every_state_is_known_by_its_word_and_by_whether_it_extends_a_grant() {
        for state in State::ALL {
            let extends = (state == State::Extended).then_some("7H2KM4QX");
            assert_eq!(request(state.word(), extends).standing(), Some(state));
            assert!(State::WORDS.contains(&state.word()), "{state:?}");
        }
        assert_eq!(request("pondered", None).standing(), None);
    }

    #[test]
    fn an_approved_extension_is_held_by_nobody_and_an_unused_grant_is() {
        assert!(request("approved", None).is_held());
        assert!(!request("approved", Some("7H2KM4QX")).is_held());
        for state in State::ALL {
            assert!(
                !state.is_held() || HELD.contains(&state.word()),
                "{state:?}"
            );
        }
    }
}
