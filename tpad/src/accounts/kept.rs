//! What the name service last told: pure, for whoever must not wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tpa_bus::groups::{Answer, Group, KnownGroups, Member, Membership};
use tpa_bus::offline::{Class, Concern, GateFile, Who};

use super::{Account, LocalFiles};
use crate::ledger::Person;

/// Most people of whom something is kept. Beyond that it is asked anew.
const PEOPLE_MAX: usize = 10_000;

/// Its last good answers, and what stands in the host's own files.
#[derive(Debug, Default)]
pub(super) struct Kept {
    people: BTreeMap<u32, Account>,
    groups: KnownGroups,
    files: Arc<LocalFiles>,
    /// Counts what changed in `groups`.
    changes: u64,
}

impl Kept {
    /// What the `tpad` before this one knew of groups, and what the files say.
    pub fn beginning_with(groups: KnownGroups, files: Arc<LocalFiles>) -> Self {
        Self {
            groups,
            files,
            ..Self::default()
        }
    }

    /// What the files said last.
    pub fn files(&self) -> Arc<LocalFiles> {
        Arc::clone(&self.files)
    }

    /// What the files say now.
    pub fn has_read(&mut self, files: Arc<LocalFiles>) {
        self.files = files;
    }

    /// Somebody's account was told. A directory that lists nobody in a group still tells of each
    /// person which groups they are in, so whoever is seen in one is kept as a member. Whether any of
    /// it is new.
    pub fn learn(&mut self, account: Account) -> bool {
        let before = self.changes;
        for (name, group) in &mut self.groups.0 {
            if group.local {
                continue;
            }
            let is_in = account.gids.contains(&group.gid);
            let changed = if is_in {
                group.members.insert(account.person.name.clone())
            } else {
                account.groups.contains(name) != is_in && group.members.remove(&account.person.name)
            };
            self.changes = self.changes.wrapping_add(u64::from(changed));
        }
        if self.people.len() >= PEOPLE_MAX {
            self.people.clear();
        }
        let uid = account.person.uid;
        let is_new = self.people.get(&uid) != Some(&account) || self.changes != before;
        self.people.insert(uid, account);
        is_new
    }

    /// A group was told. Whether any of it is new.
    pub fn learn_group(&mut self, name: &str, group: Group) -> bool {
        let mut group = group;
        if let Some(before) = self
            .groups
            .0
            .get(name)
            .filter(|before| before.gid == group.gid)
            && !group.local
        {
            // Those who are not listed and were seen in it.
            let seen = |name: &&String| {
                let mut people = self.people.values();
                people.any(|one| one.person.name == **name && one.gids.contains(&group.gid))
            };
            let unlisted = group.members.is_empty();
            let kept = before.members.iter().filter(|name| unlisted || seen(name));
            let kept: BTreeSet<_> = kept.cloned().collect();
            group.members.extend(kept);
        }
        let is_new = self.groups.0.get(name) != Some(&group);
        if is_new {
            self.groups.0.insert(name.to_owned(), group);
            self.changes = self.changes.wrapping_add(1);
        }
        is_new
    }

    /// Only these groups are named by the configuration.
    pub fn keep_only(&mut self, named: &BTreeSet<String>) {
        let before = self.groups.0.len();
        self.groups.0.retain(|name, _| named.contains(name));
        if self.groups.0.len() != before {
            self.changes = self.changes.wrapping_add(1);
        }
    }

    /// Whether a group was ever told.
    pub fn knows_group(&self, name: &str) -> bool {
        self.groups.0.contains_key(name)
    }

    /// What is known of groups, when that changed after so many changes.
    pub fn groups_after(&self, changes: u64) -> Option<(KnownGroups, u64)> {
        (self.changes != changes).then(|| (self.groups.clone(), self.changes))
    }

    /// What was last told of somebody.
    pub fn person(&self, person: &Person) -> Option<&Account> {
        self.people
            .get(&person.uid)
            .filter(|account| account.person == *person)
    }

    /// The account of a uid without the directory: as the host's own files have it or, where they
    /// do not, as it was last told, but with the groups of this host alone, which are certain.
    pub fn without_directory(&self, is_it: impl Fn(&Person) -> bool) -> Option<Account> {
        if let Some(account) = self.files.account(&is_it) {
            return Some(account);
        }
        let mut people = self.people.values();
        let last = people.find(|account| is_it(&account.person))?.clone();
        let (groups, gids) = (last.groups.iter().cloned().zip(last.gids.iter().copied()))
            .filter(|(name, gid)| {
                let group = self.files.group(name);
                group.is_some_and(|group| {
                    group.gid == *gid
                        && (group.members.contains(&last.person.name) || group.gid == last.gid)
                })
            })
            .unzip();
        Some(Account {
            groups,
            gids,
            ..last
        })
    }

    /// Somebody with the groups of this host by its files, and those of a directory as last told.
    pub fn as_known(&self, person: &Person) -> Option<Account> {
        let last = self.person(person);
        let mut account = self.without_directory(|other| other == person)?;
        for (name, gid) in last
            .iter()
            .flat_map(|last| last.groups.iter().zip(&last.gids))
        {
            if self.files.group(name).is_none() {
                account.groups.push(name.clone());
                account.gids.push(*gid);
            }
        }
        Some(account)
    }

    /// Whether the gate stands before a person's logins, by what is known of them and its groups,
    /// under any name that their uid has on this host. When that cannot be told, it does.
    pub fn is_gated(&self, gate: &GateFile, person: &Person) -> bool {
        let others = self.files.all_of(person.uid).into_iter();
        let mut others = others.map(|account| account.person);
        self.is_gated_by_name(gate, person)
            || others.any(|other| other != *person && self.is_gated_by_name(gate, &other))
    }

    /// The other names that the files give to the uid of somebody who stands there.
    pub fn other_names(&self, person: &Person) -> Vec<String> {
        let names = self.files.all_of(person.uid).into_iter();
        let names = names.map(|account| account.person.name);
        let (own, others): (Vec<_>, Vec<_>) = names.partition(|name| *name == person.name);
        if own.is_empty() { Vec::new() } else { others }
    }

    fn is_gated_by_name(&self, gate: &GateFile, person: &Person) -> bool {
        let (mut counted, mut untold) = (Vec::new(), BTreeSet::new());
        for who in gate.login.iter().chain(&gate.exempt) {
            let Who::Group(name) = who else { continue };
            match self.is_in(person, name) {
                Membership::In => counted.push(name.clone()),
                Membership::Out => {}
                Membership::Unknown => drop(untold.insert(name.clone())),
            }
        }
        let told = |who: &&Who| !matches!(who, Who::Group(name) if untold.contains(name));
        let strict = GateFile {
            exempt: gate.exempt.iter().filter(told).cloned().collect(),
            ..gate.clone()
        };
        counted.extend(untold.iter().cloned());
        strict.concern(Class::Login, &person.name, person.uid, &counted) == Concern::Gated
    }

    fn is_in(&self, person: &Person, name: &str) -> Membership {
        let known = self.groups.0.get(name);
        let said = self.files.group(name).or_else(|| known.cloned());
        let said = said.map_or(Answer::Missing, Answer::Found);
        let untold = || Err("not told yet".to_owned());
        let local = self.files.has(person);
        let account = self.person(person).cloned();
        let in_files = || self.files.account(|one| one == person);
        let member = Member {
            name: &person.name,
            gid: account
                .clone()
                .or_else(in_files)
                .map_or(u32::MAX, |account| account.gid),
            local,
            groups: account.map_or_else(untold, |account| Ok(account.gids)),
        };
        member.is_in(name, &said, known).membership
    }
}
