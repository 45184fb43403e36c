//! Break-glass: access at once, told loudly, and looked at afterwards by somebody else.

use anyhow::ensure;
use tpa_tests::grant::{role, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::WEB_OPS;
use tpa_tests::scenario::play;

fn glass() -> String {
    WEB_OPS
        .replace("needed = 1\n", "")
        .replace("login = true", "login = true\nbreak_glass = true")
}

fn breaks(host: &Host, length: &str) -> anyhow::Result<String> {
    let line = format!(
        "tpactl request glass --for {length} --reason 'nobody answers, the shop is down' --no-wait --json"
    );
    let filed = host.console("alice", &line).json()?;
    filed.has("state", "active")?;
    Ok(filed.text("id")?.to_owned())
}

on_both_debians! {
    with play;

    fn it_opens_at_once_and_waits_for_a_review_by_somebody_else(host) {
        role(host, "glass", &glass())?;
        let id = breaks(host, "1h")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        host.logged_event("break-glass-used", &id)?;
        host.root("journalctl --priority alert --identifier tpad").says(&id)?;
        let reviewable = "tpactl ls --reviewable --json";
        host.ssh("carol", reviewable).says(&id)?;
        host.console("alice", reviewable).keeps_quiet_about(&id)?;
        let review = format!("tpactl review {id} --comment 'called alice, it was needed' --yes");
        host.console("alice", &review).code_is(4)?.says("your own")?;
        host.ssh("bob", &review).code_is(6)?;
        host.ssh("carol", &review).says("; reviewed by carol")?.ok()?;
        host.logged_event("break-glass-reviewed", &id)?;
        host.ssh("carol", reviewable).keeps_quiet_about(&id)?;
        host.ssh("dave", &review).code_is(7)?;
        shown(host, &id)?.has("reviewed_by", "carol")?;
    }

    fn it_waits_for_its_review_after_its_end_and_across_a_restart(host) {
        role(host, "glass", &glass())?;
        let id = breaks(host, "3s")?;
        host.logged_event("removal-confirmed", &id)?;
        host.root("systemctl restart tpad").ok()?;
        ensure!(shown(host, &id)?.text("reviewed_by").is_err(), "nobody has reviewed it");
        host.ssh("dave", "tpactl ls --reviewable --json").says(&id)?;
        host.ssh("dave", &format!("tpactl review {id} --comment 'it was needed' --yes")).ok()?;
    }

    fn its_extension_is_loud_too_and_undoes_the_review(host) {
        role(host, "glass", &glass())?;
        let id = breaks(host, "30m")?;
        let review = format!("tpactl review {id} --comment 'it was needed' --yes");
        host.ssh("carol", &review).ok()?;
        let more = format!("tpactl extend {id} --for 30m --reason 'still nobody there' --no-wait --json");
        let before = host.log_length()?;
        host.console("alice", &more).json()?.has("state", "approved")?;
        host.logged_event_behind(before, "break-glass-used", &id)?;
        let alerts = host.root(&format!("journalctl --priority alert --identifier tpad | grep -c 'break-glass-used .*{id}'"));
        ensure!(alerts.ok()? == "2", "{alerts}");
        host.ssh("carol", "tpactl ls --reviewable --json").says(&id)?;
        host.ssh("carol", &review).ok()?;
    }
}
