//! Uids that people may have in user namespaces (subuid(5)).
//!
//! A line is `alice:100000:65536`: alice, by name or by number, may be any of 65536 uids from 100000
//! on. Where one of them is the uid of an account, alice can be that account.

/// Where it is.
pub const SUBUID: &str = "/etc/subuid";

/// A range of uids that somebody may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<'a> {
    /// Whose it is: a name, or a uid.
    pub owner: &'a str,
    /// Its first uid.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl Range<'_> {
    /// Whether it takes in the uid of somebody else than its owner. Root is anybody as it is.
    fn lends(&self, uid: u32, names: &[String]) -> bool {
        let number = self.owner.parse::<u32>().ok();
        let own = number == Some(uid) || names.iter().any(|name| name == self.owner);
        let roots = self.owner == "root" || number == Some(0);
        let inside = uid
            .checked_sub(self.first)
            .is_some_and(|place| place < self.count);
        inside && !own && !roots
    }
}

/// The ranges of the file. Lines that are none are not followed by those who read it either.
pub fn ranges(text: &str) -> impl Iterator<Item = Range<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let first = fields.next()?.parse().ok()?;
        let count = fields.next()?.parse().ok()?;
        Some(Range {
            owner,
            first,
            count,
        })
    })
}

/// Who may have this uid, beside the person with these names whose it is.
#[must_use]
pub fn lent<'a>(text: &'a str, uid: u32, names: &[String]) -> Option<&'a str> {
    let mut ranges = ranges(text);
    Some(ranges.find(|range| range.lends(uid, names))?.owner)
}

/// Whose share a uid takes where each person has one: that of the first uid of a range, for each uid
/// of it, because one person may be all of them at once; its own otherwise.
#[must_use]
pub fn share(text: &str, uid: u32) -> u32 {
    let inside = |range: &Range<'_>| range.lends(uid, &[]);
    ranges(text).find(inside).map_or(uid, |range| range.first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_lent_to_whom_a_range_with_it_belongs() {
        let text = "root:1:4000000000\n# none\nbob:x:1\nalice:100000:65536\n1002:200000:1\n";
        let names = ["diana".to_owned()];
        let lent = |uid| lent(text, uid, &names);
        assert_eq!(lent(99_999), None);
        assert_eq!(lent(100_000), Some("alice"));
        assert_eq!(lent(165_535), Some("alice"));
        assert_eq!(lent(165_536), None);
        assert_eq!(lent(200_000), Some("1002"));
        assert_eq!(lent(u32::MAX), None);
    }

    #[test]
    fn all_uids_of_a_range_are_one_share() {
        let text = "alice:100000:65536\nbob:300000:65536\n";
        assert_eq!(share(text, 1_001), 1_001);
        for uid in [100_000, 100_001, 165_535] {
            assert_eq!(share(text, uid), 100_000);
        }
        assert_eq!(share(text, 165_536), 165_536);
        assert_eq!(share(text, 300_007), 300_000);
        assert_eq!(share("", 7), 7);
    }

    #[test]
    fn nobody_lends_to_themselves() {
        let names = ["diana".to_owned(), "di".to_owned()];
        for owner in ["diana", "di", "100005"] {
            let text = format!("{owner}:100000:65536\n");
            assert_eq!(lent(&text, 100_005, &names), None, "{owner}");
        }
        assert_eq!(
            lent("u32:4294967290:4294967295\n", 4_294_967_294, &names),
            Some("u32")
        );
    }
}
