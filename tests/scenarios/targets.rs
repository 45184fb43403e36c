//! Who is told by `notify.toml`: mail, a chat over TLS, a webhook; slow, failing and hostile ones.

use anyhow::{Result, ensure};
use tpa_tests::grant::{grant, request};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;
use tpa_tests::stand_in::{self, TOLD, answers, mailed, not_mailed, told};

/// A reason of somebody who would like it to be more than one.
const HOSTILE: &str = "<!channel> @everyone `*https://evil.example/x*` <a@evil.example> done";

/// What nobody but its own unit may read.
const SECRET: &str = "https://localhost:8443/chatS3CRET";

const NOTIFY_TOML: &str = r#"
[[target]]
name = "people"
kind = "mail"

[[target]]
name = "chat"
kind = "slack"
url_file = "/etc/tpa/secrets/chat"

[[target]]
name = "siem"
kind = "webhook"
url = "http://127.0.0.1:8080/siem"
secret_file = "/etc/tpa/secrets/siem"
events = ["request-created", "grant-activated", "request-denied", "break-glass-used"]
headers = ["X-Team: web"]

[[target]]
name = "slow"
kind = "mattermost"
url = "http://127.0.0.1:8080/slow"
"#;

/// The same with targets that take nothing at first.
const FAILING_TOML: &str = r#"
[[target]]
name = "late"
kind = "webhook"
url = "http://127.0.0.1:8080/late"
events = ["request-created", "request-withdrawn"]
per_minute = 1

[[target]]
name = "never"
kind = "webhook"
url = "http://127.0.0.1:8080/never"
events = ["request-created"]

[[target]]
name = "other"
kind = "webhook"
url = "http://127.0.0.1:8080/other"
events = ["notice-failed"]
"#;

fn configure(host: &Host, text: &str) -> Result<()> {
    host.write("/etc/tpa/notify.toml", text)?;
    host.root("chmod 0600 /etc/tpa/notify.toml && tpactl check --quiet && systemctl reload tpad")
        .ok()?;
    Ok(())
}

fn keep(host: &Host, name: &str, secret: &str) -> Result<()> {
    let file = format!("/etc/tpa/secrets/{name}");
    host.write(&file, &format!("{secret}\n"))?;
    host.root(&format!("chmod 0600 {file}")).ok()?;
    Ok(())
}

