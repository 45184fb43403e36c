//! Is the host's time right? Grants end by it, and the trail is compared by it.

use super::{Finding, Host};

// The same shape for every area, so that they stand in one list.
#[allow(clippy::unnecessary_wraps)]
pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let args = ["show", "--property=NTPSynchronized", "--value"];
    let answer = host.run("/usr/bin/timedatectl", &args);
    match answer.as_ref().map(|ran| ran.said.trim()) {
        Some("yes") => Ok(Vec::new()),
        Some("no") => Ok(vec![Finding::warning(
            "time",
            "the clock is not synchronised: ends of grants and times in the trail may be wrong",
            "timedatectl set-ntp true, or set up chrony",
        )]),
        _ => Ok(vec![Finding::not_looked_at(
            "time",
            "timedatectl does not tell whether the clock is synchronised",
            "see what it says: timedatectl show",
        )]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn a_clock_left_to_itself_is_found() {
        let mut host = fake::protected();
        fake::saying!(host, "/usr/bin/timedatectl", true, "no\n");
        assert_eq!(examine(&host.host).unwrap().len(), 1);
        fake::saying!(host, "/usr/bin/timedatectl", false, "");
        assert_eq!(
            examine(&host.host).unwrap().len(),
            1,
            "an answer is missing"
        );
    }
}
