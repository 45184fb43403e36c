//! Who signs as whom: can others than root say so, and do those who are named exist?

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tpa_statement::signers::Signers;

use super::{Finding, Host, unreadable};
use crate::say::{clean, count};

/// Who signs as whom.
const SIGNERS: &str = "/etc/tpa/signers";

/// Where roles are.
const ROLES: &str = "/etc/tpa/roles.d";

/// How this host is called.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// How hosts are called that nobody gave a name.
const USUAL: [&str; 7] = [
    "(none)",
    "localhost",
    "localhost.localdomain",
    "debian",
    "ubuntu",
    "fedora",
    "raspberrypi",
];

/// Most people who are looked up.
const LOOKED_UP: usize = 1_000;

/// Looks at the file, and at what roles ask of it.
pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let Some(text) = host.read(SIGNERS)? else {
        return without(host);
    };
    let mut findings = Vec::new();
    findings.extend(writable(host)?);
    let signers = Signers::parse(&text);
    if let Some(first) = signers.problems().first() {
        findings.push(Finding::warning(
            "signers",
            format!(
                "{} of {SIGNERS} cannot be read and counts for nobody: {}",
                count(signers.problems().len(), "line"),
                clean(&first.to_string())
            ),
            "correct it, then: tpactl check && systemctl reload tpad",
        ));
    }
    findings.extend(unknown(host, &signers));
    findings.extend(nameless(host)?);
    Ok(findings)
}

/// What a statement knows a host by is its name. One that many are given when they are installed is no
/// host's in particular.
fn nameless(host: &Host) -> Result<Option<Finding>, Finding> {
    let Some(name) = host.read(HOSTNAME)? else {
        return Ok(None);
    };
    let name = name.trim();
    let usual = USUAL.iter().any(|usual| name.eq_ignore_ascii_case(usual));
    Ok(usual.then(|| {
        Finding::warning(
            "signers",
            format!(
                "this host is called {}, as others are: what somebody signs for one of them each takes that \
                 has their key",
                clean(name)
            ),
            "give it a name of its own: hostnamectl set-hostname NAME",
        )
    }))
}

/// Roles that ask for keys where nobody has one.
fn without(host: &Host) -> Result<Vec<Finding>, Finding> {
    let mut findings = Vec::new();
    for name in host.names(ROLES)? {
        if Path::new(&name)
            .extension()
            .is_none_or(|kind| kind != "toml")
        {
            continue;
        }
        let name = name.to_string_lossy().into_owned();
        let text = host.read(&format!("{ROLES}/{name}"))?.unwrap_or_default();
        if asks_for_keys(&text) {
            findings.push(Finding::warning(
                "signers",
                format!(
                    "the role in {} asks for signed approvals, and there is no {SIGNERS}: nobody can \
                     approve",
                    clean(&name)
                ),
                "say there whose an SSH key is: ssh-keygen(1), ALLOWED SIGNERS",
            ));
        }
    }
    Ok(findings)
}

fn asks_for_keys(role: &str) -> bool {
    role.lines().any(|line| {
        let mut parts = line.splitn(2, '=').map(str::trim);
        let (name, value) = (parts.next(), parts.next().unwrap_or_default());
        name == Some("proof")
            && ["\"key\"", "\"touch\"", "\"pin\""]
                .iter()
                .any(|word| value.starts_with(word))
    })
}

/// Whoever can write it can approve as anybody, from the next time that it is loaded.
fn writable(host: &Host) -> Result<Option<Finding>, Finding> {
    let metadata = |path: &str| {
        std::fs::symlink_metadata(host.path(path)).map_err(|error| unreadable(path, &error))
    };
    let (file, root) = (metadata(SIGNERS)?, metadata("/")?);
    let others = file.uid() != root.uid() || file.mode() & 0o022 != 0 || !file.is_file();
    Ok(others.then(|| {
        Finding::error(
            "signers",
            format!("others than root can say whose a key is in {SIGNERS}; tpad does not load it"),
            "chown root:root /etc/tpa/signers; chmod 644 /etc/tpa/signers; look at who was added",
        )
    }))
}

