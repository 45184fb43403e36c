//! Who may see what: requests, sessions, the audit trail.

use std::collections::BTreeMap;

use tpa_bus::id::{Id, normalize};

use super::{Caller, Kind, Logins, Person, Refused, Request, Session, State, said};
use crate::clock::Now;
use crate::policy::Policy;

/// The group that may read the audit trail.
pub const AUDIT_GROUP: &str = "tpa-audit";

/// Whether somebody may read the audit trail, and see every request: root, and everybody behind the
/// call must be in [`AUDIT_GROUP`].
#[must_use]
pub fn may_audit(caller: &Caller) -> bool {
    caller.is_root() || caller.is_in(AUDIT_GROUP)
}

/// The same for whoever wants to read the trail itself.
///
/// # Errors
/// A refusal that says what they may see.
pub fn audit_only(caller: &Caller) -> Result<(), Refused> {
    if may_audit(caller) {
        return Ok(());
    }
    Err(
        Refused::not_permitted("the audit trail is for root and the group tpa-audit")
            .next("see your own requests: tpactl ls --mine, tpactl show ID"),
    )
}

/// Whether the trail can be walked from behind this event on. There may be none after it, but it must
/// be there: that it ever was nobody but the caller says, so that is no break of the chain.
///
/// # Errors
/// A refusal, where `head`, the newest event, comes before it.
pub fn begins_within(head: u64, after: u64) -> Result<(), Refused> {
    if after <= head {
        return Ok(());
    }
    Err(
        Refused::invalid(format!("there is no event {after}: the last is {head}"))
            .next("walk from the beginning: tpactl verify"),
    )
}

/// The roles whose requests this caller decides, by name.
#[must_use]
pub fn roles_decided_by(policy: &Policy, caller: &Caller) -> Vec<String> {
    let roles = policy.roles.values();
    roles
        .filter(|role| caller.is_listed(&role.approvers))
        .map(|role| role.name.clone())
        .collect()
}

/// People see their own requests and those they may decide, or did; root and auditors see all.
#[must_use]
pub fn may_see(policy: &Policy, caller: &Caller, request: &Request) -> bool {
    let decides = || {
        let role = policy.roles.get(&request.role);
        role.is_some_and(|role| caller.is_listed(&role.approvers))
    };
    let own = request.is_of(caller.person().uid);
    may_audit(caller) || own || request.has_yes_by_all(caller) || decides()
}

/// People see their own sessions and those under a grant that they may see.
#[must_use]
pub fn may_see_session(state: &State, policy: &Policy, caller: &Caller, session: &Session) -> bool {
    let grant = || state.requests.get(&session.grant);
    may_audit(caller)
        || caller.acts_for(session.user.uid)
        || grant().is_some_and(|request| may_see(policy, caller, request))
}

/// Those whose logins go on under a grant that the caller may see: of a person's grants that give a
/// login, the one that ends last.
#[must_use]
pub fn login_holders(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    now: &Now,
) -> Vec<(Person, Id)> {
    let mut last: BTreeMap<u32, (u64, &Request)> = BTreeMap::new();
    for request in state.requests.values() {
        let given = request
            .gave
            .as_ref()
            .is_none_or(|gave| gave.logins == Logins::Given);
        let left = request
            .deadline()
            .map_or(0, |deadline| deadline.remaining_ms(now));
        if !request.gives.login || !given || left == 0 {
            continue;
        }
        let known = last.entry(request.user.uid).or_insert((left, request));
        if left > known.0 {
            *known = (left, request);
        }
    }
    let holders = last.into_values().map(|(_, request)| request);
    holders
        .filter(|request| may_see(policy, caller, request))
        .map(|request| (request.user.clone(), request.id))
        .collect()
}

/// There is no such request as far as the caller may know: the answer to whoever may not see it, and
/// to whoever asks for what there is not, word for word.
#[must_use]
pub fn unknown(caller: &Caller, typed: &str) -> Refused {
    let refused = Refused::unknown_id(typed);
    match caller.untold() {
        None => refused,
        Some(why) => {
            let why = format!(
                "{}: the name service does not tell which groups you are in ({why})",
                refused.why
            );
            Refused::new(Kind::UnknownId, why)
                .next("try again when it answers: getent group; or ask somebody else who decides")
        }
    }
}

/// A refusal as the caller may read it, of what they wanted to do with this request. Of one that they
/// may not see they are told that there is none, whatever the reason was; the trail is told that.
pub(super) fn as_seen(
    (state, policy): (&State, &Policy),
    caller: &Caller,
    id: Option<Id>,
    refused: Refused,
) -> Refused {
    let Some(id) = id else { return refused };
    let request = state.requests.get(&id);
    if request.is_some_and(|request| may_see(policy, caller, request)) {
        return refused;
    }
    let record = request.and_then(|_| {
        let signed = || said::refused(caller, &refused).map(Box::new);
        refused.record.clone().or_else(signed)
    });
    Refused {
        record,
        ..unknown(caller, id.as_str())
    }
}

