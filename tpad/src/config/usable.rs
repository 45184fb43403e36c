//! PURE: what in a configuration cannot work as it is written, as far as it was looked at.

use std::collections::BTreeSet;

use tpa_bus::offline::Who;
use tpa_statement::signers::{Signer, Signers};

use crate::policy::danger::{Finding, Seen};
use crate::policy::lacking;
use crate::policy::{Policy, ProofLevel, Role};

/// What makes roles, or parts of them, useless.
pub(super) fn warnings(policy: &Policy) -> Vec<Finding> {
    let seen = &policy.seen;
    let roles = policy.roles.values();
    let of_roles = roles.flat_map(|role| {
        [
            empty_groups(role, seen),
            too_few(role, seen),
            auto(role, policy),
            not_here(role, seen),
            keyless(role, policy.signers.as_ref()),
        ]
        .concat()
    });
    strays(seen).into_iter().chain(of_roles).collect()
}

fn strays(seen: &Seen) -> Vec<Finding> {
    let stray = |name: &String| {
        let name = tpa_bus::text::one_line(name, 80);
        Finding::of_host(
            format!("{name} in roles.d is not read: a role is a file that ends in .toml"),
            "give it that ending, or move it out of roles.d",
        )
    };
    seen.strays.iter().map(stray).collect()
}

fn groups(list: &[Who]) -> impl Iterator<Item = &String> {
    list.iter().filter_map(|who| match who {
        Who::Group(name) => Some(name),
        Who::User(_) | Who::Everyone => None,
    })
}

fn empty_groups(role: &Role, seen: &Seen) -> Vec<Finding> {
    let empty = |group: &&String| seen.members.get(*group).is_some_and(Vec::is_empty);
    groups(&role.approvers)
        .filter(empty)
        .map(|group| {
            let message = format!("nobody that this host can see is in @{group}, which decides");
            Finding::of_role(
                &role.name,
                message,
                "put people into the group (gpasswd -a)",
            )
        })
        .collect()
}

/// Who decides, one by one; `None` where that cannot be told.
fn approvers<'a>(role: &'a Role, seen: &'a Seen) -> Option<BTreeSet<&'a str>> {
    let mut people = BTreeSet::new();
    for who in &role.approvers {
        match who {
            Who::User(name) => drop(people.insert(name.as_str())),
            Who::Group(name) => people.extend(seen.members.get(name)?.iter().map(String::as_str)),
            Who::Everyone => return None,
        }
    }
    Some(people)
}

fn too_few(role: &Role, seen: &Seen) -> Vec<Finding> {
    let needed = usize::try_from(role.needed).unwrap_or(usize::MAX);
    let count = approvers(role, seen).map(|people| people.len());
    let short = count.filter(|count| *count < needed);
    let told = short.map(|count| {
        let message = format!("{needed} must approve, and this host can see {count} who may");
        Finding::of_role(
            &role.name,
            message,
            "lower needed, or name more people under [approve] who",
        )
    });
    told.into_iter().collect()
}

/// People whose requests would be approved at once, and who may not ask. A group is told when none
/// of those in it may.
fn auto(role: &Role, policy: &Policy) -> Vec<Finding> {
    let asks =
        |who: &Who| role.requesters.contains(who) || role.requesters.contains(&Who::Everyone);
    let asks_by_name = |name: &String| {
        let account = policy.seen.accounts.get(name);
        let of_groups = account.is_some_and(|account| {
            groups(&role.requesters).any(|group| account.groups.contains(group))
        });
        let listed = groups(&role.requesters).any(|group| {
            policy
                .seen
                .members
                .get(group)
                .is_some_and(|all| all.contains(name))
        });
        asks(&Who::User(name.clone())) || of_groups || listed
    };
    let may_not = |who: &&Who| {
        !asks(who)
            && match who {
                Who::User(name) => !asks_by_name(name),
                Who::Group(group) => {
                    let members = policy.seen.members.get(group);
                    members.is_some_and(|members| !members.iter().any(asks_by_name))
                }
                Who::Everyone => false,
            }
    };
    let told = role.auto.iter().filter(may_not).map(|who| {
        let message = format!("approved at once when asked by {who}, who may not ask");
        Finding::of_role(&role.name, message, "name them under [request] who too")
    });
    told.collect()
}

/// Approvers who cannot prove themselves as the role asks. Who is in a group changes, and nobody in it
/// need have a key today.
fn keyless(role: &Role, signers: Option<&Signers>) -> Vec<Finding> {
    if role.proof == ProofLevel::Session || role.gives.break_glass {
        return Vec::new();
    }
    let proof = role.proof.word();
    let Some(signers) = signers else {
        let message =
            format!("proof = \"{proof}\", and there is no signers file: nobody can approve");
        let next = "say whose a key is in /etc/tpa/signers (ssh-keygen(1), ALLOWED SIGNERS)";
        return vec![Finding::of_role(&role.name, message, next)];
    };
    let suits = |signer: &&Signer| {
        let is_sk = signer.key.algorithm().as_str().starts_with("sk-");
        signer.in_namespace() && (signer.authority || role.proof == ProofLevel::Key || is_sk)
    };
    let has_key = |name: &String| {
        signers
            .iter()
            .filter(suits)
            .any(|one| one.principals.contains(name))
    };
    let told = role.approvers.iter().filter_map(|who| match who {
        Who::User(name) if !has_key(name) => Some(Finding::of_role(
            &role.name,
            format!(
                "proof = \"{proof}\", and {name}, who decides, has no such key in the signers file"
            ),
            "add their key to /etc/tpa/signers, or take them out of who",
        )),
        _ => None,
    });
    told.collect()
}

fn not_here(role: &Role, seen: &Seen) -> Vec<Finding> {
    let lacks = seen.sudo_rs.then(|| lacking(role)).flatten();
    let told = lacks.map(|(what, next)| {
        let message =
            format!("{what}, which this host's sudo-rs cannot do: it cannot be asked for here");
        Finding::of_role(&role.name, message, next)
    });
    told.into_iter().collect()
}
