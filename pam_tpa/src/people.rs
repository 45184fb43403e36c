//! Who is who, by the name service (getpwnam(3), getgrouplist(3)).

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, User, getgrouplist};

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

/// Those of the named groups that the person is in, primary group included. A group that does
/// not exist has nobody in it.
///
/// # Errors
/// When the name service cannot say.
pub fn groups_of(person: &Person, named: &[&str]) -> nix::Result<Vec<String>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let name = CString::new(person.name.as_str()).map_err(|_| Errno::EINVAL)?;
    let member_of = getgrouplist(&name, Gid::from_raw(person.gid))?;
    let mut groups = Vec::new();
    for name in named {
        if Group::from_name(name)?.is_some_and(|group| member_of.contains(&group.gid)) {
            groups.push((*name).to_owned());
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_with_its_group() {
        let LookUp::Known(root) = look_up("root") else {
            panic!("root is not found");
        };
        assert_eq!((root.uid, root.gid, root.name.as_str()), (0, 0, "root"));
        assert_eq!(
            groups_of(&root, &["root", "no-such-group"]),
            Ok(vec!["root".to_owned()])
        );
    }

    #[test]
    fn a_name_nobody_has_is_unknown() {
        for name in ["no-such-user", "", "../x", "#0", "%wheel", "a\nb", "ALL"] {
            assert_eq!(look_up(name), LookUp::Unknown, "{name:?}");
        }
    }
}
