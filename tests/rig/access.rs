//! Access in use: what somebody has running on a grant, and whether it ends on time, and everybody
//! else gets in meanwhile.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::clock;
use crate::grant::{grant, shown};
use crate::host::Host;
use crate::running::Running;

/// How long after its end access may last.
pub const PROMISE: Duration = Duration::from_secs(5);

/// What alice has running on a short grant: a login, a command of root's, and what she left.
pub struct Access {
    /// Its id.
    pub id: String,
    /// When it ends, since 1970 in UTC.
    pub end: Duration,
    login: Running,
    _sudo: Running,
}

impl Access {
    /// Has alice granted as much as [`seconds_for`] so many logins and start it all, which is five
    /// of them: its end is waited for.
    pub fn begin_for(host: &Host, logins: u32) -> Result<Self> {
        Self::begin(host, &format!("{}s", seconds_for(host, logins)?))
    }

    /// Has alice granted so much and start it all.
    pub fn begin(host: &Host, length: &str) -> Result<Self> {
        let id = grant(host, "alice", "web-ops", length)?;
        let end = end_of(host, &id)?;
        let (login, sudo) = work(host)?;
        host.runs("^(/usr/bin/)?sleep 471[0-2]", 3)?;
        Ok(Self {
            id,
            end,
            login,
            _sudo: sudo,
        })
    }

    /// Waits for the end, and for the line of who brought it about.
    pub fn ends(self, host: &Host, witness: &str) -> Result<()> {
        let (id, end) = (self.id.clone(), self.end);
        self.is_cut()?;
        ends(host, &id, end, witness)
    }

    /// Waits until the login is cut.
    pub fn is_cut(self) -> Result<()> {
        self.login.finish()?.code_is(255).map(|_| ())
    }
}

/// How long a grant is whose end a story waits for, in seconds: three times what the story does on
/// it takes here now, with all that this machine is at. `logins` says that in logins over ssh. A
/// number of seconds in its place is too short on a busy machine, and too long on all others.
pub fn seconds_for(host: &Host, logins: u32) -> Result<u64> {
    let one = host.ssh("root", "true");
    one.ok()?;
    Ok((one.took * logins * 3).as_secs().saturating_add(5))
}

/// Logs in on a terminal over ssh, and stays: in once this returns.
pub fn stay(host: &Host, user: &str) -> Result<Running> {
    let mut login = host.start_ssh(user, &["-tt", "echo in; exec sleep 4710"])?;
    login.line("in")?;
    Ok(login)
}

/// Has alice log in and stay, run a command of root's, and leave something in the background: her
/// login, and the client of the command.
pub fn work(host: &Host) -> Result<(Running, Running)> {
    let login = stay(host, "alice")?;
    let sudo = host.start_ssh("alice", &["-T", "sudo -n /usr/bin/sleep 4711"])?;
    host.logged("COMMAND=/usr/bin/sleep 4711")?;
    host.ssh("alice", "nohup sleep 4712 >/dev/null 2>&1 &")
        .ok()?;
    Ok((login, sudo))
}

/// When a grant ends, since 1970 in UTC.
pub fn end_of(host: &Host, id: &str) -> Result<Duration> {
    let request = shown(host, id)?;
    let end = host.root(&format!("date --date {} +%s", request.text("not_after")?));
    Ok(Duration::from_secs(end.ok()?.parse()?))
}

/// Waits until `witness` tells of the end, and looks whether it is one.
pub fn ends(host: &Host, id: &str, end: Duration, witness: &str) -> Result<()> {
    let told = host.logged_event(witness, id)?;
    is_on_time(host, &told, end, PROMISE)?;
    is_over(host, id)?;
    host.console("alice", "sudo -n /usr/bin/sleep 4711")
        .fails()?;
    Ok(())
}

/// Nothing of a grant of alice's is left, and she does not get in again.
pub fn is_over(host: &Host, id: &str) -> Result<()> {
    nothing_runs(host)?;
    host.root(&format!("ls /run/tpa/sudoers.d/{id}")).fails()?;
    host.ssh("alice", "true").fails()?.says("denied")?;
    Ok(())
}

/// No process is alice's, and none is what she started.
pub fn nothing_runs(host: &Host) -> Result<()> {
    none_runs(host, "-u alice")?;
    none_runs(host, "-f '^(/usr/bin/)?sleep 471'")
}

/// There is no such process, as pgrep(1) looks for it. A zombie, which has ended and was not waited
/// for yet, is none.
pub fn none_runs(host: &Host, which: &str) -> Result<()> {
    host.root(&format!("pgrep -a --runstates D,I,R,S,T,t {which}"))
        .code_is(1)?;
    Ok(())
}

/// What came about now came within the promise after this end, since 1970 in UTC.
pub fn is_by_now_on_time(end: Duration) -> Result<()> {
    is_within(PROMISE, clock::wall()?, end)
}

/// What a line of the log tells of came at this end, since 1970 in UTC, or so much later, and not
/// before: the line begins with when the log daemon got it, however late it is read here.
pub fn is_on_time(host: &Host, line: &str, end: Duration, limit: Duration) -> Result<()> {
    let stamp = line.split(' ').next().unwrap_or_default();
    let told = host.root(&format!("date --date {stamp} +%s.%N"));
    let told = Duration::try_from_secs_f64(told.ok()?.parse()?)?;
    let early = end.saturating_sub(told);
    ensure!(early.is_zero(), "it ended {early:?} early");
    is_within(limit, told, end)
}

fn is_within(limit: Duration, moment: Duration, end: Duration) -> Result<()> {
    let late = moment.saturating_sub(end);
    ensure!(late <= limit, "it ended {late:?} late");
    Ok(())
}

/// Someone not gated, root, and someone exempt, on their way in.
pub fn others(host: &Host) -> Result<Vec<Running>> {
    let arrive = |user| host.start_ssh(user, &["-T", "echo in"]);
    ["bob", "root", "frank"].into_iter().map(arrive).collect()
}

/// They are in.
pub fn get_in(others: Vec<Running>) -> Result<()> {
    for other in others {
        other.finish()?.says("in")?.ok()?;
    }
    Ok(())
}
