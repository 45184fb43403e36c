//! The clock is set, or stands still, while a grant lives: no grant gets longer by it.
//!
//! The hosts are emulated machines: a container has no clock of its own. Booting one takes half a
//! minute, so one host of each release sees it all.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tpa_tests::access::{PROMISE, get_in, is_over, others};
use tpa_tests::chain;
use tpa_tests::clock;
use tpa_tests::grant::{request, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::running::Running;
use tpa_tests::scenario::play_on_an_emulated_machine;

/// Seconds.
const YEAR: f64 = 365.0 * 86_400.0;

/// Long enough to get to work, and to set the clock a few times.
const SHORT: &str = "20s";

/// What alice has running: a login, what she left in the background, and a command of root's.
const WORK: &str = "nohup sleep 4712 >/dev/null 2>&1 & echo in; sudo -n /usr/bin/sleep 4711";

/// A rule of the administrator's whose end never comes while the clock is set back: there the
/// gate alone refuses.
const RULE: &str = "alice ALL=(root) NOTAFTER=20300101000000Z NOPASSWD: /usr/bin/true\n";

/// tpad is killed and does not come back.
const BURY: &str = "systemctl mask --runtime tpad; systemctl kill --signal=KILL tpad";
const RAISE: &str = "systemctl unmask --runtime tpad; systemctl start tpad";

/// A grant of alice's.
struct Access {
    id: String,
    /// Seconds since 1970, in UTC.
    not_after: f64,
    /// The same moment by the host's `CLOCK_BOOTTIME`.
    end: f64,
}

impl Access {
    fn begin(host: &Host, length: &str) -> Result<Self> {
        let id = request(host, "alice", "web-ops", length)?;
        let approve = format!("tpactl approve {id} --yes");
        host.console("carol", &approve).ok()?;
        let end = shown(host, &id)?.text("not_after")?.to_owned();
        let clocks = format!("date --date {end} +%s; date +%s.%N; cat /proc/uptime");
        let [not_after, wall, uptime] = numbers(host, &clocks)?;
        Ok(Self {
            id,
            not_after,
            end: uptime + not_after - wall,
        })
    }

    /// Looks out for the line that tells of the end.
    fn watch(&self, host: &Host, witness: &str) -> Result<Running> {
        host.start(&format!(
            "tail --lines=+1 --follow=name --retry /var/log/auth.log |
                {{ grep --text --max-count=1 ' {witness} .*grant={} '; cat /proc/uptime; }}",
            self.id
        ))
    }

    /// The end that is looked out for comes at this moment by `CLOCK_BOOTTIME`, and is one.
    fn ends(&self, host: &Host, mut watch: Running, end: f64) -> Result<()> {
        let line = watch.line_with(&self.id)?;
        let uptime = watch.line_with(" ")?;
        let uptime = uptime.split(' ').next().context("two numbers")?;
        let late = uptime.parse::<f64>()? - end;
        let on_time = -1.0..=PROMISE.as_secs_f64();
        ensure!(on_time.contains(&late), "{late:.1} s late: {line}");
        is_over(host, &self.id)?;
        let sudo = host.console("alice", "sudo -n /usr/bin/true");
        sudo.fails()?.says("denied")?;
        Ok(())
    }
}

/// alice at work. What is returned has to be kept: it is her client.
fn work(host: &Host) -> Result<Running> {
    let mut login = host.start_ssh("alice", &["-T", WORK])?;
    login.line("in")?;
    host.runs("^(/usr/bin/)?sleep 471[12]", 2)?;
    Ok(login)
}

/// The first numbers of what a line of shell says.
fn numbers<const N: usize>(host: &Host, line: &str) -> Result<[f64; N]> {
    let said = host.root(line);
    let words = said.ok()?.split_whitespace().take(N);
    let numbers = words.map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    numbers.try_into().ok().with_context(|| said.to_string())
}

fn uptime(host: &Host) -> Result<f64> {
    let [uptime] = numbers(host, "cat /proc/uptime")?;
    Ok(uptime)
}

fn set(host: &Host, clock: &str) -> Result<()> {
    host.root(&format!("date --set='{clock}'")).ok()?;
    Ok(())
}

/// By an hour, by a year, and to 1970.
fn set_far_back(host: &Host) -> Result<()> {
    ["1 hour ago", "1 year ago", "1970-01-02"]
        .into_iter()
        .try_for_each(|clock| set(host, clock))
}

/// As the clock of this machine says.
fn set_right(host: &Host) -> Result<()> {
    set(host, &format!("@{}", clock::wall()?.as_secs()))
}

/// Whoever needs a grant and holds none stays out, and the others get in.
fn everybody_else_is_untouched(host: &Host) -> Result<()> {
    let others = others(host)?;
    host.ssh("mallory", "true").fails()?.says("denied")?;
    get_in(others)
}

/// The clock is set far back; the grant ends when its time has passed.
fn set_back(host: &Host) -> Result<Access> {
    let access = Access::begin(host, SHORT)?;
    let _login = work(host)?;
    let watch = access.watch(host, "removal-confirmed")?;
    set_far_back(host)?;
    access.ends(host, watch, access.end)?;
    host.logged(" clock-jump ")?;
    Ok(access)
}

/// So does it without tpad, and when PID 1 was told to read its units again.
fn set_back_with_tpad_dead(host: &Host) -> Result<()> {
    set_right(host)?;
    let access = Access::begin(host, SHORT)?;
    let _login = work(host)?;
    host.root(BURY).ok()?;
    let watch = access.watch(host, "reaper-acted")?;
    set_far_back(host)?;
    host.root("systemctl daemon-reload").ok()?;
    access.ends(host, watch, access.end)?;
    host.root(RAISE).ok()?;
    Ok(())
}

/// The clock is a year ahead for two seconds: what was only to come has lost nothing, and times are
/// right again.
fn far_ahead_for_a_moment(host: &Host) -> Result<()> {
    set_right(host)?;
    let filed = |line: &str| {
        let line =
            format!("tpactl request web-ops {line} --reason 'for the test' --no-wait --json");
        let filed = host.console("alice", &line).json()?;
        Ok::<_, anyhow::Error>(filed.text("id")?.to_owned())
    };
    let pending = filed("--for 30m")?;
    let scheduled = filed("--for 30m --at $(date --utc --date '30 minutes' +%FT%TZ)")?;
    host.console("carol", &format!("tpactl approve {scheduled} --yes"))
        .ok()?;
    let before = host.log_length()?;
    host.root("right=$(date +%s) && date --set='1 year' && tpactl ls && sleep 2 && date --set=@$((right + 2))")
        .ok()?;
    host.logged_behind(before, &[" clock-jump "])?;
    shown(host, &pending)?.has("state", "pending")?;
    shown(host, &scheduled)?.has("state", "scheduled")?;
    let until = filed("--until $(date --utc --date '20 minutes' +%FT%TZ)")?;
    let length = shown(host, &until)?.number("duration_s")?;
    ensure!((1_140..=1_200).contains(&length), "{length} s until then");
    host.console("carol", &format!("tpactl approve {pending} --yes"))
        .ok()?;
    let end = shown(host, &pending)?.text("not_after")?.to_owned();
    let [end, now] = numbers(host, &format!("date --date {end} +%s; date +%s"))?;
    ensure!(
        (1_700.0..=1_800.0).contains(&(end - now)),
        "it ends in {} s",
        end - now
    );
    host.root("tpactl revoke --user alice --reason 'for the test' --yes")
        .ok()?;
    host.console("alice", &format!("tpactl withdraw {until}"))
        .ok()?;
    Ok(())
}

/// Suspended time has passed.
fn suspend(host: &Host) -> Result<()> {
    set_right(host)?;
    let access = Access::begin(host, SHORT)?;
    let _login = work(host)?;
    let watch = access.watch(host, "removal-confirmed")?;
    let before = uptime(host)?;
    host.suspend(20)?;
    access.ends(host, watch, before + 20.0)
}

/// The clock is set back, the hardware's too, and the power is cut: what is left of a grant counts
/// from the newest event, and what has ended stays ended.
fn set_back_and_cut_the_power(host: &Host, ended: &Access) -> Result<Access> {
    let access = Access::begin(host, "30m")?;
    set(host, "1 year ago")?;
    host.root("/rig/busybox hwclock --systohc --utc").ok()?;
    let newest = "$(grep -o ' time=[^ ]*' /var/log/auth.log | tail -n 1 | cut -d= -f2)";
    let [newest] = numbers(host, &format!("date --date {newest} +%s"))?;
    host.cut_power()?;
    let [now] = numbers(host, "date +%s")?;
    ensure!(now < newest - YEAR / 2.0, "the clock says {now} again");
    let request = shown(host, &access.id)?;
    request.has("state", "active")?;
    let left = Duration::from_secs(request.number("remaining_s")?.try_into()?);
    let most = access.not_after - newest;
    ensure!(
        left.as_secs_f64() <= most,
        "{left:?} are left, not {most} s"
    );
    shown(host, &ended.id)?.has("state", "expired")?;
    // What rsyslog had written and the kernel had not is lost, and told again when asked for.
    host.root("tpactl verify --resend");
    Ok(access)
}

/// The clock is set ahead, not to the end: the wall clock says when that is.
fn set_ahead(host: &Host, access: &Access) -> Result<()> {
    let _login = work(host)?;
    let watch = access.watch(host, "removal-confirmed")?;
    let before = uptime(host)?;
    set(host, &format!("@{}", access.not_after - 8.0))?;
    access.ends(host, watch, before + 8.0)
}

/// The clock is set past the end: that is it.
fn set_past_the_end(host: &Host, access: &Access, clock: &str, witness: &str) -> Result<()> {
    let watch = access.watch(host, witness)?;
    let before = uptime(host)?;
    set(host, clock)?;
    access.ends(host, watch, before)
}

on_both_debians! {
    with play_on_an_emulated_machine;

    fn setting_the_clock_never_lengthens_a_grant(host) {
        host.write("/etc/sudoers.d/local", RULE)?;
        let ended = set_back(host)?;
        set_back_with_tpad_dead(host)?;
        far_ahead_for_a_moment(host)?;
        suspend(host)?;
        let access = set_back_and_cut_the_power(host, &ended)?;
        set_ahead(host, &access)?;
        let access = Access::begin(host, "30m")?;
        let login = work(host)?;
        set_past_the_end(host, &access, "1 hour", "removal-confirmed")?;
        drop(login);
        let access = Access::begin(host, "30m")?;
        let login = work(host)?;
        host.root(BURY).ok()?;
        set_past_the_end(host, &access, "1 year", "reaper-acted")?;
        drop(login);
        everybody_else_is_untouched(host)?;
        host.root(RAISE).ok()?;
        chain::is_whole(host)?;
    }
}
