//! What becomes of requests and of the time when the clock is set, one sentence a story.

use tpa_bus::offline::Class;

use super::properties::{now, person, request};
use super::*;
use crate::clock::Now;
use crate::policy::danger::SeenFile;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;
/// A right clock at the beginning.
const START: i64 = 1_000_000;

/// A host with clocks that can be set, and with one request for each stage.
struct Host {
    state: State,
    clocks: Now,
    doubt: Option<Doubt>,
    /// What a right clock would show.
    right: i64,
    /// What was said of the clock.
    jumps: Vec<Event>,
}

impl Host {
    fn new() -> Self {
        let mut host = Self {
            state: State::default(),
            clocks: now(0),
            doubt: None,
            right: START,
            jumps: Vec::new(),
        };
        host.restart();
        host
    }

    fn record(&mut self, now: &Now, event: Event) {
        self.state.apply(&Envelope {
            at: now.wall_s,
            actor: None,
            actor_uid: None,
            actor_login: None,
            proof: None,
            event,
        });
    }

    /// What tpad does at each look: the moment, and what has come about.
    fn look(&mut self) -> Now {
        let reading = read(&self.state, self.doubt, &self.clocks);
        self.doubt = reading.doubt;
        if let Some(jump) = reading.jump {
            self.record(&reading.now, jump.clone());
            self.jumps.push(jump);
        }
        for event in due(&self.state, &reading.now) {
            self.record(&reading.now, event);
        }
        reading.now
    }

    /// tpad starts, knowing what its database holds.
    fn restart(&mut self) {
        self.doubt = None;
        let now = self.look();
        let version = String::new();
        self.record(&now.clone(), Event::DaemonStarted { now, version });
    }

    fn pass(&mut self, seconds: i64) {
        self.right += seconds;
        self.clocks.wall_s += seconds;
        self.clocks.boottime_ms += seconds.unsigned_abs() * 1_000;
        self.look();
    }

    /// Sets the clock so many seconds ahead of what it shows, or back.
    fn set(&mut self, by: i64) {
        self.clocks.wall_s += by;
        self.look();
    }

    fn set_right(&mut self) {
        self.clocks.wall_s = self.right;
        self.look();
    }

    fn reboot(&mut self) {
        self.right += 30;
        self.clocks.wall_s += 30;
        self.clocks.boottime_ms = 5_000;
        self.clocks.boot_id.push('+');
        self.restart();
    }

    fn has(&mut self, n: u8, stage: Stage) -> tpa_bus::id::Id {
        let now = self.look();
        let mut request = request(n, "alice");
        request.requested_at = now.wall_s;
        request.lapses_at = now.wall_s + HOUR;
        request.duration_s = 600;
        if let Stage::Waiting { from, .. } = stage
            && from > now.wall_s
        {
            request.at = Some(from);
        }
        request.stage = stage;
        let id = request.id;
        self.record(&now, Event::RequestCreated(Box::new(request)));
        id
    }

    fn active(&mut self, n: u8, seconds: u64) -> tpa_bus::id::Id {
        let now = self.look();
        let deadline = Deadline::after(&now, seconds);
        let since = now.wall_s;
        self.has(n, Stage::Active { since, deadline })
    }

    fn unused(&mut self, n: u8) -> tpa_bus::id::Id {
        let from = self.look().wall_s;
        let use_by = Some(from + HOUR);
        self.has(n, Stage::Waiting { from, use_by })
    }

    fn is(&self, id: tpa_bus::id::Id) -> &'static str {
        self.state.requests[&id].state().word()
    }

    fn is_right(&mut self) {
        let now = self.look();
        assert!(
            now.wall_s.abs_diff(self.right) <= 1,
            "{now:?}, right: {}",
            self.right
        );
    }

    fn not_after(&self, id: tpa_bus::id::Id) -> i64 {
        self.state.requests[&id].deadline().unwrap().not_after
    }
}

