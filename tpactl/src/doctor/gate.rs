//! Whom the gate concerns, as `tpad` wrote it down, and the people behind its groups, as far as
//! the host's own files know them.

use tpa_bus::names::GATE_FILE;
use tpa_bus::offline::{Class, Concern, GateFile, Who};

use super::{Finding, Host};

/// The file; a finding where it is missing or makes no sense.
pub fn read(host: &Host) -> Result<GateFile, Finding> {
    const EVERYONE: &str = "everyone but root and system users is gated";
    let Some(text) = host.read(GATE_FILE)? else {
        return Err(Finding::error(
            "gate",
            format!("{GATE_FILE} is missing: {EVERYONE}"),
            "systemctl restart tpad, which writes it; journalctl -u tpad tells why it did not",
        ));
    };
    GateFile::parse(&text).map_err(|error| {
        Finding::error(
            "gate",
            format!("{GATE_FILE}, {error}: {EVERYONE}"),
            "systemctl restart tpad, which writes it again",
        )
    })
}

/// Everyone of `/etc/passwd` who needs a grant for something.
pub fn gated(gate: &GateFile, host: &Host) -> Result<Vec<String>, Finding> {
    let people = gated_with_groups(gate, host)?;
    Ok(people.into_iter().map(|(name, _)| name).collect())
}

/// The same, each with the names of all groups of `/etc/group` they are in.
pub fn gated_with_groups(
    gate: &GateFile,
    host: &Host,
) -> Result<Vec<(String, Vec<String>)>, Finding> {
    let groups = host.read("/etc/group")?.unwrap_or_default();
    let users = host.read("/etc/passwd")?.unwrap_or_default();
    let mut people = Vec::new();
    for (name, uid, gid) in users.lines().filter_map(user) {
        let groups = groups_of(name, gid, &groups);
        let gated = |class| gate.concern(class, name, uid, &groups) == Concern::Gated;
        if gated(Class::Login) || gated(Class::Sudo) {
            people.push((name.to_owned(), groups));
        }
    }
    Ok(people)
}

/// Whether nobody is meant. A group of another source than the files cannot be counted here, so
/// it is taken to have members.
pub fn is_empty(who: &Who, host: &Host) -> Result<bool, Finding> {
    let Who::Group(name) = who else {
        return Ok(false);
    };
    let groups = host.read("/etc/group")?.unwrap_or_default();
    let Some((_, gid, members)) = groups
        .lines()
        .filter_map(group)
        .find(|(group, ..)| group == name)
    else {
        return Ok(false);
    };
    let users = host.read("/etc/passwd")?.unwrap_or_default();
    let primary = users
        .lines()
        .filter_map(user)
        .any(|(_, _, primary)| primary == gid);
    Ok(members.is_empty() && !primary)
}

/// Whether a group stands in `/etc/group`.
pub fn is_local(name: &str, host: &Host) -> Result<bool, Finding> {
    let groups = host.read("/etc/group")?.unwrap_or_default();
    let mut names = groups.lines().filter_map(group);
    Ok(names.any(|(group, ..)| group == name))
}

fn groups_of(name: &str, gid: &str, groups: &str) -> Vec<String> {
    let all = groups.lines().filter_map(group);
    let mine =
        all.filter(|(_, id, members)| *id == gid || members.split(',').any(|one| one == name));
    mine.map(|(group, ..)| group.to_owned()).collect()
}

/// Name, id and members of a line of group(5).
fn group(line: &str) -> Option<(&str, &str, &str)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let gid = fields.nth(1)?;
    Some((name, gid, fields.next()?.trim()))
}

/// Name, uid and primary group's id of a line of passwd(5).
fn user(line: &str) -> Option<(&str, u32, &str)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let uid = fields.nth(1)?.parse().ok()?;
    Some((name, uid, fields.next()?))
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn the_gated_are_found_by_name_and_by_either_kind_of_group() {
        let host = fake::protected();
        host.write(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\nalice:x:1001:1001::/:/bin/sh\ndan:x:1002:2000::/:/bin/sh\n\
             eve:x:1005:1005::/:/bin/sh\nzoe:x:1006:1006::/:/bin/sh\nbroken\n",
        );
        host.write(
            "etc/group",
            "engineers:x:2000:alice,eve\ntpa-emergency:x:2001:eve\n",
        );
        let gate = read(&host.host).unwrap();
        assert_eq!(gated(&gate, &host.host).unwrap(), ["alice", "dan"]);
    }
}
