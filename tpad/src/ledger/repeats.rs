//! PURE: what a person brings about again and again without getting anywhere. The first few times
//! are told one by one; the others are counted, and one event tells how many they were. So a loop
//! fills no disk, and none of its turns is lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Event, Person};

/// How many times are told one by one before they are counted.
const FEW: u32 = 10;

/// In so many seconds one more is told so.
const ONE_MORE_S: i64 = 60;

/// So many seconds after the first that was counted, it is told how many were.
const WINDOW_S: i64 = 30;

/// What is the same each time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Repeated {
    /// Whom it is about: who came, or who tried the decision.
    pub user: Person,
    /// Which event each of them would have been: `login-denied`.
    pub of: String,
    /// The PAM service, or the decision that was tried.
    pub at: String,
    /// Why it was refused; nothing where it was not.
    pub why: String,
}

/// How often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many of the times that may be told one by one were.
    told: u32,
    /// Since when one more may be, in seconds since 1970.
    told_at: i64,
    /// How many were counted and are not told of yet.
    count: u64,
    /// When the first of those was.
    since: i64,
    /// When the last of those was.
    until: i64,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Telling {
    /// It is recorded.
    Told,
    /// It is counted.
    Counted,
}

/// How often each was repeated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repeats(BTreeMap<Repeated, Tally>);

/// What some events make of it.
#[derive(Debug)]
pub struct Noting<'a> {
    before: &'a Repeats,
    now_s: i64,
    noted: Noted,
}

/// When the next count is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Waits {
    /// At the same moment as before.
    AsBefore,
    /// At another one.
    Anew,
}

/// Those that changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Noted(BTreeMap<Repeated, Tally>);

impl Repeated {
    /// What an event repeats, if it is of a kind that is counted. `actor` is who caused it.
    #[must_use]
    pub fn of(event: &Event, actor: Option<&Person>) -> Option<Self> {
        let (_, of) = event.code();
        let statement = "statement".to_owned();
        let (user, at, why) = match event {
            Event::LoginDenied { user, place, why } => (user, &place.service, why.as_str()),
            Event::ExemptLogin { user, place } => (user, &place.service, ""),
            Event::DecisionRefused { decision, why, .. } => (actor?, decision, why.as_str()),
            Event::StatementRefused { why, .. } => (actor?, &statement, why.as_str()),
            _ => return None,
        };
        Some(Self {
            user: user.clone(),
            of: of.to_owned(),
            at: at.clone(),
            why: why.to_owned(),
        })
    }

    /// Whether somebody was not let in.
    #[must_use]
    pub fn is_refused_login(&self) -> bool {
        self.of == "login-denied"
    }
}

impl Tally {
    fn new(now_s: i64) -> Self {
        Self {
            told: 0,
            told_at: now_s,
            count: 0,
            since: now_s,
            until: now_s,
        }
    }

    fn note(&mut self, now_s: i64) -> Telling {
        let more = now_s.saturating_sub(self.told_at).div_euclid(ONE_MORE_S);
        if let Ok(more) = u32::try_from(more) {
            self.told = self.told.saturating_sub(more);
        }
        // Behind it: the clock was set back.
        if more != 0 {
            self.told_at = now_s;
        }
        // Those that come behind counted ones are told behind them.
        if self.count == 0 && self.told < FEW {
            self.told = self.told.saturating_add(1);
            return Telling::Told;
        }
        if self.count == 0 {
            self.since = now_s;
        }
        self.count = self.count.saturating_add(1);
        self.until = now_s;
        Telling::Counted
    }

    /// When its count is to be told.
    fn due(&self) -> Option<i64> {
        (self.count > 0).then(|| self.since.saturating_add(WINDOW_S))
    }

    /// Whether it is to be told now: also where the clock was set back to before it began.
    fn is_due(&self, now_s: i64) -> bool {
        self.due().is_some_and(|due| due <= now_s) || (self.count > 0 && now_s < self.since)
    }

    /// Whether it is as if there had never been one.
    fn is_spent(&self, now_s: i64) -> bool {
        let all = ONE_MORE_S.saturating_mul(i64::from(FEW));
        self.count == 0 && self.told_at.saturating_add(all) <= now_s
    }
}

