//! What looking for what a window left behind takes, on a host with many files.

use anyhow::{Context as _, Result, ensure};
use tpa_tests::grant::{grant, role as set_role};
use tpa_tests::host::Host;
use tpa_tests::people::role;

use crate::figures::{Figure, figure};

/// A shell as root: all file systems are looked through at its end.
const ROOT: &str = "login = true\n\n[[gives.sudo]]\nas = \"root\"\nrun = [\"/usr/bin/bash\"]\n\
                    password = false\n";

/// Files of one folder.
const FOLDER: u32 = 1_000;

/// Folders that are made at once: a command on a host may take 90 s.
const BATCH: u32 = 100;

/// Waits for the next look, and tells of it once it is over: milliseconds that it took, milliseconds on
/// a processor, and the most memory that it had in kB. Looks five times a second: what is over sooner is
/// told with noughts, once /root/told is there.
const WATCH: &str = r#"last= most=0
echo ready
until pid=$(pgrep -o -f '^/usr/sbin/tpad look$') || [ -e /root/told ]; do sleep 0.02; done
since=${EPOCHREALTIME/./}
while [ -n "$pid" ] && stat=$(cat /proc/$pid/stat 2>/dev/null); do
    memory=$(awk '/^VmHWM/ {print $2}' /proc/$pid/status 2>/dev/null)
    [ -n "$memory" ] || break
    last=$stat most=$memory
    sleep 0.2
done
set -- ${last##*) }
echo "took $(((${EPOCHREALTIME/./} - since) / 1000)) $(((${12:-0} + ${13:-0}) * 1000 / $(getconf CLK_TCK))) $most"
"#;

/// The look at the end of one grant, with so many files more on the host.
pub fn left(host: &Host, files: u32) -> Result<Vec<Figure>> {
    let folders = files / FOLDER;
    let mut made = 0;
    while made < folders {
        let last = folders.min(made.saturating_add(BATCH)).saturating_sub(1);
        host.root(&format!(
            "set -e; for n in $(seq {made} {last}); do mkdir -p /srv/files/$n; cd /srv/files/$n; \
             touch $(seq {FOLDER}); done"
        ))
        .ok()?;
        made = last.saturating_add(1);
    }
    host.write("/root/watch", WATCH)?;
    set_role(host, "all-root", &role("Everything", ROOT))?;
    let id = grant(host, "alice", "all-root", "4h")?;
    host.logged_event("beginning-noted", &id)?;
    let mut watch = host.start("exec bash /root/watch")?;
    watch.line_with("ready")?;
    host.root(&format!(
        "tpactl revoke {id} --reason 'to be measured' --yes"
    ))
    .ok()?;
    host.logged_event("residue", &id)?;
    host.root("touch /root/told").ok()?;
    let line = watch.line_with("took ")?;
    let figures = line.split_whitespace().skip(1).map(str::parse);
    let figures = figures.collect::<Result<Vec<u64>, _>>()?;
    let [took, cpu, memory]: [u64; 3] = figures.try_into().ok().context(line)?;
    let residue = host.root(&format!("tpactl residue {id} --json")).json()?;
    residue.has("depth", "deep")?;
    let walked = residue.list("looked")?.iter();
    let walked = walked.filter_map(|what| {
        let (_, count) = what.as_str()?.rsplit_once(" (")?;
        count.strip_suffix(" files)")?.parse::<u32>().ok()
    });
    ensure!(walked.sum::<u32>() >= files, "not all files: {residue:?}");
    let what = format!("a look at an end, {} files more", thousands(files));
    Ok(vec![
        figure(&what, &seconds(took)),
        figure(&format!("{what}, on a processor"), &seconds(cpu)),
        figure(&format!("{what}, memory (VmHWM)"), &format!("{memory} kB")),
    ])
}

/// `5.78 s`
fn seconds(millis: u64) -> String {
    format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10)
}

/// `2,000,000`
fn thousands(count: u32) -> String {
    match (count / 1_000_000, count / 1_000 % 1_000) {
        (0, thousands) => format!("{thousands},000"),
        (millions, thousands) => format!("{millions},{thousands:03},000"),
    }
}
