//! What is measured, and how.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Context, Result};
use tpa_tests::calls::{calls, calls_if_any};
use tpa_tests::grant::{REASON, grant};
use tpa_tests::host::Host;
use tpa_tests::installed;

use crate::left;
use crate::statistics::{Summary, summary};

/// How often everything is done.
pub struct Effort {
    /// Logins over ssh, of each kind.
    pub logins: u32,
    /// Runs of each command.
    pub commands: u32,
    /// People who are granted access beside alice.
    pub people: u32,
    /// Seconds in which nothing happens.
    pub idle: u32,
    /// Files that are looked through for what was left behind.
    pub files: u32,
}

/// How long something takes.
pub struct Time {
    /// What takes it.
    pub what: &'static str,
    /// What the times came to.
    pub summary: Summary,
}

/// Anything else that is counted.
pub struct Figure {
    /// What is counted.
    pub what: String,
    /// What it came to, with its unit.
    pub is: String,
}

/// Runs lines of shell in turn on the host, where nothing of this machine is in the times.
const ROUNDS: &str = include_str!("rounds");

/// So many rounds at once: a command on a host may take 90 s.
const BATCH: u32 = 50;

/// An sshd beside the host's own, whose PAM lines are those of a host without TPA.
const STOCK_SSHD: &str = "pam-auth-update --remove tpa tpa-scope
for kind in account auth password session session-noninteractive; do
    cp /etc/pam.d/common-$kind /etc/pam.d/stock-$kind
done
pam-auth-update --enable tpa tpa-scope
sed 's/^@include common-/@include stock-/' /etc/pam.d/sshd >/etc/pam.d/stock-sshd
if grep -q pam_tpa /etc/pam.d/stock-*; then exit 1; fi
grep -q pam_tpa /etc/pam.d/common-account
grep -q 'pam_tpa.so scope' /etc/pam.d/common-session
sed 's/^\\(127.0.0.1\\) /[\\1]:2222 /' /root/.ssh/known_hosts >>/root/.ssh/known_hosts2
systemd-run --quiet --unit=stock-sshd --property=RuntimeDirectory=sshd \\
    --property=RuntimeDirectoryPreserve=yes \\
    /usr/sbin/sshd -D -p 2222 -o PAMServiceName=stock-sshd -o PidFile=none";

/// Stacks of PAM that have one line each.
const STACKS: &str = "mkdir /root/gated /root/open
printf 'account required %s\n' pam_tpa.so pam_permit.so >/root/gated/sshd
echo 'account required pam_permit.so' >/root/open/sshd
chmod 755 /root/bench";

/// The front door, opened as tpa-door(8) says, and whose keys are known there.
const DOOR: &str = "cp /usr/share/tpa/10-tpa-door.conf /etc/ssh/sshd_config.d/
for name in alice carol; do
    echo \"$name $(cut -d' ' -f1,2 /root/keys/$name.pub)\"
done >/etc/tpa/signers
systemctl reload tpad
systemctl restart ssh";

/// A signed request of alice's, and the same in the two files that ssh-keygen takes.
const STATEMENT: &str = "install -d -o alice /run/bench
install -o alice -m 600 /root/keys/alice /root/keys/alice.pub /home/alice/.ssh/
cd /run/bench
for part in alice alice.pub; do mv /home/alice/.ssh/$part /home/alice/.ssh/id_ed25519${part#alice}; done
setpriv --reuid=alice --regid=alice --init-groups env HOME=/home/alice \\
    tpactl request web-ops --for 1h --reason 'to be measured' --on web-01 --export paper
sed -n '/BEGIN TPA/,/END TPA/p' paper | grep -v -e ----- | base64 -d >said
sed -n '/BEGIN SSH/,$p' paper >said.sig
for n in $(seq 100); do cat paper; done >hundred";

/// Ten thousand people beside those of the story, a key each.
const MANY: &str = r#"awk 'BEGIN { for (n = 0; n < 10000; n++)
    printf "p%d ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA%042d\n", n, n }' >>/etc/tpa/signers
systemctl reload tpad"#;

