//! Which PAM services let people in past the gate, and which keep them out because nobody said what
//! they are?

use std::collections::BTreeSet;

use tpa_bus::names::CONFIG_FILE;
use tpa_bus::offline::Listing;

use super::stack::{self, Line};
use super::{Finding, Host, gate};

const AREA: &str = "pam";
const MODULE: &str = "pam_tpa.so";

/// What PAM goes by for a service without a file of its own.
const OTHER: &str = "other";

/// Modules that tell nobody apart: a service with no more than these authenticates no person.
const NO_PERSON: [&str; 4] = [
    "pam_deny.so",
    "pam_permit.so",
    "pam_rootok.so",
    "pam_warn.so",
];

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    // What is wrong with the gate's file is told by the area that is about it.
    let Ok(gate) = gate::read(host) else {
        return Ok(Vec::new());
    };
    if gate.login.is_empty() && gate.sudo.is_empty() {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for service in services(host)? {
        let lines = stack::of(host, &service)?.unwrap_or_default();
        let asks = lines.iter().any(|line| line.is("account", MODULE));
        let listing = gate.listing(&service);
        if asks && listing == Listing::Unlisted && service != OTHER {
            findings.push(Finding::error(
                AREA,
                format!(
                    "{service} is in no list of gate.services: whoever needs a grant is refused \
                     there, with or without one"
                ),
                format!(
                    "name it in {CONFIG_FILE} under gate.services.login (a grant lets in) or \
                     gate.services.ignore (no way in), then: systemctl reload tpad"
                ),
            ));
        }
        // Those that are listed are looked at in every phase by an area of their own.
        if !asks && listing == Listing::Unlisted && lines.iter().any(authenticates) {
            findings.push(Finding::error(
                AREA,
                format!("{service} lets people in without asking the gate: no account line with {MODULE}"),
                format!(
                    "put \"account required {MODULE}\" first in /etc/pam.d/{service}, and name it \
                     in {CONFIG_FILE} under gate.services.login; or under gate.services.ignore, \
                     where it is no way in"
                ),
            ));
        }
    }
    Ok(findings)
}

fn authenticates(line: &Line) -> bool {
    line.phase == "auth" && !NO_PERSON.contains(&line.module.as_str())
}

/// The services of the host: files that no other file includes.
fn services(host: &Host) -> Result<Vec<String>, Finding> {
    let mut names = BTreeSet::new();
    let mut included = BTreeSet::new();
    for folder in stack::FOLDERS {
        for name in host.names(folder)? {
            // PAM takes a file of any name; what packages and editors leave beside one is none.
            let name = name.to_string_lossy().into_owned();
            if name.starts_with('.') || name.ends_with('~') || name.contains(".dpkg-") {
                continue;
            }
            included.extend(stack::included(host, &name)?);
            names.insert(name);
        }
    }
    Ok(names.difference(&included).cloned().collect())
}

#[cfg(test)]
mod tests {
    use tpa_bus::offline::Class;

    use super::super::fake;
    use super::*;

    fn problems(host: &fake::Fake) -> Vec<String> {
        let found = examine(&host.host).unwrap();
        found.into_iter().map(|finding| finding.problem).collect()
    }

    #[test]
    fn a_service_with_the_gate_that_is_in_no_list_is_named() {
        let host = fake::protected();
        let usual = "@include common-auth\n@include common-account\n";
        for service in ["cockpit", "xrdp-sesman", "chfn", "systemd-user", "other"] {
            host.write(&format!("etc/pam.d/{service}"), usual);
        }
        let found = problems(&host);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("cockpit is in no list of gate.services"));
        assert!(found[1].starts_with("xrdp-sesman is in no list"));
        let mut gate = gate::read(&host.host).unwrap();
        gate.services.push((Class::Login, "cockpit".into()));
        gate.ignored.push("xrdp-sesman".into());
        host.write("var/lib/tpa/gate", &gate.render());
        assert_eq!(problems(&host), Vec::<String>::new());
    }

    #[test]
    fn a_service_that_tells_people_apart_and_does_not_ask_the_gate_is_named() {
        let host = fake::protected();
        host.write(
            "etc/pam.d/vsftpd",
            "auth required pam_unix.so\naccount required pam_unix.so\n",
        );
        host.write(
            "usr/lib/pam.d/vendor",
            "auth substack common-auth\naccount required pam_unix.so\n",
        );
        host.write("etc/pam.d/common-auth", "auth required pam_unix.so\n");
        // These let nobody in, or root alone.
        host.write("etc/pam.d/other", "auth required pam_deny.so\n");
        host.write(
            "etc/pam.d/rootly",
            "auth sufficient pam_rootok.so\nsession required pam_unix.so\n",
        );
        host.write("etc/pam.d/vsftpd.dpkg-old", "auth required pam_unix.so\n");
        let found = problems(&host);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("vendor lets people in without asking the gate"));
        assert!(found[1].starts_with("vsftpd lets people in without asking the gate"));
    }

    #[test]
    fn where_nobody_is_gated_no_service_is_named() {
        let host = fake::protected();
        host.write("etc/pam.d/vsftpd", "auth required pam_unix.so\n");
        host.write("var/lib/tpa/gate", "tpa-gate 1\nuid_min 1000\nend\n");
        assert_eq!(problems(&host), Vec::<String>::new());
    }
}
