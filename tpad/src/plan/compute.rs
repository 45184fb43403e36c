//! From the ledger's state to the host as it should be.

use std::collections::{BTreeMap, BTreeSet};

use tpa_bus::offline::{OfflineGrant, StateFile};
use tpa_bus::span::Span;

use super::{Desired, End, Ending, Notice, Rule, Takes};
use crate::clock::Now;
use crate::ledger::{Deadline, Logins, Person, Removal, Request, Stage, State, next_moment};
use crate::policy::OnEnd;

/// How soon what failed is tried again, in milliseconds.
pub(crate) const RETRY_MS: u64 = 5_000;

/// What the plan cannot know by itself.
pub struct PlanInputs<'a> {
    /// Whether the gate stands before this person's logins now.
    pub gated: &'a dyn Fn(&Person) -> bool,
    /// A moment in local time, as people read it: `16:30 CET`.
    pub say_time: &'a dyn Fn(i64) -> String,
    /// Seconds before the end at which people are warned, longest first.
    pub warn_before: &'a [u64],
    /// What was said on terminals already.
    pub said: &'a BTreeSet<NoticeSent>,
}

/// A thing said on someone's terminals, so that it is said once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoticeSent {
    /// About this grant.
    pub id: tpa_bus::id::Id,
    /// What.
    pub what: NoticeKind,
}

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// It ends in so many seconds.
    EndsIn(u64),
    /// It goes on until then.
    ExtendedTo(i64),
    /// It has ended.
    Ended,
}

/// The host as it should be, when to look again, and what will have been said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// For the host layer.
    pub desired: Desired,
    /// Milliseconds until the plan changes by itself; `None` when it does not.
    pub wake_ms: Option<u64>,
    /// What the notices in `desired` say.
    pub said: BTreeSet<NoticeSent>,
}

/// Plans. A grant whose end has passed counts as ended whether or not that is recorded yet, so
/// access ends on time even when nothing can be written.
#[must_use]
pub fn plan(state: &State, inputs: &PlanInputs<'_>, now: &Now) -> Plan {
    let live: Vec<(&Request, &Deadline)> = state
        .requests
        .values()
        .filter(|request| request.is_live(now))
        .filter_map(|request| Some((request, request.deadline()?)))
        .collect();
    let mut plan = Plan::default();
    let mut notices = NoticeBuilder {
        inputs,
        plan: &mut plan,
    };
    for (request, deadline) in &live {
        notices.of_live(request, deadline, now);
    }
    let ended: Vec<&Request> = state
        .requests
        .values()
        .filter(|request| must_go(request, now))
        .collect();
    let endings: Vec<Ending> = ended
        .iter()
        .map(|request| ending(request, &live, inputs, now))
        .collect();
    for (request, ending) in ended.iter().zip(&endings) {
        notices.of_ended(request, ending.takes);
    }

    let desired = &mut plan.desired;
    desired.rules = live
        .iter()
        .filter_map(|(r, d)| Some((r.id, rule(r, d)?)))
        .collect();
    desired.states = states(&live, inputs, now);
    desired.known = state
        .requests
        .values()
        .filter(|request| request.was_active())
        .map(|request| request.id)
        .collect();
    desired.reapers = live.iter().map(|(r, d)| (r.id, end(d))).collect();
    for (request, deadline) in &live {
        if ends_logins(request, inputs) {
            let latest = desired
                .login_ends
                .entry(request.user.uid)
                .or_insert(end(deadline));
            *latest = (*latest).max(end(deadline));
        }
    }
    desired.endings = endings;

    let retry = ended
        .iter()
        .any(|r| r.removal == Removal::Failed)
        .then_some(RETRY_MS);
    let warning = live
        .iter()
        .filter_map(|(r, d)| next_warning(r, d, inputs, now))
        .min();
    // What is due and still there could not be recorded.
    let next = next_moment(state, now).map(|ms| if ms == 0 { RETRY_MS } else { ms });
    plan.wake_ms = [next, warning, retry].into_iter().flatten().min();
    plan
}

/// Whether access is over and its removal not proven.
fn must_go(request: &Request, now: &Now) -> bool {
    match &request.stage {
        Stage::Active { deadline, .. } => deadline.is_over(now),
        _ => request.is_ending(),
    }
}

fn end(deadline: &Deadline) -> End {
    End {
        not_after: deadline.not_after,
        deadline_ms: deadline.boottime_ms,
    }
}

