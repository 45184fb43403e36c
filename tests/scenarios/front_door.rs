//! The front door: `ssh tpa@web-01`, by key, for whoever cannot log in; and that nobody passes for a
//! person there.

use anyhow::{Result, ensure};
use tpa_tests::alone;
use tpa_tests::grant::{grant, role, shown};
use tpa_tests::host::Host;
use tpa_tests::module;
use tpa_tests::on_both_debians;
use tpa_tests::output::Output;
use tpa_tests::people::WEB_OPS;
use tpa_tests::scenario::{play, play_stock};

/// Lists a security key as one whose PIN sshd asks for.
const PIN: &str = r#"namespaces=\"statement@tpa.v1,pin@tpa.v1\""#;

/// How the door is opened, as tpa-door(8) says.
const OPEN: &str = "cp /usr/share/tpa/10-tpa-door.conf /etc/ssh/sshd_config.d/ && \
                    sshd -t && systemctl restart ssh";

/// Whose keys stand in the file: people's, root's, that of somebody who has no account here, and
/// that of the front door itself.
const SIGNERS: &str = "cd /root/keys && ssh-keygen -q -t ed25519 -N '' -f ghost && \
    ssh-keygen -q -t ed25519 -N '' -f self && \
    for name in alice carol erin dave root ghost; do \
        echo \"$name $(cut -d' ' -f1,2 $name.pub)\"; \
    done >/etc/tpa/signers && echo \"tpa $(cut -d' ' -f1,2 self.pub)\" >>/etc/tpa/signers && \
    systemctl reload tpad";

/// Comes to the door with somebody's key; what is typed behind it as one argument of ssh's.
fn knock(host: &Host, key: &str, typed: &str) -> Output {
    knock_with(
        host,
        key,
        "",
        &format!("'{}'", typed.replace('\'', r"'\''")),
    )
}

fn knock_with(host: &Host, key: &str, options: &str, typed: &str) -> Output {
    host.root(&format!(
        "ssh -n -i /root/keys/{key} {options} tpa@127.0.0.1 {typed}"
    ))
}

fn open(host: &Host) -> Result<()> {
    host.root(SIGNERS).ok()?;
    host.root(OPEN).ok()?;
    Ok(())
}

/// A request of alice's through the door.
fn asked(host: &Host) -> Result<String> {
    let typed = "request web-ops --for 1h --reason the shop answers with errors --json";
    let filed = knock(host, "alice", typed).json()?;
    filed.has("state", "pending")?.has("user", "alice")?;
    filed.has("reason", "the shop answers with errors")?;
    Ok(filed.text("id")?.to_owned())
}

/// What is asked for through the door and is nothing of it: no shell, no other program, no file.
const HOSTILE: [&str; 14] = [
    "/bin/sh -c id",
    "id; id",
    "$(id)",
    "revoke --all --reason x --yes",
    "log",
    "check /etc/shadow",
    "verify --statement /etc/shadow",
    "__man /tmp",
    "prompt",
    "completions bash",
    "doctor",
    "scp -t /tmp",
    "/usr/lib/openssh/sftp-server",
    " --yes",
];

/// Runs as the account, and was not started by sshd for anybody.
const AS_THE_ACCOUNT: [&str; 4] = [
    "systemd-run --quiet --pipe --wait -p User=tpa -E SSH_ORIGINAL_COMMAND='LINE' \
     /usr/libexec/tpa/door -c door",
    "SSH_ORIGINAL_COMMAND='LINE' setpriv --reuid tpa --regid tpa --init-groups \
     /usr/libexec/tpa/door",
    "systemd-run --quiet --pipe --wait -p User=tpa tpactl LINE",
    "setpriv --reuid tpa --regid tpa --init-groups tpactl LINE",
];