on_both_debians! {
    with play;

    fn who_decides_and_who_asked_are_told_and_a_slow_target_holds_up_nobody(host) {
        let _service = stand_in::bring(host)?;
        answers(host, "slow", "hang")?;
        keep(host, "chat", SECRET)?;
        ensure!(host.root("stat -c '%a %U' /etc/tpa/secrets").ok()? == "700 root", "others can look in");
        // What is missing is said beforehand, and so is a file that others read.
        host.write("/etc/tpa/notify.toml", NOTIFY_TOML)?;
        host.root("tpactl check").code_is(1)?.says("can be read by others")?.says("chmod 0600")?;
        host.root("chmod 0600 /etc/tpa/notify.toml; tpactl check").says("/etc/tpa/secrets/siem is not there")?;
        keep(host, "siem", "k3y")?;
        configure(host, NOTIFY_TOML)?;
        host.root("tpactl check")
            .says("people   mail to whom it concerns: what waits for people")?
            .keeps_quiet_about("warning: target")?;
        host.root("chmod 0644 /etc/tpa/secrets/siem; tpactl doctor").says("/etc/tpa/secrets/siem, a secret of target siem")?;
        host.root("chmod 0600 /etc/tpa/secrets/siem; tpactl doctor").keeps_quiet_about("notify:")?;

        // A request that tries to be more than text.
        let line = format!("tpactl request web-ops --for 1h --reason '{HOSTILE}' --no-wait --json");
        let id = host.console("alice", &line).json()?.text("id")?.to_owned();
        let chat = told(host, "chatS3CRET", &format!("tpactl approve {id}"))?;
        ensure!(chat.contains("{\"style\":{\"code\":true},\"text\":\"<!channel> @everyone"), "{chat}");
        let siem = told(host, "siem", &id)?;
        ensure!(siem.contains("x-tpa-signature: sha256=") && siem.contains("x-team: web"), "{siem}");
        let signed = host.root(&format!(
            "cd {TOLD}/siem && file=$(grep -lF {id} * | head -n 1) && at=$(grep -i '^x-tpa-timestamp' $file | tr -dc 0-9) && \
             {{ printf '%s.' $at; sed '1,/^\\r$/d' $file | head -c \"$(grep -i '^content-length' $file | tr -dc 0-9)\"; }} >/tmp/signed && cat /tmp/signed"
        ));
        signed.says("\"kind\":\"Notice\"")?;
        for name in ["carol", "dave", "erin"] {
            let mail = mailed(host, name, &format!("tpactl approve {id}"))?;
            ensure!(mail.contains("tpa-notify") && mail.contains("NoNewPrivs:\t0"), "{mail}");
            ensure!(mail.contains("https[:]//evil[.]example"), "{mail}");
        }
        not_mailed(host, "alice", &id)?;

        // The slow one keeps its unit alive: it has no rights, and no one sees a secret.
        let unit = "systemctl list-units --plain --no-legend 'tpa-notify-slow-*' | cut -d' ' -f1 | grep .";
        host.eventually(&format!("unit=$({unit}) && systemd-analyze security --no-pager --threshold=15 $unit >/dev/null"))?;
        host.root("tpactl notify --test chat").ok()?;
        for secret in ["S3CRET", "k3y"] {
            host.root("journalctl --no-pager; cat /run/tpa/notify; systemctl show 'tpa-notify-*'; ps -eo args; tpactl log --json")
                .keeps_quiet_about(secret)?;
        }
        // Where tpad and what it starts look, even root finds an empty folder.
        let inside = host.root("nsenter -t $(systemctl show --value -p MainPID tpad) -m ls -A /etc/tpa/secrets/");
        ensure!(inside.ok()?.is_empty(), "{inside}");
        host.console("mallory", "cat /etc/tpa/secrets/* /etc/tpa/notify.toml /run/tpa/notify; ls /run/credentials/*; tpactl notify --test").fails()?
            .says("only root may send test messages")?.keeps_quiet_about("S3CRET")?;

        // Who asked reads by whom and why; nobody who does not decide reads of it.
        host.ssh("carol", &format!("tpactl deny {id} --reason 'not during the sale' --yes")).ok()?;
        let mail = mailed(host, "alice", "not during the sale")?;
        ensure!(mail.contains("carol denied web-ops to alice on web-01"), "{mail}");
        told(host, "chatS3CRET", "not during the sale")?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "true").ok()?;
        mailed(host, "alice", &format!("carol approved web-ops for alice on web-01 ({id})"))?;
        not_mailed(host, "mallory", &id)?;

        // Who was gone past is told.
        host.root("sed -e 's/^needed.*//' -e 's/\\[gives\\]/[gives]\\nbreak_glass = true/' /etc/tpa/roles.d/web-ops.toml >/etc/tpa/roles.d/fire.toml && systemctl reload tpad").ok()?;
        host.console("mallory", "tpactl request fire --for 10m --reason 'the house is on fire' --yes --no-wait").ok()?;
        for name in ["carol", "dave", "erin"] {
            mailed(host, name, "BREAK GLASS: mallory took fire on web-01")?;
        }
    }

    fn what_a_target_did_not_take_is_told_later_or_is_an_event(host) {
        let mut service = Some(stand_in::bring(host)?);
        answers(host, "late", "500")?;
        answers(host, "never", "400")?;
        configure(host, FAILING_TOML)?;
        let first = request(host, "alice", "web-ops", "1h")?;
        told(host, "late", &first)?;
        // What is refused for good is told in the log and to the others, at once.
        let line = host.logged_with(&[" notice-failed ", "notify_target=never"])?;
        ensure!(line.contains("count=1") && line.contains("it answers with 400"), "{line}");
        told(host, "other", "notice-failed")?;

        // Hostile answers come to nothing, and nothing of them is repeated.
        for mode in ["echo", "endless", "elsewhere"] {
            answers(host, "other", mode)?;
            let said = host.root("tpactl notify --test other");
            said.code_is(1)?.says("other (webhook): not told: ")?.keeps_quiet_about("127.0.0.1")?.keeps_quiet_about("\u{1b}")?;
        }
        host.none_of(&format!("{TOLD}/stolen"))?;
        answers(host, "other", "hang")?;
        let said = host.root("tpactl notify --test other");
        said.code_is(1)?.says("no answer within 10 s")?;
        answers(host, "other", "")?;

        // What happens while tpad is down or killed in the middle waits in the chain: told once it is
        // back, in one message that counts what it does not show.
        for _ in 0..6 {
            let id = request(host, "alice", "web-ops", "1h").or_else(|_| request(host, "mallory", "web-ops", "1h"))?;
            host.root(&format!("tpactl show {id} >/dev/null")).ok()?;
            let by = host.console("alice", &format!("tpactl withdraw {id}"));
            if by.code != 0 {
                host.console("mallory", &format!("tpactl withdraw {id}")).ok()?;
            }
        }
        host.root("systemctl kill --signal=KILL tpad").ok()?;
        answers(host, "late", "")?;
        host.eventually("systemctl is-active --quiet tpad && tpactl ls >/dev/null")?;
        let message = told(host, "late", "came too fast to be told one by one")?;
        ensure!(message.contains(&first), "{message}");

        // Without anybody there the host goes on as ever.
        drop(service.take());
        let id = grant(host, "mallory", "web-ops", "1h")?;
        host.ssh("mallory", "true").ok()?;
        host.root(&format!("tpactl revoke {id} --reason 'for the test' --yes")).ok()?;
        host.logged_event("removal-confirmed", &id)?;
        host.root("systemctl --failed --quiet | grep .").code_is(1)?;
    }
}
