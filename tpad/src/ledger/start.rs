//! What a database comes to that a daemon finds when it starts: whether it is this machine's, whether
//! it is the one that was here before in this boot, and whether all in it is understood.

use tpa_bus::id::Id;

use super::{Event, Lacking, State, taken_away, void};

/// Why an older copy of the database grants nothing.
const OLD_COPY: &str = "the database lacks what was recorded in this boot";

/// Why one that was copied from another machine grants nothing here.
const ANOTHER_MACHINE: &str = "the database comes from another machine";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AtStart {
    /// What the database lacks of what this boot has seen.
    pub lacking: Option<Lacking>,
    /// The machine that the database belongs to, by machine-id(5); none in a new one.
    pub belongs_to: Option<String>,
    /// The machine that this is.
    pub machine: String,
    /// Requests of which it cannot be told what they give, and why not.
    pub unclear: Vec<(Id, String)>,
}

impl AtStart {
    /// Whether the database was copied from another machine.
    fn is_elsewhere(&self) -> bool {
        let known = self.belongs_to.as_ref();
        known.is_some_and(|known| *known != self.machine)
    }

    /// What is to be recorded: that the chain is broken, and the end of whatever cannot be relied on.
    /// Of a database that is not this host's own and whole everything ends; otherwise what is not
    /// understood.
    #[must_use]
    pub fn comes_to(&self, state: &State) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(Lacking { seq, problem }) = &self.lacking {
            events.push(Event::ChainBroken {
                seq: *seq,
                problem: problem.clone(),
            });
        }
        let why = if self.is_elsewhere() {
            Some(ANOTHER_MACHINE)
        } else {
            self.lacking.as_ref().map(|_| OLD_COPY)
        };
        match why {
            Some(why) => events.extend(void(state, why)),
            None => events.extend(self.unclear.iter().filter_map(|(id, why)| {
                let request = state.requests.get(id)?;
                Some(taken_away(request, why))
            })),
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::request;

    fn state() -> State {
        let both = [request(1, "alice"), request(2, "bob")];
        State {
            requests: both.into_iter().map(|one| (one.id, one)).collect(),
            ..State::default()
        }
    }

    fn here(belongs_to: Option<&str>) -> AtStart {
        AtStart {
            belongs_to: belongs_to.map(str::to_owned),
            machine: "here".to_owned(),
            ..AtStart::default()
        }
    }

    fn lacking() -> Lacking {
        Lacking {
            seq: 7,
            problem: "an older copy".to_owned(),
        }
    }

    /// Why each request was ended.
    fn reasons(events: &[Event]) -> Vec<&str> {
        let closed = events.iter().filter_map(|event| match event {
            Event::Closed { why, .. } => why.as_deref(),
            _ => None,
        });
        closed.collect()
    }

    #[test]
    fn this_machine_s_own_database_and_a_new_one_go_on_as_they_are() {
        for known in [None, Some("here")] {
            assert!(here(known).comes_to(&state()).is_empty());
        }
    }

    #[test]
    fn a_database_of_another_machine_grants_nothing_here() {
        let events = here(Some("there")).comes_to(&state());
        assert_eq!(reasons(&events), [ANOTHER_MACHINE; 2]);
    }

    #[test]
    fn a_machine_that_cannot_tell_which_it_is_takes_no_database_for_its_own() {
        let unknown = AtStart {
            machine: String::new(),
            ..here(Some("here"))
        };
        assert_eq!(unknown.comes_to(&state()).len(), 2);
    }

    #[test]
    fn an_older_copy_grants_nothing_and_the_break_is_told_first() {
        let old = AtStart {
            lacking: Some(lacking()),
            ..here(Some("here"))
        };
        let events = old.comes_to(&state());
        assert!(matches!(
            events.first(),
            Some(Event::ChainBroken { seq: 7, .. })
        ));
        assert_eq!(reasons(&events), [OLD_COPY; 2]);
    }

    #[test]
    fn an_older_copy_from_elsewhere_is_told_as_both() {
        let both = AtStart {
            lacking: Some(lacking()),
            ..here(Some("there"))
        };
        let events = both.comes_to(&state());
        assert!(matches!(events.first(), Some(Event::ChainBroken { .. })));
        assert_eq!(reasons(&events), [ANOTHER_MACHINE; 2]);
    }

    #[test]
    fn of_a_database_of_this_machine_only_what_is_not_understood_ends() {
        let unclear = AtStart {
            unclear: vec![(request(2, "bob").id, "of a later kind".to_owned())],
            ..here(Some("here"))
        };
        let events = unclear.comes_to(&state());
        assert_eq!(reasons(&events), ["of a later kind"]);
    }
}
