//! One command, approved as it was typed: what may be asked for, and that it is run once.
//!
//! sudo joins the words of a command before it compares them, and takes signs in its rules for
//! patterns. So the rule of such a grant names none of what was typed: it lets run a program of ours
//! with the grant's id and nothing else. That program is handed the approved words, as a list, by
//! [`start`], once: the event that says so is on disk before the answer.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tpa_bus::id::Id;
use tpa_bus::names::RUNNER;
use tpa_bus::text::{one_line, quoted};

use super::{Closed, Event, Person, Refused, Request, State};
use crate::clock::Now;
use crate::hex::hex;
use crate::policy::danger::{Finding, SeenFile};
use crate::policy::exact::{Exact, never, unfit_words};
use crate::policy::{Gives, Role, SudoRule};

/// The command that a request is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneCommand {
    /// The program's absolute path, and its arguments.
    pub argv: Vec<String>,
    /// In which folder.
    pub directory: String,
    /// As whom.
    pub run_as: Person,
    /// The program's file, with all links followed.
    pub program: String,
    /// The SHA-256 of that file when it was asked for, in hexadecimal.
    pub sha256: String,
    /// What it comes to, as whoever decided was told.
    pub amounts: Vec<Amount>,
    /// Its one run, once that has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// Something that a command comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// In which way, as a word that stays.
    pub kind: String,
    /// In a sentence.
    pub message: String,
}

/// A process: its number, and when it started (proc(5), in ticks since boot).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its number.
    pub pid: u32,
    /// When it started.
    pub started: u64,
}

/// The one run of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// When it began, in seconds since 1970.
    pub at: i64,
    /// The same by `CLOCK_BOOTTIME`, in milliseconds.
    pub boottime_ms: u64,
    /// The boot in which that counts.
    pub boot_id: String,
    /// What runs it.
    pub runner: Named,
    /// sudo's process that stays until it is over.
    pub sudo: Named,
    /// Its end is recorded.
    #[serde(default)]
    pub over: bool,
    /// Its exit code, where it is known.
    #[serde(default)]
    pub exit_code: Option<i32>,
}

/// What somebody wants to run, and what was seen of it on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// The program's absolute path, and its arguments.
    pub argv: Vec<String>,
    /// In which folder.
    pub directory: String,
    /// What that is.
    pub folder: SeenFile,
    /// As whom.
    pub run_as: Person,
    /// The program.
    pub program: SeenProgram,
    /// What it comes to.
    pub amounts: Vec<Finding>,
}

/// A program as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenProgram {
    /// What stands at its path.
    pub file: SeenFile,
    /// The SHA-256 of the file, in hexadecimal; why not, where it could not be read.
    pub sha256: Result<String, String>,
}

/// Who wants to begin the run: the program that sudo started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Its uid.
    pub uid: u32,
    /// Who called sudo.
    pub called_by: u32,
    /// Its process.
    pub runner: Named,
    /// sudo's.
    pub sudo: Named,
}

impl OneCommand {
    /// The command as a shell takes it.
    #[must_use]
    pub fn line(&self) -> String {
        quoted(&self.argv)
    }

    /// What it gives, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let (whom, line, folder) = (&self.run_as.name, self.line(), &self.directory);
        format!("once as {whom}, in {}: {line}", quoted(&[folder]))
    }

    /// Names what is approved: the SHA-256, in hexadecimal, of the words with the folder, as whom, and
    /// the file.
    #[must_use]
    pub fn digest(&self) -> String {
        let what = (
            (&self.argv, &self.directory, &self.run_as),
            (&self.program, &self.sha256),
        );
        // What is made of texts and numbers is always written.
        hex(&Sha256::digest(
            serde_json::to_string(&what).unwrap_or_default(),
        ))
    }
}

/// What a grant of one command gives: the rule names the grant, and no word of the command.
#[must_use]
pub fn gives(role: &Gives, id: Id, command: &OneCommand) -> Gives {
    Gives {
        login: false,
        record: role.record,
        break_glass: false,
        on_end: role.on_end,
        sudo: vec![SudoRule {
            run_as: command.run_as.name.clone(),
            run_as_group: None,
            run: vec![format!("{RUNNER} {}", id.as_str())],
            edit: Vec::new(),
            // Whoever asked is known, and somebody has read what it is.
            password: false,
            tidy: false,
        }],
    }
}

/// What a role gives for this request.
pub(super) fn gives_for(role: &Role, request: &Request) -> Gives {
    match &request.command {
        Some(command) => gives(&role.gives, request.id, command),
        None => role.gives.clone(),
    }
}

