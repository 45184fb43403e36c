//! Access control lists (acl(5)): files of root's that one person more may read, and nobody else.
//!
//! A file that belonged to the person would do, but they could change it. Their group would not do:
//! it may have others in it.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

/// The attribute that holds a list (xattr(7)).
const NAME: &str = "system.posix_acl_access";

/// Version of its form (`linux/posix_acl_xattr.h`).
const VERSION: u32 = 2;

/// Most people that one list names. The kernel takes 64 KiB, eight bytes each.
const PEOPLE_MAX: usize = 8_000;

// Tags of entries (`linux/posix_acl.h`), and the id of those that have none.
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
const NO_ID: u32 = u32::MAX;

/// Gives these people, and nobody else but the owner, some of read (4), write (2) and search (1).
/// The owner has `owner`. Does nothing where it is so already.
///
/// # Errors
/// When the file system has no such lists, or there are too many people.
pub fn allow(
    file: impl AsFd,
    owner: u16,
    people: impl IntoIterator<Item = u32>,
    rights: u16,
) -> io::Result<()> {
    let list = list(owner, people, rights)?;
    let mut found = vec![0; list.len().saturating_add(1)];
    if let Ok(length) = fgetxattr(&file, NAME, &mut found)
        && found.get(..length) == Some(list.as_slice())
    {
        return Ok(());
    }
    Ok(fsetxattr(&file, NAME, &list, XattrFlags::empty())?)
}

fn list(owner: u16, people: impl IntoIterator<Item = u32>, rights: u16) -> io::Result<Vec<u8>> {
    let mut people: Vec<u32> = people.into_iter().collect();
    people.sort_unstable();
    people.dedup();
    if people.len() > PEOPLE_MAX {
        return Err(io::ErrorKind::QuotaExceeded.into());
    }
    let named = people.into_iter().map(|uid| (USER, rights, uid));
    let entries = [(USER_OBJ, owner, NO_ID)].into_iter().chain(named).chain([
        (GROUP_OBJ, 0, NO_ID),
        (MASK, rights, NO_ID),
        (OTHER, 0, NO_ID),
    ]);
    let mut list = VERSION.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_list_names_each_person_once_and_gives_the_group_and_others_nothing() {
        let list = list(6, [1002, 1001, 1002], 4).unwrap();
        let entries: Vec<_> = list[4..]
            .chunks(8)
            .map(|entry| (entry[0], entry[2]))
            .collect();
        let wanted = [(1, 6), (2, 4), (2, 4), (4, 0), (0x10, 4), (0x20, 0)];
        assert_eq!(entries, wanted);
        assert!(super::list(6, 0..10_000, 4).is_err());
    }

    #[test]
    fn the_kernel_takes_the_list_and_shows_its_mask_as_the_groups_bits() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("f")).unwrap();
        match allow(&file, 6, [1001], 4) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return,
            taken => taken.unwrap(),
        }
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        allow(&file, 6, [1001], 4).unwrap();
    }
}
