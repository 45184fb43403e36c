//! How many calls a person may have open at once, counted before a call costs anything: a call
//! over the limit is never handed to whoever answers, so it holds neither a task nor memory.
//!
//! The count goes by uid. Counted by connection, one person with 240 of them had room for 240
//! times as much. Root has a share that nobody else can use up, so that access can be revoked
//! while the bus is flooded.

use std::collections::BTreeMap;

/// Most calls at once of one person. `tpactl` makes one after the other.
const MOST_EACH: usize = 16;

/// Most bytes of such calls.
const BYTES_EACH: usize = 256 * 1_024;

/// How many people's share of bytes the account of the front door has: it is one uid, and everybody
/// who comes in by ssh.
const DOOR: usize = 4;

/// Most calls at once of that account, beside those of all others: one of each connection. How many
/// connections each person has, the front door counts, and nothing runs there but the one program,
/// which makes one call after the other.
const MOST_DOOR: usize = super::door::MOST;

/// Most calls at once of everybody but root and those who come by the front door.
const MOST: usize = 128;

/// Most calls at once of root, beside those of all others.
const MOST_ROOT: usize = 64;

/// How long a call counts at most, in milliseconds. Each is answered long before that; one whose
/// answer got lost must not count for ever.
const COUNTS_MS: u64 = 300_000;

/// Most callers whose uid is kept: twice the connections that a bus takes (`dbus-daemon(1)`).
const KNOWN: usize = 4_096;

/// A connection on the bus, by its unique name `:1.42`. Never given twice while the bus runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sender(u32, u64);

impl Sender {
    /// Reads a unique name. Names of another form are nobody's on a bus.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (major, minor) = name.strip_prefix(':')?.split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

/// What to do with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// It is answered, and counts until [`CallLimiter::answered`].
    Admitted,
    /// Too many of its caller's are open.
    Refused,
    /// Whose it is has to be asked first.
    Unknown,
}

/// A call that is being answered.
#[derive(Debug, Clone, Copy)]
struct Open {
    uid: u32,
    bytes: usize,
    since_ms: u64,
    /// Whether its caller wants the answer.
    wanted: bool,
}

/// What somebody has open.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    calls: usize,
    bytes: usize,
}

/// A call as far as counting goes.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Where it came from.
    pub sender: Sender,
    /// Its number, which the caller chose.
    pub serial: u32,
    /// Its length.
    pub bytes: usize,
    /// Whether its caller wants an answer.
    pub wanted: bool,
}

/// Counts the calls that are being answered.
#[derive(Debug, Default)]
pub struct CallLimiter {
    uids: BTreeMap<Sender, u32>,
    open: BTreeMap<(Sender, u32), Open>,
    usage: BTreeMap<u32, Usage>,
    /// The account of the front door, once it has called.
    door: Option<u32>,
}

impl CallLimiter {
    /// This uid is that of the front door.
    pub fn has_door(&mut self, uid: u32) {
        self.door = Some(uid);
    }

    /// The bus has said whose a connection is.
    pub fn identified(&mut self, sender: Sender, uid: u32) {
        self.uids.insert(sender, uid);
        while self.uids.len() > KNOWN {
            self.uids.pop_first();
        }
    }

    /// Counts a call, if there is room for it.
    pub fn call(&mut self, call: Call, now_ms: u64) -> Admission {
        let Some(uid) = self.uids.get(&call.sender).copied() else {
            return Admission::Unknown;
        };
        // A number used twice at once would be counted once and answered twice.
        if self.open.contains_key(&(call.sender, call.serial)) || !self.has_room(uid, call.bytes) {
            self.forget_lost(now_ms);
            if self.open.contains_key(&(call.sender, call.serial))
                || !self.has_room(uid, call.bytes)
            {
                return Admission::Refused;
            }
        }
        let usage = self.usage.entry(uid).or_default();
        usage.calls = usage.calls.saturating_add(1);
        usage.bytes = usage.bytes.saturating_add(call.bytes);
        let open = Open {
            uid,
            bytes: call.bytes,
            since_ms: now_ms,
            wanted: call.wanted,
        };
        self.open.insert((call.sender, call.serial), open);
        Admission::Admitted
    }

