//! Who may call what about what. Whoever is not named is refused.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

/// What is served.
const CONTRACT: &str = include_str!("../../../tpa_bus/org.tpa1.xml");

/// Who calls. carol decides on requests for the role, erin on those for another; heidi is in the
/// group tpa-audit; alice, mallory and bob are nobody in particular. Each has requests of their
/// own, but root.
pub const CALLERS: [&str; 7] = ["alice", "mallory", "bob", "carol", "erin", "heidi", "root"];

/// Who asks for something.
pub const PEOPLE: &[&str] = &["alice", "mallory", "bob", "carol", "erin", "heidi"];

/// Who may see what is alice's.
pub const SEE_ALICES: [&str; 4] = ["alice", "carol", "heidi", "root"];

const ALL: &[&str] = &CALLERS;
const NOBODY: &[&str] = &[];

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// A request that nobody has decided on.
    Pending,
    /// A grant that is active.
    Live,
    /// A break-glass grant that waits for its review.
    Unreviewed,
    /// Nothing that has an id.
    Nothing,
}
use About::{Live, Nothing, Pending, Unreviewed};

/// A method; signature and values of its arguments, `ID` for the id; what that is of; who may call
/// it, about their own where it is about something; who may about somebody else's.
pub type Row = (
    &'static str,
    &'static str,
    About,
    &'static [&'static str],
    &'static [&'static str],
);

/// What changes nothing when it is done.
pub const READS: [&str; 4] = ["GetRequest", "Sessions", "Log", "Recordings"];

/// `org.tpa1.Access`.
#[rustfmt::skip]
pub const ACCESS: [Row; 34] = [
    ("GetRequest", "s ID", Pending, PEOPLE, &["carol", "heidi", "root"]),
    ("Approve", "'sa{sv}' ID 0", Pending, NOBODY, &["carol"]),
    ("Deny", "ss ID 'not now'", Pending, NOBODY, &["carol"]),
    ("Withdraw", "s ID", Pending, PEOPLE, NOBODY),
    ("Extend", "sts ID 60 'not done yet'", Live, PEOPLE, &["carol"]),
    ("End", "s ID", Live, PEOPLE, NOBODY),
    ("Revoke", "'a{sv}s' 1 ids as 1 ID over", Live, PEOPLE, &["carol", "root"]),
    ("Review", "ss ID 'it was needed'", Unreviewed, NOBODY, &["carol"]),
    ("Sessions", "s ID", Live, PEOPLE, &["carol", "heidi", "root"]),
    ("Recordings", "ss ID ''", Live, &["carol", "heidi"], &["carol", "heidi", "root"]),
    ("Residue", "s ZZZZZZZZ", Nothing, NOBODY, NOBODY),
    ("OpenRecording", "ss ZZZZZZZZ alice-00/00/01", Nothing, NOBODY, NOBODY),
    ("ReadRecording", "tstb 1 timing 0 false", Nothing, NOBODY, NOBODY),
    ("CheckRecordings", "t 0", Nothing, &["heidi", "root"], NOBODY),
    ("Log", "'a{sv}' 1 id s ID", Live, &["heidi"], &["heidi", "root"]),
    ("CreateRequest", "'a{sv}' 2 role s web-ops reason s 'nginx hangs'", Nothing, PEOPLE, NOBODY),
    ("CreateRequest", "'a{sv}' 3 role s web-ops reason s 'nginx hangs' user s frank", Nothing, &["carol"], NOBODY),
    // Only the program that sudo starts, whoever calls.
    ("ApprovedCommand", "s ZZZZZZZZ", Nothing, NOBODY, NOBODY),
    ("StartCommand", "s ZZZZZZZZ", Nothing, NOBODY, NOBODY),
    ("EndCommand", "si ZZZZZZZZ 0", Nothing, NOBODY, NOBODY),
    ("ListRequests", "'a{sv}' 0", Nothing, ALL, NOBODY),
    ("Status", "s ''", Nothing, ALL, NOBODY),
    ("Status", "s alice", Nothing, ALL, NOBODY),
    ("Sessions", "s ''", Nothing, ALL, NOBODY),
    ("Roles", "", Nothing, ALL, NOBODY),
    ("WhoAmI", "", Nothing, ALL, NOBODY),
    ("Log", "'a{sv}' 0", Nothing, &["heidi", "root"], NOBODY),
    ("Verify", "t 0", Nothing, &["heidi", "root"], NOBODY),
    ("Subscribe", "", Nothing, ALL, NOBODY),
    // Anybody may hand over what somebody has signed, and this is nothing that anybody did.
    ("Submit", "s 'no statement'", Nothing, NOBODY, NOBODY),
    ("Statements", "t 0", Nothing, &["heidi", "root"], NOBODY),
    ("ResendEvents", "at 1 1", Nothing, &["root"], NOBODY),
    ("TestNotices", "s ''", Nothing, &["root"], NOBODY),
    ("Reload", "", Nothing, &["root"], NOBODY),
];

/// `org.tpa1.Gate`, for root alone; `QUERY` for whom the gate asks about.
pub const GATE: [(&str, &str); 9] = [
    ("Account", "'a{sv}' QUERY"),
    ("OpenSession", "'a{sv}' QUERY"),
    ("CloseSession", "'a{sv}' QUERY"),
    ("OpenDoor", "'a{sv}s' QUERY 'publickey ssh-ed25519 AAAA'"),
    ("Preview", "'a{sv}' QUERY"),
    ("Roles", "'a{sv}' QUERY"),
    (
        "Ask",
        "'a{sv}a{sv}' QUERY 2 role s web-ops reason s 'nginx hangs'",
    ),
    ("AwaitDecision", "s ID"),
    ("Reload", ""),
];

/// Every method of the contract has a row, and no other. It has no property.
pub fn is_complete() -> Result<()> {
    let mut served = BTreeSet::new();
    let mut interface = "";
    for line in CONTRACT.lines().map(str::trim) {
        let name = line.split('"').nth(1).unwrap_or_default();
        if line.starts_with("<interface ") {
            interface = name;
        } else if line.starts_with("<method ") {
            served.insert((interface, name));
        }
        ensure!(!line.starts_with("<property "), "no row: {name}");
    }
    let access = ACCESS.iter().map(|row| ("org.tpa1.Access", row.0));
    let gate = GATE.iter().map(|row| ("org.tpa1.Gate", row.0));
    let rows: BTreeSet<_> = access.chain(gate).collect();
    let odd: Vec<_> = rows.symmetric_difference(&served).collect();
    ensure!(odd.is_empty(), "no row, or nothing for it: {odd:?}");
    Ok(())
}