#[test]
fn a_clock_that_is_far_ahead_for_a_moment_costs_no_request_and_leaves_the_time_right() {
    for ahead in [2 * MINUTE, HOUR, DAY, YEAR, 30 * YEAR] {
        for seconds in [0, 2, 59, 5 * MINUTE] {
            let mut host = Host::new();
            host.pass(100);
            let pending = host.has(1, Stage::Pending);
            let tonight = host.right + 50 * MINUTE;
            let scheduled = host.has(
                2,
                Stage::Waiting {
                    from: tonight,
                    use_by: None,
                },
            );
            let unused = host.unused(3);
            host.set(ahead);
            host.pass(seconds);
            let states = [pending, scheduled, unused].map(|id| host.is(id));
            assert_eq!(
                states,
                ["pending", "scheduled", "approved"],
                "{ahead} {seconds}"
            );
            host.set_right();
            host.is_right();
            // Each at its own time, as if nothing had been.
            host.pass(49 * MINUTE - seconds);
            assert_eq!(host.is(scheduled), "scheduled", "{ahead} {seconds}");
            host.pass(2 * MINUTE);
            assert_eq!(host.is(scheduled), "active", "{ahead} {seconds}");
            assert_eq!(
                [pending, unused].map(|id| host.is(id)),
                ["pending", "approved"]
            );
            host.pass(15 * MINUTE);
            assert_eq!(
                [pending, unused].map(|id| host.is(id)),
                ["lapsed", "lapsed"]
            );
            assert_eq!(host.is(scheduled), "expired");
        }
    }
}

#[test]
fn what_was_on_ends_when_the_clock_is_set_past_its_end_and_not_otherwise() {
    let mut host = Host::new();
    let (short, long) = (host.active(1, 600), host.active(2, 3 * 3_600));
    host.set(HOUR);
    assert_eq!([short, long].map(|id| host.is(id)), ["expired", "active"]);
    let end = START + 3 * HOUR;
    assert_eq!(
        host.not_after(long),
        end,
        "the wall clock comes there sooner"
    );
    host.pass(2);
    host.set_right();
    assert_eq!(host.not_after(long), end);
    host.pass(3 * HOUR - 3);
    assert_eq!(host.is(long), "active");
    host.pass(1);
    assert_eq!(host.is(long), "expired");
}

#[test]
fn what_is_granted_while_the_clock_is_ahead_is_as_long_as_was_granted() {
    let mut host = Host::new();
    host.set(YEAR);
    let id = host.active(1, 600);
    let pending = host.has(2, Stage::Pending);
    assert_eq!(
        host.not_after(id),
        START + YEAR + 600,
        "sudo goes by that clock"
    );
    host.pass(2);
    host.set_right();
    host.is_right();
    assert_eq!(host.not_after(id), START + 600);
    host.pass(590);
    assert_eq!(host.is(id), "active");
    host.pass(10);
    assert_eq!(host.is(id), "expired");
    host.pass(HOUR);
    assert_eq!(host.is(pending), "lapsed", "and not in a year");
}

#[test]
fn a_clock_set_back_is_not_believed_and_the_time_goes_on() {
    let mut host = Host::new();
    let id = host.active(1, 300);
    for back in [HOUR, YEAR, 20 * YEAR] {
        host.set(-back);
        host.pass(2);
        host.is_right();
    }
    assert_eq!(host.not_after(id), START + 300);
    let told = |jump: &Event| matches!(jump, Event::ClockJump { set: None, .. });
    assert_eq!(
        host.jumps.iter().filter(|jump| told(jump)).count(),
        3,
        "{:?}",
        host.jumps
    );
    host.pass(300);
    assert_eq!(host.is(id), "expired");
    host.set_right();
    host.is_right();
    assert_eq!(
        host.jumps.len(),
        3,
        "it is as it would be: nothing more to tell"
    );
}