    /// A call is answered and counts no more. Says whether its caller wants the answer.
    pub fn answered(&mut self, sender: Sender, serial: u32) -> bool {
        match self.open.remove(&(sender, serial)) {
            Some(open) => {
                self.release(open);
                open.wanted
            }
            None => true,
        }
    }

    fn has_room(&self, uid: u32, bytes: usize) -> bool {
        let own = self.usage.get(&uid).copied().unwrap_or_default();
        if uid == 0 {
            return own.calls < MOST_ROOT;
        }
        let bytes = own.bytes.saturating_add(bytes);
        if self.door == Some(uid) {
            return own.calls < MOST_DOOR && bytes <= BYTES_EACH * DOOR;
        }
        let apart = [Some(0), self.door].into_iter().flatten();
        let apart = apart.filter_map(|uid| self.usage.get(&uid));
        let apart: usize = apart.map(|usage| usage.calls).sum();
        own.calls < MOST_EACH && bytes <= BYTES_EACH && self.open.len().saturating_sub(apart) < MOST
    }

    fn release(&mut self, open: Open) {
        if let Some(usage) = self.usage.get_mut(&open.uid) {
            usage.calls = usage.calls.saturating_sub(1);
            usage.bytes = usage.bytes.saturating_sub(open.bytes);
            if usage.calls == 0 {
                self.usage.remove(&open.uid);
            }
        }
    }

