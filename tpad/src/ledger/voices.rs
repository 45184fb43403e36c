//! Whose call it is: every uid, every login uid, every state of the process behind the connection,
//! against every command. What the rule promises is said here once more, in other words.

use tpa_bus::id::Id;

use super::properties::{groups, now, person, policy, request};
use super::*;
use crate::policy::SudoRule;

const ALICE: u32 = 1001;
const BOB: u32 = 1002;
const CAROL: u32 = 1003;
const DAVE: u32 = 1004;
const WWW: u32 = 33;
/// A uid that no account has.
const NOBODYS: u32 = 4242;
/// A uid of which the name service tells nothing.
const UNTOLD: u32 = 4243;

const UIDS: [u32; 6] = [0, ALICE, BOB, CAROL, DAVE, WWW];
/// carol and dave decide; so does root, so that nothing hangs on root being on no list.
const DECIDE: [u32; 3] = [0, CAROL, DAVE];

fn look_up(uid: u32) -> Result<Option<Identity>, String> {
    let named = |name: &str, groups: &[&str]| {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let name = name.to_owned();
        Identity::of(Person { uid, name }, groups)
    };
    Ok(match uid {
        0 => Some(named("root", &["oncall"])),
        WWW => Some(named("www-data", &["www-data"])),
        1001..=1005 => {
            let index = usize::try_from(uid - 1001).unwrap();
            Some(Identity::of(person(index), groups(index)))
        }
        UNTOLD => return Err("no answer".to_owned()),
        _ => None,
    })
}

fn logins() -> Vec<Option<u32>> {
    let mut logins: Vec<_> = UIDS.into_iter().map(Some).collect();
    logins.extend([None, Some(NOBODYS), Some(UNTOLD)]);
    logins
}

/// A process of this uid and login, in order in every other way.
fn traits(uids: [u32; 4], login: Option<u32>) -> Traits {
    Traits {
        uids,
        login,
        namespace: Namespace::Ours,
        session: login,
        called_by: None,
    }
}

/// The process may be held (dbus 1.16, root's socket, a claim) or only numbered (before), it may be
/// another user's that has the number by now, a setuid program, one of another user namespace, one
/// that stands among nobody's logins or another's, one that somebody called by sudo, or gone.
fn processes(uid: u32, login: Option<u32>) -> Vec<Process> {
    let traits = |uids| traits(uids, login);
    let own = traits([uid; 4]);
    let session = |session| Traits { session, ..own };
    let called_by = |uid| Traits {
        called_by: Some(uid),
        ..own
    };
    let apart = Traits {
        namespace: Namespace::Another,
        ..own
    };
    vec![
        Process::Held(apart),
        Process::Numbered(apart),
        Process::Held(session(None)),
        Process::Held(session(Some(BOB))),
        Process::Held(called_by(0)),
        Process::Held(called_by(WWW)),
        Process::Held(called_by(CAROL)),
        Process::Held(called_by(u32::MAX)),
        Process::Held(traits([uid; 4])),
        Process::Held(traits([BOB, uid, uid, uid])),
        Process::Numbered(traits([uid; 4])),
        Process::Numbered(traits([CAROL; 4])),
        Process::Gone,
    ]
}

const PENDING: u8 = 1;
const LIVE: u8 = 2;
const GLASS: u8 = 3;

fn id(n: u8) -> Id {
    Id::from_random([0, 0, 0, 0, n])
}

/// alice's: one undecided request, one live grant, one break-glass grant.
fn state() -> State {
    let mut state = State::default();
    let active = Stage::Active {
        since: 1_000_000,
        deadline: Deadline::after(&now(0), 600),
    };
    for n in [PENDING, LIVE, GLASS] {
        let mut request = request(n, "alice");
        if n != PENDING {
            request.stage = active.clone();
        }
        request.gives.break_glass = n == GLASS;
        // That alice may act as others is another rule's affair.
        request.gives.sudo.clear();
        state.requests.insert(request.id, request);
    }
    state
}

fn decisions() -> Vec<Command> {
    let text = || "because".to_owned();
    vec![
        Command::Approve {
            id: id(PENDING),
            duration_s: None,
            comment: None,
        },
        Command::Deny {
            id: id(PENDING),
            reason: text(),
        },
        Command::Review {
            id: id(GLASS),
            comment: text(),
        },
    ]
}

fn revoke() -> Command {
    Command::Revoke {
        id: id(LIVE),
        reason: "because".to_owned(),
    }
}