on_both_debians! {
    with play;

    fn who_cannot_log_in_asks_and_is_approved_by_key_alone(host) {
        host.ssh("alice", "true").fails()?.says("Request:  tpactl request db-admin")?;
        open(host)?;
        host.ssh("alice", "true").fails()?.says("Request:  ssh tpa@web-01 request db-admin")?;
        let id = asked(host)?;
        let greeting = knock(host, "carol", "");
        greeting.says("You are carol on web-01, by the key SHA256:")?.says("You hold: nothing")?;
        greeting.says("For you to decide:")?.says(&id)?;
        knock(host, "alice", &format!("approve {id} --yes")).code_is(4)?;
        knock(host, "alice", &format!("show {id}")).says("the shop answers with errors")?;
        knock(host, "carol", &format!("approve {id} --comment it's fine --yes")).ok()?;
        knock(host, "alice", &format!("wait {id} --for active --timeout 60s")).ok()?;
        host.ssh("alice", "sudo -n systemctl restart cron").ok()?;
        knock(host, "alice", "status").says(&id)?;
        let approved = host.logged_event("approval-recorded", &id)?;
        ensure!(approved.contains("carol") && approved.contains("SHA256:"), "{approved}");
        knock(host, "alice", &format!("extend {id} --for 30m --reason it takes longer --json")).ok()?;
        knock(host, "alice", &format!("end {id} --yes")).ok()?;
        host.ssh("alice", "true").fails()?;
        shown(host, &id)?.has("state", "ended")?;
        // No event of it is still to come.
        host.logged_event("removal-confirmed", &id)?;

        what_waits_is_decided_on_from_the_greeting(host)?;
        a_certificate_of_a_ca_comes_in_as_whom_it_names(host)?;
        ten_thousand_people_cost_one_look_up(host)?;
        nothing_else_is_to_be_had(host)?;
        nobody_else_comes_in(host)?;
        a_slip_in_one_line_keeps_out_nobody_else(host)?;
        one_command_is_filed_from_outside_and_run_by_whoever_may_log_in(host)?;
        a_pin_counts_where_sshd_has_to_ask_for_it(host)?;
        nothing_that_runs_as_the_account_is_anybody(host)?;
        many_at_once_hold_up_nobody_at_the_gate(host)?;
    }
}

on_both_debians! {
    with play_stock;

    fn doctor_names_what_keeps_the_front_door_from_working(host) {
        host.root(OPEN).ok()?;
        let doctor = || host.root("tpactl doctor");
        doctor().says("front door is open, and there is no /etc/tpa/signers")?;
        host.root(SIGNERS).ok()?;
        doctor().says("of ghost, who has no account here")?;
        host.write("/etc/ssh/sshd_config.d/00-first.conf", "Match User tpa\n    ForceCommand /bin/sh\n")?;
        doctor().says("sshd does not go by /etc/ssh/sshd_config.d/10-tpa-door.conf")?;
    }
}

/// By keys alone: what waits is shown, and nothing that somebody typed moves the cursor.
fn what_waits_is_decided_on_from_the_greeting(host: &Host) -> Result<()> {
    let door = "ssh -tt -i /root/keys/carol tpa@127.0.0.1";
    let id = asked(host)?;
    let mut picker = host.terminal(&format!("stty columns 80 rows 24; {door}"))?;
    picker.sees("You are carol on web-01")?;
    picker.sees("for you to decide")?;
    picker.presses("a")?;
    picker.sees("Approve? [y/N]")?;
    picker.presses("y")?;
    picker.sees(" left (until ")?;
    picker.presses("q")?;
    picker.ends()?;
    knock(host, "alice", &format!("end {id} --yes")).ok()?;
    let id = asked(host)?;
    knock(
        host,
        "carol",
        &format!("deny {id} --reason not today --yes"),
    )
    .ok()?;
    knock(host, "alice", &format!("show {id}")).says("not today")?;
    let id = asked(host)?;
    knock(host, "alice", &format!("withdraw {id} --yes")).ok()?;
    knock(host, "alice", "roles").says("web-ops")?;
    knock(host, "alice", "ls --mine --state denied,withdrawn").says(&id)?;
    // A reason of theirs that would clear the screen comes in no way, by its bytes or by its name.
    let clears = r"\033[2J\033]0;owned\007";
    let typed = format!("\"request web-ops --reason 'the shop $(printf '{clears}') is down'\"");
    knock_with(host, "alice", "", &typed).code_is(2)?;
    Ok(())
}

