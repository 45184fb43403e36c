//! Is the database the one that was here before in this boot? tpad keeps what it found.

use tpa_bus::names;

use super::{Finding, Host};
use crate::say::clean;
use crate::say::time::rfc3339;

/// Looks at what tpad kept.
pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let kept = host.read(names::BOOT_RECORD)?.unwrap_or_default();
    let alarms = kept.lines().filter_map(|line| line.strip_prefix("alarm "));
    let findings = alarms.filter_map(|alarm| alarm.split_once(' ')).map(|(at, what)| {
        let at = at.parse().map_or_else(|_| clean(at), rfc3339);
        Finding::error(
            "database",
            format!("when tpad started at {at}, {}", clean(what)),
            "find out who put it there, and compare it with the log that left this host: tpactl \
             verify. What it still granted was ended. This stands here until the next boot",
        )
    });
    Ok(findings.collect())
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn a_database_that_lacks_what_this_boot_has_seen_is_found() {
        let host = fake::protected();
        let record = "tpa boot record 1 0b9f\nnewest d0 4 ab\nend 5 {\"alarm \":1}\n";
        host.write("run/tpa/boot-record", record);
        assert_eq!(examine(&host.host).unwrap(), []);
        let alarm = format!("{record}alarm 1700000000 an older copy was put back\n");
        host.write("run/tpa/boot-record", &alarm);
        let found = examine(&host.host).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].problem,
            "when tpad started at 2023-11-14T22:13:20Z, an older copy was put back"
        );
    }
}
