//! Does each sshd ask PAM? With `UsePAM no` (`sshd_config(5)`) it lets people in by their keys, and
//! the gate is never asked.

use super::{Finding, Host, gate, sshd};

const SSHD: &str = "/usr/sbin/sshd";

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let mut findings = Vec::new();
    let default = "/etc/ssh/sshd_config";
    if host.run(SSHD, &["-T"]).is_some_and(|ran| !ran.success) {
        findings.push(sshd::unknown());
    } else if asks(host, &["-T"]) == Some(false) {
        findings.push(finding(default, "everybody"));
    } else if let Ok(gate) = gate::read(host) {
        for name in gate::gated(&gate, host)? {
            let who = format!("user={name},host=localhost,addr=127.0.0.1");
            if asks(host, &["-T", "-C", &who]) == Some(false) {
                findings.push(finding(default, &name));
            }
        }
    }
    for title in others(host)? {
        let file = configuration(&title);
        let said_so = title.to_lowercase().replace('=', " ").contains("usepam no");
        if said_so {
            findings.push(finding(&format!("its command line, {title}"), "everybody"));
        } else if let Some(file) = file {
            match asks(host, &["-T", "-f", file]) {
                Some(true) => {}
                Some(false) => findings.push(finding(file, "everybody")),
                None => findings.push(Finding::not_looked_at(
                    "sshd",
                    format!(
                        "sshd -T -f {file} does not tell how the sshd with that file is set up"
                    ),
                    "run it as root: sudo tpactl doctor; and correct what it says",
                )),
            }
        }
    }
    Ok(findings)
}

fn finding(file: &str, whom: &str) -> Finding {
    Finding::error(
        "sshd",
        format!(
            "sshd does not ask PAM for {whom} (UsePAM no in {file}): no login there takes a grant"
        ),
        "set UsePAM yes there, and reload that sshd",
    )
}

/// Whether an sshd that is started in this way asks PAM; `None` when it does not tell.
fn asks(host: &Host, arguments: &[&str]) -> Option<bool> {
    let ran = host.run(SSHD, arguments).filter(|ran| ran.success)?;
    sshd::value(&ran.said, "usepam").map(|value| value == "yes")
}

/// What root's running sshd daemons show of their command lines.
fn others(host: &Host) -> Result<Vec<String>, Finding> {
    let mut titles = Vec::new();
    for name in host.names("/proc")? {
        let name = name.to_string_lossy();
        if !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        // Anybody can write any title: only root's own sshd counts. Whatever ends meanwhile is none.
        let text = |file: &str| {
            let path = host.path(&format!("/proc/{name}/{file}"));
            std::fs::read_to_string(path).unwrap_or_default()
        };
        let program = std::fs::read_link(host.path(&format!("/proc/{name}/exe")));
        let is_sshd = program.is_ok_and(|program| program.ends_with("sshd"));
        let status = text("status");
        let is_root = status.lines().any(|line| line.starts_with("Uid:\t0\t0\t"));
        if is_sshd && is_root {
            titles.push(text("cmdline").replace('\0', " ").trim().to_owned());
        }
    }
    Ok(titles)
}

/// The file that it was started with, where that is another than the usual one.
fn configuration(title: &str) -> Option<&str> {
    let mut words = title.split_whitespace();
    while let Some(word) = words.next() {
        if word == "-f" {
            return words.next();
        }
        if let Some(file) = word.strip_prefix("-f") {
            return Some(file);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::{Ran, fake};
    use super::*;

    fn problems(host: &fake::Fake) -> Vec<String> {
        let found = examine(&host.host).unwrap();
        found.into_iter().map(|one| one.problem).collect()
    }

    #[test]
    fn an_sshd_that_does_not_ask_pam_is_found_for_everybody_or_for_one_person() {
        let mut host = fake::protected();
        assert_eq!(problems(&host), Vec::<String>::new());
        fake::saying!(host, "/usr/sbin/sshd", true, "usepam no\n");
        assert!(problems(&host)[0].contains("for everybody"));
        host.write(
            "etc/passwd",
            "alice:x:1001:1001::/:/bin/sh\nbob:x:1002:1002::/:/bin/sh\n",
        );
        host.host.run = |program, args| match (program.to_str(), args) {
            (Some(SSHD), ["-T", "-C", who]) if who.starts_with("user=alice,") => Ok(Ran {
                success: true,
                said: "usepam no\n".to_owned(),
            }),
            _ => fake::usual(program, args),
        };
        let found = problems(&host);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("for alice "));
    }

    #[test]
    fn a_second_sshd_with_a_file_of_its_own_is_found_and_nobody_elses_title_is_believed() {
        let mut host = fake::protected();
        let title = "sshd: /usr/sbin/sshd -D -f /etc/ssh/second [listener] 0 of 10-100 startups";
        let folder = |host: &fake::Fake, pid: u32, uids: &str, program: &str| {
            host.write(&format!("proc/{pid}/cmdline"), title);
            host.write(
                &format!("proc/{pid}/status"),
                &format!("Name:\tsshd\nUid:\t{uids}\n"),
            );
            symlink(program, host.host.path(&format!("/proc/{pid}/exe"))).unwrap();
        };
        host.host.run = |program, args| match (program.to_str(), args) {
            (Some(SSHD), ["-T", "-f", "/etc/ssh/second"]) => Ok(Ran {
                success: true,
                said: "usepam no\n".to_owned(),
            }),
            _ => fake::usual(program, args),
        };
        folder(&host, 7, "1001\t0\t0\t0", "/usr/sbin/sshd");
        folder(&host, 8, "0\t0\t0\t0", "/usr/bin/su");
        assert_eq!(problems(&host), Vec::<String>::new());
        folder(&host, 9, "0\t0\t0\t0", "/usr/sbin/sshd");
        let found = problems(&host);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("UsePAM no in /etc/ssh/second"));
        host.host.run = fake::usual;
        let found = problems(&host);
        assert!(
            found[0].starts_with("sshd -T -f /etc/ssh/second does not tell"),
            "{found:?}"
        );
    }

    #[test]
    fn the_file_is_read_out_of_the_title() {
        assert_eq!(configuration("sshd: /usr/sbin/sshd -D [listener]"), None);
        assert_eq!(configuration("/usr/sbin/sshd -f/etc/x -D"), Some("/etc/x"));
    }
}
