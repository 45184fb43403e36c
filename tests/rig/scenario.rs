//! A story that is played on a host of each release.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;

use crate::clock;
use crate::debian::{Debian, Equipment};
use crate::host::Host;
use crate::store;

/// Below `target/rig`: how long each story took that was played to its end. `tests/run` tells which
/// took longest.
const TOOK: &str = "took";

/// Plays a story on a fresh host that gates the engineers; tells the journal when it goes wrong.
pub fn play(debian: Debian, story: fn(&Host) -> Result<()>) -> Result<()> {
    tell(|| Host::boot_gated(debian, Equipment::Plain), story)
}

/// Plays a story on such a host with the tools that people reach hosts with.
pub fn play_with_tools(debian: Debian, story: fn(&Host) -> Result<()>) -> Result<()> {
    tell(|| Host::boot_gated(debian, Equipment::Tools), story)
}

/// Plays a story on a fresh host with the package as it comes.
pub fn play_stock(debian: Debian, story: fn(&Host) -> Result<()>) -> Result<()> {
    tell(|| Host::boot(debian), story)
}

/// Plays a story on a fresh host with the package as it comes, and with those tools.
pub fn play_stock_with_tools(debian: Debian, story: fn(&Host) -> Result<()>) -> Result<()> {
    tell(|| Host::boot_with(debian, Equipment::Tools), story)
}

/// Plays a story on a gated host with a kernel, and so with clocks, of its own.
pub fn play_on_an_emulated_machine(debian: Debian, story: fn(&Host) -> Result<()>) -> Result<()> {
    tell(|| Host::emulate_gated(debian), story)
}

fn tell(boot: impl FnOnce() -> Result<Host>, story: fn(&Host) -> Result<()>) -> Result<()> {
    let begin = clock::uptime()?;
    let host = boot()?;
    story(&host).inspect_err(|error| {
        let (debian, journal) = (host.debian(), host.journal());
        eprintln!("--- on {debian}: {error:#}\n--- its journal\n{journal}---");
    })?;
    drop(host);
    note(clock::uptime()?.saturating_sub(begin))
}

/// Writes how long the test took, in seconds, and its name, for [`TOOK`]. The harness calls a thread by
/// the name of its test.
fn note(took: Duration) -> Result<()> {
    let thread = std::thread::current();
    let line = format!(
        "{:.1} {}\n",
        took.as_secs_f64(),
        thread.name().unwrap_or_default()
    );
    let mut all = OpenOptions::new()
        .create(true)
        .append(true)
        .open(store::folder().join(TOOK))?;
    // One write, so that nobody's line ends up in another's.
    Ok(all.write_all(line.as_bytes())?)
}

/// Makes of each story two tests, one a release: `NAME::on_debian_12`, `NAME::on_debian_13`.
/// `with` names how the host is set up: [`play`] or [`play_stock`].
#[macro_export]
macro_rules! on_both_debians {
    (with $play:path; $(fn $name:ident($host:ident) $story:block)+) => {$(
        mod $name {
            use super::*;

            fn story($host: &$crate::host::Host) -> anyhow::Result<()> {
                $story
                Ok(())
            }

            #[test]
            fn on_debian_12() -> anyhow::Result<()> {
                $play($crate::debian::Debian::Bookworm, story)
            }

            #[test]
            fn on_debian_13() -> anyhow::Result<()> {
                $play($crate::debian::Debian::Trixie, story)
            }
        }
    )+};
}