/// sshd knows the certificate by its CA's line, for whom both name and for as long as both say.
fn a_certificate_of_a_ca_comes_in_as_whom_it_names(host: &Host) -> Result<()> {
    let certify = |people: &str, when: &str| {
        host.root(&format!(
            "cd /root/keys && rm -f new-cert.pub && ssh-keygen -q -s ca -I id -n {people} -V {when} new.pub"
        ))
    };
    let make = "cd /root/keys && for key in ca new; do ssh-keygen -q -t ed25519 -N '' -f $key; done && \
                cp -p /etc/tpa/signers /root/signers && \
                echo \"alice,dave cert-authority $(cut -d' ' -f1,2 ca.pub)\" >>/etc/tpa/signers && \
                systemctl reload tpad";
    host.root(make).ok()?;
    let refused = || -> Result<()> {
        knock(host, "new", "")
            .fails()?
            .says("Permission denied (publickey)")?;
        Ok(())
    };
    // The key alone is nobody's.
    refused()?;
    certify("dave,prod", "+1h").ok()?;
    knock(host, "new", "")
        .says("You are dave on web-01")?
        .ok()?;
    for (people, when) in [
        ("carol", "+1h"),
        ("alice,dave", "+1h"),
        ("tpa", "+1h"),
        ("dave", "20200101:20200102"),
    ] {
        certify(people, when).ok()?;
        refused()?;
    }
    certify("dave", "+1h").ok()?;
    host.root("cp -p /root/signers /etc/tpa/signers && systemctl reload tpad")
        .ok()?;
    refused()
}

/// As many lines before and behind those of the story.
fn ten_thousand_people_cost_one_look_up(host: &Host) -> Result<()> {
    let many = r#"cp -p /etc/tpa/signers /root/signers && {
        awk 'BEGIN { for (n = 0; n < 5000; n++) printf "p%d ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA%042d\n", n, n }'
        cat /root/signers
        awk 'BEGIN { for (n = 5000; n < 10000; n++) printf "p%d ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA%042d\n", n, n }'
    } >/etc/tpa/signers && systemctl reload tpad"#;
    host.root(many).ok()?;
    knock(host, "carol", "")
        .says("You are carol on web-01")?
        .ok()?;
    knock(host, "mallory", "ls")
        .fails()?
        .says("Permission denied (publickey)")?;
    host.root("cp -p /root/signers /etc/tpa/signers && systemctl reload tpad")
        .ok()?;
    Ok(())
}

/// How many events there are but those that come when a look is over.
const RECORDED: &str = "tpactl log | grep -cv 'residue\\|beginning-noted'";

fn nothing_else_is_to_be_had(host: &Host) -> Result<()> {
    let before = host.root(RECORDED).ok()?.to_owned();
    for typed in HOSTILE {
        let refused = knock(host, "carol", typed);
        refused
            .code_is(2)?
            .says("is not offered through the front door")?;
        refused.keeps_quiet_about("uid=")?;
    }
    knock(host, "carol", "approve /etc/shadow --yes")
        .code_is(6)?
        .says("next: ssh tpa@web-01 ls")?;
    for typed in [
        "ls\nrevoke --all",
        "ls \u{202e}",
        "deny X --reason \"no",
        "ls --export /tmp/x",
    ] {
        let quoted = format!("\"$(printf '%s' '{}')\"", typed.replace('\'', "'\\''"));
        knock_with(host, "carol", "", &quoted).code_is(2)?;
    }
    let sftp = "sftp -b /dev/null -i /root/keys/carol tpa@127.0.0.1";
    host.root(sftp).fails()?;
    host.root("scp -i /root/keys/carol /etc/hostname tpa@127.0.0.1:/tmp/copied")
        .fails()?;
    host.root("scp -O -i /root/keys/carol /etc/hostname tpa@127.0.0.1:/tmp/copied")
        .fails()?;
    knock_with(host, "carol", "-W 127.0.0.1:22", "").fails()?;
    knock_with(
        host,
        "carol",
        "-o ExitOnForwardFailure=yes -R 2222:127.0.0.1:22",
        "ls",
    )
    .fails()?;
    knock_with(host, "carol", "-o ExitOnForwardFailure=yes -w any", "ls").fails()?;
    let settings = host.root("sshd -T -C user=tpa,host=localhost,addr=127.0.0.1");
    for setting in [
        "allowagentforwarding no",
        "x11forwarding no",
        "disableforwarding yes",
    ] {
        settings.says(setting)?;
    }
    host.none_of("/tmp/copied /tmp/x /tmp/tpactl.1 /tmp/ssh-*")?;
    ensure!(
        host.root(RECORDED).ok()? == before,
        "something was recorded"
    );
    Ok(())
}

