//! The daemon of TPA: wires the parts together.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use futures_lite::future::or;
use tpa_bus::id::Id;
use tpa_bus::names;
use tpad::accounts::Nss;
use tpad::authorized_key;
use tpad::bus::{client, serve};
use tpad::clock::Clock;
use tpad::config::explain::{Check, check_command};
use tpad::config::load::{Source, load_signers};
use tpad::daemon;
use tpad::descriptors::Shares;
use tpad::engine::Engine;
use tpad::gated::{Subject, World};
use tpad::host::{Host, paths::Paths, reap};
use tpad::ledger::Depth;
use tpad::single::Single;
use zruntime::SharedRuntime;
use zruntime::signal::{Signal, Signals};

/// The database.
const DATABASE: &str = "/var/lib/tpa/tpa.db";

/// Locked by the tpad that runs.
const LOCK: &str = "/run/tpa/tpad.lock";

/// Temporary production access: the daemon.
#[derive(Debug, Parser)]
#[command(name = "tpad", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon (systemd does)
    Daemon,
    /// Have the running daemon load its configuration anew, whole or not at all
    Reload,
    /// End access without the daemon: of one grant, if its time has come
    Reap {
        /// The grant
        #[arg(required_unless_present_any = ["boot", "all"])]
        id: Option<String>,
        /// Remove what is left from before the last boot, and what is over
        #[arg(long, conflicts_with_all = ["id", "all"])]
        boot: bool,
        /// End every grant, over or not: TPA is being removed
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Look at what is there, for what a window left behind (PID 1 starts it for tpad): what to look for
    /// comes on standard input
    Look,
    /// Remove what appeared of one run-as account (PID 1 starts it for tpad): what comes on standard input
    Tidy,
    /// Check the configuration and explain it
    Check {
        /// Folder with tpad.toml and roles.d, or one such file
        place: Option<PathBuf>,
        /// Explain it for this person
        #[arg(long)]
        user: Option<String>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        /// Fail on warnings too
        #[arg(long)]
        strict: bool,
        /// Say nothing of what is good
        #[arg(long)]
        quiet: bool,
    },
    /// What the front door lets in with this key, for sshd: the line of an authorized key
    Keys {
        /// Kind of the key or certificate, as sshd names it (%t)
        kind: String,
        /// The key or certificate, in base64 (%k)
        key: String,
    },
    /// Whether somebody needs a grant, for polkit's rule: answers yes or no
    Gated {
        /// Their name
        user: String,
        /// All groups they are in
        groups: Vec<String>,
    },
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .init();
    let outcome = match Arguments::parse().command {
        Command::Check {
            place,
            user,
            json,
            strict,
            quiet,
        } => {
            let check = Check {
                place: place.as_deref(),
                user: user.as_deref(),
                json,
                strict,
                quiet,
            };
            return check_command(&check, &Nss);
        }
        Command::Daemon => run(),
        Command::Reload => reload(),
        Command::Reap { id, boot, all } => reap(id.as_deref(), boot, all),
        Command::Look => look(),
        Command::Tidy => tidy(),
        Command::Keys { kind, key } => keys(&kind, &key),
        Command::Gated { user, groups } => {
            println!("{}", gated(&user, &groups));
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tpad: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let _single = Single::take(Path::new(LOCK))?;
    let runtime = SharedRuntime::current().context("make a runtime")?;
    let run = Path::new(names::RUN_DIR);
    let engine = Engine::open(Path::new(DATABASE), run, Source::installed())?;
    let engine = Arc::new(engine);
    runtime.clone().block_on(async {
        let shares = Shares::of_this_process();
        let sockets = serve::listen(&runtime)?;
        let root = serve::root(Arc::clone(&engine), runtime.clone(), sockets, shares);
        runtime.spawn("root", root).detach();
        // People who were told that it runs find it on the bus, and the host as it should be.
        let ready = ready_after(2);
        let people = serve::people(Arc::clone(&engine), runtime.clone(), shares, ready.clone());
        runtime.spawn("people", people).detach();
        let told = daemon::syslog::syslog(Arc::clone(&engine), runtime.clone());
        let notify = daemon::notify::notify(Arc::clone(&engine), runtime.clone(), Paths::default());
        runtime.spawn("notify", notify).detach();
        let seen = daemon::sessions::sessions(Arc::clone(&engine), runtime.clone(), shares);
        runtime.spawn("sessions", seen).detach();
        let commands = daemon::commands::commands(Arc::clone(&engine), runtime.clone());
        runtime.spawn("commands", commands).detach();
        let recordings = daemon::recordings::recordings(Arc::clone(&engine), runtime.clone());
        runtime.spawn("recordings", recordings).detach();
        let noted = daemon::residue::notes(Arc::clone(&engine), runtime.clone(), Paths::default());
        runtime.spawn("notes", noted).detach();
        for depth in [Depth::Short, Depth::Deep] {
            let paths = Paths::default();
            let looked = daemon::residue::looks(Arc::clone(&engine), runtime.clone(), paths, depth);
            runtime.spawn("looks", looked).detach();
        }
        let tidied = daemon::tidy::tidies(Arc::clone(&engine), runtime.clone(), Paths::default());
        runtime.spawn("tidies", tidied).detach();
        let watched = daemon::watchdog::watchdog(runtime.clone());
        runtime.spawn("watchdog", watched).detach();
        let host = Host::new(runtime.clone(), Paths::default());
        let follow = daemon::reconcile::run(Arc::clone(&engine), runtime.clone(), host, ready);
        let accounts = daemon::people::people(Arc::clone(&engine), runtime.clone());
        let names = daemon::names::names(Arc::clone(&engine), runtime.clone());
        runtime.spawn("names", names).detach();
        or(
            or(follow, told),
            or(accounts, wait_for_signals(&engine, &runtime)),
        )
        .await
    })
}

/// Has systemd told that tpad is ready (`sd_notify(3)`) when this was called so many times.
fn ready_after(times: usize) -> impl Fn() + Clone + Send {
    let left = Arc::new(AtomicUsize::new(times));
    move || {
        if left.fetch_sub(1, Ordering::Relaxed) != 1 {
            return;
        }
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
            tracing::warn!("cannot tell systemd that tpad is ready: {error}");
        }
    }
}

/// Waits for SIGTERM or SIGINT; SIGHUP loads the configuration anew.
async fn wait_for_signals(engine: &Engine, runtime: &SharedRuntime) -> anyhow::Result<()> {
    let mut signals = Signals::new(
        runtime,
        [Signal::Terminate, Signal::Interrupt, Signal::Hangup],
    )?;
    loop {
        if signals.recv().await? == Signal::Hangup {
            if let Err(error) = engine.reload(runtime).await {
                tracing::error!("the configuration stays as it was: {error:#}");
            }
        } else {
            engine.with(tpad::core::Core::stop);
            return Ok(());
        }
    }
}

/// Asks the daemon over the gate's socket, so that it works without a system bus and the answer
/// says what is wrong.
fn reload() -> anyhow::Result<()> {
    let runtime = SharedRuntime::current().context("make a runtime")?;
    let reloaded = async {
        let connection = client::connect().await?;
        let gate = client::gate(&connection).await?;
        gate.reload()
            .await
            .map_err(|error| match tpa_bus::error::Refusal::from_error(&error) {
                Some(refusal) => anyhow::anyhow!("the configuration stays as it was:\n{refusal}"),
                None => error.into(),
            })
    };
    let limit = Duration::from_secs(20);
    runtime
        .block_on(runtime.timeout(limit, reloaded))
        .context("tpad does not answer")?
}

fn reap(id: Option<&str>, boot: bool, all: bool) -> anyhow::Result<()> {
    if all {
        reap::reap_all()?;
    } else if boot {
        reap::reap_boot()?;
    } else if let Some(id) = id {
        let reaped = reap::reap(Id::parse(id)?)?;
        tracing::info!("{id}: {reaped:?}");
    }
    Ok(())
}

/// One look; what is found goes to standard output.
fn look() -> anyhow::Result<()> {
    let order = serde_json::from_reader(std::io::stdin().lock())
        .context("standard input does not say what to look for: tpad starts this by itself")?;
    let now = Clock::new()?.now()?;
    tpad::residue::run(&order, &now, &mut std::io::stdout().lock())
}

/// Removes what appeared of one account; what became of it goes to standard output.
fn tidy() -> anyhow::Result<()> {
    let order = serde_json::from_reader(std::io::stdin().lock())
        .context("standard input does not say what to remove: tpad starts this by itself")?;
    tpad::residue::tidy(&order, &mut std::io::stdout().lock())
}

/// Answers sshd (`AuthorizedKeysCommand`). For a key that is nobody's there is no line, and sshd
/// refuses.
fn keys(kind: &str, key: &str) -> anyhow::Result<()> {
    let signers = load_signers(&Source::installed());
    let signers = signers.map_err(|problem| anyhow::anyhow!("{problem}"))?;
    let now = i64::try_from(Clock::new()?.wall()?.as_secs())?;
    if let Some(line) = authorized_key::line(&signers.unwrap_or_default(), kind, key, now)? {
        println!("{line}");
    }
    Ok(())
}

/// `yes` or `no`. Where the host's own files do not tell, everybody is gated but root and system
/// users, as at the gate.
fn gated(user: &str, groups: &[String]) -> &'static str {
    let world = World::look().unwrap_or_else(|error| {
        eprintln!("tpad: everybody counts as gated: {error:#}");
        World::strict()
    });
    if world.gates(Subject { user, groups }) {
        "yes"
    } else {
        "no"
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const PAGE: &str = include_str!("../../packaging/man/tpad.8");

    #[test]
    fn the_manual_page_has_every_command_and_every_option_and_no_other() {
        let page = PAGE.replace('\\', "");
        let mut known = vec!["help", "version"];
        let command = Arguments::command();
        for verb in command.get_subcommands() {
            let name = verb.get_name();
            let heads = [format!(".B {name}\n"), format!(".BI {name} ")];
            assert!(heads.iter().any(|head| page.contains(head)), "{name}");
            for option in verb.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(page.contains(&format!("--{option}")), "{name} --{option}");
                known.push(option);
            }
        }
        for word in page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
            if let Some(option) = word.strip_prefix("--") {
                assert!(known.contains(&option), "--{option} is no option");
            }
        }
    }
}
