//! Are the groups there that the gate goes by? One that was renamed or removed keeps those gated who
//! were last known in it, and nobody who came later: so it has to be mended, and named until it is.

use std::collections::BTreeSet;

use tpa_bus::offline::Who;

use super::{Finding, Host, gate};

/// Asks all sources of the host, for as many seconds as a directory may take.
const ASK: (&str, [&str; 3]) = ("/usr/bin/timeout", ["10", "/usr/bin/getent", "group"]);

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let gate = gate::read(host)?;
    let lists = [&gate.login, &gate.sudo, &gate.exempt];
    let named: BTreeSet<&str> = lists.into_iter().flatten().filter_map(group).collect();
    let mut found = Vec::new();
    for name in named {
        if !gate::is_local(name, host)? && !is_found(name, host) {
            found.push(Finding::error(
                "gate",
                format!("the gate names the group @{name}, which getent does not find: was it renamed or removed? Only those who were last known in it count as its members"),
                "name the group as it is called now under [gate] in /etc/tpa/tpad.toml, then: systemctl reload tpad",
            ));
        }
    }
    Ok(found)
}

fn group(who: &Who) -> Option<&str> {
    match who {
        Who::Group(name) => Some(name),
        Who::Everyone | Who::User(_) => None,
    }
}

/// Whether any source of the host has it.
fn is_found(name: &str, host: &Host) -> bool {
    let (program, [limit, getent, database]) = ASK;
    host.run(program, &[limit, getent, database, "--", name])
        .is_some_and(|ran| ran.success)
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn a_group_of_the_gate_that_is_nowhere_is_named_and_one_of_a_directory_is_not() {
        let mut host = fake::protected();
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
        host.write(
            "etc/group",
            "engineering:x:2000:alice\ntpa-emergency:x:2001:eve\n",
        );
        fake::saying!(host, "/usr/bin/timeout", false, "");
        let found = examine(&host.host).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0]
                .problem
                .starts_with("the gate names the group @engineers, which getent")
        );
        fake::saying!(host, "/usr/bin/timeout", true, "engineers:*:9000:alice\n");
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
    }
}