    fn forget_lost(&mut self, now_ms: u64) {
        let lost: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| open.since_ms.saturating_add(COUNTS_MS) < now_ms)
            .map(|(key, _)| *key)
            .collect();
        for (sender, serial) in lost {
            self.answered(sender, serial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(connection: u64, serial: u32) -> Call {
        Call {
            sender: Sender(1, connection),
            serial,
            bytes: 200,
            wanted: true,
        }
    }

    fn limiter(uids: impl IntoIterator<Item = (u64, u32)>) -> CallLimiter {
        let mut limiter = CallLimiter::default();
        for (connection, uid) in uids {
            limiter.identified(Sender(1, connection), uid);
        }
        limiter
    }

    fn admitted(limiter: &mut CallLimiter, calls: impl IntoIterator<Item = Call>) -> usize {
        calls
            .into_iter()
            .filter(|call| limiter.call(*call, 0) == Admission::Admitted)
            .count()
    }

    #[test]
    fn a_name_that_the_bus_does_not_give_is_nobodys() {
        assert_eq!(Sender::parse(":1.42"), Some(Sender(1, 42)));
        for name in ["", ":1", "1.42", ":1.x", "org.tpa1", ":1.42.7"] {
            assert_eq!(Sender::parse(name), None, "{name}");
        }
    }

    #[test]
    fn more_connections_give_a_person_no_more_calls() {
        let mut limiter = limiter((0..240).map(|connection| (connection, 1_002)));
        let flood = (0..240).flat_map(|connection| (1..5).map(move |n| call(connection, n)));
        assert_eq!(admitted(&mut limiter, flood), MOST_EACH);
    }

    #[test]
    fn all_who_come_by_the_front_door_have_a_call_each_and_leave_others_theirs() {
        let mut limiter = limiter((0..300).map(|connection| (connection, 993)));
        limiter.identified(Sender(1, 500), 1_002);
        limiter.has_door(993);
        let at_once = (0..300).map(|connection| call(connection, 1));
        assert_eq!(admitted(&mut limiter, at_once), MOST_DOOR);
        let others = (1..20).map(|serial| call(500, serial));
        assert_eq!(admitted(&mut limiter, others), MOST_EACH);
    }

    #[test]
    fn of_a_flood_of_ten_thousand_calls_nothing_is_kept_but_those_admitted() {
        let mut limiter = limiter([(1, 1_002)]);
        admitted(&mut limiter, (1..10_001).map(|serial| call(1, serial)));
        assert_eq!(limiter.open.len(), MOST_EACH);
        for serial in 1..10_001 {
            limiter.answered(Sender(1, 1), serial);
        }
        assert!(limiter.open.is_empty() && limiter.usage.is_empty());
    }

    #[test]
    fn long_calls_count_by_their_length() {
        let mut limiter = limiter([(1, 1_002)]);
        let long = |serial| Call {
            bytes: 60 * 1_024,
            ..call(1, serial)
        };
        assert_eq!(admitted(&mut limiter, (1..17).map(long)), 4);
    }

    #[test]
    fn a_crowd_leaves_room_for_root() {
        let crowd = (0..100).map(|n| (n, 1_000 + u32::try_from(n).unwrap()));
        let mut limiter = limiter(crowd.chain([(500, 0)]));
        let flood = (0..100).flat_map(|n| (1..17).map(move |serial| call(n, serial)));
        assert_eq!(admitted(&mut limiter, flood), MOST);
        let roots = (1..100).map(|serial| call(500, serial));
        assert_eq!(admitted(&mut limiter, roots), MOST_ROOT);
        limiter.answered(Sender(1, 0), 1);
        assert_eq!(
            admitted(&mut limiter, [call(99, 1)]),
            1,
            "root's do not count as theirs"
        );
    }

    #[test]
    fn an_answered_call_makes_room_for_the_next() {
        let mut limiter = limiter([(1, 1_002)]);
        assert_eq!(
            admitted(&mut limiter, (1..20).map(|n| call(1, n))),
            MOST_EACH
        );
        assert!(limiter.answered(Sender(1, 1), 3));
        assert_eq!(limiter.call(call(1, 30), 0), Admission::Admitted);
        assert_eq!(limiter.call(call(1, 31), 0), Admission::Refused);
    }

    #[test]
    fn a_number_that_is_open_is_not_counted_a_second_time() {
        let mut limiter = limiter([(1, 1_002)]);
        assert_eq!(limiter.call(call(1, 7), 0), Admission::Admitted);
        assert_eq!(limiter.call(call(1, 7), 0), Admission::Refused);
        limiter.answered(Sender(1, 1), 7);
        assert!(limiter.usage.is_empty());
    }

    #[test]
    fn an_answer_that_got_lost_does_not_shut_its_caller_out_for_ever() {
        let mut limiter = limiter([(1, 1_002)]);
        assert_eq!(
            admitted(&mut limiter, (1..20).map(|n| call(1, n))),
            MOST_EACH
        );
        assert_eq!(limiter.call(call(1, 40), COUNTS_MS), Admission::Refused);
        assert_eq!(
            limiter.call(call(1, 40), COUNTS_MS + 1),
            Admission::Admitted
        );
    }

    #[test]
    fn whoever_wants_no_answer_gets_none_and_counts_all_the_same() {
        let mut limiter = limiter([(1, 1_002)]);
        let unwanted = |serial| Call {
            wanted: false,
            ..call(1, serial)
        };
        assert_eq!(admitted(&mut limiter, (1..20).map(unwanted)), MOST_EACH);
        assert!(!limiter.answered(Sender(1, 1), 1));
    }

    #[test]
    fn who_is_not_known_is_asked_for_and_the_oldest_are_forgotten() {
        let mut limiter = CallLimiter::default();
        assert_eq!(limiter.call(call(1, 1), 0), Admission::Unknown);
        for connection in 0..10_000 {
            limiter.identified(Sender(1, connection), 1_002);
        }
        assert_eq!(limiter.uids.len(), KNOWN);
        assert_eq!(limiter.call(call(1, 1), 0), Admission::Unknown);
    }
}