fn nobody_else_comes_in(host: &Host) -> Result<()> {
    knock(host, "mallory", "ls")
        .fails()?
        .says("Permission denied (publickey)")?;
    knock(host, "root", "ls")
        .code_is(4)?
        .says("a key does not speak for root")?;
    knock(host, "ghost", "ls")
        .code_is(4)?
        .says("has no account here")?;
    knock(host, "self", "ls")
        .code_is(4)?
        .says("is the front door, and nobody")?;
    let by_password = "SSH_ASKPASS=/bin/true SSH_ASKPASS_REQUIRE=force ssh -n -o BatchMode=no \
                       -o PubkeyAuthentication=no tpa@127.0.0.1 ls";
    host.root(by_password)
        .fails()?
        .says("Permission denied (publickey)")?;
    host.root("systemctl stop tpad").ok()?;
    knock(host, "carol", "ls")
        .fails()?
        .says("tpad is not answering; the front door is closed")?;
    host.root("systemctl start tpad").ok()?;
    // A key that is taken out speaks no more, also through a connection that is open.
    let master = "-o ControlMaster=auto -o ControlPersist=600 -o ControlPath=/root/door";
    knock_with(host, "erin", master, "ls >/dev/null 2>&1").ok()?;
    host.root("sed -i /^erin/d /etc/tpa/signers && systemctl reload tpad")
        .ok()?;
    knock_with(host, "erin", master, "ls")
        .code_is(4)?
        .says("is nobody's")?;
    host.root("ssh -O exit -o ControlPath=/root/door tpa@127.0.0.1")
        .ok()?;
    Ok(())
}

/// tpad is started anew with it, as it is after an upgrade or a reboot.
fn a_slip_in_one_line_keeps_out_nobody_else(host: &Host) -> Result<()> {
    let slip = "cp /etc/tpa/signers /root/signers && \
                echo \"mallory valid-before=soon $(cut -d' ' -f1,2 /root/keys/mallory.pub)\" >>/etc/tpa/signers && \
                echo \"mallory valid-before=soon $(cut -d' ' -f1,2 /root/keys/alice.pub)\" >>/etc/tpa/signers";
    host.root(slip).ok()?;
    for again in ["reload", "restart"] {
        host.root(&format!("systemctl {again} tpad")).ok()?;
        knock(host, "carol", "status").ok()?;
        knock(host, "mallory", "ls").fails()?;
        knock(host, "alice", "ls").fails()?;
    }
    host.root("tpactl check")
        .fails()?
        .says("/etc/tpa/signers:")?;
    host.root("tpactl doctor")
        .says("2 lines of /etc/tpa/signers cannot be read")?;
    host.root("journalctl -u tpad --no-pager")
        .says("left out of the configuration: /etc/tpa/signers:")?;
    host.root("cp /root/signers /etc/tpa/signers && systemctl reload tpad")
        .ok()?;
    knock(host, "alice", "ls").ok()?;
    Ok(())
}

/// What is allowed to be asked for word by word.
const ONCE: &str = r#"[request]
who     = ["@engineers"]
default = "10m"
max     = "1h"
[approve]
who = ["@oncall"]
[gives]
exact    = true
as       = ["root"]
programs = ["/usr/bin/*"]
"#;

