//! Does anybody's systemd go on without a login? `tpad` stops it at a grant's end; until then it
//! is a place to leave things in.

use super::{Finding, Host};

const FOLDER: &str = "/var/lib/systemd/linger";

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let names = host.names(FOLDER)?;
    let found = names.iter().map(|name| {
        let name = name.to_string_lossy();
        Finding::new(
            "linger",
            format!("{name} may run services without a login ({FOLDER}/{name})"),
            format!("loginctl disable-linger {name}"),
        )
    });
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn each_lingering_user_is_named() {
        let host = fake::protected();
        host.write("var/lib/systemd/linger/bob", "");
        host.write("var/lib/systemd/linger/alice", "");
        let found = examine(&host.host).unwrap();
        let mends: Vec<&str> = found.iter().map(|finding| finding.mend.as_str()).collect();
        assert_eq!(
            mends,
            [
                "loginctl disable-linger alice",
                "loginctl disable-linger bob"
            ]
        );
    }
}