#[test]
fn a_clock_that_stays_set_back_is_believed_in_the_end_and_lengthens_nothing() {
    let mut host = Host::new();
    let id = host.active(1, 3_600);
    let pending = host.has(2, Stage::Pending);
    host.set(-YEAR);
    host.pass(9 * MINUTE);
    host.is_right();
    host.pass(2 * MINUTE);
    let now = host.look();
    assert_eq!(now.wall_s, START - YEAR + 11 * MINUTE);
    assert_eq!(host.not_after(id), START - YEAR + HOUR);
    host.reboot();
    host.pass(49 * MINUTE);
    assert_eq!([id, pending].map(|id| host.is(id)), ["expired", "lapsed"]);
}

#[test]
fn a_clock_that_is_set_right_after_it_stood_wrong_for_long_gives_back_the_end() {
    for wrong in [-YEAR, -2 * HOUR] {
        let mut host = Host::new();
        let id = host.active(1, 3_600);
        host.set(wrong);
        host.pass(20 * MINUTE);
        host.look();
        assert_eq!(host.not_after(id), START + wrong + HOUR);
        host.set_right();
        host.is_right();
        assert_eq!((host.is(id), host.not_after(id)), ("active", START + HOUR));
        host.pass(40 * MINUTE);
        assert_eq!(host.is(id), "expired");
    }
}

#[test]
fn several_settings_in_a_row_do_not_hide_which_clock_was_right() {
    let mut host = Host::new();
    let pending = host.has(1, Stage::Pending);
    host.set(HOUR);
    host.pass(1);
    host.set(YEAR);
    host.pass(1);
    host.set(-YEAR - HOUR);
    host.is_right();
    host.pass(58 * MINUTE);
    assert_eq!(host.is(pending), "pending");
    host.pass(2 * MINUTE);
    assert_eq!(host.is(pending), "lapsed");
}

#[test]
fn of_several_settings_in_a_row_the_last_alone_may_be_undone() {
    for first in [70, HOUR, DAY] {
        let mut host = Host::new();
        let id = host.active(1, 3_600);
        host.set(first);
        host.pass(2);
        let believed = host.look().wall_s - host.right;
        assert_eq!(believed, first);
        let pending = host.has(2, Stage::Pending);
        host.set(YEAR);
        host.pass(2);
        host.set(-YEAR);
        let now = host.look();
        assert!(
            now.wall_s.abs_diff(host.right + first) <= 1,
            "{first} {now:?}"
        );
        assert_eq!(host.is(pending), "pending");
        host.set_right();
        host.is_right();
        if host.is(id) == "active" {
            assert!(host.not_after(id) <= START + HOUR);
        }
    }
}

#[test]
fn a_restart_or_a_reboot_in_between_changes_nothing_of_it() {
    let host = |then: fn(&mut Host)| {
        let mut host = Host::new();
        host.pass(100);
        let pending = host.has(1, Stage::Pending);
        host.set(YEAR);
        let granted = host.active(2, 3_600);
        host.pass(2);
        then(&mut host);
        host.is_right();
        host.pass(MINUTE);
        assert_eq!(
            [pending, granted].map(|id| host.is(id)),
            ["pending", "active"]
        );
        assert!(
            host.not_after(granted) <= START + 100 + HOUR + 40,
            "{}",
            host.not_after(granted)
        );
        host.pass(HOUR);
        assert_eq!(
            [pending, granted].map(|id| host.is(id)),
            ["lapsed", "expired"]
        );
    };
    host(|host| {
        host.restart();
        host.set_right();
    });
    host(|host| {
        host.clocks.wall_s = host.right;
        host.restart();
    });
    host(|host| {
        host.clocks.wall_s = host.right;
        host.reboot();
    });
}

#[test]
fn a_clock_that_is_set_ahead_for_good_is_believed_and_what_it_passed_comes_about() {
    let mut host = Host::new();
    let tonight = START + 30 * MINUTE;
    let missed = host.has(
        1,
        Stage::Waiting {
            from: tonight,
            use_by: None,
        },
    );
    let later = host.has(
        2,
        Stage::Waiting {
            from: START + 3 * HOUR,
            use_by: None,
        },
    );
    let pending = host.has(3, Stage::Pending);
    host.set(2 * HOUR);
    let now = host.look();
    assert_eq!(now.wall_s, START + 2 * HOUR);
    assert_eq!(
        next_moment(&host.state, &now),
        Some(600_000),
        "then it has stood"
    );
    host.pass(10 * MINUTE);
    assert_eq!(
        [missed, later, pending].map(|id| host.is(id)),
        ["lapsed", "scheduled", "pending"]
    );
    host.pass(50 * MINUTE);
    assert_eq!([later, pending].map(|id| host.is(id)), ["active", "lapsed"]);
}

