//! Who is who, by the name service (getpwnam(3), getgrouplist(3), getgrnam(3)).

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use nix::unistd::{Gid, User, getgrouplist};
use tpa_bus::groups::{Answer, Group};

use crate::ffi::in_child;

/// How long a name service may take over the groups of a person. It is asked in both phases of a
/// login, and what it does not tell in time is gone by as last known.
pub const LIMIT: Duration = Duration::from_secs(1);

/// A user, as the name service spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Name in the passwd entry, which may differ from the one looked for.
    pub name: String,
    /// uid
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
}

/// Outcome of a look-up. Not an `Option`: a name service that failed has not said that somebody
/// does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum LookUp {
    /// Found.
    Known(Person),
    /// There is no such user.
    Unknown,
    /// Nobody knows whether there is.
    Failed(String),
}

/// Looks a user up by name.
pub fn look_up(name: &str) -> LookUp {
    match User::from_name(name) {
        // (uid_t) -1 stands for "no user" in setuid(2) and friends: nobody can be that.
        Ok(Some(user)) if user.uid.as_raw() == u32::MAX => LookUp::Unknown,
        Ok(Some(user)) => LookUp::Known(Person {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }),
        Ok(None) => LookUp::Unknown,
        Err(error) => LookUp::Failed(error.to_string()),
    }
}

/// What the name service says about a person and some groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// All groups of the person, by number.
    pub member_of: Result<Vec<u32>, String>,
    /// Each group, by name.
    pub groups: BTreeMap<String, Answer<Group>>,
}

/// Asks the name service for all groups of a person, and for the groups of these names. It is
/// asked in a process of its own, which ends at the limit: a directory that hangs does so in the
/// middle of a call that nothing else can interrupt.
pub fn ask(person: &Person, named: &[String], limit: Duration) -> Said {
    let answered = in_child(limit, |out| {
        let member_of = CString::new(person.name.as_str())
            .map_err(|_| nix::Error::EINVAL)
            .and_then(|name| getgrouplist(&name, Gid::from_raw(person.gid)));
        out.write_all(of_line(member_of).as_bytes())?;
        for name in named {
            let group = nix::unistd::Group::from_name(name);
            out.write_all(group_line(group).as_bytes())?;
        }
        Ok(())
    });
    let (text, why) = match answered {
        Ok(text) => (text, format!("no answer within {}s", limit.as_secs_f32())),
        Err(error) => (String::new(), error.to_string()),
    };
    read(&text, named, &why)
}

/// `of 1001 2000`, or `failed WHY`
fn of_line(member_of: nix::Result<Vec<Gid>>) -> String {
    match member_of {
        Ok(gids) => {
            let mut line = "of".to_owned();
            for gid in gids {
                let _ = write!(line, " {gid}");
            }
            line + "\n"
        }
        Err(error) => format!("failed {}\n", error.desc()),
    }
}

/// `group 2000 alice,bob`, `missing`, or `failed WHY`
fn group_line(group: nix::Result<Option<nix::unistd::Group>>) -> String {
    match group {
        Ok(Some(group)) => {
            let fits = |name: &&String| !name.contains([',', '\n']);
            let members: Vec<_> = group.mem.iter().filter(fits).map(String::as_str).collect();
            format!("group {} {}\n", group.gid, members.join(","))
        }
        Ok(None) => "missing\n".to_owned(),
        Err(error) => format!("failed {}\n", error.desc()),
    }
}

/// Reads what the process wrote; a line that is not there, or not to its end, was not in time.
fn read(text: &str, named: &[String], why: &str) -> Said {
    let mut lines = text
        .split_inclusive('\n')
        .map(|line| line.strip_suffix('\n'));
    let mut next = || lines.next().flatten();
    let failed = |line: Option<&str>| {
        let told = line.and_then(|line| line.strip_prefix("failed "));
        told.unwrap_or(why).to_owned()
    };
    let first = next();
    let gids = first
        .and_then(|line| line.strip_prefix("of"))
        .and_then(|gids| {
            let gids = gids.split_ascii_whitespace().map(str::parse);
            gids.collect::<Result<Vec<u32>, _>>().ok()
        });
    let groups = named.iter().map(|name| {
        let line = next();
        let answer = match line {
            Some("missing") => Answer::Missing,
            _ => line
                .and_then(|line| group(line.strip_prefix("group ")?))
                .map_or_else(|| Answer::Failed(failed(line)), Answer::Found),
        };
        (name.clone(), answer)
    });
    Said {
        groups: groups.collect(),
        member_of: gids.ok_or_else(|| failed(first)),
    }
}

fn group(line: &str) -> Option<Group> {
    let (gid, members) = line.split_once(' ')?;
    let members = members.split(',').filter(|member| !member.is_empty());
    Some(Group {
        gid: gid.parse().ok()?,
        members: members.map(str::to_owned).collect(),
        local: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn root_is_found_with_its_group() {
        let LookUp::Known(root) = look_up("root") else {
            panic!("root is not found");
        };
        assert_eq!((root.uid, root.gid, root.name.as_str()), (0, 0, "root"));
        let said = ask(&root, &named(&["root", "no-such-group"]), LIMIT * 20);
        assert!(said.member_of.unwrap().contains(&0));
        assert!(matches!(&said.groups["root"], Answer::Found(group) if group.gid == 0));
        assert_eq!(said.groups["no-such-group"], Answer::Missing);
    }

    #[test]
    fn a_name_nobody_has_is_unknown() {
        for name in ["no-such-user", "", "../x", "#0", "%wheel", "a\nb", "ALL"] {
            assert_eq!(look_up(name), LookUp::Unknown, "{name:?}");
        }
    }

    #[test]
    fn what_came_before_the_limit_counts_and_the_rest_was_not_told() {
        let names = named(&["oncall", "engineers", "ops"]);
        let whole = "of 1001 2000\ngroup 2001 carol,dave\nmissing\nfailed no route\n";
        for length in 0..=whole.len() {
            let said = read(&whole[..length], &names, "no answer");
            let lines = whole[..length].matches('\n').count();
            assert_eq!(said.member_of.is_ok(), lines > 0, "{length}");
            let told = |answer: &Answer<Group>| *answer != Answer::Failed("no answer".to_owned());
            let told = names
                .iter()
                .filter(|name| told(&said.groups[*name]))
                .count();
            assert_eq!(told, lines.saturating_sub(1), "{length}");
        }
        let said = read(whole, &names, "no answer");
        assert_eq!(said.groups["ops"], Answer::Failed("no route".to_owned()));
        assert_eq!(said.groups["engineers"], Answer::Missing);
    }
}
