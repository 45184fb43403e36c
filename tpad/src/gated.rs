//! Whether somebody needs a grant for anything: what the rule of polkit(8) that the package ships
//! asks (`tpad gated`), with the account that polkit runs as and while polkit waits.
//!
//! So it asks neither the daemon nor a name service, which may hang: polkit has resolved the person
//! and their groups already, and hands them in.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tpa_bus::groups::{self, Answer, KnownGroups, Member, Membership};
use tpa_bus::names;
use tpa_bus::offline::{GateFile, Who};

/// Whom polkit asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Their name.
    pub user: &'a str,
    /// The names of all groups they are in.
    pub groups: &'a [String],
}

/// What the host says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// Whom the gate concerns.
    pub gate: GateFile,
    /// The groups it names, as last seen.
    pub known: KnownGroups,
    /// passwd(5). Who does not stand in it is a directory's, and a person.
    pub passwd: String,
    /// group(5).
    pub group: String,
}

impl World {
    /// Looks at this host.
    ///
    /// # Errors
    /// When a file is missing, is not root's alone to write, or is not what it should be: then
    /// nobody can tell.
    pub fn look() -> anyhow::Result<Self> {
        let known = read(Path::new(names::GROUPS_FILE)).unwrap_or_default();
        Ok(Self {
            gate: GateFile::parse(&read(Path::new(names::GATE_FILE))?)?,
            known: KnownGroups::parse(&known).unwrap_or_default(),
            passwd: read(Path::new("/etc/passwd"))?,
            group: read(Path::new("/etc/group"))?,
        })
    }

    /// What holds where nobody can tell: everybody is gated but root and system users.
    #[must_use]
    pub fn strict() -> Self {
        let etc = |name| read(&Path::new("/etc").join(name)).unwrap_or_default();
        Self {
            gate: GateFile::default(),
            known: KnownGroups::default(),
            passwd: etc("passwd"),
            group: etc("group"),
        }
    }

    /// Whether they need a grant, and are not exempt, under any name that their uid has here.
    #[must_use]
    pub fn gates(&self, subject: Subject<'_>) -> bool {
        let Some((uid, _)) = self.account(subject.user) else {
            return self.gates_name(subject);
        };
        let others = groups::other_names(&self.passwd, subject.user, uid);
        self.gates_name(subject)
            || others.iter().any(|(user, gid)| {
                let groups = &self.groups_of(user, *gid);
                self.gates_name(Subject { user, groups })
            })
    }

    /// The groups of this host that an account of this host is in.
    fn groups_of(&self, user: &str, gid: u32) -> Vec<String> {
        let lines = self.group.lines().filter_map(|line| {
            let mut fields = line.splitn(4, ':');
            let name = fields.next()?;
            let number = fields.nth(1)?.parse() == Ok(gid);
            let mut members = fields.next()?.trim().split(',');
            (number || members.any(|member| member == user)).then(|| name.to_owned())
        });
        lines.collect()
    }

    fn gates_name(&self, subject: Subject<'_>) -> bool {
        let (uid, gid) = self.account(subject.user).unwrap_or((u32::MAX, u32::MAX));
        let member = Member {
            name: subject.user,
            gid,
            local: uid != u32::MAX,
            groups: Ok(groups::local(&self.group, subject.groups)
                .values()
                .map(|group| group.gid)
                .collect()),
        };
        let counted = |list: &[Who], unknown_too: bool| {
            list.iter().any(|who| match who {
                Who::Group(name) => match self.membership(&member, subject, name) {
                    Membership::In => true,
                    Membership::Unknown => unknown_too,
                    Membership::Out => false,
                },
                who @ (Who::Everyone | Who::User(_)) => who.includes(subject.user, &[]),
            })
        };
        let system = self.gate.is_system(uid);
        let gated = counted(&self.gate.login, true) || counted(&self.gate.sudo, true);
        !system && gated && !counted(&self.gate.exempt, false)
    }

    /// By polkit's word; else by the host's own files, and what was last known of a group that is
    /// in neither.
    fn membership(&self, member: &Member<'_>, subject: Subject<'_>, name: &str) -> Membership {
        if subject.groups.iter().any(|group| group == name) {
            return Membership::In;
        }
        let known = self.known.0.get(name);
        let local = groups::local(&self.group, &[name.to_owned()]).remove(name);
        let said = match (local, known) {
            (Some(group), _) => Answer::Found(group),
            // The directory answered polkit, and did not list it.
            (None, Some(group)) if !group.local => Answer::Found(group.clone()),
            (None, _) => Answer::Missing,
        };
        member.is_in(name, &said, known).membership
    }

