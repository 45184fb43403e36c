//! What the front door answers sshd about a key (`AuthorizedKeysCommand`, `sshd_config(5)`).

use tpa_bus::names::DOOR;
use tpa_statement::login::{Credential, NoLogin};
use tpa_statement::signers::Signers;

/// The line of an authorized key (sshd(8), `AUTHORIZED_KEYS`) for a key that is somebody's: the front
/// door's program and nothing else, no forwarding, agent, tunnel, environment or file of commands.
/// Who they are it does not say; `tpad` looks that up by the key that sshd proves. `None` for a key
/// that is nobody's. `now` is in seconds since 1970.
///
/// A security key must be touched: the line does not say `no-touch-required`. One that is listed for
/// its PIN lets nobody in without.
///
/// # Errors
/// When sshd gives no key.
pub fn line(signers: &Signers, kind: &str, key: &str, now: i64) -> Result<Option<String>, NoLogin> {
    let offered = format!("{kind} {key}");
    let credential = Credential::parse(&offered)?;
    let Ok(login) = credential.person(signers, now) else {
        return Ok(None);
    };
    let pin = if login.asks_pin {
        "verify-required,"
    } else {
        ""
    };
    let restricted = format!("restrict,pty,{pin}command=\"{DOOR}\"");
    let line = match login.authority {
        None => format!("{restricted} {offered}"),
        Some(authority) => {
            // What stands between quotes there cannot say anything else.
            let unfit = |c: char| c == '"' || c == '\\' || c.is_whitespace() || c.is_control();
            if login.person.contains(unfit) {
                return Ok(None);
            }
            let person = login.person;
            format!("cert-authority,principals=\"{person}\",{restricted} {authority}")
        }
    };
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn answer(signers: &str, kind: &str, key: &str) -> Option<String> {
        let signers = Signers::parse(signers);
        line(&signers, kind, key, 1_767_225_600).ok().flatten()
    }

    #[test]
    fn a_key_of_somebody_s_leads_to_the_front_door_and_nowhere_else() {
        let signers = format!("alice ssh-ed25519 {KEY} laptop\n");
        let expected = format!("restrict,pty,command=\"/usr/libexec/tpa/door\" ssh-ed25519 {KEY}");
        assert_eq!(answer(&signers, "ssh-ed25519", KEY), Some(expected));
    }

    #[test]
    fn a_key_of_nobody_s_has_no_line() {
        let other =
            "bob ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
        let two = format!("alice ssh-ed25519 {KEY}\nbob ssh-ed25519 {KEY}\n");
        for signers in ["", other, &two] {
            assert_eq!(answer(signers, "ssh-ed25519", KEY), None, "{signers}");
        }
        let signers = format!("alice ssh-ed25519 {KEY}\n");
        for (kind, key) in [
            ("ssh-rsa", KEY),
            ("ssh-ed25519", ""),
            ("ssh-ed25519", "AAAA"),
            ("", KEY),
            ("ssh-ed25519", &format!("{KEY}\nssh-ed25519 {KEY}")),
        ] {
            assert_eq!(answer(&signers, kind, key), None, "{kind} {key}");
        }
    }
}