/// What the beginning of an id leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Found {
    /// A request that the caller may see.
    Visible(Id),
    /// One that they may not, by its whole id: there is none as far as they are told, and the trail
    /// tells that they tried.
    Hidden(Id),
}

impl Found {
    /// The request, for somebody who wants to do something about it. Whether they may is for
    /// [`super::decide`] to say, and to record.
    #[must_use]
    pub fn to_act_on(self) -> Id {
        match self {
            Self::Visible(id) | Self::Hidden(id) => id,
        }
    }

    /// The request, for somebody who wants to look at it.
    ///
    /// # Errors
    /// When there is none that they may see.
    pub fn to_look_at(self, caller: &Caller) -> Result<Id, Refused> {
        match self {
            Self::Visible(id) => Ok(id),
            Self::Hidden(id) => Err(unknown(caller, id.as_str())),
        }
    }
}

/// An id, or the beginning of one, in the letters of ids.
///
/// # Errors
/// When it is none.
pub fn id_prefix(caller: &Caller, typed: &str) -> Result<String, Refused> {
    normalize(typed).ok_or_else(|| unknown(caller, typed))
}

/// Which request an id, or the beginning of one, means to this caller, of all those that begin so.
///
/// # Errors
/// When it is none that they may know of, or more than one.
pub fn pick(
    policy: &Policy,
    caller: &Caller,
    typed: &str,
    candidates: &[Request],
) -> Result<Found, Refused> {
    let prefix = id_prefix(caller, typed)?;
    let visible: Vec<Id> = candidates
        .iter()
        .filter(|request| may_see(policy, caller, request))
        .map(|request| request.id)
        .collect();
    match visible.as_slice() {
        [id] => Ok(Found::Visible(*id)),
        // Nobody guesses a whole id: who knows it was told.
        [] => candidates
            .iter()
            .find(|request| request.id.as_str() == prefix)
            .map(|request| Found::Hidden(request.id))
            .ok_or_else(|| unknown(caller, &prefix)),
        several => {
            let ids: Vec<_> = several.iter().map(ToString::to_string).collect();
            let why = format!("{prefix} is the beginning of {}", ids.join(", "));
            Err(Refused::new(Kind::UnknownId, why).next("give more of the id"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::{groups, now, person, policy, request, session};
    use crate::ledger::{Approval, Deadline, Identity, Person, Proof, Stage};

    const ALICE: usize = 0;
    const BOB: usize = 1;
    const CAROL: usize = 2;

    fn caller(who: usize) -> Caller {
        Caller {
            identity: Identity::of(person(who), groups(who)),
            uid: person(who).uid,
            login: None,
            proof: Proof::Uid,
        }
    }

    fn in_group(who: usize, group: &str) -> Caller {
        let mut caller = caller(who);
        caller.identity.groups.push(group.to_owned());
        caller
    }

    fn root(behind: Option<usize>) -> Caller {
        let person = behind.map_or_else(Person::root, person);
        Caller {
            identity: Identity::of(person, Vec::new()),
            uid: 0,
            login: None,
            proof: Proof::Login,
        }
    }

    #[test]
    fn logins_go_on_under_the_grant_that_ends_last_and_are_shown_to_whom_that_is() {
        let live = |n, seconds| {
            let mut grant = request(n, "alice");
            let deadline = Deadline::after(&now(0), seconds);
            let since = 1_000_000;
            grant.stage = Stage::Active { since, deadline };
            grant
        };
        let mut state = State::default();
        let (short, long, mut sudo) = (live(1, 60), live(2, 600), live(3, 900));
        sudo.gives.login = false;
        let holders =
            |state: &State, who, at| login_holders(state, &policy(), &caller(who), &now(at));
        for grant in [short, long.clone(), sudo, request(4, "bob")] {
            state.requests.insert(grant.id, grant);
        }
        let hers = vec![(person(ALICE), long.id)];
        assert_eq!(holders(&state, ALICE, 0), hers);
        assert_eq!(holders(&state, CAROL, 0), hers, "who decides");
        assert_eq!(holders(&state, BOB, 0), []);
        assert_eq!(holders(&state, ALICE, 600), [], "it is over");
    }

    #[test]
    fn people_see_what_is_theirs_or_for_them_to_decide_and_nothing_else() {
        let hers = request(1, "alice");
        let sees = |caller: &Caller| may_see(&policy(), caller, &hers);
        assert!(sees(&caller(ALICE)), "her own");
        assert!(!sees(&caller(BOB)), "bob's colleague's");
        assert!(sees(&caller(CAROL)), "an approver of the role");
        assert!(sees(&root(Some(BOB))) && sees(&in_group(BOB, AUDIT_GROUP)));
    }

    #[test]
    fn whoever_said_yes_still_sees_it_when_the_role_is_gone_and_others_do_not() {
        let mut hers = request(1, "alice");
        let nothing = Policy {
            roles: [].into(),
            ..policy()
        };
        assert!(!may_see(&nothing, &caller(CAROL), &hers));
        hers.approvals.push(Approval {
            by: person(CAROL),
            login: None,
            at: 1_000_000,
            comment: None,
            proof: None,
            key: None,
        });
        assert!(may_see(&nothing, &caller(CAROL), &hers));
        assert!(!may_see(&nothing, &caller(3), &hers));
    }

    #[test]
    fn a_login_behind_the_call_that_is_not_in_the_group_takes_the_trail_away() {
        let auditor = in_group(BOB, AUDIT_GROUP);
        assert!(audit_only(&auditor).is_ok());
        let from_alices_login = Caller {
            login: Some(Box::new(caller(ALICE).identity)),
            ..auditor
        };
        let refused = audit_only(&from_alices_login).unwrap_err();
        assert_eq!(refused.kind, Kind::NotPermitted);
        assert!(!may_see(
            &policy(),
            &from_alices_login,
            &request(1, "carol")
        ));
    }

    #[test]
    fn a_walk_from_behind_an_event_that_there_never_was_is_an_error_and_no_break() {
        for after in [0, 4, 5] {
            assert_eq!(begins_within(5, after), Ok(()), "{after}");
        }
        let refused = begins_within(5, 999_998).unwrap_err();
        assert_eq!((refused.kind, refused.record), (Kind::Invalid, None));
    }

    #[test]
    fn a_session_is_seen_by_its_person_and_by_whoever_sees_its_grant() {
        let grant = request(1, "alice");
        let hers = session(grant.id, person(ALICE), 7);
        let mut state = State::default();
        let sees = |state: &State, who| may_see_session(state, &policy(), &caller(who), &hers);
        assert!(sees(&state, ALICE), "also when the grant is forgotten");
        assert!(!sees(&state, CAROL));
        state.requests.insert(grant.id, grant);
        assert!(sees(&state, CAROL) && !sees(&state, BOB));
    }

    #[test]
    fn the_beginning_of_an_id_leads_to_what_the_caller_may_see_alone() {
        let (hers, his) = (request(1, "alice"), request(2, "bob"));
        let both = [hers.clone(), his.clone()];
        let pick = |who, typed: &str| pick(&policy(), &caller(who), typed, &both);
        assert_eq!(pick(ALICE, "0000"), Ok(Found::Visible(hers.id)));
        assert_eq!(pick(BOB, "0000"), Ok(Found::Visible(his.id)));
        let several = pick(CAROL, "0000").unwrap_err();
        assert!(several.why.contains(&his.id.to_string()), "{several}");
        let other = pick(3, "0000").map(Found::to_act_on);
        assert!(other.is_err(), "dave decides both");
    }

    #[test]
    fn a_whole_id_of_another_s_can_be_acted_on_and_not_looked_at_and_its_beginning_is_unknown() {
        let hers = request(1, "alice");
        let bob = caller(BOB);
        let typed = hers.id.as_str().to_lowercase();
        let found = pick(&policy(), &bob, &typed, std::slice::from_ref(&hers)).unwrap();
        assert_eq!(found.to_act_on(), hers.id);
        let none = pick(&policy(), &bob, &typed, &[]).unwrap_err();
        assert_eq!(found.to_look_at(&bob).unwrap_err(), none);
        let part = pick(&policy(), &bob, "0000000", &[hers]).unwrap_err();
        assert_eq!(part, Refused::unknown_id("0000000"));
    }

    #[test]
    fn whose_groups_are_not_told_hears_so_whether_or_not_there_is_such_a_request() {
        let hers = request(1, "alice");
        let mut bob = caller(BOB);
        bob.identity.untold = Some("no answer within 3s".to_owned());
        let found = pick(&policy(), &bob, "00000001", std::slice::from_ref(&hers)).unwrap();
        let refused = found.to_look_at(&bob).unwrap_err();
        assert!(refused.why.contains("no answer within 3s"), "{refused}");
        let none = pick(&policy(), &bob, "00000001", &[]).unwrap_err();
        assert_eq!(refused, none);
    }
}
