//! Does something else in sudo's configuration take effect over a grant's rule, or keep sudo from
//! asking the gate?

use super::{Finding, Host, Severity};

const AREA: &str = "sudo";
const FOLDER: &str = "/etc/sudoers.d";
/// Reads the grants' rules.
const OURS: &str = "tpa";

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let mut findings = Vec::new();
    let mut files = vec!["/etc/sudoers".to_owned()];
    for name in host.names(FOLDER)? {
        let name = name.to_string_lossy();
        // sudo reads no other names, see sudoers(5).
        if name.contains('.') || name.ends_with('~') {
            continue;
        }
        let file = format!("{FOLDER}/{name}");
        if *name > *OURS && lines(host, &file)?.iter().any(|line| is_rule(line)) {
            findings.push(Finding::warning(
                AREA,
                format!("{file} is read after {FOLDER}/{OURS}: where a rule in it fits, it counts and a grant's does not"),
                format!("mv {file} {FOLDER}/0-{name}"),
            ));
        }
        files.push(file);
    }
    for file in files {
        for line in lines(host, &file)? {
            findings.extend(defaults(&file, &line));
        }
    }
    findings.extend(elsewhere(host)?);
    Ok(findings)
}

/// The lines of a file: continued ones joined, without comments.
fn lines(host: &Host, file: &str) -> Result<Vec<String>, Finding> {
    let text = host.read(file)?.unwrap_or_default();
    let joined = text.replace("\\\n", " ");
    Ok(joined
        .lines()
        .map(|line| without_comment(line).trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect())
}

/// A number sign begins a comment, except of a uid or gid.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices('#').find(|(at, _)| {
        let rest = line.get(at.saturating_add(1)..).unwrap_or_default();
        !rest.starts_with(|c: char| c.is_ascii_digit())
    });
    comment.and_then(|(at, _)| line.get(..at)).unwrap_or(line)
}

/// Whether a line says who may run what.
fn is_rule(line: &str) -> bool {
    let not = [
        "Defaults",
        "User_Alias",
        "Runas_Alias",
        "Host_Alias",
        "Cmnd_Alias",
        "Cmd_Alias",
        "@",
    ];
    !not.iter().any(|beginning| line.starts_with(beginning))
}

/// What a line sets that keeps sudo from asking the gate, or people with a grant from sudo.
fn defaults(file: &str, line: &str) -> Option<Finding> {
    let rest = line.strip_prefix("Defaults")?;
    let settings = rest.replace("! ", "!");
    let (severity, problem) = settings
        .split(|c: char| c == ',' || c.is_whitespace())
        .find_map(|setting| match setting {
            "!pam_acct_mgmt" => {
                Some((
                Severity::Error,
                "sudo lets people run what they may without asking for a grant",
            ))
            }
            "!pam_session" => Some((
                Severity::Error,
                "where this counts for what a grant gives, its sudo rules are not in force, and what other rules run under it stands in no trail",
            )),
            "requiretty" => Some((
                Severity::Warning,
                "a grant gives no sudo to whoever has no terminal",
            )),
            _ => None,
        })?;
    Some(Finding::of(
        severity,
        AREA,
        format!("{problem} ({line} in {file})"),
        format!("take it out with visudo -f {file}"),
    ))
}

/// Grants are in sudo's files; a directory that it reads too has rules without a grant's end.
fn elsewhere(host: &Host) -> Result<Option<Finding>, Finding> {
    let text = host.read("/etc/nsswitch.conf")?.unwrap_or_default();
    let sources = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("sudoers:"));
    let Some(sources) = sources.map(|sources| sources.split('#').next().unwrap_or_default()) else {
        return Ok(None);
    };
    let named: Vec<_> = sources.split_whitespace().collect();
    let (severity, problem) = if !named.contains(&"files") {
        (
            Severity::Error,
            "sudo does not read its files, so grants give no sudo",
        )
    } else if named
        .iter()
        .any(|&name| name != "files" && !name.starts_with('['))
    {
        (
            Severity::Warning,
            "sudo also goes by rules of a directory, which count over a grant's and have no end",
        )
    } else {
        return Ok(None);
    };
    Ok(Some(Finding::of(
        severity,
        AREA,
        format!(
            "{problem} (sudoers:{sources} in /etc/nsswitch.conf)",
            sources = sources.trim_end()
        ),
        "set \"sudoers: files\" there",
    )))
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    fn problems(host: &fake::Fake) -> Vec<String> {
        let found = examine(&host.host).unwrap();
        found.into_iter().map(|one| one.problem).collect()
    }

    #[test]
    fn a_file_with_a_rule_that_is_read_after_the_grants_is_found() {
        let host = fake::protected();
        host.write("etc/sudoers.d/early", "alice ALL=(ALL) ALL\n");
        host.write("etc/sudoers.d/users.bak", "alice ALL=(ALL) ALL\n");
        host.write(
            "etc/sudoers.d/zone",
            "# alice ALL=(ALL) ALL\nDefaults lecture\n",
        );
        assert_eq!(problems(&host), Vec::<String>::new());
        host.write("etc/sudoers.d/users", "%engineers ALL = \\\n  (ALL) ALL\n");
        let found = examine(&host.host).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0]
                .problem
                .starts_with("/etc/sudoers.d/users is read after")
        );
        host.write("etc/sudoers.d/users", "#1001 ALL = ALL # by number\n");
        assert_eq!(examine(&host.host).unwrap(), found);
        assert_eq!(
            found[0].fix,
            "mv /etc/sudoers.d/users /etc/sudoers.d/0-users"
        );
    }

    #[test]
    fn what_keeps_sudo_from_asking_is_found_for_everybody_and_for_a_group() {
        let table = [
            ("Defaults !pam_session", "not in force"),
            (
                "Defaults:%engineers env_reset, ! pam_acct_mgmt",
                "without asking",
            ),
            ("Defaults>root \\\n  requiretty", "no terminal"),
        ];
        for (line, problem) in table {
            let host = fake::protected();
            host.write("etc/sudoers.d/more", &format!("{line}\n"));
            let found = problems(&host);
            assert!(found.len() == 1 && found[0].contains(problem), "{found:?}");
        }
        let host = fake::protected();
        host.write(
            "etc/sudoers.d/more",
            "Defaults !requiretty, pam_session\n# Defaults requiretty\n",
        );
        assert_eq!(problems(&host), Vec::<String>::new());
    }

    #[test]
    fn rules_of_a_directory_are_found() {
        let table = [
            ("sudoers: files", None),
            ("sudoers: files sss", Some("also goes by")),
            ("sudoers:\tsss # central", Some("does not read its files")),
            ("passwd: files sss", None),
        ];
        for (line, problem) in table {
            let host = fake::protected();
            host.write("etc/nsswitch.conf", &format!("{line}\n"));
            let found = problems(&host);
            match problem {
                Some(problem) => assert!(found[0].contains(problem), "{found:?}"),
                None => assert_eq!(found, Vec::<String>::new(), "{line}"),
            }
        }
    }
}
