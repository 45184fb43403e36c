//! Does the front door lead where it should? `ssh tpa@HOST`, see `tpa-door(8)`.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;

use tpa_bus::names::{DOOR, DOOR_ACCOUNT, DOOR_SETTINGS};
use tpa_bus::text::one_line;
use tpa_statement::signers::Signers;

use super::{Finding, Host, sshd};

const AREA: &str = "door";
const SSHD: &str = "/usr/sbin/sshd";
const SIGNERS: &str = "/etc/tpa/signers";

/// Most people who are looked up.
const PEOPLE_MAX: usize = 1_000;

/// What sshd must say of the account, as `sshd -T` writes it.
const SETTINGS: [(&str, &str); 5] = [
    ("authorizedkeyscommand", "/usr/sbin/tpad keys %t %k"),
    ("authorizedkeysfile", "none"),
    ("forcecommand", DOOR),
    ("disableforwarding", "yes"),
    ("usepam", "yes"),
];

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    if host.read(DOOR_SETTINGS)?.is_none() {
        return Ok(Vec::new());
    }
    let mut findings = in_force(host);
    findings.extend(account(host)?);
    let Some(text) = host.read(SIGNERS)? else {
        findings.push(Finding::error(
            AREA,
            format!("the front door is open, and there is no {SIGNERS}: nobody comes in"),
            "write whose key is whose into it, a line each: NAME KEY (tpa-door(8))",
        ));
        return Ok(findings);
    };
    findings.extend(written_by(host));
    // What cannot be read of it, tpactl check tells by line.
    let signers = Signers::parse(&text);
    findings.extend(without_account(host, &signers)?);
    Ok(findings)
}

/// Whether sshd goes by the settings that the package ships.
fn in_force(host: &Host) -> Vec<Finding> {
    let who = format!("user={DOOR_ACCOUNT},host=localhost,addr=127.0.0.1");
    let ran = host.run(SSHD, &["-T", "-C", &who]);
    let Some(ran) = ran.filter(|ran| ran.success) else {
        return vec![sshd::unknown()];
    };
    let other = |(key, expected): &(&str, &str)| sshd::value(&ran.said, key) != Some(expected);
    let others: Vec<_> = SETTINGS.iter().filter(|setting| other(setting)).collect();
    let mut findings = Vec::new();
    if let Some((key, _)) = others.first() {
        findings.push(Finding::error(
            AREA,
            format!("sshd does not go by {DOOR_SETTINGS}: {key} says something else for {DOOR_ACCOUNT}"),
            "see sshd -T -C user=tpa for what comes before it; the first value counts; then reload sshd",
        ));
    }
    let variables = ran
        .said
        .lines()
        .filter_map(|line| line.strip_prefix("acceptenv "));
    // What stands before the first wildcard is the beginning of LD_…, or that of the pattern.
    let wide = |name: &&str| {
        let start = name.split(['*', '?']).next().unwrap_or_default();
        let is_pattern = start.len() < name.len();
        start.starts_with("LD_") || (is_pattern && "LD_".starts_with(start))
    };
    if let Some(name) = variables.into_iter().find(wide) {
        findings.push(Finding::warning(
            AREA,
            format!(
                "sshd takes variables of whoever comes in that choose code (AcceptEnv {})",
                one_line(name, 40)
            ),
            "copy /usr/share/tpa/10-tpa-door.conf anew: it takes none of them; then reload sshd",
        ));
    }
    findings.extend(left_out(&ran.said));
    findings
}

/// Where sshd lists whom it lets in, the account has to be among them.
fn left_out(said: &str) -> Option<Finding> {
    let listed = |key: &str| {
        let names: Vec<_> = said
            .lines()
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
            .flat_map(str::split_whitespace)
            .collect();
        let names_it = |entry: &&str| {
            let name = entry.split('@').next().unwrap_or_default();
            name.contains(['*', '?']) || name == DOOR_ACCOUNT
        };
        (!names.is_empty()).then(|| names.iter().any(names_it))
    };
    let (_, name) = [("allowusers", "AllowUsers"), ("allowgroups", "AllowGroups")]
        .into_iter()
        .find(|(key, _)| listed(key) == Some(false))?;
    Some(Finding::error(
        AREA,
        format!("sshd lets in nobody by the front door: {name} does not name {DOOR_ACCOUNT}"),
        format!("add {DOOR_ACCOUNT} to {name} in sshd_config, then reload sshd"),
    ))
}

/// The account's shell is the program of the front door, which runs whatever else starts a shell.
fn account(host: &Host) -> Result<Option<Finding>, Finding> {
    let accounts = host.read("/etc/passwd")?.unwrap_or_default();
    let named = |line: &&str| line.split(':').next() == Some(DOOR_ACCOUNT);
    let Some(line) = accounts.lines().find(named) else {
        return Ok(Some(Finding::error(
            AREA,
            format!("there is no account {DOOR_ACCOUNT}, which the front door leads to"),
            "systemd-sysusers tpa.conf",
        )));
    };
    let shell = line.split(':').nth(6).unwrap_or_default();
    Ok((shell != DOOR).then(|| {
        Finding::error(
            AREA,
            format!(
                "the shell of the account {DOOR_ACCOUNT} is {}",
                one_line(shell, 60)
            ),
            format!("usermod --shell {DOOR} {DOOR_ACCOUNT}"),
        )
    }))
}

