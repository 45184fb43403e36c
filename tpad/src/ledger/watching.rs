//! Who may look at what is recorded.

use tpa_bus::id::Id;
use tpa_bus::text;

use super::sight::may_audit;
use super::{Caller, Kind, Refused, Request};
use crate::policy::Policy;

/// That the caller may look at what is recorded under a grant: those who decide on its role, or have
/// decided on it, and those who may read the trail.
///
/// # Errors
/// A refusal for everybody else; also for whoever is recorded.
pub fn may_watch(policy: &Policy, caller: &Caller, request: &Request) -> Result<(), Refused> {
    if decides_or_audits(policy, caller, request) {
        return Ok(());
    }
    let why = format!("you may not look at what is recorded under {}", request.id);
    Err(Refused::not_permitted(why)
        .next("ask one of its approvers, or of the group tpa-audit, to look at it"))
}

/// Whether the caller decides on the grant's role, or has decided on it, or may read the trail.
pub(super) fn decides_or_audits(policy: &Policy, caller: &Caller, request: &Request) -> bool {
    let role = policy.roles.get(&request.role);
    let decides = role.is_some_and(|role| caller.is_listed(&role.approvers));
    may_audit(caller) || decides || request.has_yes_by_all(caller)
}

/// There is no such recording of the grant, or no such part of one.
#[must_use]
pub fn no_recording(id: Id, name: &str) -> Refused {
    let shown = text::one_line(name, 80);
    Refused::new(Kind::UnknownId, format!("{id} has no recording {shown}"))
        .next(format!("see what there is: tpactl replay {id} --list"))
}

/// What somebody wants to read on was never opened by them, or given up for others since.
#[must_use]
pub fn not_open() -> Refused {
    Refused::not_permitted("this recording is not open, or was closed for others opened since")
        .next("open it again: tpactl replay ID")
}

/// As many as can wait for more do.
#[must_use]
pub fn too_many_watch() -> Refused {
    Refused::new(Kind::Limit, "too many people watch at the moment")
        .next("try again when somebody has left")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::{policy, request};
    use crate::ledger::{Approval, Identity, Person, Proof};

    fn caller(uid: u32, name: &str, groups: &[&str], login: Option<Identity>) -> Caller {
        Caller {
            identity: identity(uid, name, groups),
            uid,
            login: login.map(Box::new),
            proof: Proof::Uid,
        }
    }

    fn identity(uid: u32, name: &str, groups: &[&str]) -> Identity {
        let groups = groups.iter().map(|name| (*name).to_owned()).collect();
        let name = name.to_owned();
        Identity::of(Person { uid, name }, groups)
    }

    #[test]
    fn approvers_of_the_role_whoever_said_yes_and_auditors_may_and_nobody_else() {
        let mut asked = request(1, "alice");
        let mut policy = policy();
        let alice = caller(1_001, "alice", &["engineers"], None);
        let carol = caller(1_003, "carol", &["oncall"], None);
        let heidi = caller(1_008, "heidi", &["tpa-audit"], None);
        let as_carol = caller(
            1_003,
            "carol",
            &["oncall", "tpa-audit"],
            Some(identity(1_001, "alice", &["engineers"])),
        );
        let may = |policy: &Policy, asked: &Request| {
            [&alice, &carol, &heidi, &as_carol]
                .map(|caller| may_watch(policy, caller, asked).is_ok())
        };
        assert_eq!(may(&policy, &asked), [false, true, true, false]);
        policy.roles.clear();
        assert_eq!(may(&policy, &asked), [false, false, true, false]);
        asked.approvals = vec![Approval {
            by: carol.person().clone(),
            at: 1,
            comment: None,
            login: None,
            proof: None,
            key: None,
        }];
        assert_eq!(may(&policy, &asked), [false, true, true, false]);
    }
}
