//! The log daemons stop, start and change places; the trail has every event, in order, and
//! `tpactl verify` tells what a log lacks or has too much.

use anyhow::{Result, ensure};
use tpa_tests::grant::{grant, request};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

/// The sequence numbers in a log, in its order, without what follows itself.
fn numbers(host: &Host, log: &str) -> Result<Vec<u64>> {
    let listed = host.root(&format!(
        "{log} | grep -o ' seq=[0-9]* hash=' | tr -dc '0-9\\n'"
    ));
    let mut numbers = listed
        .ok()?
        .lines()
        .map(str::parse)
        .collect::<Result<Vec<u64>, _>>()?;
    numbers.dedup();
    Ok(numbers)
}

const AUTH_LOG: &str = "grep -h ' tpad\\[' /var/log/auth.log";
const JOURNAL: &str = "journalctl --quiet --output=cat SYSLOG_IDENTIFIER=tpad SYSLOG_FACILITY=10";

/// Every event from the first to this one, each after the one before. Later ones may have come since.
fn complete(numbers: &[u64], last: u64) -> Result<()> {
    let expected: Vec<u64> = (1..=last).collect();
    ensure!(
        numbers.starts_with(&expected),
        "{numbers:?} are not 1 to {last}"
    );
    Ok(())
}

/// The newest event's number, once it stands in auth.log.
fn newest(host: &Host) -> Result<u64> {
    let newest = host.root("tpactl log --json | grep -o '\"seq\": [0-9]*' | tail -n1 | tr -dc 0-9");
    let newest = newest.ok()?;
    host.logged(&format!(" seq={newest} hash="))?;
    Ok(newest.parse()?)
}

/// A grant of alice's, of which tpad has nothing more to tell before somebody does something.
fn granted(host: &Host) -> Result<String> {
    let id = grant(host, "alice", "web-ops", "1h")?;
    host.logged_event("beginning-noted", &id)?;
    Ok(id)
}

/// Files requests, one after the other, while something else happens.
const BURST: &str = "for i in 1 2 3 4 5; do \
    id=$(tpactl request web-ops --for 1h --reason 'the shop answers slowly' --no-wait --json \
        | grep -o '\"id\": \"[^\"]*' | cut -d'\"' -f4) && tpactl withdraw $id --yes || exit 1; done";