/// People who are named and have no account: a key that is nobody's today may be somebody's tomorrow,
/// when the name is given again.
fn unknown(host: &Host, signers: &Signers) -> Option<Finding> {
    let named: BTreeSet<&str> = signers
        .iter()
        .flat_map(|line| &line.principals)
        .map(String::as_str)
        .take(LOOKED_UP)
        .collect();
    let mut args = vec!["passwd", "--"];
    args.extend(&named);
    let known = host.run("/usr/bin/getent", &args)?.said;
    let known: BTreeSet<&str> = known
        .lines()
        .filter_map(|line| line.split(':').next())
        .collect();
    let missing: Vec<String> = named
        .difference(&known)
        .take(10)
        .map(|name| clean(name))
        .collect();
    (!missing.is_empty()).then(|| {
        Finding::warning(
            "signers",
            format!(
                "{SIGNERS} has keys of people without an account here: {}",
                missing.join(", ")
            ),
            "give the lines a valid-before, or take them out: whoever gets the name gets the key's word",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::super::fake;
    use super::super::fake::saying;
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    fn found(host: &fake::Fake) -> Vec<String> {
        let found = examine(&host.host).unwrap();
        found.into_iter().map(|one| one.problem).collect()
    }

    #[test]
    fn a_role_that_asks_for_keys_where_nobody_has_one_is_found() {
        let host = fake::protected();
        host.write(
            "etc/tpa/roles.d/web.toml",
            "[approve]\nproof = \"session\"\n",
        );
        assert_eq!(found(&host), [""; 0]);
        host.write(
            "etc/tpa/roles.d/web.toml",
            "[approve]\n  proof=\"touch\" # x\n",
        );
        assert!(found(&host)[0].contains("there is no /etc/tpa/signers"));
    }

    #[test]
    fn signers_that_others_can_write_and_lines_that_cannot_be_read_are_found() {
        let mut host = fake::protected();
        saying!(
            host,
            "/usr/bin/getent",
            true,
            "alice:x:1001:1001::/:/bin/sh\n"
        );
        host.write("etc/tpa/signers", &format!("alice {KEY}\n"));
        let path = host.host.path("/etc/tpa/signers");
        set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(found(&host), [""; 0]);
        set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
        assert!(found(&host)[0].contains("others than root"));
        host.write("etc/tpa/signers", &format!("alice {KEY}\nalice\n"));
        set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(found(&host)[0].contains("1 line of /etc/tpa/signers cannot be read"));
    }

    #[test]
    fn a_host_that_has_no_name_of_its_own_is_found_where_statements_are_taken() {
        let mut host = fake::protected();
        saying!(
            host,
            "/usr/bin/getent",
            true,
            "alice:x:1001:1001::/:/bin/sh\n"
        );
        host.write("proc/sys/kernel/hostname", "Localhost\n");
        assert_eq!(found(&host), [""; 0], "no statement is taken here");
        host.write("etc/tpa/signers", &format!("alice {KEY}\n"));
        let path = host.host.path("/etc/tpa/signers");
        set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(found(&host)[0].contains("is called Localhost, as others are"));
        host.write("proc/sys/kernel/hostname", "web-01\n");
        assert_eq!(found(&host), [""; 0]);
    }

    #[test]
    fn a_key_without_a_person_is_found() {
        let mut host = fake::protected();
        saying!(
            host,
            "/usr/bin/getent",
            false,
            "alice:x:1001:1001::/:/bin/sh\n"
        );
        host.write("etc/tpa/signers", &format!("alice,zoe {KEY}\n"));
        let path = host.host.path("/etc/tpa/signers");
        set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let found = found(&host);
        assert!(
            found[0].ends_with("without an account here: zoe"),
            "{found:?}"
        );
    }
}
