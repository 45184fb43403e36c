//! What `sudo -l -U NAME` says, as far as it tells a grant's rules from those of the host's own.

/// What stands in each of `tpad`'s rules (sudoers(5)).
const ENDS: &str = " NOTAFTER=";

/// The rules without an end. A rule begins with whom it runs as, in parentheses; what goes on in
/// the next line is set in further.
pub fn endless(listed: &str) -> impl Iterator<Item = &str> {
    let rules = listed.lines().filter(|line| line.starts_with("    ("));
    rules.map(str::trim).filter(|rule| !rule.contains(ENDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "User alice may run the following commands on web-01:
    (root) NOTAFTER=20261124113620Z NOPASSWD: /usr/bin/systemctl restart cron,
        (/usr/bin/sleep 4711), sudoedit /etc/nginx/nginx.conf
    (ALL : ALL) ALL
    (postgres) /usr/bin/psql
";

    #[test]
    fn rules_without_an_end_are_told_from_those_of_grants() {
        let found: Vec<_> = endless(LISTED).collect();
        assert_eq!(found, ["(ALL : ALL) ALL", "(postgres) /usr/bin/psql"]);
        let none = "User bob is not allowed to run sudo on web-01.\n";
        assert_eq!(endless(none).count(), 0);
    }
}