/// Whoever can write the file speaks as everybody in it.
fn written_by(host: &Host) -> Option<Finding> {
    let file = std::fs::symlink_metadata(host.path(SIGNERS)).ok()?;
    let is_tight = file.is_file() && file.mode() & 0o022 == 0;
    (!is_tight).then(|| {
        Finding::error(
            AREA,
            format!("{SIGNERS} is a link, or others than root may write it"),
            format!("chown root:root {SIGNERS} && chmod 0644 {SIGNERS}"),
        )
    })
}

/// Those in the file who have no account here.
fn without_account(host: &Host, signers: &Signers) -> Result<Vec<Finding>, Finding> {
    let accounts = host.read("/etc/passwd")?.unwrap_or_default();
    let local: BTreeSet<_> = accounts
        .lines()
        .filter_map(|line| line.split(':').next())
        .collect();
    let people: BTreeSet<_> = signers.iter().flat_map(|line| &line.principals).collect();
    let is_nobody = |name: &&&String| {
        let asked = || host.run("/usr/bin/getent", &["passwd", "--", name.as_str()]);
        !local.contains(name.as_str()) && asked().is_some_and(|ran| !ran.success)
    };
    let nobody = people.iter().take(PEOPLE_MAX).filter(is_nobody);
    let found = nobody.map(|name| {
        Finding::warning(
            AREA,
            format!(
                "{SIGNERS} has a key of {}, who has no account here",
                one_line(name, 64)
            ),
            "take the line out, or make the account",
        )
    });
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::{Ran, fake};
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn open() -> fake::Fake {
        let mut host = fake::protected();
        host.write(DOOR_SETTINGS.trim_start_matches('/'), "Match User tpa\n");
        host.write("etc/tpa/signers", &format!("eve {KEY}\n"));
        host.write(
            "etc/passwd",
            &format!(
                "root:x:0:0::/root:/bin/bash\neve:x:1005:1005::/:/bin/sh\ntpa:x:993:993::/:{DOOR}\n"
            ),
        );
        host.host.run = |program, args| match (program.to_str(), args) {
            (Some(SSHD), ["-T", "-C", who]) if who.starts_with("user=tpa,") => Ok(Ran {
                success: true,
                said: SETTINGS
                    .map(|(key, value)| format!("{key} {value}\n"))
                    .concat(),
            }),
            (Some("/usr/bin/getent"), _) => Ok(Ran {
                success: false,
                said: String::new(),
            }),
            _ => fake::usual(program, args),
        };
        host
    }

    fn problems(host: &fake::Fake) -> Vec<String> {
        let found = examine(&host.host).unwrap();
        found.into_iter().map(|one| one.problem).collect()
    }

    #[test]
    fn a_door_that_leads_where_it_should_and_one_that_is_closed_have_no_findings() {
        assert_eq!(problems(&open()), Vec::<String>::new());
        assert_eq!(problems(&fake::protected()), Vec::<String>::new());
    }

    #[test]
    fn what_keeps_the_door_from_working_or_leads_elsewhere_is_found() {
        type Harm = fn(&mut fake::Fake);
        let table: [(&str, Harm); 6] = [
            ("there is no /etc/tpa/signers", |host| {
                host.remove("etc/tpa/signers");
            }),
            ("others than root may write it", |host| {
                let file = host.host.path(SIGNERS);
                std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o664)).unwrap();
            }),
            ("has a key of ghost, who has no account", |host| {
                host.write("etc/tpa/signers", &format!("eve,ghost {KEY}\n"));
            }),
            ("the shell of the account tpa is /bin/sh", |host| {
                host.write(
                    "etc/passwd",
                    "eve:x:1005:1005::/:/bin/sh\ntpa:x:993:993::/:/bin/sh\n",
                );
            }),
            ("there is no account tpa", |host| {
                host.write("etc/passwd", "eve:x:1005:1005::/:/bin/sh\n");
            }),
            ("sshd does not go by", |host| {
                fake::saying!(
                    host,
                    "/usr/sbin/sshd",
                    true,
                    "usepam yes\nforcecommand /bin/sh\n"
                );
            }),
        ];
        for (problem, harm) in table {
            let mut host = open();
            harm(&mut host);
            let found = problems(&host);
            assert!(
                found.len() == 1 && found[0].contains(problem),
                "{problem}: {found:?}"
            );
        }
    }

    #[test]
    fn variables_that_choose_code_and_a_list_without_the_account_are_found() {
        let mut host = open();
        host.host.run = |program, args| match (program.to_str(), args) {
            (Some(SSHD), ["-T", "-C", _]) => Ok(Ran {
                success: true,
                said: SETTINGS
                    .iter()
                    .map(|(key, value)| format!("{key} {value}\n"))
                    .chain([
                        "acceptenv LANG\nacceptenv LC_*\nacceptenv L?_*\nallowusers alice\n"
                            .to_owned(),
                    ])
                    .collect(),
            }),
            _ => fake::usual(program, args),
        };
        let found = problems(&host);
        assert!(
            found.len() == 2 && found[0].contains("AcceptEnv L?_*"),
            "{found:?}"
        );
        assert!(found[1].contains("AllowUsers does not name tpa"));
    }
}