fn rule(request: &Request, deadline: &Deadline) -> Option<Rule> {
    request.gives.uses_sudo().then(|| Rule {
        id: request.id,
        uid: request.user.uid,
        user: request.user.name.clone(),
        role: request.role.clone(),
        not_after: deadline.not_after,
        sudo: request.gives.sudo.clone(),
        record: request.gives.record,
    })
}

fn states(
    live: &[(&Request, &Deadline)],
    inputs: &PlanInputs<'_>,
    now: &Now,
) -> BTreeMap<u32, StateFile> {
    let mut states: BTreeMap<u32, StateFile> = BTreeMap::new();
    let mut last_login: BTreeMap<u32, (i64, OnEnd)> = BTreeMap::new();
    for (request, deadline) in live {
        let user = &request.user;
        let file = states.entry(user.uid).or_insert_with(|| StateFile {
            uid: user.uid,
            user: user.name.clone(),
            boot_id: deadline.boot_id.clone(),
            end_logins: false,
            grants: Vec::new(),
        });
        if file.user != user.name {
            // The account was made anew under this uid: its file speaks for one name only.
            continue;
        }
        file.grants.push(OfflineGrant {
            id: request.id,
            login: request.gives.login,
            sudo: request.gives.uses_sudo(),
            deadline_ms: deadline.boottime_ms,
            not_after: deadline.not_after,
            role: request.role.clone(),
            began_ms: began_ms(request, now),
        });
        if ends_logins(request, inputs) {
            let this = (deadline.not_after, request.gives.on_end);
            let last = last_login.entry(user.uid).or_insert(this);
            if this.0 >= last.0 {
                *last = this;
            }
            file.end_logins = last.1 == OnEnd::Kill;
        }
    }
    states
}

/// Whether the person's logins are the grant's to end: by what was recorded of it when it began, or
/// since. Where nothing was, by the gate as it is.
fn ends_logins(request: &Request, inputs: &PlanInputs<'_>) -> bool {
    request.gives.login
        && match request.gave.as_ref().map(|gave| gave.logins) {
            Some(Logins::Given) => true,
            Some(Logins::Own) => false,
            None => (inputs.gated)(&request.user),
        }
}

fn began_ms(request: &Request, now: &Now) -> u64 {
    let gave = request.gave.as_ref();
    gave.map_or(0, |gave| gave.began_ms(&now.boot_id))
}

fn ending(
    request: &Request,
    live: &[(&Request, &Deadline)],
    inputs: &PlanInputs<'_>,
    now: &Now,
) -> Ending {
    let other_login = live
        .iter()
        .any(|(other, _)| other.user.uid == request.user.uid && other.gives.login);
    let logins =
        ends_logins(request, inputs) && request.gives.on_end == OnEnd::Kill && !other_login;
    let names = request.gives.accounts().into_iter().map(str::to_owned);
    Ending {
        id: request.id,
        uid: request.user.uid,
        user: request.user.name.clone(),
        takes: match (logins, (inputs.gated)(&request.user)) {
            (false, _) => Takes::Commands,
            (true, false) => Takes::Logins,
            (true, true) => Takes::Everything,
        },
        began_ms: began_ms(request, now),
        accounts: request
            .gave
            .as_ref()
            .map_or_else(Vec::new, |gave| gave.accounts.clone()),
        runs_as: names.collect(),
        once: request.command.is_some(),
    }
}

/// Seconds before its end at which this grant warns: those that it is longer than.
fn warnings<'a>(
    request: &Request,
    deadline: &Deadline,
    inputs: &PlanInputs<'a>,
) -> impl Iterator<Item = u64> + use<'a> {
    let length = match &request.stage {
        Stage::Active { since, .. } => deadline.not_after.saturating_sub(*since),
        _ => 0,
    };
    inputs
        .warn_before
        .iter()
        .copied()
        .filter(move |before| i64::try_from(*before).is_ok_and(|b| b < length))
}

fn next_warning(
    request: &Request,
    deadline: &Deadline,
    inputs: &PlanInputs<'_>,
    now: &Now,
) -> Option<u64> {
    let left = deadline.remaining_ms(now);
    warnings(request, deadline, inputs)
        .filter_map(|s| left.checked_sub(s * 1_000))
        .filter(|ms| *ms > 0)
        .min()
}

/// Collects what is to be said.
struct NoticeBuilder<'a, 'p> {
    inputs: &'a PlanInputs<'a>,
    plan: &'p mut Plan,
}

