//! A report as one page: of a real grant, with what people typed shown as text.

use anyhow::ensure;
use tpa_tests::grant::{grant, role};
use tpa_tests::on_both_debians;
use tpa_tests::people::{WEB_OPS, recorded};
use tpa_tests::scenario::play;

/// What mallory would like a reader's browser to run.
const HOSTILE: &str = "</style><script>alert(1)</script><img src=x>\" onload=\"x";

on_both_debians! {
    with play;

    fn the_page_of_a_grant_tells_all_of_it_and_nothing_typed_is_markup(host) {
        role(host, "web-ops", &recorded(WEB_OPS))?;
        host.root("useradd -m -G tpa-audit heidi").ok()?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        let reason = HOSTILE.replace('"', "\\\"");
        host.root(&format!("tpactl revoke {id} --reason \"{reason}\" --yes")).ok()?;
        host.logged_event("removal-confirmed", &id)?;

        // For auditors as for root; the file is new and nobody else's.
        host.console("heidi", &format!("tpactl report {id} --html ~/page.html")).ok()?;
        let mode = host.root("stat -c '%U %a' ~heidi/page.html");
        ensure!(mode.ok()? == "heidi 600", "{mode}");
        let page = host.root("cat ~heidi/page.html");
        let page = page.ok()?;
        for part in [
            "<!DOCTYPE html>",
            "by their login on the host",
            "sudo -n -u postgres /usr/bin/id -un",
            "postgres</pre>",
            "No process is left;",
            "<svg ",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
        ] {
            ensure!(page.contains(part), "{part} in {page}");
        }
        for part in ["<script", "<img", "\" onload", "http:", "https:"] {
            ensure!(!page.contains(part), "{part} in {page}");
        }
        // That the recording was read for it is in the trail.
        host.logged_with(&["recording-replayed", "actor=heidi"])?;

        // No file is written over, no link followed, and others get nothing.
        host.console("heidi", &format!("tpactl report {id} --html ~/page.html")).code_is(1)?
            .says("is there already")?;
        host.console("heidi", "ln -s ~/aim ~/link").ok()?;
        host.console("heidi", &format!("tpactl report {id} --html ~/link --force")).code_is(1)?;
        host.root("test ! -e ~heidi/aim").ok()?;
        host.console("mallory", &format!("tpactl report {id} --html ~/page.html")).fails()?;
        host.root("test ! -e ~mallory/page.html").ok()?;

        // The month: refused in a row is one row.
        for _ in 0..3 {
            host.ssh("mallory", "true").fails()?;
        }
        let month = host.console("heidi", "tpactl report --since 1d --html -");
        let month = month.ok()?;
        for part in ["refused logins", "By person", "By role", "login-denied", id.as_str(), "alice"] {
            ensure!(month.contains(part), "{part} in {month}");
        }
        ensure!(month.matches("login-denied").count() == 1, "{month}");
        ensure!(!month.contains("<script"), "{month}");
    }
}