fn one_command_is_filed_from_outside_and_run_by_whoever_may_log_in(host: &Host) -> Result<()> {
    role(host, "once", ONCE)?;
    let words = "/usr/bin/printf '[%s]' 'a b' '' 'it'\\''s' '$HOME *' \"x  y\" -u";
    let typed = format!("run once --reason the old table -- {words}");
    let filed = knock(host, "alice", &format!("{typed} --json"));
    // What stands behind the dashes is the command's, options too.
    filed.says("--json")?.ok()?;
    let filed = knock(host, "alice", &typed.replace("run once", "run once --json"));
    filed.says("run it: tpactl run --resume")?;
    let shown = r"/usr/bin/printf '[%s]' 'a b' '' 'it'\''s' '$HOME *' 'x  y' -u";
    filed.says(shown)?;
    let request = filed.json()?;
    let id = request.text("id")?.to_owned();
    let command = request.object("command")?;
    command.has("directory", "/")?.has("line", shown)?;
    // One pair of quotes too few: what that would be is not guessed.
    for unclear in [
        "run once --reason x -- /usr/bin/printf $(id)",
        "run once --reason x -- /usr/bin/printf a;b",
        "run once --reason x -- /usr/bin/printf it's",
        "run --resume AAAAAAAA",
        "run once --reason x",
    ] {
        knock(host, "alice", unclear).code_is(2)?;
    }
    knock(host, "carol", &format!("show {id}")).says(shown)?;
    knock(host, "carol", &format!("approve {id} --yes")).ok()?;
    host.ssh("alice", "true").fails()?;
    let login = grant(host, "alice", "web-ops", "1h")?;
    let ran = host.ssh("alice", &format!("tpactl run --resume {id}"));
    let ran = ran.ok()?;
    ensure!(ran == "[a b][][it's][$HOME *][x  y][-u]", "{ran}");
    host.logged_with(&["command-run", &format!("grant={id}"), "exit_code=0"])?;
    knock(host, "alice", &format!("end {login} --yes")).ok()?;
    Ok(())
}

/// Has ssh use the software security key, and answer for a person who is asked for the PIN.
const WITH_KEY: &str = "SSH_SK_PROVIDER=/usr/local/lib/sk_software.so SSH_ASKPASS=/usr/local/bin/pin \
                        SSH_ASKPASS_REQUIRE=force";

fn a_pin_counts_where_sshd_has_to_ask_for_it(host: &Host) -> Result<()> {
    host.copy_in(
        &module::built("sk_software")?,
        "/usr/local/lib/sk_software.so",
    )?;
    host.write("/usr/local/bin/pin", "#!/bin/sh\necho 1234\n")?;
    host.root("chmod 755 /usr/local/bin/pin").ok()?;
    let text = WEB_OPS.replace("needed = 1", "needed = 1\nproof = \"pin\"");
    role(host, "pin-ops", &text)?;
    // A key that asks for its PIN, listed as one or not; and one that does not ask, listed as one.
    for (name, kind, options) in [
        ("unlisted", "ed25519-sk -O verify-required", ""),
        ("listed", "ed25519-sk -O verify-required", PIN),
        ("untold", "ecdsa-sk", PIN),
    ] {
        host.root(&format!(
            "cd /root/keys && {WITH_KEY} ssh-keygen -q -N '' -f {name} -t {kind} </dev/null && \
             echo \"carol {options} $(cut -d' ' -f1,2 {name}.pub)\" >>/etc/tpa/signers"
        ))
        .ok()?;
    }
    host.root("systemctl reload tpad").ok()?;
    host.root("tpactl check")
        .says("signs as carol, by PIN or finger at the front door")?;
    let typed = "request pin-ops --for 1h --reason the shop answers with errors --json";
    let id = knock(host, "alice", typed).json()?.text("id")?.to_owned();
    let say_yes = |key: &str, id: &str| {
        host.root(&format!(
            "{WITH_KEY} ssh -n -o SecurityKeyProvider=/usr/local/lib/sk_software.so \
             -i /root/keys/{key} tpa@127.0.0.1 approve {id} --yes"
        ))
    };
    let approve = |key: &str| say_yes(key, &id);
    for key in ["carol", "unlisted"] {
        approve(key)
            .code_is(4)?
            .says("asks for your PIN or finger")?;
    }
    approve("untold")
        .fails()?
        .says("Permission denied (publickey)")?;
    // sshd goes by the file, and tpad by what it has loaded: the less of the two counts.
    host.root("cp -p /etc/tpa/signers /root/signers && sed -i 's/namespaces=[^ ]*pin@tpa.v1[^ ]* //' /etc/tpa/signers")
        .ok()?;
    approve("listed")
        .code_is(4)?
        .says("asks for your PIN or finger")?;
    host.root("cp -p /root/signers /etc/tpa/signers").ok()?;
    approve("listed").ok()?;
    let yes = host.logged_event("approval-recorded", &id)?;
    ensure!(
        yes.contains(" proof=pin ") && yes.contains(" touched=true "),
        "{yes}"
    );
    knock(host, "alice", &format!("end {id} --yes")).ok()?;
    // A touch is what sshd asks of every security key.
    role(host, "touch-ops", &text.replace("\"pin\"", "\"touch\""))?;
    let typed = typed.replace("pin-ops", "touch-ops");
    let id = knock(host, "alice", &typed).json()?.text("id")?.to_owned();
    say_yes("carol", &id)
        .code_is(4)?
        .says("come in with a security key that you touch")?;
    say_yes("unlisted", &id).ok()?;
    let yes = host.logged_event("approval-recorded", &id)?;
    ensure!(
        yes.contains(" proof=touch ") && yes.contains(" touched=true "),
        "{yes}"
    );
    knock(host, "alice", &format!("end {id} --yes")).ok()?;
    host.root(
        "rm /etc/tpa/roles.d/pin-ops.toml /etc/tpa/roles.d/touch-ops.toml && systemctl reload tpad",
    )
    .ok()?;
    Ok(())
}

