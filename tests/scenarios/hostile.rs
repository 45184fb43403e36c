//! The gate in surroundings that somebody has prepared for it.

use anyhow::{Result, ensure};
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::output::Output;
use tpa_tests::scenario::play;

/// Holds so many connections to the system bus open without a word, once they are all there.
const HOLD: &str = r#"
use IO::Socket::UNIX;
for (1 .. $ARGV[0]) {
    my $open = IO::Socket::UNIX->new(Peer => "/run/dbus/system_bus_socket") or last;
    push @held, $open;
}
$| = 1;
print "held\n";
sleep 600;
"#;

/// Answers at the gate's socket with nonsense, and with it to everybody who comes.
const GARBAGE: &str = r#"
use IO::Socket::UNIX;
unlink "/run/tpa/gate.sock";
my $gate = IO::Socket::UNIX->new(Local => "/run/tpa/gate.sock", Listen => 9) or die "no gate";
$| = 1;
print "there\n";
while (my $peer = $gate->accept) {
    sysread $peer, my $hello, 1024;
    syswrite $peer, join("", map { chr int rand 256 } 1 .. 4096) . "OK 0123\r\n" x 9;
}
"#;

/// sudo has nothing but the gate between a person and this command.
fn only_the_gate(host: &Host) -> Result<()> {
    host.write(
        "/etc/sudoers.d/local",
        "ALL ALL=(root) NOPASSWD: /usr/bin/true\n",
    )
}

/// Runs the command as the person, outside of any login.
fn sudo(host: &Host, user: &str) -> Output {
    host.root(&format!(
        "systemd-run --quiet --pipe --wait --uid={user} sudo -n /usr/bin/true"
    ))
}

on_both_debians! {
    with play;

    fn neither_limits_nor_an_environment_nor_nonsense_at_the_socket_opens_the_gate(host) {
        only_the_gate(host)?;
        grant(host, "alice", "web-ops", "1h")?;
        // With few descriptors left nobody comes in, and nothing breaks.
        let tried = host.console("bob", "for n in $(seq 3 24); do \
            (ulimit -n $n; echo mallory-pw | su -c 'echo got-in' mallory); done; true");
        tried.keeps_quiet_about("got-in")?
            .keeps_quiet_about("panicked")?
            .keeps_quiet_about("core dumped")?
            .says("no active grant for mallory")?;
        // Where no thread can be made the gate answers as ever.
        let single = "echo mallory-pw | systemd-run --quiet --pipe --wait --property=TasksMax=1 \
                      --property=User=bob su -c true mallory";
        host.root(single).fails()?.says("no active grant for mallory")?;

        // With tpad gone: which bus is asked is not for whoever calls su to say.
        host.root("systemctl mask --runtime --now tpad").ok()?;
        let before = host.log_length()?;
        host.console("bob", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/tmp/bobs RUST_BACKTRACE=full \
                             sh -c 'echo mallory-pw | su -c true mallory'")
            .fails()?
            .says("tpa: tpad is not answering; access denied.")?
            .keeps_quiet_about("panicked")?
            .keeps_quiet_about("backtrace")?;
        let tried = host.logged_behind(before, &["tpad does not answer"])?;
        ensure!(tried.contains("/run/dbus/system_bus_socket"), "{tried}");
        ensure!(!tried.contains("/tmp/bobs"), "{tried}");

        // Nonsense at the socket of the gate is nobody there.
        host.write("/tmp/garbage.pl", GARBAGE)?;
        let mut garbage = host.start("perl /tmp/garbage.pl")?;
        garbage.line_with("there")?;
        sudo(host, "alice").ok()?;
        host.logged("offline: let in on the state file")?;
        sudo(host, "mallory")
            .fails()?
            .says("tpa: tpad is not answering; access denied.")?
            .keeps_quiet_about("panicked")?;
    }

    fn a_bus_that_somebody_fills_does_not_close_the_gate(host) {
        only_the_gate(host)?;
        grant(host, "alice", "web-ops", "1h")?;
        host.write("/tmp/hold.pl", HOLD)?;
        // logind is on that bus, so they are in before it is full.
        let command = "echo in; until test -e /tmp/full; do sleep 0.2; done; sudo -n /usr/bin/true && echo ran";
        let mut alice = host.start_ssh("alice", &["-tt", command])?;
        alice.line("in")?;
        let mut full = host.start("setpriv --reuid=bob --regid=bob --init-groups perl /tmp/hold.pl 400")?;
        full.line_with("held")?;
        host.console("mallory", "sudo -n /usr/bin/true").fails()?.says("no active grant for mallory")?;
        host.root("touch /tmp/full").ok()?;
        alice.line("ran")?;
    }
}
