//! Are there names that share a uid? The kernel knows one person behind them, and so does `tpad`;
//! who reads a list of names sees two. And may somebody have the uid of another's account in a user
//! namespace?

use std::collections::BTreeMap;

use tpa_bus::subuid::{SUBUID, lent};
use tpa_bus::text::one_line;

use super::{Finding, Host};

const PASSWD: &str = "/etc/passwd";

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let text = host.read(PASSWD)?.unwrap_or_default();
    let mut names: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1))
            && let Ok(uid) = uid.parse()
        {
            names.entry(uid).or_default().push(name);
        }
    }
    let ranges = host.read(SUBUID)?.unwrap_or_default();
    let lent = names.iter().filter_map(|(uid, names)| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let owner = one_line(lent(&ranges, *uid, &names)?, 32);
        let names = one_line(&names.join(", "), 200);
        Some(Finding::warning(
            "accounts",
            format!("{owner} may use uid {uid} of {names} in a container ({SUBUID}), and with it the files of that account: it decides nothing"),
            format!("give {owner} a range without uids of accounts: usermod --del-subuids FIRST-LAST {owner}, then --add-subuids"),
        ))
    });
    let mut found: Vec<Finding> = lent.collect();
    let shared = names.into_iter().filter(|(_, names)| names.len() > 1);
    found.extend(shared.map(|(uid, names)| {
        let names = one_line(&names.join(", "), 200);
        Finding::warning(
            "accounts",
            format!("{names} share uid {uid}: they are one person to the kernel and to tpad, with the groups of each"),
            format!("give each a uid of its own: usermod --uid NUMBER NAME; or remove all but one ({PASSWD})"),
        )
    }));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn names_that_share_a_uid_are_named_together() {
        let host = fake::protected();
        let alice = "root:x:0:0::/root:/bin/sh\nalice:x:1001:1001::/home/alice:/bin/sh\n";
        host.write("etc/passwd", alice);
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
        host.write(
            "etc/passwd",
            &format!("{alice}bob:x:1002:1::/:/bin/sh\nalias1:x:1001:1001::/:/bin/sh\n"),
        );
        let found = examine(&host.host).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].problem.starts_with("alice, alias1 share uid 1001"));
    }

    #[test]
    fn an_account_whose_uid_somebody_else_may_use_is_named() {
        let host = fake::protected();
        let people = "alice:x:1001:1001::/:/bin/sh\ndiana:x:100005:1001::/:/bin/sh\n";
        host.write("etc/passwd", people);
        host.write("etc/subuid", "alice:200000:65536\ndiana:100000:65536\n");
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
        host.write("etc/subuid", "alice:100000:65536\n");
        let found = examine(&host.host).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        let problem = &found[0].problem;
        assert!(
            problem.starts_with("alice may use uid 100005 of diana"),
            "{problem}"
        );
    }
}
