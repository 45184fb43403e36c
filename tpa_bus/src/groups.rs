//! Whether somebody is in a group, where the name service (nsswitch.conf(5)) may fail, be slow, or
//! have forgotten the group: asked group by group, the last good answer used where there is none.
//!
//! Pure: what the name service said, and what was known before, are handed in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::offline::{ParseError, records};
use crate::text;

/// What the name service says of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Answer<T> {
    /// The thing that was asked for.
    Found(T),
    /// There is no such thing.
    Missing,
    /// It cannot be told just now, and why.
    Failed(String),
}

/// A group, as group(5) has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub gid: u32,
    /// Those who are listed as its members. Whose primary group it is is not.
    pub members: BTreeSet<String>,
    /// Whether it stands in `/etc/group`, which lists all that there are. A directory may list
    /// nobody and know of members all the same.
    pub local: bool,
}

/// Who is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// Their name.
    pub name: &'a str,
    /// Their primary group.
    pub gid: u32,
    /// Whether their account stands in `/etc/passwd`. Such an account is in no group of a directory
    /// that does not list it.
    pub local: bool,
    /// All groups they are in (getgrouplist(3)), or why that cannot be told.
    pub groups: Result<Vec<u32>, String>,
}

/// Whether they are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Membership {
    /// They are.
    In,
    /// They are not.
    Out,
    /// Nobody can tell.
    Unknown,
}

/// An answer, and what it rests on where that is not the name service's word of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The answer.
    pub membership: Membership,
    /// For the log: what is wrong, and what was gone by instead.
    pub note: Option<String>,
}

impl Member<'_> {
    /// Whether the person is in the group of this name: by what the name service says of it, else
    /// by what was last known.
    pub fn is_in(&self, name: &str, said: &Answer<Group>, known: Option<&Group>) -> Resolved {
        let wrong = match (said, &self.groups) {
            (Answer::Found(group), _) if self.shows(group) => return sure(Membership::In),
            (Answer::Found(_), Ok(_)) => return sure(Membership::Out),
            (Answer::Found(group), Err(_)) if group.local && self.local => {
                return sure(Membership::Out);
            }
            (Answer::Found(_), Err(why)) => {
                format!("the groups of {} are not told ({why})", self.name)
            }
            (Answer::Missing, _) => {
                format!("the group @{name} does not exist: was it renamed or removed?")
            }
            (Answer::Failed(why), _) => format!("the group @{name} cannot be looked up ({why})"),
        };
        let Some(known) = known else {
            return Resolved {
                membership: Membership::Unknown,
                note: Some(format!("{wrong}; nothing is known of it from before")),
            };
        };
        let membership = if self.shows(known) {
            Membership::In
        } else if known.local || self.local {
            Membership::Out
        } else {
            Membership::Unknown
        };
        Resolved {
            membership,
            note: Some(format!("{wrong}; going by what was last known of it")),
        }
    }

    fn shows(&self, group: &Group) -> bool {
        let member = self.groups.as_ref().is_ok_and(|of| of.contains(&group.gid));
        member || self.gid == group.gid || group.members.contains(self.name)
    }
}

fn sure(membership: Membership) -> Resolved {
    Resolved {
        membership,
        note: None,
    }
}

/// The groups that the configuration names, as the name service last told of them: what `tpad`
/// keeps for itself and for the gate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownGroups(pub BTreeMap<String, Group>);

const HEADER: &str = "tpa-groups 1";

/// Longest text. Beyond that members are left out of groups that are not local; those of a group of
/// this host stand in `/etc/group`, for as long as it exists.
pub const LONGEST: usize = 1 << 20;

impl KnownGroups {
    /// The file's text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = format!("{HEADER}\n");
        for (name, group) in &self.0 {
            let kind = if group.local { "local" } else { "directory" };
            let _ = writeln!(out, "{kind} {} {name}", group.gid);
            for member in &group.members {
                if !member.contains(text::is_unsafe) && out.len() < LONGEST {
                    let _ = writeln!(out, "member {member}");
                }
            }
        }
        out.push_str("end\n");
        out
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// When it is not one that `tpad` wrote whole.
    pub fn parse(contents: &str) -> Result<Self, ParseError> {
        let mut groups = BTreeMap::new();
        let mut last: Option<(String, Group)> = None;
        for record in records(contents, HEADER)? {
            if record.key == "member" {
                let (_, group) = last.as_mut().ok_or_else(|| record.error("of no group"))?;
                group.members.insert(record.value.to_owned());
                continue;
            }
            let local = match record.key {
                "local" => true,
                "directory" => false,
                _ => return Err(record.error("unknown key")),
            };
            let (gid, name) = record
                .value
                .split_once(' ')
                .ok_or_else(|| record.error("no name"))?;
            let gid = gid.parse().map_err(|_| record.error("not a gid"))?;
            groups.extend(last.take());
            let members = BTreeSet::new();
            last = Some((
                name.to_owned(),
                Group {
                    gid,
                    members,
                    local,
                },
            ));
        }
        groups.extend(last);
        Ok(Self(groups))
    }
}

/// The groups of these names that stand in the text of group(5).
#[must_use]
pub fn local(contents: &str, named: &[String]) -> BTreeMap<String, Group> {
    let mut found = BTreeMap::new();
    for line in contents.lines() {
        let mut fields = line.splitn(4, ':');
        let (Some(name), _, Some(gid), members) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let Ok(gid) = gid.parse() else { continue };
        if named.iter().any(|wanted| wanted == name) {
            let members = members.unwrap_or_default().trim().split(',');
            let members = members
                .filter(|member| !member.is_empty())
                .map(str::to_owned);
            let group = Group {
                gid,
                members: members.collect(),
                local: true,
            };
            // The first line of a name is the one that counts.
            found.entry(name.to_owned()).or_insert(group);
        }
    }
    found
}