on_both_debians! {
    with play;

    fn restarting_either_log_daemon_in_a_burst_loses_nothing_and_keeps_the_order(host) {
        for daemon in ["rsyslog", "systemd-journald"] {
            let restarts = host.start(&format!(
                "for i in 1 2 3; do systemctl restart {daemon} || exit 1; done"
            ))?;
            host.console("alice", BURST).ok()?;
            restarts.finish()?.ok()?;
        }
        let last = newest(host)?;
        complete(&numbers(host, JOURNAL)?, last)?;
        complete(&numbers(host, AUTH_LOG)?, last)?;
        host.root("tpactl verify").ok()?;
        host.root("tpactl verify --log journal").ok()?;
    }

    fn a_stopped_log_daemon_blocks_nobody_and_gets_everything_when_it_is_back(host) {
        // What listens on /dev/log is journald; rsyslog gets its copy from there.
        host.root("kill -STOP $(pidof systemd-journald)").ok()?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "true").ok()?;
        host.console("alice", BURST).ok()?;
        host.root("kill -CONT $(pidof systemd-journald)").ok()?;
        host.logged_event("session-closed", &id)?;
        let last = newest(host)?;
        complete(&numbers(host, JOURNAL)?, last)?;
    }

    fn without_a_log_socket_access_goes_on_and_the_lines_follow_later(host) {
        // What /dev/log is a link to, also in the /dev of tpad's own.
        let move_it = |from: &str, to: &str| {
            host.root(&format!("cd /run/systemd/journal && mv {from} {to}")).ok().map(drop)
        };
        move_it("dev-log", "dev-log.away")?;
        host.root("systemctl restart tpad").ok()?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "true").ok()?;
        host.root("! grep -q grant-activated /var/log/auth.log").ok()?;
        move_it("dev-log.away", "dev-log")?;
        host.logged_event("session-closed", &id)?;
        let last = newest(host)?;
        complete(&numbers(host, JOURNAL)?, last)?;
        complete(&numbers(host, AUTH_LOG)?, last)?;
    }

    fn what_rsyslog_missed_while_it_was_off_is_named_and_the_journal_has_it(host) {
        let before = newest(host)?;
        host.root("systemctl stop syslog.socket rsyslog").ok()?;
        let id = request(host, "alice", "web-ops", "1h")?;
        let mut journal = host.start("exec journalctl --follow --no-tail SYSLOG_IDENTIFIER=tpad")?;
        journal.line_with_all(&[" request-created ", &id])?;
        host.root("systemctl start syslog.socket rsyslog").ok()?;
        host.console("alice", &format!("tpactl withdraw {id} --yes")).ok()?;
        let last = newest(host)?;
        let missed = format!("missing: {} (", last - before - 1);
        host.root("tpactl verify").code_is(9)?.says(&missed)?.says("--log journal")?;
        host.root("tpactl verify --log journal").ok()?;
        host.root("tpactl verify --resend").code_is(9)?;
        host.logged_event("request-created", &id)?;
        host.root("tpactl verify").ok()?;
    }

    fn verify_is_right_while_things_happen(host) {
        grant(host, "alice", "web-ops", "1h")?;
        let commands = "for n in 1 2 3; do while :; do sudo -n -u postgres /usr/bin/id -un; done & done; wait";
        let _commands = host.start_ssh("alice", &["-T", commands])?;
        host.logged(" sudo-opened ")?;
        host.root(
            "until [ \"$(grep -c ' sudo-opened ' /var/log/auth.log)\" -ge 60 ]; do
                tpactl verify >/tmp/verified 2>&1 || { cat /tmp/verified; exit 1; }
            done",
        ).ok()?;
    }

    fn a_rotated_log_is_no_break(host) {
        let id = granted(host)?;
        newest(host)?;
        let rotate = "cd /var/log && [ -e auth.log.1 ] && gzip -c auth.log.1 >auth.log.2.gz; \
                      mv auth.log auth.log.1 && systemctl kill --signal=HUP rsyslog.service && \
                      until logger -p auth.info rotated; [ -s auth.log ]; do sleep 0.1; done";
        for _ in 0..2 {
            host.root(rotate).ok()?;
            host.ssh("alice", "true").ok()?;
            host.logged_event("session-closed", &id)?;
        }
        let all = host.root("tpactl verify --json").json()?;
        let newest = newest(host)?;
        let told = |field: &str| all.0.pointer(&format!("/log/{field}")).and_then(serde_json::Value::as_u64);
        let whole = told("lines") == Some(newest) && told("first") == Some(1);
        ensure!(whole, "from event 1 to event {newest}: {:?}", all.0);
        host.root("rm /var/log/auth.log.2.gz /var/log/auth.log.1").ok()?;
        host.root("tpactl verify").ok()?;
    }

    fn lines_that_others_made_changed_or_removed_are_found(host) {
        host.root("cp /usr/share/doc/tpa/examples/rsyslog-tpa.conf /etc/rsyslog.d/40-tpa.conf && systemctl restart rsyslog").ok()?;
        granted(host)?;
        newest(host)?;
        let forged = "grant-activated grant=00000000 user=mallory role=root seq=3 hash=00";
        for tag in ["tpad[1]", "tpad ", "tpad/x", "tpad[1]x", "tpad-reap", "TPAD"] {
            let line = format!("logger -p authpriv.notice -t '{tag}' '{forged}'");
            host.console("mallory", &line).ok()?;
        }
        host.console("mallory", "logger -p authpriv.notice -t sshd 'pam_tpa(sshd:account): exempt: role=root'").ok()?;
        host.console("mallory", "logger --rfc5424 -p authpriv.notice -t tpad 'role=root last'").ok()?;
        host.logged("role=root last")?;
        // Anybody can write them, so they are named and prove nothing about the trail.
        let seen = host.root("tpactl verify");
        seen.ok()?;
        seen.says("not tpad's: 8 lines")?.says("role=root last")?;
        host.root("tpactl verify --strict").code_is(9)?;
        let uid = host.root("id -u mallory").ok()?.to_owned();
        let seen = host.root("tpactl verify --log journal");
        seen.ok()?;
        seen.says(&format!("journal: uid {uid}, pid "))?;
        host.eventually("grep -q grant-activated /var/log/tpa.log")?;
        host.root("tpactl verify --strict --log /var/log/tpa.log").ok()?;
        host.root("! grep -q role=root /var/log/tpa.log").ok()?;
        host.root("sed -i '/role=root/d' /var/log/auth.log && tpactl verify --strict").ok()?;

        // As the shipped rule for a log host writes it.
        host.root(
            "sed -n 's/^\\([^ ]*\\) \\([^ ]*\\) tpad\\[\\([0-9]*\\)\\]: /<86>1 \\1 \\2 tpad \\3 - -  /p' \
             /var/log/auth.log >/root/5424.log && tpactl verify --log /root/5424.log",
        ).ok()?;
        host.root("sed -i '/ grant-activated /s/user=alice/user=bob/' /root/5424.log").ok()?;
        host.root("tpactl verify --log /root/5424.log").code_is(9)?.says("changed: 1 line")?;
        host.root("tpactl verify --log /dev/zero").code_is(1)?.says("not a regular file")?;

        host.root("cp /var/log/auth.log /root/auth.log").ok()?;
        host.root("sed -i '/ grant-activated /s/user=alice/user=bob/' /root/auth.log").ok()?;
        host.root("tpactl verify --log /root/auth.log").code_is(9)?.says("changed: 1 line")?;
        host.root("grep -v ' grant-activated ' /var/log/auth.log >/root/auth.log").ok()?;
        host.root("tpactl verify --log /root/auth.log").code_is(9)?.says("missing: 1 (")?;
    }

    fn a_database_that_lost_its_tail_is_found_against_the_log(host) {
        newest(host)?;
        host.root("systemctl stop tpad && cp -a /var/lib/tpa /root/old && systemctl start tpad").ok()?;
        granted(host)?;
        // More than tpad will have to say of the files it finds and knows nothing of.
        for user in ["alice", "alice", "mallory", "mallory", "mallory"] {
            request(host, user, "web-ops", "1h")?;
        }
        newest(host)?;
        host.root("systemctl stop tpad && rm -r /var/lib/tpa && mv /root/old /var/lib/tpa").ok()?;
        host.root("systemctl start tpad").ok()?;
        host.root("tpactl verify --log none").ok()?;
        host.root("tpactl verify").code_is(9)?.says("not in the database: ")?;
    }
}