#[test]
fn a_grant_is_not_begun_early_because_the_clock_is_ahead() {
    let mut host = Host::new();
    let from = START + HOUR;
    let use_by = Some(from + DAY);
    host.has(1, Stage::Waiting { from, use_by });
    host.set(2 * HOUR);
    let now = host.look();
    let at = AccessQuery {
        user: person(0),
        class: Class::Login,
        sudo: None,
    };
    assert!(matches!(
        judge(&host.state, &at, &now),
        AccessDecision::Deny(_)
    ));
    host.pass(10 * MINUTE);
    let now = host.look();
    assert!(matches!(
        judge(&host.state, &at, &now),
        AccessDecision::Allow { .. }
    ));
}

#[test]
fn small_corrections_are_followed_without_a_word() {
    let mut host = Host::new();
    for by in [1, -1, 59, -59, 30] {
        host.set(by);
        host.pass(10);
        assert_eq!(host.look().wall_s, host.clocks.wall_s);
    }
    assert_eq!(host.jumps, []);
}

impl Host {
    /// A command of the grant's begins, if it may.
    fn begins(&mut self, id: tpa_bus::id::Id) -> Result<(), Refused> {
        let now = self.look();
        let (runner, sudo) = (50, 49);
        let named = |pid| Named { pid, started: 7 };
        let by = Runner {
            uid: 0,
            called_by: person(0).uid,
            runner: named(runner),
            sudo: named(sudo),
        };
        let program = SeenProgram {
            file: SeenFile::Roots {
                real: "/usr/bin/id".to_owned(),
            },
            sha256: Ok("ab".repeat(32)),
        };
        let begun = start(&self.state, id, &by, &program, &now)?;
        self.record(&now, begun);
        Ok(())
    }

    /// A grant for one command.
    fn command(&mut self, n: u8, seconds: u64) -> tpa_bus::id::Id {
        let id = self.active(n, seconds);
        let command = OneCommand {
            argv: vec!["/usr/bin/id".to_owned()],
            directory: "/".to_owned(),
            run_as: Person::root(),
            program: "/usr/bin/id".to_owned(),
            sha256: "ab".repeat(32),
            amounts: Vec::new(),
            run: None,
        };
        self.state.requests.get_mut(&id).unwrap().command = Some(command);
        id
    }
}

/// The wall clock comes to the end, or `CLOCK_BOOTTIME` does: whichever is first ends a command that
/// runs, and how long that took is told by the clock that nobody sets.
#[test]
fn a_command_that_runs_ends_by_the_clock_that_comes_to_its_end_first() {
    for (set, after) in [(HOUR, 0), (-HOUR, 540), (-YEAR, 540), (0, 540)] {
        let mut host = Host::new();
        let (runs, waits) = (host.command(1, 600), host.command(2, 600));
        host.begins(runs).unwrap();
        host.pass(60);
        host.set(set);
        if after > 0 {
            host.pass(after - 1);
            assert_eq!(host.is(runs), "active", "{set}");
            host.pass(1);
        }
        assert_eq!([runs, waits].map(|id| host.is(id)), ["expired"; 2], "{set}");
        assert!(host.begins(waits).is_err(), "{set}");
        // Its end kills it, and it is still waited for: sudo has not ended yet.
        assert_eq!(running(&host.state).count(), 1, "{set}");
        let now = host.look();
        let told = over(&host.state, runs, &now);
        let [Event::CommandRun { duration_ms, .. }] = told.as_slice() else {
            panic!("{set}: {told:?}");
        };
        assert_eq!(*duration_ms, 60_000 + after.unsigned_abs() * 1_000, "{set}");
    }
}
