//! Are there names that share a uid? The kernel knows one person behind them, and so does `tpad`;
//! who reads a list of names sees two.

use std::collections::BTreeMap;

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
    let shared = names.into_iter().filter(|(_, names)| names.len() > 1);
    let found = shared.map(|(uid, names)| {
        let names = one_line(&names.join(", "), 200);
        Finding::new(
            "accounts",
            format!("{names} share uid {uid}: they are one person to the kernel and to tpad, with the groups of each"),
            format!("give each a uid of its own: usermod --uid NUMBER NAME; or remove all but one ({PASSWD})"),
        )
    });
    Ok(found.collect())
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
}