/// What a role allows of single commands.
///
/// # Errors
/// When it allows none.
fn exact_of(role: &Role) -> Result<&Exact, Refused> {
    role.exact.as_ref().ok_or_else(|| {
        Refused::invalid(format!(
            "the role {} is not asked for with a command",
            role.name
        ))
        .next(format!(
            "ask for it: tpactl request {} --reason …",
            role.name
        ))
    })
}

/// Whether a role may be asked for with these words, as far as they tell: before anything of them is
/// looked at on the host.
///
/// # Errors
/// A refusal that says what can be asked for.
pub fn may_be_asked(
    role: &Role,
    argv: &[String],
    directory: &str,
    run_as: &str,
) -> Result<(), Refused> {
    let exact = exact_of(role)?;
    if let Some(why) = unfit_words(argv, directory) {
        return Err(
            Refused::invalid(format!("the command cannot be asked for: {why}"))
                .next("name a program by its absolute path, and write each argument in plain text"),
        );
    }
    if !exact.may_run_as(run_as) {
        return Err(Refused::not_permitted(format!(
            "{} runs nothing as {}",
            role.name,
            one_line(run_as, 40)
        ))
        .next(format!("name one of: --as {}", exact.run_as.join(", "))));
    }
    let program = argv.first().map(String::as_str).unwrap_or_default();
    if !exact.may_run(program) {
        return Err(Refused::not_permitted(format!(
            "{} does not run {}",
            role.name,
            one_line(program, 200)
        ))
        .next(format!("its programs are {}", exact.programs.join(", "))));
    }
    Ok(())
}

/// The command of a new request.
///
/// # Errors
/// When it is none that can be approved, or the role wants one and none was given.
pub(super) fn asked(role: &Role, typed: Option<&Typed>) -> Result<Option<OneCommand>, Refused> {
    let Some(typed) = typed else {
        return match role.exact {
            None => Ok(None),
            Some(_) => Err(Refused::invalid(format!(
                "the role {} is asked for with the command that is to be run",
                role.name
            ))
            .next(format!("tpactl run {} --reason … -- COMMAND", role.name))),
        };
    };
    may_be_asked(role, &typed.argv, &typed.directory, &typed.run_as.name)?;
    let refused = |why: String| {
        Refused::not_permitted(format!("that is never approved as it was typed: {why}"))
            .next("ask for a role that gives it")
    };
    if let Some(why) = never(&typed.program.file, &typed.amounts) {
        return Err(refused(why));
    }
    let SeenFile::Roots { real } = &typed.program.file else {
        return Err(refused("the program was not looked at".to_owned()));
    };
    let sha256 = typed.program.sha256.clone().map_err(refused)?;
    // Whoever can put another folder there could have relative names mean other files than were read.
    let SeenFile::Roots { real: directory } = &typed.folder else {
        let folder = one_line(&typed.directory, 200);
        return Err(Refused::not_permitted(format!(
            "somebody other than root can change the folder {folder}, or it is not there"
        ))
        .next("ask from a folder that root alone can change, such as /"));
    };
    let amounts = typed.amounts.iter().map(|one| Amount {
        kind: one.kind.to_owned(),
        message: one.message.clone(),
    });
    Ok(Some(OneCommand {
        argv: typed.argv.clone(),
        directory: directory.clone(),
        run_as: typed.run_as.clone(),
        program: real.clone(),
        sha256,
        amounts: amounts.collect(),
        run: None,
    }))
}

/// Whether the role still allows what is about to be approved.
pub(super) fn still_allowed(role: &Role, request: &Request) -> Result<(), Refused> {
    let Some(command) = &request.command else {
        return match role.exact {
            None => Ok(()),
            Some(_) => Err(Refused::no_change(format!(
                "{} gives single commands by now, and {} names none",
                role.name, request.id
            ))
            .next("have it asked for again: tpactl run")),
        };
    };
    let (argv, directory) = (&command.argv, &command.directory);
    may_be_asked(role, argv, directory, &command.run_as.name)
}