fn nothing_that_runs_as_the_account_is_anybody(host: &Host) -> Result<()> {
    let id = asked(host)?;
    let waiting = host.start(&format!(
        "ssh -n -o SetEnv=LC_EVIL=evil -i /root/keys/carol tpa@127.0.0.1 wait {id} --for approved"
    ))?;
    host.runs("^door -c", 1)?;
    // No variable of hers came with her; the account has a shell of its own and no password.
    let environment = host.root("tr '\\0' '\\n' </proc/$(pgrep -of '^door -c')/environ");
    environment
        .says("SSH_ORIGINAL_COMMAND=wait")?
        .keeps_quiet_about("LC_EVIL")?;
    host.root("passwd -S tpa && getent passwd tpa")
        .says("tpa L ")?
        .says(":/usr/libexec/tpa/door")?;
    // Whoever leaves, leaves nothing behind that goes on waiting.
    let another = host.start(&format!(
        "ssh -n -i /root/keys/dave tpa@127.0.0.1 wait {id} --for approved & echo $! >/tmp/left; wait"
    ))?;
    host.runs("^door -c", 2)?;
    host.root("kill -KILL $(cat /tmp/left)").ok()?;
    another.finish()?;
    host.runs("^door -c", 1)?;
    for way in AS_THE_ACCOUNT {
        for line in [format!("approve {id} --yes"), "status".to_owned()] {
            let refused = host.root(&way.replace("LINE", &line));
            refused
                .code_is(4)?
                .says("no login of ssh is known that this comes from")?;
        }
    }
    let bus = "setpriv --reuid tpa --regid tpa --init-groups busctl call org.tpa1 /org/tpa1";
    for call in [
        format!("org.tpa1.Access Approve 'sa{{sv}}' {id} 0"),
        "org.tpa1.Access WhoAmI".to_owned(),
        "org.tpa1.Gate OpenDoor 'a{sv}s' 0 'publickey x'".to_owned(),
    ] {
        host.root(&format!("{bus} {call}")).fails()?;
    }
    // Nothing looks into, or takes over, the program that carol's words go through.
    let door = "$(pgrep -of '^door -c')";
    let as_tpa = "setpriv --reuid tpa --regid tpa --init-groups";
    for look in [
        "cat /proc/PID/environ",
        "strace -qp PID",
        "cat /proc/PID/maps",
        "ls /proc/PID/fd",
    ] {
        let look = look.replace("PID", door);
        host.root(&format!("timeout 60 {as_tpa} {look}")).fails()?;
    }
    // The ways to run something as the account end at the gate, or in its own program.
    host.root("su tpa -s /bin/sh -c 'touch /tmp/ran'").fails()?;
    host.root("sudo -u tpa touch /tmp/ran").fails()?;
    host.root("su - tpa -c 'touch /tmp/ran'").fails()?;
    host.root(&format!("echo 'touch /tmp/ran' | {as_tpa} at now"))
        .ok()?;
    host.logged_with(&["pam_tpa(atd:account): refused: user=\"tpa\""])?;
    let user_unit = "systemd-run --quiet --pipe --wait --user --machine=tpa@ tpactl status";
    host.root(user_unit).fails()?;
    host.root(
        "install -d -o tpa /usr/libexec/tpa/.ssh && \
               install -o tpa -m 0600 /root/keys/mallory.pub /usr/libexec/tpa/.ssh/authorized_keys",
    )
    .ok()?;
    knock(host, "mallory", "ls")
        .fails()?
        .says("Permission denied (publickey)")?;
    host.none_of("/tmp/ran")?;
    knock(host, "carol", &format!("show {id} --json"))
        .json()?
        .has("state", "pending")?;
    knock(host, "carol", &format!("approve {id} --yes")).ok()?;
    waiting.finish()?.ok()?;
    Ok(())
}

