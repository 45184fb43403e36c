//! The configuration is loaded whole or not at all.

use anyhow::ensure;
use tpa_tests::grant::request;
use tpa_tests::on_both_debians;
use tpa_tests::people::WEB_OPS;
use tpa_tests::scenario::play;

const ROLE: &str = "/etc/tpa/roles.d/web-ops.toml";

on_both_debians! {
    with play;

    fn a_good_change_is_loaded_and_of_one_that_is_not_file_line_and_text_are_told(host) {
        host.write(ROLE, &WEB_OPS.replace("\"4h\"", "\"2h\""))?;
        host.root("systemctl reload tpad").ok()?;
        host.console("alice", "tpactl request web-ops --for 3h --reason 'the old maximum' --no-wait")
            .code_is(2)?
            .says("2h")?;

        // An unknown key, and nothing is loaded.
        host.write(ROLE, &WEB_OPS.replace("reason_min", "reason_least"))?;
        host.root("tpactl check")
            .code_is(1)?
            .says("/etc/tpa/roles.d/web-ops.toml:7")?
            .says("reason_least")?;
        host.root("systemctl reload tpad").fails()?;
        host.root("systemctl is-active tpad").ok()?;
        host.logged("policy-rejected")?;
        let roles = host.console("alice", "tpactl roles --json").json()?;
        ensure!(roles.list("items")?.len() == 2, "both are as they were: {}", roles.0);
        host.ssh("alice", "true").fails()?.says("tpactl request ")?;

        // A file that somebody else owns or can write.
        host.write(ROLE, WEB_OPS)?;
        host.root(&format!("chown bob {ROLE}")).ok()?;
        host.root("tpactl check").code_is(1)?.says("web-ops.toml")?;
        host.root(&format!("chown root {ROLE}; chmod 0666 {ROLE}")).ok()?;
        host.root("tpactl check").code_is(1)?.says("web-ops.toml")?;
        host.root(&format!("chmod 0644 {ROLE}; mv {ROLE} /root/; ln -s /root/web-ops.toml {ROLE}")).ok()?;
        host.root("tpactl check").code_is(1)?.says("web-ops.toml")?;
        host.root("systemctl reload tpad").fails()?;
    }

    fn what_the_hosts_own_sudo_gives_a_run_as_account_is_told_to_who_writes_and_who_approves(host) {
        // web-ops runs a command as postgres.
        let anything = "runs as postgres, whom a rule of the host's own lets run anything as root by sudo: \
            this amounts to being root";
        host.root("tpactl check").keeps_quiet_about("a rule of the host's own")?;
        host.write("/etc/sudoers.d/local", "Cmnd_Alias EDITORS = /usr/bin/vim\n%postgres ALL=(root) EDITORS\n")?;
        host.root("tpactl check").says("lets run \"/usr/bin/vim\" as root by sudo: an editor")?.ok()?;
        host.write("/etc/sudoers.d/local", "postgres ALL=(ALL) NOPASSWD: ALL\n")?;
        host.root("tpactl check").says(anything)?.ok()?;
        host.root("tpactl check --strict").code_is(1)?;
        host.root("systemctl reload tpad").ok()?;
        let id = request(host, "alice", "web-ops", "1h")?;
        host.ssh("carol", &format!("tpactl show {id} --json")).says(anything)?.ok()?;
        host.ssh("carol", &format!("tpactl show {id}")).says("as root by sudo")?.ok()?;
    }
}
