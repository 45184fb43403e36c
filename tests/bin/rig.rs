//! `rig prepare` makes the images; `rig sweep` removes what an interrupt left; `rig boot 12` (or
//! 13) boots a gated host and gives a root shell on it; `rig emulate 12` (13, 14) does so on an
//! emulated machine.

use anyhow::{Result, bail};
use tpa_tests::debian::{Debian, Equipment};
use tpa_tests::host::Host;
use tpa_tests::{installed, layer};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["prepare"] => {
            layer::sweep()?;
            for debian in Debian::ALL {
                installed::trees(debian, Equipment::Plain)?;
            }
        }
        ["sweep"] => layer::sweep()?,
        ["boot", "12"] => Host::boot_gated(Debian::Bookworm, Equipment::Plain)?.shell()?,
        ["boot", "13"] => Host::boot_gated(Debian::Trixie, Equipment::Plain)?.shell()?,
        ["emulate", "12"] => Host::emulate_gated(Debian::Bookworm)?.shell()?,
        ["emulate", "13"] => Host::emulate_gated(Debian::Trixie)?.shell()?,
        ["emulate", "14"] => Host::emulate_gated(Debian::Forky)?.shell()?,
        _ => bail!("usage: rig prepare | sweep | boot 12|13 | emulate 12|13|14"),
    }
    Ok(())
}
