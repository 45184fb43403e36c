//! What is recorded can be watched as it happens and replayed later, by those who may, and nothing
//! on record reaches their terminal but what draws on it.

use anyhow::{Result, ensure};
use tpa_tests::grant::{grant, role as set_role};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::role;
use tpa_tests::scenario::play;

/// Says twenty lines, sets the title and the clipboard, asks the terminal to answer as if somebody
/// typed, and goes on.
const LINES: &str = r#"#!/bin/sh
printf '\033]0;title\007\033]52;c;cm0=\007\033[6n\033[?1000h\302\2336n'
for n in $(seq 1 20); do echo "line $n."; done
exec sleep 4711
"#;

fn prepare(host: &Host) -> Result<()> {
    let gives = "login = true\nrecord = true\n\n[[gives.sudo]]\nas = \"root\"\n\
                 run = [\"/usr/local/bin/lines\"]\npassword = false\n";
    host.write("/usr/local/bin/lines", LINES)?;
    host.root("chmod 755 /usr/local/bin/lines; useradd -m -G tpa-audit heidi")
        .ok()?;
    set_role(host, "lines", &role("Say lines", gives))
}

on_both_debians! {
    with play;

    fn what_is_recorded_is_watched_and_replayed_by_those_who_may_and_each_look_is_told(host) {
        prepare(host)?;
        let id = grant(host, "alice", "lines", "1h")?;
        let told = host.log_in("alice")?.line_with(&format!("grant {id}"))?;
        ensure!(told.ends_with("What runs under sudo is recorded and may be watched."), "{told}");
        host.ssh("carol", &format!("tpactl watch {id}")).code_is(1)?.says("nothing that is recorded runs")?;
        let mut running = host.start_ssh("alice", &["-tt", "sudo -n /usr/local/bin/lines"])?;
        running.line("line 20.")?;

        let mut carol = host.start_ssh("carol", &["-T", &format!("tpactl watch {id}")])?;
        carol.line("line 20.")?;
        let watched = host.logged_event("recording-watched", &id)?;
        ensure!(watched.contains("actor=carol") && watched.contains("recording=alice-00/00/0"), "{watched}");
        let before = host.log_length()?;
        for (who, code) in [("alice", 4), ("bob", 6), ("mallory", 6)] {
            for line in [format!("tpactl watch {id}"), format!("tpactl replay {id}")] {
                host.console(who, &line).code_is(code)?.keeps_quiet_about("line 1.")?;
            }
        }
        host.root(&format!("tail -c +{} /var/log/auth.log | grep -c recording-", before + 1)).code_is(1)?;

        // Whoever watches on a terminal sees what draws, and ends the access with a key and a yes.
        let mut watch = host.terminal(&format!("ssh -tt carol@127.0.0.1 tpactl watch {id}"))?;
        let drawn = watch.sees("line 20.")?;
        for part in ["\x1b]", "\x1b[6n", "\x1b[?1000h", "\u{9b}"] {
            ensure!(!drawn.contains(part), "{drawn:?}");
        }
        watch.presses("k")?;
        watch.sees(&format!("Revoke {id} now?"))?;
        watch.types("y")?;
        watch.sees(&format!("{id} was revoked"))?;
        watch.ends()?;
        host.logged_event("removal-confirmed", &id)?;
        carol.finish()?.ok()?;

        // Up to the cut everything is there, for auditors and root too.
        let count = "| grep -c 'line [0-9]*[.]'";
        host.console("heidi", &format!("tpactl replay {id} {count}")).says("20")?.ok()?;
        host.logged_with(&["recording-replayed", "actor=heidi"])?;
        host.root(&format!("tpactl replay {id} {count}")).says("20")?.ok()?;
        let list = host.root(&format!("tpactl replay {id} --json")).json()?;
        let live = list.0.pointer("/items/0/live");
        ensure!(live.is_some_and(|live| live == false), "{}", list.0);
        let name = list.0.pointer("/items/0/name").and_then(|name| name.as_str()).unwrap_or_default();
        host.root(&format!("cd /tmp; tpactl replay {id} {name} --export lines.cast; head -n1 lines.cast"))
            .says("\"version\":2")?
            .ok()?;
        host.root("tpactl verify").ok()?;
    }
}
