//! Can those be told who are to be told of what happens? tpad keeps how its targets are doing.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

use serde::Deserialize;

use super::{Finding, Host};
use crate::clock::Clock;
use crate::say::clean;
use crate::say::time::rfc3339;

const AREA: &str = "notify";

/// Where tpad keeps it: one JSON object a line, a target each.
const KEPT: &str = "/run/tpa/notify";

/// A target that was not told for so long is worth a look, in seconds.
const A_WHILE: i64 = 600;

#[derive(Deserialize)]
struct Target {
    name: String,
    #[serde(default)]
    files: Vec<String>,
    failing_since: Option<i64>,
    why: Option<String>,
}

/// Looks at each target.
pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let kept = host.read(KEPT)?.unwrap_or_default();
    let targets = kept
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let now = Clock::read().now;
    Ok(targets
        .flat_map(|target| of_target(host, &target, now))
        .collect())
}

fn of_target(host: &Host, target: &Target, now: i64) -> Vec<Finding> {
    let name = clean(&target.name);
    let mut found: Vec<Finding> = target
        .files
        .iter()
        .filter_map(|file| of_secret(host, &name, file))
        .collect();
    if let Some(since) = target
        .failing_since
        .filter(|since| now.saturating_sub(*since) >= A_WHILE)
    {
        let why = clean(target.why.as_deref().unwrap_or("nobody knows why"));
        found.push(Finding::warning(
            AREA,
            format!(
                "target {name} has not been reached since {}: {why}",
                rfc3339(since)
            ),
            format!("put it right, then: tpactl notify --test {name}"),
        ));
    }
    found
}

/// A secret is one file of root's that nobody else reads.
fn of_secret(host: &Host, name: &str, file: &str) -> Option<Finding> {
    let shown = clean(file);
    let metadata = match std::fs::symlink_metadata(host.path(file)) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Some(Finding::warning(
                AREA,
                format!("target {name} cannot be told: {shown} is not there"),
                "put the secret there, as one line, owned by root with mode 0600",
            ));
        }
        Err(error) => return Some(super::unreadable(file, &error)),
    };
    let others = metadata.mode() & 0o077;
    if metadata.is_file() && others == 0 && host.is_owned(&metadata) {
        return None;
    }
    Some(Finding::warning(
        AREA,
        format!(
            "{shown}, a secret of target {name}, can be read or changed by others than root (mode {:04o})",
            metadata.mode() & 0o7777
        ),
        format!("chown root:root {shown} && chmod 0600 {shown}, and replace the secret by another"),
    ))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::fake;
    use super::*;

    fn kept(host: &fake::Fake, failing_since: &str) {
        let line = format!(
            "{{\"name\":\"oncall\",\"kind\":\"slack\",\"files\":[\"/etc/tpa/secrets/oncall\"],\
             \"reached_at\":null,\"failing_since\":{failing_since},\"why\":\"it answers with 500\"}}\n"
        );
        host.write("run/tpa/notify", &line);
    }

    fn mode(host: &fake::Fake, mode: u32) {
        let path = host.host.path("/etc/tpa/secrets/oncall");
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_that_is_missing_or_open_to_others_is_found() {
        let host = fake::protected();
        kept(&host, "null");
        let problem = || {
            examine(&host.host)
                .unwrap()
                .into_iter()
                .map(|one| one.problem)
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert!(problem().contains("/etc/tpa/secrets/oncall is not there"));
        host.write("etc/tpa/secrets/oncall", "https://a/");
        mode(&host, 0o640);
        assert!(problem().contains("can be read or changed by others"));
        mode(&host, 0o600);
        assert_eq!(problem(), "");
    }

    #[test]
    fn a_target_that_was_not_reached_for_a_while_is_found() {
        let host = fake::protected();
        host.write("etc/tpa/secrets/oncall", "https://a/");
        mode(&host, 0o600);
        let now = Clock::read().now;
        kept(&host, &(now - 60).to_string());
        assert_eq!(examine(&host.host).unwrap(), []);
        kept(&host, "1700000000");
        let found = examine(&host.host).unwrap();
        assert_eq!(
            found[0].problem,
            "target oncall has not been reached since 2023-11-14T22:13:20Z: it answers with 500"
        );
        assert!(found[0].fix.contains("tpactl notify --test oncall"));
    }
}
