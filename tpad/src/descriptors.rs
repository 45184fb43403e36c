//! How many descriptors each use of them gets, out of those that a process may have (`RLIMIT_NOFILE`,
//! getrlimit(2)): what others choose the number of has a share, and what is left is kept for ending
//! access, for whoever calls and for the database.

use std::fs;

/// What a process gets that nobody told otherwise (`systemd-system.conf(5)`).
const USUAL: usize = 1_024;

/// Shares of descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Sessions whose end is waited for, of everybody together.
    pub sessions: usize,
    /// And of one person.
    pub sessions_each: usize,
    /// Connections at the gate at once.
    pub gate: usize,
    /// Connections of root's commands at once.
    pub commands: usize,
    /// People who wait at the gate for a decision, all together.
    pub waiting: usize,
    /// Processes that say which connection on the bus is theirs; each takes two.
    pub claims: usize,
    /// The same of those who come by the front door, all of them one account's; each takes two.
    pub door: usize,
}

impl Shares {
    /// The shares of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self::of(soft_limit(&limits).unwrap_or(USUAL))
    }

    /// The shares of so many descriptors. Together they are less than half of them.
    #[must_use]
    pub fn of(limit: usize) -> Self {
        let part = |of: usize| (limit / of).max(1);
        Self {
            sessions: part(8),
            sessions_each: part(32),
            gate: part(8),
            commands: part(16),
            waiting: part(32),
            claims: part(64),
            door: part(17),
        }
    }
}

/// `Max open files            1024                 524288               files`
fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = include_str!("../../packaging/systemd/tpad.service");

    #[test]
    fn what_others_choose_the_number_of_leaves_more_than_half() {
        for limit in [64, 96, 1_024, 4_096, 524_288] {
            let shares = Shares::of(limit);
            let all = shares.sessions
                + shares.gate
                + shares.commands
                + shares.waiting
                + 2 * (shares.claims + shares.door);
            assert!(all < limit / 2, "{limit}: {shares:?}");
            assert!(shares.sessions_each <= shares.sessions / 2, "{shares:?}");
        }
        // What the unit gives has room for all whom the front door lets in at once.
        assert!(UNIT.contains("\nLimitNOFILE=4096\n"));
        assert!(Shares::of(4_096).door >= crate::bus::door::MOST);
    }

    #[test]
    fn the_limit_is_read_as_the_kernel_writes_it() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(soft_limit(limits), Some(1_024));
        assert_eq!(soft_limit("Max open files            unlimited"), None);
        assert_eq!(soft_limit(""), None);
        let own = fs::read_to_string("/proc/self/limits").unwrap();
        assert!(own.contains("unlimited") || soft_limit(&own).is_some());
    }
}
