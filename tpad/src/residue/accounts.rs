//! PURE: accounts, groups and passwords from the text of their files (passwd(5), group(5), shadow(5)).

use super::item::{Item, Kind, Salt};

/// An account, as far as looking goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: u32,
    /// Its home.
    pub home: String,
}

/// The accounts of passwd(5). Lines that are none are passed over.
pub fn accounts(passwd: &str) -> Vec<Account> {
    let lines = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let home = fields.nth(2)?;
        Some(Account {
            name: name.to_owned(),
            uid,
            home: home.to_owned(),
        })
    });
    lines.collect()
}

/// Each line of passwd(5), an unreadable one too.
pub fn of_passwd(passwd: &str, salt: &Salt) -> Vec<Item> {
    let lines = passwd.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, rest) = line.split_once(':').unwrap_or((line, ""));
            let mut fields = rest.split(':').skip(1);
            let (uid, shell) = (fields.next(), fields.nth(3));
            Item {
                detail: uid.map(|uid| format!("uid {uid}, shell {}", shell.unwrap_or_default())),
                ..Item::new(Kind::Account, name, salt.print(&[rest.as_bytes()]))
            }
        })
        .collect()
}

/// Each group of group(5), and each membership by itself.
pub fn of_group(group: &str, salt: &Salt) -> Vec<Item> {
    let mut items = Vec::new();
    for line in group.lines().filter(|line| !line.is_empty()) {
        let mut fields = line.split(':');
        let name = fields.next().unwrap_or_default();
        let gid = fields.nth(1).unwrap_or_default();
        let members = fields.next().unwrap_or_default();
        items.push(Item {
            detail: Some(format!("gid {gid}")),
            ..Item::new(Kind::Group, name, salt.print(&[gid.as_bytes()]))
        });
        let members = members.split(',').filter(|member| !member.is_empty());
        items.extend(members.map(|one| Item::new(Kind::Group, &format!("{name}: {one}"), "")));
    }
    items
}

/// Each account of shadow(5) that has a password or needs none. An account without one is made with
/// `*` or `!`, and is none that somebody could come in with.
pub fn of_shadow(shadow: &str, salt: &Salt) -> Vec<Item> {
    let lines = shadow.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let hash = rest.split(':').next().unwrap_or_default();
        let is_none = matches!(hash.trim_start_matches('!'), "" | "*") && !hash.is_empty();
        (!is_none).then(|| Item {
            detail: hash.is_empty().then(|| "needs no password".to_owned()),
            ..Item::new(Kind::Password, name, salt.print(&[hash.as_bytes()]))
        })
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salt() -> Salt {
        Salt("s".into())
    }

    #[test]
    fn a_membership_is_a_thing_of_its_own_and_so_is_another_gid() {
        let before = of_group("sudo:x:27:carol\n", &salt());
        let after = of_group("sudo:x:0:carol,eve\n", &salt());
        let named: Vec<_> = after.iter().map(|item| item.what.as_str()).collect();
        assert_eq!(named, ["sudo", "sudo: carol", "sudo: eve"]);
        assert_ne!(before[0].print, after[0].print);
        assert_eq!(before[1], after[1]);
    }

    #[test]
    fn a_print_of_a_password_tells_nothing_of_it_and_an_account_without_one_has_none() {
        let text =
            "a:$y$j9T$abc$def:1::::::\nb:*:1::::::\nc:!:1::::::\nd::1::::::\ne:!$y$x:1::::::\n";
        let items = of_shadow(text, &salt());
        let named: Vec<_> = items.iter().map(|item| item.what.as_str()).collect();
        assert_eq!(named, ["a", "d", "e"]);
        assert!(!format!("{items:?}").contains("abc"), "{items:?}");
        assert_eq!(items[1].detail.as_deref(), Some("needs no password"));
        let other = Salt("t".into());
        assert_ne!(items[0].print, of_shadow(text, &other)[0].print);
    }

    #[test]
    fn an_account_is_told_with_its_uid_and_a_line_that_is_none_counts_too() {
        let items = of_passwd("eve:x:0:0::/root:/bin/bash\nrubbish\n", &salt());
        assert_eq!(items[0].detail.as_deref(), Some("uid 0, shell /bin/bash"));
        assert_eq!(items[1].what, "rubbish");
        assert_eq!(accounts("eve:x:0:0::/root:/bin/bash\nrubbish\n").len(), 1);
    }
}