impl NoticeBuilder<'_, '_> {
    fn of_live(&mut self, request: &Request, deadline: &Deadline, now: &Now) {
        let id = request.id;
        let end = (self.inputs.say_time)(deadline.not_after);
        let left = deadline.remaining_ms(now);
        let first_end = match &request.stage {
            Stage::Active { since, .. } => since.saturating_add_unsigned(request.duration_s),
            _ => deadline.not_after,
        };
        if deadline.not_after > first_end {
            let line = format!("*** tpa: {id} was extended: it now ends {end}.");
            self.say(request, NoticeKind::ExtendedTo(deadline.not_after), line);
        }
        // Of several that are due at once, after a suspend say, the last is the true one.
        let due = warnings(request, deadline, self.inputs)
            .filter(|s| left <= s * 1_000)
            .min();
        if let Some(seconds) = due {
            let span = Span::from_secs(seconds);
            let line = format!(
                "*** tpa: {id} ends in {span} ({end}). \
                 More time: tpactl extend {id} --for 30m --reason …"
            );
            self.say(request, NoticeKind::EndsIn(seconds), line);
        }
    }

    fn of_ended(&mut self, request: &Request, takes: Takes) {
        let at = match &request.stage {
            Stage::Closed { at, .. } => *at,
            Stage::Active { deadline, .. } => deadline.not_after,
            _ => return,
        };
        let (id, end) = (request.id, (self.inputs.say_time)(at));
        let no = request.no_of_others().map(|no| format!(", {no}"));
        let no = no.unwrap_or_default();
        // The person's own login, or one that another grant gives, goes on.
        let what = if takes.logins() {
            "Closing this session."
        } else {
            "Ending its sudo commands."
        };
        let line = format!("*** tpa: {id} ended {end}{no}. {what}");
        self.say(request, NoticeKind::Ended, line);
    }