/// Whether this account stands in the text of passwd(5).
#[must_use]
pub fn is_local(contents: &str, user: &str, uid: u32) -> bool {
    contents.lines().any(|line| {
        let mut fields = line.split(':');
        fields.next() == Some(user) && fields.nth(1).and_then(|text| text.parse().ok()) == Some(uid)
    })
}

/// The other names that the text of passwd(5) gives to a uid, each with its primary group. To the
/// kernel they are one person.
#[must_use]
pub fn other_names(contents: &str, user: &str, uid: u32) -> Vec<(String, u32)> {
    let lines = contents.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let its: u32 = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (its == uid && name != user).then(|| (name.to_owned(), gid))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(gid: u32, members: &[&str], local: bool) -> Group {
        Group {
            gid,
            members: members.iter().map(|name| (*name).to_owned()).collect(),
            local,
        }
    }

    fn member(name: &str, local: bool, groups: Result<Vec<u32>, String>) -> Member<'_> {
        Member {
            name,
            gid: 1000,
            local,
            groups,
        }
    }

    fn hung<T>() -> Result<T, String> {
        Err("no answer within 1s".to_owned())
    }

    fn is_in(who: &Member<'_>, said: &Answer<Group>, known: Option<&Group>) -> (Membership, bool) {
        let resolved = who.is_in("engineers", said, known);
        (resolved.membership, resolved.note.is_some())
    }

    #[test]
    fn what_the_name_service_says_now_comes_first() {
        use Membership::{In, Out};
        let said = Answer::Found(group(2000, &[], false));
        let known = group(2000, &["bob"], false);
        let by_list = member("alice", true, Ok(vec![1000, 2000]));
        assert_eq!(is_in(&by_list, &said, Some(&known)), (In, false));
        let bob = member("bob", true, Ok(vec![1000]));
        assert_eq!(is_in(&bob, &said, Some(&known)), (Out, false));
        let primary = Member {
            gid: 2000,
            ..member("alice", true, hung())
        };
        assert_eq!(is_in(&primary, &said, None), (In, false));
    }

    #[test]
    fn a_group_that_cannot_be_told_gates_those_alone_who_are_not_known_to_be_outside() {
        use Membership::{In, Out, Unknown};
        let known = group(2000, &["alice"], false);
        for said in [Answer::Missing, Answer::Failed("no route".to_owned())] {
            for groups in [Ok(vec![1000]), hung()] {
                let local = |name| member(name, true, groups.clone());
                assert_eq!(is_in(&local("alice"), &said, Some(&known)), (In, true));
                assert_eq!(is_in(&local("bob"), &said, Some(&known)), (Out, true));
                let theirs = member("dora", false, groups.clone());
                assert_eq!(is_in(&theirs, &said, Some(&known)), (Unknown, true));
                assert_eq!(is_in(&local("bob"), &said, None), (Unknown, true));
            }
        }
    }

    #[test]
    fn a_group_that_was_renamed_or_removed_still_has_those_who_were_in_it() {
        let known = group(2000, &["alice"], true);
        let renamed = member("zoe", true, Ok(vec![1000, 2000]));
        assert_eq!(
            is_in(&renamed, &Answer::Missing, Some(&known)),
            (Membership::In, true),
            "by its number"
        );
        let removed = member("alice", true, Ok(vec![1000]));
        let resolved = removed.is_in("engineers", &Answer::Missing, Some(&known));
        assert_eq!(resolved.membership, Membership::In);
        assert!(resolved.note.unwrap().contains("renamed or removed"));
    }

    #[test]
    fn a_directory_that_hangs_keeps_nobody_of_this_host_out() {
        use Membership::{In, Out, Unknown};
        let said = Answer::Found(group(2000, &["alice"], true));
        assert_eq!(
            is_in(&member("alice", true, hung()), &said, None),
            (In, false)
        );
        assert_eq!(
            is_in(&member("bob", true, hung()), &said, None),
            (Out, false)
        );
        assert_eq!(
            is_in(&member("dora", false, hung()), &said, None),
            (Unknown, true)
        );
    }

    #[test]
    fn what_is_known_reads_back_and_no_part_of_it_is_taken_for_the_whole() {
        let known = KnownGroups(BTreeMap::from([
            (
                "engineers".to_owned(),
                group(2000, &["alice", "bob"], false),
            ),
            ("linux admins".to_owned(), group(2001, &[], true)),
        ]));
        let text = known.render();
        assert_eq!(KnownGroups::parse(&text), Ok(known));
        for length in 0..text.len() {
            assert!(KnownGroups::parse(&text[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn the_host_s_own_files_are_read_as_they_are() {
        let named = ["engineers".to_owned(), "none".to_owned()];
        let text = "root:x:0:\nbroken\nengineers:x:2000:alice,bob\nengineers:x:7:eve\nnone:x:2:\n";
        let found = local(text, &named);
        assert_eq!(found["engineers"], group(2000, &["alice", "bob"], true));
        assert_eq!(found["none"], group(2, &[], true));
        let passwd = "root:x:0:0::/:/bin/sh\nalice:x:1001:1001::/:/bin/sh\n";
        assert!(is_local(passwd, "alice", 1001));
        assert!(!is_local(passwd, "alice", 1002) && !is_local(passwd, "bob", 1001));
    }
}