/// Everything, on a host on which nobody has a grant yet.
pub fn measure(host: &Host, effort: &Effort) -> Result<(Vec<Time>, Vec<Figure>)> {
    host.write("/root/rounds", ROUNDS)?;
    // First of all: what tpad does about new accounts is in none of the times.
    host.root(&format!(
        "for n in $(seq {}); do useradd --no-create-home --groups engineers u$n || exit; done",
        effort.people
    ))
    .ok()?;
    grant(host, "alice", "web-ops", "4h")?;
    let mut times = gate(host, effort)?;
    times.extend(logins(host, effort)?);
    times.extend(door(host, effort)?);
    let checked = statements(host, effort)?;
    let rate = in_a_second(&checked);
    times.extend(checked);
    // Last of what reads who signs as whom.
    times.extend(crowded_door(host, effort)?);
    times.extend(commands(host, effort)?);
    let one = refused(host)?;
    times.extend(pairs(host, effort)?);
    let many = refused(host)?;
    let mut figures = vec![
        figure(
            "system calls of tpad for one refused login, 1 live grant",
            &one,
        ),
        figure(
            &format!("the same, {} live grants", effort.people.saturating_add(1)),
            &many,
        ),
    ];
    figures.extend(rate);
    figures.extend(idle(host, effort)?);
    // Last: what the kernel keeps of the files changes other times.
    figures.extend(left::left(host, effort.files)?);
    figures.extend(sizes(host)?);
    Ok((times, figures))
}

/// Which machine it is, and when.
pub fn machine(host: &Host) -> Result<String> {
    let said = host.root(
        "echo \"$(date --utc +%F): Linux $(uname -r | cut -d- -f1), $(nproc) cores, \
         Debian $(cat /etc/debian_version), $(tpactl --version)\"",
    );
    Ok(said.ok()?.to_owned())
}

/// The gate alone: each time a process of its own asks the account phase.
fn gate(host: &Host, effort: &Effort) -> Result<Vec<Time>> {
    host.copy_in(&std::env::current_exe()?, "/root/bench")?;
    host.root(STACKS).ok()?;
    rounds(
        host,
        effort.commands,
        &[
            (
                "the gate alone, live grant, recorded",
                "/root/bench account /root/gated alice",
            ),
            (
                "— somebody who is not gated, at the gate",
                "/root/bench account /root/gated bob",
            ),
            ("— pam_permit alone", "/root/bench account /root/open alice"),
        ],
    )
}

fn door(host: &Host, effort: &Effort) -> Result<Vec<Time>> {
    host.root(&format!("set -e\n{DOOR}")).ok()?;
    host.eventually("ssh -n -i /root/keys/carol tpa@127.0.0.1 status")?;
    rounds(
        host,
        effort.logins,
        &[
            (
                "the front door, from connect to its answer: ssh tpa@host status",
                "ssh -n -i /root/keys/carol tpa@127.0.0.1 status",
            ),
            ("— ssh host true, not gated", "ssh -T bob@127.0.0.1 true"),
        ],
    )
}

/// The same with many people's keys in the file: sshd asks for one of them.
fn crowded_door(host: &Host, effort: &Effort) -> Result<Vec<Time>> {
    host.root(&format!("set -e\n{MANY}")).ok()?;
    rounds(
        host,
        effort.logins,
        &[
            (
                "the front door, 10,000 people's keys",
                "ssh -n -i /root/keys/carol tpa@127.0.0.1 status",
            ),
            (
                "— of that, sshd's one look-up of the key",
                "tpad keys $(cut -d' ' -f1,2 /root/keys/carol.pub)",
            ),
        ],
    )
}

/// From what one process takes for one statement and for a hundred.
fn in_a_second(checked: &[Time]) -> Option<Figure> {
    let of = |what: &str| checked.iter().find(|time| time.what.starts_with(what));
    let (one, hundred) = (of("a signed")?, of("100 signed")?);
    let more = hundred.summary.p50.saturating_sub(one.summary.p50);
    let each = more.as_secs_f64() / 99.0;
    Some(figure(
        "signed statements that one process checks in a second (Ed25519)",
        &format!("{:.0}", 1.0 / each),
    ))
}

/// A signed statement is checked by a process of its own, as ssh-keygen is one.
fn statements(host: &Host, effort: &Effort) -> Result<Vec<Time>> {
    host.root(&format!("set -e\n{STATEMENT}")).ok()?;
    rounds(
        host,
        effort.commands,
        &[
            (
                "a signed statement checked: tpactl verify --statement",
                "tpactl verify --statement /run/bench/paper",
            ),
            (
                "100 signed statements checked by one process",
                "tpactl verify --statement /run/bench/hundred",
            ),
            (
                "— ssh-keygen -Y verify",
                "ssh-keygen -Y verify -f /etc/tpa/signers -I alice -n statement@tpa.v1 \
                 -s /run/bench/said.sig </run/bench/said",
            ),
        ],
    )
}

fn logins(host: &Host, effort: &Effort) -> Result<Vec<Time>> {
    let script = format!("set -e\n{STOCK_SSHD}");
    host.root(&script).ok()?;
    host.eventually("ssh -T -p 2222 bob@127.0.0.1 true")?;
    rounds(
        host,
        effort.logins,
        &[
            ("ssh host true, live grant", "ssh -T alice@127.0.0.1 true"),
            ("— somebody who is not gated", "ssh -T bob@127.0.0.1 true"),
            (
                "— without TPA's lines in PAM",
                "ssh -T -p 2222 bob@127.0.0.1 true",
            ),
        ],
    )
}