impl Noting<'_> {
    /// One more: whether it is told or counted.
    pub fn note(&mut self, what: &Repeated) -> Telling {
        let now_s = self.now_s;
        self.tally_of(what).note(now_s)
    }

    /// A count was told.
    pub fn has_told(&mut self, what: &Repeated) {
        self.tally_of(what).count = 0;
    }

    /// How often it was, where that has to be kept.
    #[must_use]
    pub fn tally(&self, what: &Repeated) -> Option<&Tally> {
        self.noted.0.get(what).filter(|tally| tally.count > 0)
    }

    /// What changed: as many as were noted, however many others there are.
    #[must_use]
    pub fn noted(self) -> Noted {
        self.noted
    }

    fn tally_of(&mut self, what: &Repeated) -> &mut Tally {
        let before = self.before.0.get(what);
        self.noted.0.entry(what.clone()).or_insert_with(|| {
            let before = before.filter(|tally| !tally.is_spent(self.now_s));
            before.map_or_else(|| Tally::new(self.now_s), Tally::clone)
        })
    }
}

impl Repeats {
    /// As they were kept.
    #[must_use]
    pub fn from_kept(kept: impl IntoIterator<Item = (Repeated, Tally)>) -> Self {
        Self(kept.into_iter().collect())
    }

    /// What comes next is noted beside these, which stay as they are until it is recorded.
    #[must_use]
    pub fn noting(&self, now_s: i64) -> Noting<'_> {
        Noting {
            before: self,
            now_s,
            noted: Noted::default(),
        }
    }

    /// What was noted is recorded. Whoever stopped long ago is forgotten.
    pub fn take(&mut self, noted: Noted, now_s: i64) -> Waits {
        if noted.0.is_empty() {
            return Waits::AsBefore;
        }
        let before = self.next_due();
        self.0.extend(noted.0);
        self.0.retain(|_, tally| !tally.is_spent(now_s));
        if self.next_due() == before {
            Waits::AsBefore
        } else {
            Waits::Anew
        }
    }

    /// How often it was, where that has to be kept.
    #[cfg(test)]
    fn tally(&self, what: &Repeated) -> Option<&Tally> {
        self.0.get(what).filter(|tally| tally.count > 0)
    }

    /// The events that tell of counts whose time has come. [`Noting::has_told`] follows each.
    #[must_use]
    pub fn due(&self, now_s: i64) -> Vec<Event> {
        let over = self.0.iter().filter(|(_, tally)| tally.is_due(now_s));
        over.map(|(what, tally)| Event::Repeated {
            what: what.clone(),
            count: tally.count,
            since: tally.since,
            until: tally.until,
        })
        .collect()
    }

    /// When the next count is to be told, in seconds since 1970.
    #[must_use]
    pub fn next_due(&self) -> Option<i64> {
        self.0.values().filter_map(Tally::due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, service: &str) -> Repeated {
        Repeated {
            user: Person {
                uid: 1001,
                name: name.to_owned(),
            },
            of: "login-denied".to_owned(),
            at: service.to_owned(),
            why: "no-grant".to_owned(),
        }
    }

    fn told(repeats: &mut Repeats, what: &Repeated, times: u32, now_s: i64) -> usize {
        let mut noting = repeats.noting(now_s);
        let all = (0..times).map(|_| noting.note(what));
        let told = all.filter(|telling| *telling == Telling::Told).count();
        let noted = noting.noted();
        let _ = repeats.take(noted, now_s);
        told
    }

    /// What the events say, and that it was said.
    fn counted(repeats: &mut Repeats, now_s: i64) -> Vec<(String, u64)> {
        let due = repeats.due(now_s);
        let mut noting = repeats.noting(now_s);
        let tell = |event| match event {
            Event::Repeated { what, count, .. } => {
                noting.has_told(&what);
                (format!("{} {}", what.user.name, what.at), count)
            }
            _ => panic!("{event:?}"),
        };
        let all = due.into_iter().map(tell).collect();
        let noted = noting.noted();
        let _ = repeats.take(noted, now_s);
        all
    }

    #[test]
    fn what_is_noted_costs_what_changed_and_changes_nothing_before_it_is_recorded() {
        let mut repeats = Repeats::default();
        for n in 0..1_000 {
            told(
                &mut repeats,
                &refused(&format!("user{n}"), "sshd"),
                20,
                1_000,
            );
        }
        let before = repeats.clone();
        let alice = refused("user7", "sshd");
        let mut noting = repeats.noting(1_001);
        assert_eq!(noting.note(&alice), Telling::Counted);
        let noted = noting.noted();
        assert_eq!(noted.0.len(), 1);
        assert_eq!(repeats, before);
        assert_eq!(repeats.take(noted, 1_001), Waits::AsBefore);
        assert_eq!(repeats.tally(&alice).unwrap().count, 11);
        assert_eq!(repeats.0.len(), 1_000);
    }

    #[test]
    fn of_three_hundred_refusals_ten_are_told_and_the_others_are_one_number() {
        let mut repeats = Repeats::default();
        let alice = refused("alice", "sshd");
        assert_eq!(told(&mut repeats, &alice, 300, 1_000), 10);
        assert_eq!(repeats.next_due(), Some(1_030));
        assert_eq!(counted(&mut repeats, 1_029), []);
        assert_eq!(counted(&mut repeats, 1_030), [("alice sshd".into(), 290)]);
        assert_eq!(repeats.next_due(), None);
        assert_eq!(counted(&mut repeats, 9_000), []);
    }

    #[test]
    fn one_person_or_service_is_not_counted_with_another() {
        let mut repeats = Repeats::default();
        for what in [
            refused("alice", "sshd"),
            refused("alice", "sudo"),
            refused("bob", "sshd"),
        ] {
            assert_eq!(told(&mut repeats, &what, 12, 1_000), 10);
        }
        let two = |who: &str| (who.to_owned(), 2);
        let all = ["alice sshd", "alice sudo", "bob sshd"].map(two);
        assert_eq!(counted(&mut repeats, 2_000), all);
    }

    #[test]
    fn one_in_a_minute_is_always_told() {
        let mut repeats = Repeats::default();
        let cron = refused("alice", "cron");
        let minutes = (0..10_000).map(|minute| 60 * minute);
        let all: usize = minutes.map(|at| told(&mut repeats, &cron, 1, at)).sum();
        assert_eq!(all, 10_000);
    }

    #[test]
    fn a_flood_comes_to_three_events_a_minute_and_nothing_is_lost() {
        let mut repeats = Repeats::default();
        let alice = refused("alice", "sudo");
        let (mut one_by_one, mut counts, mut in_counts) = (0, 0, 0);
        let hour = 3_600;
        for second in 0..hour {
            for (_, count) in counted(&mut repeats, second) {
                counts += 1;
                in_counts += count;
            }
            one_by_one += told(&mut repeats, &alice, 100, second) as u64;
        }
        in_counts += counted(&mut repeats, 2 * hour)
            .into_iter()
            .map(|(_, n)| n)
            .sum::<u64>();
        assert_eq!(one_by_one + in_counts, 360_000);
        assert!(one_by_one + counts <= 3 * 60 + 10, "{one_by_one} {counts}");
    }

    #[test]
    fn a_clock_that_was_a_year_ahead_for_a_moment_delays_nothing() {
        let mut repeats = Repeats::default();
        let alice = refused("alice", "sshd");
        let ahead = 1_000 + 365 * 86_400;
        told(&mut repeats, &alice, 15, ahead);
        assert_eq!(counted(&mut repeats, 1_000), [("alice sshd".into(), 5)]);
        told(&mut repeats, &alice, 1, 1_000);
        assert_eq!(counted(&mut repeats, 4_600), [("alice sshd".into(), 1)]);
        assert_eq!(told(&mut repeats, &alice, 1, 4_600), 1);
    }

    #[test]
    fn who_stopped_is_forgotten_and_what_was_counted_never_is() {
        let mut repeats = Repeats::default();
        told(&mut repeats, &refused("alice", "sshd"), 20, 1_000);
        told(&mut repeats, &refused("bob", "sshd"), 5, 1_000);
        told(&mut repeats, &refused("carol", "sshd"), 1, 100_000);
        assert_eq!(repeats.0.len(), 2);
        assert_eq!(counted(&mut repeats, 100_000), [("alice sshd".into(), 10)]);
    }

    #[test]
    fn what_was_counted_outlives_the_daemon() {
        let mut repeats = Repeats::default();
        let alice = refused("alice", "sshd");
        told(&mut repeats, &alice, 20, 1_000);
        let text = serde_json::to_string(repeats.tally(&alice).unwrap()).unwrap();
        let kept = serde_json::from_str(&text).unwrap();
        let mut again = Repeats::from_kept([(alice, kept)]);
        assert_eq!(again, repeats);
        assert_eq!(counted(&mut again, 5_000), [("alice sshd".into(), 10)]);
    }
}