/// What people do for themselves, when they are alice.
fn own() -> Vec<Command> {
    let reason = "because".to_owned();
    let asked = Asked {
        user: look_up(ALICE).unwrap().unwrap(),
        role: "one".to_owned(),
        reason: reason.clone(),
        ticket: None,
        duration_s: Some(60),
        until: None,
        at: None,
        command: None,
    };
    let glass = Asked {
        role: "glass".to_owned(),
        ..asked.clone()
    };
    vec![
        Command::Ask(id(9), Box::new(asked)),
        Command::Ask(id(9), Box::new(glass)),
        Command::Extend {
            id: id(9),
            grant: id(LIVE),
            seconds: 60,
            reason,
        },
        Command::Withdraw(id(PENDING)),
        Command::End(id(LIVE)),
    ]
}

fn said(peer: Peer, command: &Command) -> Result<(Caller, Vec<Event>), Refused> {
    let caller = caller(peer, look_up)?;
    let events = decide(&state(), &policy(), &caller, command, &now(10))?;
    Ok((caller, events))
}

fn everybody() -> Vec<(Peer, Option<u32>)> {
    let mut all = Vec::new();
    for uid in UIDS {
        for login in logins() {
            for process in processes(uid, login) {
                all.push((Peer { uid, process }, login));
            }
        }
    }
    all
}

/// Whether the process is known to have connected, with all its uids root's, of a login that is
/// where it says and called sudo itself.
fn is_proven_root(peer: &Peer) -> bool {
    let Process::Held(traits) = peer.process else {
        return false;
    };
    let fits = match traits.login {
        None | Some(0) => matches!(traits.called_by, None | Some(0)),
        login => {
            let called = traits.called_by;
            traits.session == login && (called == login || matches!(called, None | Some(0)))
        }
    };
    traits.uids == [0; 4] && fits && !is_apart(peer)
}

fn is_apart(peer: &Peer) -> bool {
    match peer.process {
        Process::Held(traits) => traits.namespace == Namespace::Another,
        Process::Numbered(traits) => {
            traits.namespace == Namespace::Another && traits.uids == [peer.uid; 4]
        }
        Process::Gone => false,
    }
}

#[test]
fn nobody_decides_but_by_their_own_uid_or_as_root_by_a_proven_login() {
    let mut decided = 0;
    for (peer, login) in everybody() {
        for command in decisions() {
            let Ok((caller, _)) = said(peer, &command) else {
                continue;
            };
            decided += 1;
            assert!(matches!(peer.process, Process::Held(_)), "{peer:?}");
            assert!(!is_apart(&peer), "{peer:?}");
            let what = format!("{peer:?}: {command:?}");
            if peer.uid == 0 {
                assert!(is_proven_root(&peer), "{what}");
                assert_eq!(caller.person().uid, login.unwrap_or(0), "{what}");
            } else {
                assert_eq!(caller.person().uid, peer.uid, "{what}");
                assert!(login.is_none_or(|login| DECIDE.contains(&login)), "{what}");
            }
            assert!(DECIDE.contains(&caller.person().uid), "{what}");
            assert!(!caller.may_be(ALICE), "{what}");
            assert_ne!(login, Some(ALICE), "{what}");
        }
    }
    assert!(decided > 0, "somebody does decide");
}

#[test]
fn a_login_uid_gives_no_uid_but_roots_anything_that_it_would_not_have_without() {
    for (peer, _) in everybody().iter().filter(|(peer, _)| peer.uid != 0) {
        let without = |traits: Traits| Traits {
            login: None,
            ..traits
        };
        let process = match peer.process {
            Process::Held(traits) => Process::Held(without(traits)),
            Process::Numbered(traits) => Process::Numbered(without(traits)),
            Process::Gone => Process::Gone,
        };
        let plain = Peer { process, ..*peer };
        let all = [decisions(), own(), vec![revoke()]].concat();
        for command in all {
            if said(*peer, &command).is_ok() {
                assert!(said(plain, &command).is_ok(), "{peer:?}: {command:?}");
            }
        }
        // Those who decide may ask for others, too, which is no affair of their own.
        for command in own() {
            let there = peer.process != Process::Gone && !is_apart(peer);
            let own = peer.uid == ALICE && there;
            if own || !DECIDE.contains(&peer.uid) {
                assert_eq!(said(*peer, &command).is_ok(), own, "{peer:?}: {command:?}");
            }
        }
    }
}

#[test]
fn whom_root_is_is_proven_or_nothing_is_done_that_takes_a_person() {
    for (peer, login) in everybody().iter().filter(|(peer, _)| peer.uid == 0) {
        let named = login.is_none_or(|login| UIDS.contains(&login));
        let proven = is_proven_root(peer) && named;
        for command in [decisions(), own()].concat() {
            assert!(
                proven || said(*peer, &command).is_err(),
                "{peer:?}: {command:?}"
            );
        }
        // Taking access away is root's whoever it is, as long as anybody is there.
        let there = peer.process != Process::Gone && !is_apart(peer);
        assert_eq!(said(*peer, &revoke()).is_ok(), there, "{peer:?}");
    }
}