fn commands(host: &Host, effort: &Effort) -> Result<Vec<Time>> {
    rounds(
        host,
        effort.commands,
        &[
            ("tpactl status", "tpactl status"),
            (
                "— busctl call of its method",
                "busctl --system call org.tpa1 /org/tpa1 org.tpa1.Access Status s ''",
            ),
            ("tpactl prompt", "tpactl prompt"),
            ("— /bin/true", "/bin/true"),
        ],
    )
}

/// Gives each of many people a grant: both commands, each a process of its own.
fn pairs(host: &Host, effort: &Effort) -> Result<Vec<Time>> {
    let pair = format!(
        "id=$(setpriv --reuid=u{{n}} --regid=u{{n}} --init-groups tpactl request web-ops --for 4h \
         --reason '{REASON}' --no-wait --json | sed -n 's/.*\"id\": *\"\\([^\"]*\\)\".*/\\1/p' | head -1) && \
         setpriv --reuid=carol --regid=carol --init-groups tpactl approve $id --yes"
    );
    rounds(
        host,
        effort.people,
        &[
            ("tpactl request and approve, durable", &pair),
            (
                "— 4 kB written and synced, twice",
                "for file in 1 2; do \
                 dd if=/dev/zero of=/var/lib/bench bs=4k count=1 conv=fsync status=none; done",
            ),
        ],
    )
}

/// Times of these lines of shell, run in turn: a name, and the line.
fn rounds(host: &Host, count: u32, lines: &[(&'static str, &str)]) -> Result<Vec<Time>> {
    let words: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(number, (_, line))| format!("{number} '{}'", line.replace('\'', r"'\''")))
        .collect();
    let words = words.join(" ");
    let mut out = String::new();
    let mut done = 0;
    while done < count {
        let last = count.min(done.saturating_add(BATCH));
        let first = done.saturating_add(1);
        let said = host.root(&format!("bash /root/rounds {first} {last} {words}"));
        out.push_str(said.ok()?);
        out.push('\n');
        done = last;
    }
    lines
        .iter()
        .enumerate()
        .map(|(number, (what, _))| {
            let times = times_of(&out, number)?;
            let summary = summary(&times).with_context(|| format!("{what} was not measured"))?;
            Ok(Time { what, summary })
        })
        .collect()
}

/// The times of the line with this number.
fn times_of(out: &str, number: usize) -> Result<Vec<Duration>> {
    let mark = format!("{number} ");
    out.lines()
        .filter_map(|line| line.strip_prefix(&mark))
        .map(|micros| Ok(Duration::from_micros(micros.parse()?)))
        .collect()
}

fn refused(host: &Host) -> Result<u32> {
    calls(host, "--follow-forks", || {
        host.ssh("mallory", "true").fails()?;
        Ok(())
    })
}

fn idle(host: &Host, effort: &Effort) -> Result<Vec<Figure>> {
    let live = effort.people.saturating_add(1);
    let seconds = effort.idle;
    let made = calls_if_any(host, "--follow-forks", || {
        host.root(&format!("sleep {seconds}")).ok()?;
        Ok(())
    })?;
    let memory = host.root(
        "awk '/^VmRSS/ {print $2}' /proc/$(systemctl show --property=MainPID --value tpad)/status",
    );
    Ok(vec![
        figure(
            &format!("system calls of tpad in {seconds} s without events, {live} live grants"),
            &made,
        ),
        figure(
            &format!("memory of tpad (VmRSS), {live} live grants"),
            &format!("{} kB", memory.ok()?),
        ),
    ])
}

fn sizes(host: &Host) -> Result<Vec<Figure>> {
    let size = |what: &str, file: &str| -> Result<Figure> {
        let said = host.root(&format!("stat --dereference --format=%s {file}"));
        Ok(figure(what, &megabytes(said.ok()?.parse()?)))
    };
    let deb = std::fs::metadata(installed::package()?)?.len();
    Ok(vec![
        size("size of the PAM module", "/usr/lib/*/security/pam_tpa.so")?,
        size("size of tpad", "/usr/sbin/tpad")?,
        size("size of tpactl", "/usr/bin/tpactl")?,
        figure("size of the .deb", &megabytes(deb)),
    ])
}

pub fn figure(what: &str, is: &dyn Display) -> Figure {
    Figure {
        what: what.to_owned(),
        is: is.to_string(),
    }
}

/// In tenths of 10^6 bytes.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