    /// The uid and primary gid of an account of this host.
    fn account(&self, user: &str) -> Option<(u32, u32)> {
        let line = self
            .passwd
            .lines()
            .find(|line| line.split(':').next() == Some(user))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    }
}

/// A file that nobody but root can have written.
fn read(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() || about.uid() != 0 || about.mode() & 0o022 != 0 {
        let problem = format!("{}: not a file that root alone may write", path.display());
        return Err(io::Error::other(problem));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use tpa_bus::groups::Group;

    use super::*;

    fn world() -> World {
        let group = |name: &str| Who::Group(name.to_owned());
        let known = |gid, member: &str, local| Group {
            gid,
            members: BTreeSet::from([member.to_owned()]),
            local,
        };
        World {
            gate: GateFile {
                login: vec![group("engineers"), group("remote")],
                sudo: vec![Who::User("zoe".to_owned())],
                exempt: vec![group("tpa-emergency")],
                ..GateFile::default()
            },
            known: KnownGroups(BTreeMap::from([
                ("engineers".to_owned(), known(2000, "alice", true)),
                ("remote".to_owned(), known(9000, "dora", false)),
            ])),
            passwd: "root:x:0:0::/:/bin/sh\npolkitd:x:990:2000::/:/bin/false\n\
                alice:x:1001:1001::/:/bin/sh\nbob:x:1002:1002::/:/bin/sh\n\
                zoe:x:1003:1003::/:/bin/sh\nprim:x:1004:2000::/:/bin/sh\n"
                .to_owned(),
            group: "sudo:x:27:alice,bob\nengineers:x:2000:alice\ntpa-emergency:x:2001:\n"
                .to_owned(),
        }
    }

    fn gates(world: &World, user: &str, groups: &[&str]) -> bool {
        let groups: Vec<_> = groups.iter().map(|&name| name.to_owned()).collect();
        let groups = &groups;
        world.gates(Subject { user, groups })
    }

    #[test]
    fn whoever_needs_a_grant_for_anything_is_gated_and_nobody_else() {
        let world = world();
        let table: [(&str, &[&str], bool); 10] = [
            ("alice", &["alice", "engineers", "sudo"], true),
            ("alice", &["alice", "sudo"], true),
            ("bob", &["bob", "sudo"], false),
            ("zoe", &["zoe"], true),
            ("prim", &["engineers"], true),
            ("alice", &["engineers", "tpa-emergency"], false),
            ("root", &["root", "engineers"], false),
            ("polkitd", &["engineers"], false),
            ("remoter", &["remote"], true),
            ("remoter", &["sudo"], false),
        ];
        for (user, groups, gated) in table {
            assert_eq!(gates(&world, user, groups), gated, "{user} {groups:?}");
        }
    }

    #[test]
    fn whoever_has_a_second_name_is_gated_by_either() {
        let mut world = world();
        let second = "alias1:x:1001:1001::/:/bin/sh\nbobby:x:1002:2000::/:/bin/sh\n\
            frank:x:1006:1006::/:/bin/sh\nfrankie:x:1006:1006::/:/bin/sh\n";
        world.passwd.push_str(second);
        world.group = "engineers:x:2000:alice,frank\ntpa-emergency:x:2001:frank\n".to_owned();
        assert!(gates(&world, "alias1", &["alias1"]), "alice needs one");
        assert!(gates(&world, "bob", &["bob"]), "bobby needs one");
        assert!(!gates(&world, "frankie", &[]), "frank needs none");
        assert!(!gates(&world, "frank", &["engineers", "tpa-emergency"]));
    }

    #[test]
    fn a_group_that_was_renamed_removed_or_never_seen_opens_nothing() {
        let mut world = world();
        world.group = "sudo:x:27:alice\nbuilders:x:2000:yve\n".to_owned();
        assert!(gates(&world, "alice", &["sudo"]), "by what was last known");
        world.passwd.push_str("yve:x:1005:1005::/:/bin/sh\n");
        assert!(gates(&world, "yve", &["builders"]), "by its number");
        assert!(!gates(&world, "bob", &["sudo"]));
        assert!(gates(&world, "dora", &[]), "of a directory that is away");
        world.known = KnownGroups::default();
        assert!(gates(&world, "bob", &["sudo"]), "nobody can tell");
        assert!(!gates(&world, "root", &[]));
    }

    #[test]
    fn without_a_gate_file_everybody_is_gated_but_root_and_system_users() {
        let world = World {
            gate: GateFile::default(),
            ..world()
        };
        assert!(gates(&world, "bob", &["sudo"]));
        assert!(!gates(&world, "polkitd", &[]));
    }

    #[test]
    fn a_file_that_somebody_else_may_write_tells_nothing() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(read(file.path()).is_err());
        assert!(read(Path::new("/")).is_err());
    }
}
