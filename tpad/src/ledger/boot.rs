//! What a boot has seen of the trail, held against a database that may lack some of it: an older
//! copy that was put back, or one on a disk that was full when access ended.

use std::collections::BTreeMap;

use tpa_bus::id::Id;

use super::ending::{is_undecided_or_on, taken_away};
use super::{Envelope, Event, Request, Stage, State};
use crate::clock::Now;

/// What is kept outside the database for as long as the boot lasts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BootRecord {
    /// The newest event that is known to be in the database.
    pub newest: Option<Newest>,
    /// What ended in this boot, by request.
    pub ends: BTreeMap<Id, End>,
}

/// The newest event that a database was seen with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// The database's own name.
    pub database: String,
    /// The event's place in the chain; 0 when there was none.
    pub seq: u64,
    /// The event's hash.
    pub hash: String,
}

/// The end of a request or grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When, by whom and why.
    pub envelope: Envelope,
    /// `CLOCK_BOOTTIME` in milliseconds from when on the request could give no access anyway.
    pub over_ms: u64,
}

/// What a database has of what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InDatabase {
    /// Its own name.
    pub database: String,
    /// The place of its newest event.
    pub head: u64,
    /// The hash of its event at [`Newest::seq`]; none when there is no such event.
    pub hash: Option<String>,
    /// The newest event that went because it was kept for long enough; 0 when none did.
    pub pruned: u64,
}

/// The first event that a database lacks, and what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// Its place in the chain.
    pub seq: u64,
    /// In words.
    pub problem: String,
}

/// What the database lacks of what this boot has seen; nothing when it is the same one, as it was
/// or with more in it.
#[must_use]
pub fn lacking_of(newest: &Newest, shown: &InDatabase) -> Option<Lacking> {
    let next = shown.head.saturating_add(1);
    if newest.database != shown.database {
        let problem = format!(
            "this is not the database that was here before in this boot ({}, up to event {})",
            newest.database, newest.seq
        );
        return Some(Lacking { seq: next, problem });
    }
    if shown.head < newest.seq {
        let problem = format!(
            "events {next} to {} were recorded in this boot and are not in the database: an older \
             copy of it was put back",
            newest.seq
        );
        return Some(Lacking { seq: next, problem });
    }
    let same = match &shown.hash {
        Some(hash) => *hash == newest.hash,
        None => newest.seq <= shown.pruned,
    };
    (!same).then(|| Lacking {
        seq: newest.seq,
        problem: format!(
            "event {} is not the one that was recorded in this boot: another copy of the database \
             was put here",
            newest.seq
        ),
    })
}

/// The ends that a state does not have, the oldest first: they were told, and hold.
#[must_use]
pub fn unrecorded_ends(state: &State, ends: &BTreeMap<Id, End>) -> Vec<Envelope> {
    let goes_on = |id: &Id| state.requests.get(id).is_some_and(is_undecided_or_on);
    let mut missing: Vec<_> = ends
        .iter()
        .filter(|(id, _)| goes_on(id))
        .map(|(_, end)| end.envelope.clone())
        .collect();
    missing.sort_by_key(|envelope| envelope.at);
    missing
}

/// Ends everything that goes on: of a database that lacks what was decided, or comes from
/// elsewhere, nobody can tell what it still grants.
#[must_use]
pub fn void(state: &State, why: &str) -> Vec<Event> {
    let on = state.requests.values().filter(|r| is_undecided_or_on(r));
    on.map(|request| taken_away(request, why)).collect()
}

/// The ends among events, to be kept. `state` is as it is before them.
#[must_use]
pub fn ends_among(state: &State, envelopes: &[Envelope], now: &Now) -> BTreeMap<Id, End> {
    let ends = envelopes.iter().filter_map(|envelope| {
        let Event::Closed { id, .. } = &envelope.event else {
            return None;
        };
        let request = state.requests.get(id)?;
        let end = End {
            envelope: envelope.clone(),
            over_ms: over_ms(request, now),
        };
        Some((*id, end))
    });
    ends.collect()
}

