//! What sudo runs under a grant: what the role gives, and nothing else.

use anyhow::ensure;
use tpa_tests::grant::grant;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

on_both_debians! {
    with play;

    fn without_a_grant_sudo_is_refused_even_where_another_rule_allows_it(host) {
        host.write("/etc/sudoers.d/local", "alice ALL=(root) NOPASSWD: /usr/bin/true\n")?;
        host.console("alice", "sudo -n /usr/bin/true").fails()?.says("no active grant for alice")?;
        host.console("alice", "sudo -n -i /usr/bin/true").fails()?;
        grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "sudo -n /usr/bin/true").ok()?;
    }

    fn a_grant_runs_exactly_the_commands_of_its_role(host) {
        grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "sudo -n /usr/bin/systemctl restart cron").ok()?;
        let postgres = host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un");
        ensure!(postgres.ok()? == "postgres", "{postgres}");
        for line in [
            "/usr/bin/systemctl restart ssh",
            "/usr/bin/systemctl restart cron ssh",
            "/usr/bin/systemctl stop cron",
            "/usr/bin/systemctl",
            "/usr/bin/id -un",
            "-u bob /usr/bin/id -un",
            "-u postgres /usr/bin/id -u",
            "-g root /usr/bin/id -un",
            "-i",
            "-s",
            "/bin/sh -c id",
        ] {
            host.ssh("alice", &format!("sudo -n {line}")).fails()?.keeps_quiet_about("uid=0")?;
        }
    }

    fn sudoedit_edits_the_named_file_and_no_other(host) {
        grant(host, "alice", "web-ops", "1h")?;
        let edit = "SUDO_EDITOR='/usr/bin/sed -i s/1/4/' sudoedit -n";
        host.ssh("alice", &format!("{edit} /etc/nginx/nginx.conf")).ok()?;
        host.root("cat /etc/nginx/nginx.conf").says("worker_processes 4;")?;
        host.ssh("alice", &format!("{edit} /etc/hosts")).fails()?;
        host.ssh("alice", &format!("{edit} /etc/nginx/../hosts")).fails()?;
    }

    fn one_persons_grant_is_not_anothers(host) {
        grant(host, "alice", "web-ops", "1h")?;
        host.ssh("mallory", "true").fails()?;
        host.ssh("bob", "sudo -n /usr/bin/systemctl restart cron").fails()?;
        host.root("visudo -c").ok()?;
    }
}
