//! Is somebody who needs a grant in a group that amounts to root? What it gives has no end and
//! stands in no trail.

use super::{Finding, Host, gate};

/// Each group, and how whoever is in it becomes root.
const GROUPS: [(&str, &str); 13] = [
    (
        "containerd",
        "runs containers with the host's files in them",
    ),
    ("disk", "reads and writes the raw disks"),
    ("docker", "runs containers with the host's files in them"),
    (
        "incus",
        "runs containers and machines with the host's files in them",
    ),
    (
        "incus-admin",
        "runs containers and machines with the host's files in them",
    ),
    ("kmem", "reads and writes the kernel's memory"),
    (
        "kvm",
        "runs machines of its own in the host's kernel (/dev/kvm)",
    ),
    (
        "libvirt",
        "runs machines with the host's disks and files in them",
    ),
    (
        "lxd",
        "runs containers and machines with the host's files in them",
    ),
    ("microk8s", "runs containers with the host's files in them"),
    ("root", "writes what is meant for root's group alone"),
    ("shadow", "reads everybody's hashed passwords, root's too"),
    ("staff", "writes programs in /usr/local that root runs"),
];

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let mut findings = Vec::new();
    // What is wrong with the gate's file is told by the area that is about it.
    let Ok(gate) = gate::read(host) else {
        return Ok(findings);
    };
    for (name, groups) in gate::gated_with_groups(&gate, host)? {
        for (group, how) in GROUPS {
            if groups.iter().any(|one| one == group) {
                findings.push(Finding::error(
                    "groups",
                    format!("{name} is in group {group}, which amounts to root or nearly, without a grant: it {how}"),
                    format!("gpasswd -d {name} {group}; and end what they have running"),
                ));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn each_gated_person_in_a_group_that_amounts_to_root_is_named_and_nobody_else() {
        let host = fake::protected();
        host.write(
            "etc/passwd",
            "alice:x:1001:1001::/:/bin/sh\nbob:x:1002:998::/:/bin/sh\n\
             eve:x:1005:1005::/:/bin/sh\nzoe:x:1006:1006::/:/bin/sh\n",
        );
        host.write(
            "etc/group",
            "engineers:x:2000:alice,bob\ntpa-emergency:x:2001:eve\nusers:x:100:alice\n\
             docker:x:999:zoe,eve,alice\ndisk:x:998:\n",
        );
        let found = examine(&host.host).unwrap();
        let problems: Vec<_> = found.iter().map(|one| one.problem.as_str()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(problems[0].starts_with("alice is in group docker,"));
        assert!(problems[1].starts_with("bob is in group disk,"));
        assert!(found[0].fix.starts_with("gpasswd -d alice docker"));
    }
}
