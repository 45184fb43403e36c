//! Who is calling: the kernel's uid of the connection decides, and a login uid can only take away
//! and speaks for root alone. Each story is told by people without any rights.

use std::path::Path;

use anyhow::{Result, ensure};
use tpa_tests::debian::Debian;
use tpa_tests::grant::{grant, request, role, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::WEB_OPS;
use tpa_tests::running::Running;
use tpa_tests::scenario::play;

/// No account, no login: what a process of a system service does that says it is somebody else.
fn says_it_is(whom: &str, line: &str) -> String {
    format!("echo $(id -u {whom}) >/proc/self/loginuid; {line}")
}

/// Nobody has approved it.
fn is_untouched(host: &Host, id: &str) -> Result<()> {
    let request = shown(host, id)?;
    request.has("state", "pending")?;
    ensure!(request.list("approvals")?.is_empty(), "{}", request.0);
    Ok(())
}

/// Files a request that takes two approvers.
fn two(host: &Host) -> Result<String> {
    let line = "tpactl request db-admin --ticket OPS-1 --reason 'slow queries' --no-wait --json";
    Ok(host.console("alice", line).json()?.text("id")?.to_owned())
}

/// carol's own process gets the number of whoever connected, and the thief calls.
fn hand_over_to_carol(host: &Host, thief: Running, id: &str, pid: u32, holder: &str) -> Result<()> {
    // By her login uid and by her uids it is hers. Whatever else of the host begins at that moment may
    // get the number first, and goes.
    let hers = format!(
        "until echo {} >/run/proc/sys/kernel/ns_last_pid; \
         sh -c 'echo $(id -u carol) >/proc/self/loginuid; exec setpriv --reuid=carol --regid=carol --init-groups sleep 980' >/dev/null 2>&1 </dev/null & [ $! = {pid} ]; do kill $!; done; echo $!",
        pid - 1
    );
    let begun = host.root(&hers);
    ensure!(begun.ok()?.trim() == pid.to_string(), "{begun}");
    host.eventually(&format!(
        "[ \"$(cat /proc/{pid}/loginuid)\" = \"$(id -u carol)\" ] && grep -q sleep /proc/{pid}/comm"
    ))?;
    host.root(&format!("echo {id} >/run/go; kill {holder}"))
        .ok()?;
    thief.finish()?.says("org.tpa1.Error.")?.ok()?;
    host.root(&format!("kill {pid}")).ok()?;
    Ok(())
}

on_both_debians! {
    with play;

    fn a_service_that_writes_itself_a_login_uid_is_nobody_but_itself(host) {
        let id = two(host)?;
        let mine = grant(host, "alice", "web-ops", "1h")?;
        host.write("/etc/sudoers.d/local", "www-data, postgres ALL=(root) NOPASSWD: /usr/bin/tpactl\n")?;
        for service in ["www-data", "postgres"] {
            let run = |line: &str| host.root(&format!("systemd-run -q -P -p User={service} sh -c '{line}'"));
            // It can: this is what was believed.
            let uid = host.root("id -u carol");
            run(&says_it_is("carol", "cat /proc/self/loginuid")).says(uid.ok()?)?;
            for who in ["carol", "erin"] {
                // Whoever they are, they may not even know that there is such a request.
                run(&says_it_is(who, &format!("tpactl approve {id} --yes"))).code_is(6)?;
                run(&says_it_is(who, &format!("tpactl deny {id} --reason no --yes"))).code_is(6)?;
                run(&says_it_is(who, &format!("tpactl revoke {mine} --reason no --yes"))).code_is(6)?;
                run(&says_it_is(who, &format!("tpactl show {id}"))).code_is(6)?;
                // Nor behind root: a login uid that no login has set names nobody there either.
                run(&says_it_is(who, &format!("sudo -n tpactl approve {id} --yes"))).code_is(4)?.says("whose login")?;
                run(&says_it_is(who, &format!("sudo -n tpactl deny {id} --reason no --yes"))).code_is(4)?.says("whose login")?;
            }
            run(&format!("sudo -n tpactl approve {id} --yes")).code_is(4)?.says("whose login")?;
            run(&says_it_is("alice", &format!("sudo -n tpactl withdraw {id} --yes"))).code_is(4)?.says("whose login")?;
            run(&says_it_is("alice", &format!("tpactl withdraw {id} --yes"))).code_is(6)?;
            run(&says_it_is("alice", &format!("tpactl end {mine} --yes"))).code_is(6)?;
            run(&says_it_is("alice", "tpactl request web-ops --reason \"the shop is down\" --no-wait")).code_is(4)?;
            run(&says_it_is("root", "tpactl log")).code_is(4)?;
        }
        is_untouched(host, &id)?;
        shown(host, &mine)?.has("state", "active")?;
    }

    fn a_process_that_an_approver_once_started_does_not_speak_for_them(host) {
        let id = request(host, "alice", "web-ops", "1h")?;
        host.write("/etc/sudoers.d/local", "carol ALL=(postgres) NOPASSWD: ALL\npostgres ALL=(root) NOPASSWD: /usr/bin/tpactl\n")?;
        host.root("mkfifo -m 0666 /run/orders").ok()?;
        let served = "sudo -n -u postgres setsid sh -c 'sh </run/orders >/tmp/said 2>&1' >/dev/null 2>&1 </dev/null &";
        host.ssh("carol", served).ok()?;
        let approve = format!("tpactl approve {id} --yes; echo code $?");
        let order = format!("cat /proc/self/loginuid /proc/self/cgroup; {approve}; sudo -n {approve}; echo end");
        host.console("bob", &format!("echo '{order}' >/run/orders")).ok()?;
        host.eventually("grep -q ^end /tmp/said")?;
        let uid = host.root("id -u carol");
        // By its login uid and by where it stands it is hers; sudo says who called it.
        let said = host.root("cat /tmp/said");
        said.says(uid.ok()?)?.says(&format!("/user-{}.slice/", uid.ok()?.trim()))?.says("whose login")?;
        let codes = ["code 6", "code 4"].map(|code| said.out.matches(code).count());
        ensure!(codes == [1, 1], "{said}");
        is_untouched(host, &id)?;
    }

    fn a_connection_handed_on_is_not_of_whoever_has_the_number_by_now(host) {
        let id = request(host, "alice", "web-ops", "1h")?;
        host.copy_in(Path::new(env!("CARGO_BIN_EXE_abuse")), "/usr/bin/abuse")?;
        host.root("chmod 0755 /usr/bin/abuse && mkfifo -m 0666 /run/go && mkdir /run/proc && mount -t proc proc /run/proc").ok()?;
        // As bob, and as carol by bob's sudo: there the uid is right, and bob's login takes away.
        for thief in ["bob", "carol"] {
            let steal = format!("echo $(id -u bob) >/proc/self/loginuid; exec setpriv --reuid={thief} --regid={thief} --init-groups abuse hand-over </run/go");
            let mut thief = host.start(&steal)?;
            let opened = host.root("sleep 990 >/run/go 2>&1 </dev/null & echo $!");
            let holder = opened.ok()?.trim().to_owned();
            let pid: u32 = thief.line_with("")?.trim().parse()?;
            hand_over_to_carol(host, thief, &id, pid, &holder)?;
        }
        is_untouched(host, &id)?;
    }

    fn an_approver_decides_by_ssh_by_sudo_and_root_at_the_console(host) {
        host.write("/etc/sudoers.d/local", "carol ALL=(root) NOPASSWD: ALL\nbob ALL=(carol) NOPASSWD: ALL\n")?;
        let first = request(host, "alice", "web-ops", "1h")?;
        host.ssh("carol", &format!("tpactl approve {first} --yes")).ok()?;
        let second = request(host, "alice", "web-ops", "1h")?;
        host.ssh("carol", &format!("sudo -n tpactl approve {second} --yes")).ok()?;
        let line = host.logged_event("approval-recorded", &second)?;
        ensure!(line.contains(" actor=carol ") && line.contains(" actor_euid=0 "), "{line}");
        host.root(&format!("tpactl revoke {second} --reason 'seen enough' --yes")).ok()?;
        let line = host.logged_event("grant-revoked", &second)?;
        ensure!(line.contains(" actor=root "), "{line}");
        // Her own login uid names her behind root; what she may see is hers as well.
        host.ssh("carol", "sudo -n tpactl ls --reviewable").ok()?;
        // Somebody else's login only takes away, and the trail names both.
        let third = request(host, "alice", "web-ops", "1h")?;
        host.ssh("bob", &format!("sudo -n -u carol tpactl approve {third} --yes")).code_is(6)?;
        let line = host.logged_event("decision-refused", &third)?;
        ensure!(line.contains(" actor=carol ") && line.contains(" actor_login=bob "), "{line}");
        is_untouched(host, &third)?;
        // Without tpactl: where the bus does not tell which process calls, nobody can tell whose login.
        let call = format!("busctl --system call org.tpa1 /org/tpa1 org.tpa1.Access Approve 'sa{{sv}}' {third} 0");
        let called = host.ssh("carol", &call);
        match host.debian() {
            Debian::Bookworm => {
                called.fails()?.says("use tpactl as yourself")?;
                is_untouched(host, &third)?;
                host.ssh("carol", &format!("tpactl approve {third} --yes")).ok()?;
            }
            Debian::Trixie | Debian::Forky => called.ok().map(|_| ())?,
        }
        // A root that nothing tells of decides nothing; what it may as root goes on.
        let call = "busctl --system call org.tpa1 /org/tpa1 org.tpa1.Access";
        host.ssh("carol", &format!("sudo -n {call} ListRequests 'a{{sv}}' 0")).ok()?;
        host.ssh("carol", "sudo -n systemctl stop dbus.socket dbus.service; sudo -n tpactl ls; sudo -n systemctl start dbus.socket dbus.service").says(&first)?;
    }

    fn a_locked_or_expired_account_decides_nothing(host) {
        let id = request(host, "alice", "web-ops", "1h")?;
        let approve = format!("tpactl approve {id} --yes");
        host.root("usermod -L -e 1 carol").ok()?;
        host.console("carol", &approve).code_is(4)?.says("has expired")?;
        host.root("usermod -e '' carol").ok()?;
        host.console("carol", &approve).code_is(4)?.says("is locked")?;
        let line = host.logged_event("decision-refused", &id)?;
        ensure!(line.contains(" why=expired ") || line.contains(" why=locked "), "{line}");
        is_untouched(host, &id)?;
        // Who comes in by key alone was never locked.
        host.root("usermod -p '*' carol").ok()?;
        host.console("carol", &approve).ok()?;
    }

    fn two_names_with_one_uid_are_one_person(host) {
        host.root("groupadd alias1 && useradd -o -u $(id -u alice) -g alias1 -G oncall alias1").ok()?;
        let id = request(host, "alice", "web-ops", "1h")?;
        let approve = format!("tpactl approve {id} --yes");
        host.console("alias1", &approve).code_is(4)?.says("your own request")?;
        host.console("alice", &approve).code_is(4)?.says("your own request")?;
        is_untouched(host, &id)?;
        // By either name she is on the list of those who decide about others.
        let other = request(host, "mallory", "web-ops", "1h")?;
        host.console("alice", &format!("tpactl deny {other} --reason 'not today' --yes")).ok()?;
        host.root("tpactl doctor").says("alias1")?;
        // By a name that nobody gates she needs a grant as well, comes in on hers, and ends with it.
        host.root("gpasswd --delete alias1 oncall").ok()?;
        host.root("cp -r /home/alice /home/alias1 && chown -R alice /home/alias1 && cp /root/keys/alice /root/keys/alias1").ok()?;
        host.ssh("alias1", "true").fails()?.says("no active grant")?;
        let held = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alias1", "sudo -n -u postgres /usr/bin/id -un").says("postgres")?;
        let mut stays = host.start_ssh("alias1", &["-T", "echo in; exec sleep 7341"])?;
        stays.line_with("in")?;
        host.root(&format!("tpactl revoke {held} --reason 'seen enough' --yes")).ok()?;
        host.logged_event("removal-confirmed", &held)?;
        stays.finish()?.fails()?;
        host.ssh("alias1", "true").fails()?.says("no active grant")?;
    }

    fn nobody_is_an_approver_by_their_subordinate_uids(host) {
        host.root("useradd -u 100005 -G oncall diana").ok()?;
        host.root("usermod -p '*' diana").ok()?;
        let id = request(host, "alice", "web-ops", "1h")?;
        let approve = format!("tpactl approve {id} --yes");
        // What newuidmap(1) does for alice: she is diana by the kernel's uid.
        host.write("/etc/subuid", "alice:100000:65536\n")?;
        let made = host.root("unshare -U sleep 970 >/dev/null 2>&1 </dev/null & echo $!");
        let pid = made.ok()?.trim().to_owned();
        host.eventually(&format!("[ \"$(readlink /proc/{pid}/ns/user)\" != \"$(readlink /proc/self/ns/user)\" ]"))?;
        host.root(&format!("echo '100005 100005 1' >/proc/{pid}/uid_map && echo '100005 100005 1' >/proc/{pid}/gid_map")).ok()?;
        let within = |line: &str| host.root(&format!("nsenter -t {pid} -U --setuid 100005 --setgid 100005 sh -c '{line}'"));
        within("id -u").says("100005")?;
        within(&approve).code_is(4)?.says("another user namespace")?;
        within("tpactl ls").code_is(4)?.says("another user namespace")?;
        // A program of that uid that alice starts outside is diana in every way.
        host.console("diana", &approve).code_is(4)?.says("alice may use uid 100005 of diana")?;
        host.root("tpactl doctor").says("alice may use uid 100005 of diana")?;
        is_untouched(host, &id)?;
        host.write("/etc/subuid", "alice:200000:65536\n")?;
        within(&approve).code_is(4)?.says("another user namespace")?;
        host.console("diana", &approve).ok()?;
    }

    fn what_runs_as_an_approver_under_a_grant_decides_nothing_of_its_holders(host) {
        let text = WEB_OPS.replace("\"postgres\"", "\"carol\"").replace("/usr/bin/id -un", "/usr/bin/tpactl *");
        role(host, "as-carol", &text)?;
        let held = request(host, "alice", "as-carol", "1h")?;
        host.ssh("dave", &format!("tpactl approve {held} --yes")).ok()?;
        host.console("alice", &format!("tpactl wait {held} --for active --timeout 60s")).ok()?;
        let id = request(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", &format!("sudo -n -u carol /usr/bin/tpactl approve {id} --yes")).code_is(6)?;
        let line = host.logged_event("decision-refused", &id)?;
        ensure!(line.contains(" why=self "), "{line}");
        // Not by a way that leaves no trace of her login either.
        host.console("carol", &format!("tpactl approve {id} --yes")).code_is(4)?.says("can act as you")?;
        is_untouched(host, &id)?;
        host.ssh("dave", &format!("tpactl approve {id} --yes")).ok()?;
    }
}
