//! A stand-in for those who are told of events: `modules/stand_in.rs`, and a sendmail.

use anyhow::{Result, ensure};

use crate::host::Host;
use crate::module;
use crate::running::Running;

/// Where the stand-in keeps what it was told.
pub const TOLD: &str = "/run/stand-in";

/// Where mail is kept, each for its recipient.
pub const MAIL: &str = "/var/mail-stand-in";

/// Brings both onto the host; the service runs until the handle is dropped.
pub fn bring(host: &Host) -> Result<Running> {
    host.copy_in(&module::program("stand_in")?, "/usr/local/bin/stand_in")?;
    host.write(
        "/usr/sbin/sendmail",
        &format!(
            "#!/bin/sh\nfor to; do :; done\n[ ! -e {MAIL}/fails ] || exit 75\n\
             {{ id -un; grep NoNewPrivs /proc/self/status; cat; }} >{MAIL}/.$$ && mv {MAIL}/.$$ {MAIL}/$to-$$\n"
        ),
    )?;
    host.root(&format!(
        "chmod 0755 /usr/sbin/sendmail && install -d -m 1777 {MAIL}"
    ))
    .ok()?;
    let mut service = host.start("exec /usr/local/bin/stand_in")?;
    service.line("ready")?;
    Ok(service)
}

/// From now on what comes to `name` is answered so; see `modules/stand_in.rs`.
pub fn answers(host: &Host, name: &str, mode: &str) -> Result<()> {
    host.root(&format!(
        "echo '{mode}' >{TOLD}/.mode && mv {TOLD}/.mode {TOLD}/{name}.mode"
    ))
    .ok()?;
    Ok(())
}

/// Waits until something with this text came to `name`; all of that message.
pub fn told(host: &Host, name: &str, text: &str) -> Result<String> {
    host.eventually(&format!("grep -rqsF -e '{text}' {TOLD}/{name}/"))?;
    let first = format!("cat \"$(grep -rlF -e '{text}' {TOLD}/{name}/ | sort | head -n 1)\"");
    Ok(host.root(&first).ok()?.to_owned())
}

/// Waits for a mail to somebody with this text in its body; all of its text.
pub fn mailed(host: &Host, to: &str, text: &str) -> Result<String> {
    let each = format!(
        "for mail in {MAIL}/{to}-*; do sed '1,/^$/d' \"$mail\" | base64 -d 2>/dev/null | grep -qF -e '{text}' && echo \"$mail\"; done | grep ."
    );
    host.eventually(&format!("{{ {each}; }} >/dev/null"))?;
    let mail = host.root(&format!("{each} | head -n 1")).ok()?.to_owned();
    let read = host.root(&format!(
        "sed '/^$/,$d' {mail}; sed '1,/^$/d' {mail} | base64 -d"
    ));
    Ok(read.ok()?.to_owned())
}

/// Nobody sent a mail with this text to somebody.
pub fn not_mailed(host: &Host, to: &str, text: &str) -> Result<()> {
    let all = host.root(&format!(
        "for mail in {MAIL}/{to}-*; do [ ! -e \"$mail\" ] || sed '1,/^$/d' \"$mail\" | base64 -d; done"
    ));
    ensure!(!all.ok()?.contains(text), "{all}");
    Ok(())
}