/// When the request can give no access any more by itself, whatever is decided before.
fn over_ms(request: &Request, now: &Now) -> u64 {
    let from = match &request.stage {
        Stage::Active { deadline, .. } => {
            return now.boottime_ms.saturating_add(deadline.remaining_ms(now));
        }
        Stage::Waiting { from, use_by } => use_by.unwrap_or(*from),
        _ => request.lapses_at.max(request.at.unwrap_or(i64::MIN)),
    };
    let end = from.saturating_add_unsigned(request.duration_s);
    let left_s = u64::try_from(end.saturating_sub(now.wall_s)).unwrap_or(0);
    now.boottime_ms.saturating_add(left_s.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::{now, request};
    use crate::ledger::{Closed, Deadline};

    fn newest(seq: u64) -> Newest {
        Newest {
            database: "one".to_owned(),
            seq,
            hash: format!("hash {seq}"),
        }
    }

    /// A database with so many events, of the same story.
    fn shown(head: u64, seen: &Newest) -> InDatabase {
        InDatabase {
            database: "one".to_owned(),
            head,
            hash: (seen.seq <= head).then(|| format!("hash {}", seen.seq)),
            pruned: 0,
        }
    }

    #[test]
    fn a_database_that_went_on_lacks_nothing_and_one_that_went_back_does() {
        let seen = newest(7);
        for head in 0..20 {
            let lacking = lacking_of(&seen, &shown(head, &seen));
            let expected = (head < 7).then_some(head + 1);
            assert_eq!(lacking.map(|lacking| lacking.seq), expected);
        }
    }

    #[test]
    fn another_story_under_the_same_name_or_another_name_is_told() {
        let seen = newest(7);
        let forked = InDatabase {
            hash: Some("other".to_owned()),
            ..shown(9, &seen)
        };
        assert_eq!(lacking_of(&seen, &forked).unwrap().seq, 7);
        for head in [0, 9] {
            let other = InDatabase {
                database: "two".to_owned(),
                ..shown(head, &seen)
            };
            assert_eq!(lacking_of(&seen, &other).unwrap().seq, head + 1);
        }
    }

    #[test]
    fn an_event_that_was_kept_for_long_enough_is_not_missed_and_one_cut_out_is() {
        let seen = newest(7);
        let without = |pruned| InDatabase {
            hash: None,
            pruned,
            ..shown(9, &seen)
        };
        assert_eq!(lacking_of(&seen, &without(7)), None);
        assert_eq!(lacking_of(&seen, &without(6)).unwrap().seq, 7);
    }

    fn on(n: u8) -> Request {
        let mut request = request(n, "alice");
        request.stage = Stage::Active {
            since: now(0).wall_s,
            deadline: Deadline::after(&now(0), 600),
        };
        request
    }

    fn closed(n: u8, how: Closed, at: i64) -> Envelope {
        let id = request(n, "alice").id;
        Envelope {
            at,
            actor: None,
            actor_uid: None,
            actor_login: None,
            proof: None,
            event: Event::Closed { id, how, why: None },
        }
    }

    #[test]
    fn what_ended_is_ended_again_as_it_was_and_once() {
        let mut state = State::default();
        for request in [on(1), on(2), request(3, "alice")] {
            state.requests.insert(request.id, request);
        }
        let before = state.clone();
        let ended = [
            closed(3, Closed::Withdrawn, 1_000_020),
            closed(1, Closed::Revoked, 1_000_010),
        ];
        let ends = ends_among(&state, &ended, &now(30));
        let again = unrecorded_ends(&before, &ends);
        assert_eq!(again, [ended[1].clone(), ended[0].clone()]);
        for envelope in &again {
            state.apply(envelope);
        }
        assert_eq!(unrecorded_ends(&state, &ends), []);
        assert_eq!(void(&state, "why").len(), 1, "the other one goes on");
    }

    #[test]
    fn an_end_is_kept_until_the_request_could_give_nothing_anyway() {
        let over = |request: Request| {
            let mut state = State::default();
            let end = closed(1, Closed::Revoked, 0);
            state.requests.insert(request.id, request);
            ends_among(&state, &[end], &now(100))
                .pop_first()
                .unwrap()
                .1
                .over_ms
        };
        let at = |seconds| now(seconds).boottime_ms;
        assert_eq!(over(on(1)), at(600));
        assert_eq!(over(request(1, "alice")), at(1_800 + 600));
        let mut waiting = request(1, "alice");
        waiting.stage = Stage::Waiting {
            from: now(0).wall_s,
            use_by: Some(now(5_000).wall_s),
        };
        assert_eq!(over(waiting), at(5_000 + 600));
    }
}