    fn say(&mut self, request: &Request, what: NoticeKind, line: String) {
        let said = NoticeSent {
            id: request.id,
            what,
        };
        if !self.inputs.said.contains(&said) && self.plan.said.insert(said) {
            self.plan.desired.notices.push(Notice {
                id: request.id,
                uid: request.user.uid,
                line,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Gave;
    use crate::ledger::properties::{now, request};

    fn planned(requests: &[Request], now: &Now, said: &BTreeSet<NoticeSent>) -> Plan {
        let state = State {
            requests: requests.iter().map(|r| (r.id, r.clone())).collect(),
            ..State::default()
        };
        let inputs = PlanInputs {
            gated: &|person| person.name != "bob",
            say_time: &|at| format!("T+{}", at - 1_000_000),
            warn_before: &[300, 60],
            said,
        };
        plan(&state, &inputs, now)
    }

    fn active(n: u8, user: &str, seconds: u64) -> Request {
        let mut request = request(n, user);
        request.duration_s = seconds;
        request.stage = Stage::Active {
            since: 1_000_000,
            deadline: Deadline::after(&now(0), seconds),
        };
        request
    }

    #[test]
    fn a_live_grant_has_a_rule_a_state_file_and_a_reaper() {
        let plan = planned(&[active(1, "alice", 600)], &now(0), &BTreeSet::new());
        let desired = plan.desired;
        assert_eq!(desired.rules.len(), 1);
        assert_eq!(desired.states[&1001].grants.len(), 1);
        assert!(desired.states[&1001].end_logins);
        assert_eq!(
            desired.reapers.values().next().unwrap().not_after,
            1_000_600
        );
        assert_eq!(desired.known.len(), 1);
        assert!(desired.endings.is_empty() && desired.notices.is_empty());
        assert_eq!(plan.wake_ms, Some(300_000), "the first warning comes next");
    }

    #[test]
    fn nothing_is_on_disk_before_the_start() {
        let mut waiting = request(1, "alice");
        waiting.stage = Stage::Waiting {
            from: 1_000_100,
            use_by: None,
        };
        let plan = planned(&[waiting, request(2, "alice")], &now(0), &BTreeSet::new());
        assert_eq!(plan.desired, Desired::default());
        assert_eq!(plan.wake_ms, Some(100_000));
    }

    #[test]
    fn a_start_that_could_not_be_recorded_is_tried_again_a_while_later() {
        let mut waiting = request(1, "alice");
        waiting.stage = Stage::Waiting {
            from: 1_000_100,
            use_by: None,
        };
        let plan = planned(&[waiting], &now(100), &BTreeSet::new());
        assert_eq!(plan.wake_ms, Some(RETRY_MS));
    }

    #[test]
    fn a_grant_past_its_end_is_ended_even_when_that_is_not_recorded() {
        let plan = planned(&[active(1, "alice", 600)], &now(600), &BTreeSet::new());
        assert!(plan.desired.rules.is_empty() && plan.desired.states.is_empty());
        let ending = &plan.desired.endings[0];
        assert_eq!(ending.takes, Takes::Everything);
        assert!(
            plan.desired.notices[0]
                .line
                .contains("ended T+600. Closing this session.")
        );
    }

    #[test]
    fn ending_one_of_two_takes_only_what_the_other_does_not_give() {
        let both = [active(1, "alice", 600), active(2, "alice", 900)];
        let plan = planned(&both, &now(700), &BTreeSet::new());
        assert_eq!(plan.desired.rules.len(), 1);
        let takes = |plan: &Plan| -> Vec<Takes> {
            let endings = plan.desired.endings.iter();
            endings.map(|ending| ending.takes).collect()
        };
        let one = "the login lives on the other grant";
        assert_eq!(takes(&plan), [Takes::Commands], "{one}");
        let said = plan.desired.notices.iter().map(|notice| &notice.line);
        let told = "*** tpa: 00000001 ended T+600. Ending its sudo commands.";
        assert!(
            said.into_iter().any(|line| line == told),
            "{:?}",
            plan.desired.notices
        );
        let plan = planned(&both, &now(900), &BTreeSet::new());
        assert_eq!(takes(&plan), [Takes::Everything; 2]);
    }

    #[test]
    fn whom_the_gate_does_not_concern_keeps_the_login() {
        let plan = planned(&[active(1, "bob", 600)], &now(600), &BTreeSet::new());
        assert_eq!(plan.desired.endings[0].takes, Takes::Commands);
        let plan = planned(&[active(1, "bob", 600)], &now(0), &BTreeSet::new());
        assert!(plan.desired.login_ends.is_empty());
    }

    #[test]
    fn an_end_goes_by_what_the_grant_gave_whatever_the_gate_is_by_then() {
        // alice needs a grant now, and bob does not.
        for (user, logins, takes) in [
            ("alice", Logins::Given, Takes::Everything),
            ("alice", Logins::Own, Takes::Commands),
            ("bob", Logins::Given, Takes::Logins),
            ("bob", Logins::Own, Takes::Commands),
        ] {
            let mut grant = active(1, user, 600);
            let account = Person {
                uid: 115,
                name: "postgres".into(),
            };
            grant.gave = Some(Gave {
                logins,
                accounts: vec![account.clone()],
                tidy: Vec::new(),
                boottime_ms: 57_000,
                boot_id: now(0).boot_id,
            });
            let live = planned(&[grant.clone()], &now(0), &BTreeSet::new()).desired;
            let given = logins == Logins::Given;
            let state = live.states.values().next().unwrap();
            assert_eq!(state.end_logins, given, "{user} {logins:?}");
            assert_eq!(state.grants[0].began_ms, 57_000);
            assert_eq!(!live.login_ends.is_empty(), given, "{user} {logins:?}");
            let plan = planned(&[grant], &now(600), &BTreeSet::new());
            let ending = &plan.desired.endings[0];
            assert_eq!(ending.takes, takes, "{user} {logins:?}");
            assert_eq!(
                (ending.began_ms, &ending.accounts[..]),
                (57_000, &[account][..])
            );
            assert_eq!(ending.runs_as, ["root"]);
        }
    }

    #[test]
    fn each_warning_is_said_once() {
        let grant = [active(1, "alice", 600)];
        let first = planned(&grant, &now(300), &BTreeSet::new());
        assert_eq!(
            first.desired.notices[0].line,
            "*** tpa: 00000001 ends in 5m (T+600). More time: tpactl extend 00000001 --for 30m --reason …"
        );
        assert_eq!(first.wake_ms, Some(240_000), "the next warning");
        assert!(
            planned(&grant, &now(301), &first.said)
                .desired
                .notices
                .is_empty()
        );
        let last = planned(&grant, &now(545), &BTreeSet::new());
        assert!(
            last.desired.notices[0].line.contains("ends in 1m"),
            "one, not two"
        );
    }

    #[test]
    fn a_removal_that_failed_is_tried_again() {
        let mut grant = request(1, "alice");
        grant.removal = Removal::Failed;
        let plan = planned(&[grant], &now(0), &BTreeSet::new());
        assert_eq!(plan.desired.endings.len(), 1);
        assert!(plan.wake_ms.is_some_and(|ms| ms <= RETRY_MS));
    }
}