/// 200 people come at once and stay. Their accounts are written as they stand in the files: nothing of
/// what makes accounts is asked here.
const CROWD: &str = r#"mkdir /root/crowd /tmp/crowd && cd /root/crowd || exit
for n in $(seq 200); do
    ssh-keygen -q -t ed25519 -N '' -f w$n || exit
    echo "w$n:x:$((3000 + n)):100::/nonexistent:/bin/sh" >>/etc/passwd
    echo "w$n:*:19000:0:99999:7:::" >>/etc/shadow
    echo "w$n $(cut -d' ' -f1,2 w$n.pub)" >>/etc/tpa/signers
done
systemctl reload tpad"#;

const COME: &str = r#"for n in $(seq 200); do
    ssh -n -o ConnectTimeout=280 -i /root/crowd/w$n tpa@127.0.0.1 ls --watch >/tmp/crowd/$n 2>&1 &
    all="$all $!"
done
until [ "$(pgrep -cf '^door -c')" = 200 ]; do sleep 0.2; done
echo all are in
until [ -e /tmp/leave ]; do sleep 0.2; done
kill $all
wait"#;

fn many_at_once_hold_up_nobody_at_the_gate(host: &Host) -> Result<()> {
    let _alone = alone::flood();
    grant(host, "mallory", "web-ops", "1h")?;
    host.write(
        "/etc/ssh/sshd_config.d/many.conf",
        "MaxStartups 400:30:500\nLoginGraceTime 600\n",
    )?;
    host.root(CROWD).ok()?;
    host.root("systemctl restart ssh").ok()?;
    host.runs("^door -c", 0)?;
    let mut crowd = host.start(COME)?;
    // While they come, and while all of them are there.
    for _ in 0..5 {
        host.ssh("mallory", "true").ok()?;
    }
    crowd.line_with("all are in")?;
    for _ in 0..3 {
        host.ssh("mallory", "true").ok()?;
        knock(host, "carol", "ls").ok()?;
    }
    host.root("ssh -n -i /root/crowd/w7 tpa@127.0.0.1")
        .fails()?
        .says("w7 has 1 connection to it open, and there is no room for more of theirs")?;
    // Each was let in as whom they are, and told of nothing that went wrong.
    host.root("cat /tmp/crowd/*").keeps_quiet_about("error")?;
    host.root("touch /tmp/leave").ok()?;
    crowd.finish()?;
    host.root("systemctl is-active tpad").ok()?;
    // sshd's processes for them end some time after they have hung up, and with those their places.
    host.eventually(
        "ssh -n -i /root/crowd/w7 tpa@127.0.0.1 2>&1 | grep -q '^You are w7 on web-01'",
    )?;
    Ok(())
}