/// The approved command of a grant that may be run at this moment by whoever sudo started for it.
///
/// # Errors
/// Why it may not.
pub fn approved<'a>(
    state: &'a State,
    id: Id,
    by: &Runner,
    now: &Now,
) -> Result<&'a OneCommand, Refused> {
    let request = state
        .requests
        .get(&id)
        // Of another's they are told what they are told of none.
        .filter(|request| request.user.uid == by.called_by)
        .ok_or_else(|| Refused::unknown_id(id.as_str()))?;
    let command = request
        .command
        .as_ref()
        .filter(|_| request.extends.is_none());
    let command = command.ok_or_else(|| {
        Refused::invalid(format!("{id} is not for one command"))
            .next(format!("see it: tpactl show {id}"))
    })?;
    if by.uid != command.run_as.uid {
        return Err(Refused::not_permitted(format!("{id} is not yours to run"))
            .next("ask for a command of your own: tpactl run ROLE --reason … -- COMMAND"));
    }
    if command.run.is_some() {
        return Err(
            Refused::no_change(format!("{id} was run already, and is run once"))
                .next("ask again: tpactl run ROLE --reason … -- COMMAND"),
        );
    }
    if !request.is_live(now) {
        let word = request.state().word();
        return Err(
            Refused::no_change(format!("{id} is {word}")).next(format!("see it: tpactl show {id}"))
        );
    }
    Ok(command)
}

/// Begins the one run. `seen` is the program as it is now: another file than the one that was approved
/// is not run.
///
/// # Errors
/// Why it may not begin.
pub fn start(
    state: &State,
    id: Id,
    by: &Runner,
    seen: &SeenProgram,
    now: &Now,
) -> Result<Event, Refused> {
    let command = approved(state, id, by, now)?;
    let real = SeenFile::Roots {
        real: command.program.clone(),
    };
    if seen.file != real || seen.sha256.as_ref() != Ok(&command.sha256) {
        let refused = Refused::not_permitted(format!(
            "{} is not the file any more that was approved under {id}",
            command.program
        ));
        let refused = refused.next("ask again: tpactl run ROLE --reason … -- COMMAND");
        return Err(match state.requests.get(&id) {
            Some(request) => refused.recorded(request, "run", "changed"),
            None => refused,
        });
    }
    Ok(Event::CommandStarted {
        id,
        run: Run {
            at: now.wall_s,
            boottime_ms: now.boottime_ms,
            boot_id: now.boot_id.clone(),
            runner: by.runner,
            sudo: by.sudo,
            over: false,
            exit_code: None,
        },
    })
}

/// The end of the run, as the program tells that ran it.
///
/// # Errors
/// When it was not that process, or the end is known.
pub fn told(state: &State, id: Id, by: Named, exit_code: i32, now: &Now) -> Result<Event, Refused> {
    let request = state.requests.get(&id);
    let run = request.and_then(|request| request.command.as_ref()?.run.as_ref());
    match run {
        Some(run) if run.runner == by && !run.over => Ok(ended(id, run, Some(exit_code), now)),
        _ => Err(Refused::no_change(format!("{id} is not running here"))
            .next(format!("see it: tpactl show {id}"))),
    }
}

/// What it comes to that sudo's process for a run has ended: the grant had this one use.
#[must_use]
pub fn over(state: &State, id: Id, now: &Now) -> Vec<Event> {
    let Some(request) = state.requests.get(&id) else {
        return Vec::new();
    };
    let run = request.command.as_ref().and_then(|one| one.run.as_ref());
    let Some(run) = run else { return Vec::new() };
    let mut events = Vec::new();
    if !run.over {
        events.push(ended(id, run, None, now));
    }
    if request.deadline().is_some() {
        events.push(Event::Closed {
            id,
            how: Closed::Ended,
            why: Some("its one command was run".to_owned()),
        });
    }
    events
}

/// The runs whose end is not known, or whose grant goes on: each with the process of sudo's to wait for.
pub fn running(state: &State) -> impl Iterator<Item = (Id, Named)> {
    state.requests.values().filter_map(|request| {
        let run = request.command.as_ref()?.run.as_ref()?;
        let open = !run.over || request.deadline().is_some();
        open.then_some((request.id, run.sudo))
    })
}

fn ended(id: Id, run: &Run, exit_code: Option<i32>, now: &Now) -> Event {
    let duration_ms = if run.boot_id == now.boot_id {
        now.boottime_ms.saturating_sub(run.boottime_ms)
    } else {
        let seconds = u64::try_from(now.wall_s.saturating_sub(run.at)).unwrap_or(0);
        seconds.saturating_mul(1_000)
    };
    Event::CommandRun {
        id,
        exit_code,
        duration_ms,
    }
}

/// What an event of a run does to the command of its request.
pub(super) fn advance(command: &mut OneCommand, event: &Event) {
    match event {
        Event::CommandStarted { run, .. } => command.run = Some(run.clone()),
        Event::CommandRun { exit_code, .. } => {
            if let Some(run) = &mut command.run {
                run.over = true;
                run.exit_code = *exit_code;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "exact_stories.rs"]
mod stories;
