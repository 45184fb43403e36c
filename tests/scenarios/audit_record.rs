//! What sudo runs under a grant is on record, where its role says so.

use anyhow::{Result, ensure};
use tpa_tests::debian::Debian;
use tpa_tests::grant::{REASON, grant, role};
use tpa_tests::on_both_debians;
use tpa_tests::people::{WEB_OPS, recorded};
use tpa_tests::scenario::play;

on_both_debians! {
    with play;

    fn the_report_of_a_recorded_grant_lists_its_commands_and_both_players_play_them(host) {
        role(host, "web-ops", &recorded(WEB_OPS))?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        let said = host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un");
        ensure!(said.ok()? == "postgres", "{said}");
        let report = host.root(&format!("tpactl report {id}"));
        report.says("command sudo -n -u postgres /usr/bin/id -un")?;
        report.says("COMMAND=/usr/bin/id -un")?.says(&format!("replay: tpactl replay {id} "))?;
        let replay = host.root(&format!(
            "tsid=$(tpactl report {id} | grep -o 'TSID=[^ ]*' | head -n1 | cut -d= -f2) && \
             sudoreplay -d /var/log/sudo-io/{id} $tsid"
        ));
        ensure!(replay.ok()?.contains("postgres"), "{replay}");
        let json = host.root(&format!("tpactl report {id} --json")).json()?;
        let command = json.0.pointer("/recordings/listed/commands/0");
        ensure!(command.is_some_and(serde_json::Value::is_string), "{}", json.0);

        // A command that the end cuts is there up to the cut.
        let lines = WEB_OPS.replace("/usr/bin/id -un", "/usr/local/bin/lines");
        host.write("/etc/tpa/roles.d/lines.toml", &recorded(&lines))?;
        host.write("/usr/local/bin/lines", "#!/bin/sh\nfor n in $(seq 1 20); do echo line $n.; done\nexec sleep 4711\n")?;
        host.write("/etc/sudoers.d/a-local", "Defaults compress_io\n")?;
        host.root("chmod 755 /usr/local/bin/lines; chmod 440 /etc/sudoers.d/a-local; systemctl reload tpad").ok()?;
        host.root(&format!("tpactl revoke {id} --reason test --yes")).ok()?;
        let cut = grant(host, "alice", "lines", "1h")?;
        let mut running = host.start_ssh("alice", &["-T", "sudo -n -u postgres /usr/local/bin/lines"])?;
        running.line("line 20.")?;
        host.root(&format!("tpactl revoke {cut} --reason test --yes")).ok()?;
        host.logged_event("removal-confirmed", &cut)?;
        let typed = host.root(&format!("tpactl report {cut} | sed -n 's/^ *replay: //p'"));
        let replay = host.root(&format!("{} | grep -o 'line [0-9]*[.]' | wc -l", typed.ok()?));
        ensure!(replay.ok()? == "20", "{typed}\n{replay}");
    }
}

#[test]
fn where_sudo_cannot_record_the_role_is_refused_in_words() -> Result<()> {
    play(Debian::Trixie, |host| {
        role(host, "web-ops", &recorded(WEB_OPS))?;
        let before = grant(host, "alice", "web-ops", "1h")?;
        host.root("mv /usr/bin/sudo /usr/bin/sudo.classic").ok()?;
        host.root("ln -s \"$(command -v sudo-rs)\" /usr/bin/sudo")
            .ok()?;
        let ask = format!("tpactl request web-ops --for 1h --reason '{REASON}' --no-wait");
        let refused = host.console("alice", &ask);
        refused
            .code_is(2)?
            .says("web-ops has to be recorded, which this host's sudo-rs cannot do")?;
        // A grant from before loses its rule: nothing runs unrecorded, and it is shown as that.
        host.root("systemctl reload tpad").ok()?;
        host.root(&format!("tpactl show {before}"))
            .says("its sudo rules are not in force: sudo-rs has no input/output log")?;
        host.root("tpactl check")
            .code_is(1)?
            .says("web-ops.toml: has to be recorded")?;
        host.root(&format!("test ! -e /run/tpa/sudoers.d/{before}"))
            .ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un")
            .fails()?;
        // What sudo-rs takes for something else is refused as well, before anybody decides.
        let role = "/etc/tpa/roles.d/web-ops.toml";
        let plain = WEB_OPS.replace("edit     = [\"/etc/nginx/nginx.conf\"]\n", "");
        let expression = plain.replace("sleep 4711", "sleep ^[0-9]+$");
        for (text, what) in [
            (WEB_OPS, "lets people edit /etc/nginx/nginx.conf (sudoedit)"),
            (&expression, "has a wildcard or a regular expression"),
        ] {
            host.write(role, text)?;
            host.root("tpactl check").code_is(1)?.says(what)?;
            host.root("systemctl reload tpad").ok()?;
            host.console("alice", &ask).code_is(2)?.says(what)?;
        }
        host.write(role, &plain)?;
        host.root("tpactl check").ok()?;
        Ok(())
    })
}