#[test]
fn who_revokes_anothers_grant_is_root_or_may_decide_by_every_uid() {
    for (peer, login) in everybody().iter().filter(|(peer, _)| peer.uid != 0) {
        if said(*peer, &revoke()).is_ok() {
            let own = peer.uid == ALICE;
            let both = [Some(peer.uid), *login];
            let decide = both.iter().flatten().all(|uid| DECIDE.contains(uid));
            assert!(own || decide, "{peer:?}");
        }
    }
}

fn held(uid: u32, login: Option<u32>) -> Caller {
    let process = Process::Held(traits([uid; 4], login));
    caller(Peer { uid, process }, look_up).unwrap()
}

fn approve() -> Command {
    decisions().remove(0)
}

#[test]
fn n_approvers_are_n_people_by_uid_and_by_login() {
    let mut state = state();
    let pending = state.requests.get_mut(&id(PENDING)).unwrap();
    pending.role = "two".to_owned();
    pending.needed = 2;
    let mut give = |caller: &Caller| {
        let events = decide(&state, &policy(), caller, &approve(), &now(10))?;
        for event in events {
            state.apply(&Envelope {
                at: now(10).wall_s,
                actor: Some(caller.person().clone()),
                actor_uid: Some(caller.uid),
                actor_login: caller.login_person(),
                proof: None,
                event,
            });
        }
        Ok::<_, Refused>(())
    };
    give(&held(CAROL, Some(DAVE))).unwrap();
    for again in [
        held(CAROL, None),
        held(DAVE, None),
        held(0, Some(DAVE)),
        held(1005, Some(CAROL)),
    ] {
        assert_eq!(give(&again).unwrap_err().kind, Kind::NoChange, "{again:?}");
    }
    give(&held(1005, None)).unwrap();
}

#[test]
fn whoever_asked_from_anothers_login_is_decided_on_by_neither() {
    let mut state = state();
    state
        .requests
        .get_mut(&id(PENDING))
        .unwrap()
        .requested_login = Some(person(2));
    let policy = policy();
    let refused = decide(&state, &policy, &held(CAROL, None), &approve(), &now(10)).unwrap_err();
    assert!(refused.why.contains("your own request"), "{refused}");
    decide(&state, &policy, &held(DAVE, None), &approve(), &now(10)).unwrap();
}

#[test]
fn what_a_grant_lets_its_holder_run_as_somebody_decides_nothing() {
    let mut state = state();
    let live = state.requests.get_mut(&id(LIVE)).unwrap();
    live.gives.sudo = vec![SudoRule {
        run_as: "carol".to_owned(),
        run_as_group: None,
        run: vec!["/usr/bin/id".to_owned()],
        edit: Vec::new(),
        password: false,
        tidy: false,
    }];
    let try_at = |state: &State, uid, seconds| {
        let state = state.clone();
        decide(
            &state,
            &policy(),
            &held(uid, None),
            &approve(),
            &now(seconds),
        )
    };
    let refused = try_at(&state, CAROL, 10).unwrap_err();
    assert!(refused.why.contains("can act as you"), "{refused}");
    try_at(&state, DAVE, 10).unwrap();
    // Nor for anybody else: the holder may have approved already, or do it for a friend.
    let mut friends = state.clone();
    friends.requests.get_mut(&id(LIVE)).unwrap().user.uid = BOB;
    assert!(try_at(&friends, CAROL, 10).is_err());
    // Carol's own grants make nobody else of her.
    friends.requests.get_mut(&id(LIVE)).unwrap().user.uid = CAROL;
    try_at(&friends, CAROL, 10).unwrap();
    // A program that root runs may take on whom it is told.
    let mut by_name = state.clone();
    let rule = &mut by_name.requests.get_mut(&id(LIVE)).unwrap().gives.sudo[0];
    rule.run_as = "root".to_owned();
    rule.run = vec!["/usr/bin/crontab -u carol -".to_owned()];
    assert!(try_at(&by_name, CAROL, 10).is_err());
    try_at(&by_name, DAVE, 10).unwrap();
    // What it left behind may speak for a day.
    state.requests.get_mut(&id(LIVE)).unwrap().stage = Stage::Closed {
        how: Closed::Ended,
        at: now(20).wall_s,
        by: None,
        why: None,
        since: Some(now(0).wall_s),
        not_after: None,
    };
    state.requests.get_mut(&id(PENDING)).unwrap().lapses_at = i64::MAX;
    assert!(try_at(&state, CAROL, 30).is_err());
    try_at(&state, CAROL, 20 + 86_400).unwrap();
}

#[test]
fn a_locked_or_expired_account_decides_nothing_and_is_told_why() {
    for (standing, word) in [
        (Standing::Locked, "is locked"),
        (Standing::Expired, "has expired"),
        (Standing::Lent("alice".to_owned()), "alice may use uid"),
        (
            Standing::Unknown("no file".to_owned()),
            "cannot tell whether",
        ),
        (
            Standing::Untold("no answer within 3s".to_owned()),
            "does not tell whether",
        ),
    ] {
        for behind in [false, true] {
            let mut caller = held(CAROL, behind.then_some(DAVE));
            match &mut caller.login {
                Some(login) => login.standing = standing.clone(),
                None => caller.identity.standing = standing.clone(),
            }
            for command in [decisions(), vec![revoke()]].concat() {
                let refused = decide(&state(), &policy(), &caller, &command, &now(10)).unwrap_err();
                assert!(refused.why.contains(word), "{refused}");
                assert!(refused.record.is_some(), "{command:?}");
            }
        }
    }
}

#[test]
fn one_uid_is_one_person_under_every_name() {
    let mut caller = held(BOB, None);
    assert!(decide(&state(), &policy(), &caller, &approve(), &now(10)).is_err());
    // The second name of the same uid is in the group that decides.
    caller.identity.names.push("bobby".to_owned());
    caller.identity.groups.push("oncall".to_owned());
    decide(&state(), &policy(), &caller, &approve(), &now(10)).unwrap();
    let mut second = held(ALICE, None);
    second.identity.person.name = "alias1".to_owned();
    second.identity.groups.push("oncall".to_owned());
    let refused = decide(&state(), &policy(), &second, &approve(), &now(10)).unwrap_err();
    assert!(refused.why.contains("your own request"), "{refused}");
}

/// A uid of which the name service tells nothing holds a grant, and asked for another.
fn untold_holder() -> State {
    let mut state = state();
    for n in [4, 5] {
        let mut own = request(n, "bob");
        own.user.uid = UNTOLD;
        own.requested_by.uid = UNTOLD;
        own.gives.sudo.clear();
        if n == 4 {
            own.stage = state.requests[&id(LIVE)].stage.clone();
        }
        state.requests.insert(own.id, own);
    }
    state
}

#[test]
fn of_whom_the_name_service_tells_nothing_ends_what_is_theirs_and_decides_nothing() {
    let try_it = |command: &Command| {
        let caller = held(UNTOLD, None);
        decide(&untold_holder(), &policy(), &caller, command, &now(10))
    };
    let reason = "over".to_owned();
    try_it(&Command::End(id(4))).unwrap();
    try_it(&Command::Revoke { id: id(4), reason }).unwrap();
    try_it(&Command::Withdraw(id(5))).unwrap();
    for command in [decisions(), own(), vec![revoke()]].concat() {
        let refused = try_it(&command).unwrap_err();
        assert!(refused.why.contains("no answer"), "{command:?}: {refused}");
        assert!(refused.next.is_some(), "{refused}");
    }
}

#[test]
fn who_decides_by_a_group_of_this_host_does_so_whatever_a_directory_does() {
    let mut carol = held(CAROL, None);
    carol.identity.untold = Some("no answer within 3s".to_owned());
    for command in [decisions(), vec![revoke()]].concat() {
        decide(&state(), &policy(), &carol, &command, &now(10)).unwrap();
    }
    // In that group by a directory alone, they hear why it does not count.
    carol.identity.groups.clear();
    for command in [decisions(), vec![revoke()]].concat() {
        let refused = decide(&state(), &policy(), &carol, &command, &now(10)).unwrap_err();
        assert!(
            refused.why.contains("does not tell which groups"),
            "{refused}"
        );
        assert!(refused.record.is_some(), "{command:?}");
    }
}

#[test]
fn whoever_may_not_see_a_request_is_answered_as_if_there_were_none() {
    let (with, without) = (state(), State::default());
    let mut hidden = 0;
    for (peer, _) in everybody() {
        let Ok(caller) = caller(peer, look_up) else {
            continue;
        };
        let all = [decisions(), own(), vec![revoke()]].concat();
        for command in all {
            let Some(request) = command.concerns().and_then(|id| with.requests.get(&id)) else {
                continue;
            };
            if may_see(&policy(), &caller, request) {
                continue;
            }
            hidden += 1;
            let tried = |state| decide(state, &policy(), &caller, &command, &now(10)).unwrap_err();
            let (told, none) = (tried(&with), tried(&without));
            assert_eq!(
                (told.kind, told.why, told.next),
                (none.kind, none.why, none.next),
                "{peer:?}: {command:?}"
            );
            assert_eq!(none.record, None, "there is nothing to record it of");
        }
    }
    assert!(hidden > 0);
}
