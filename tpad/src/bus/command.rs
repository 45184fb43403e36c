//! One command, as somebody typed it: looked at before it is asked for, and handed, once, to the program
//! that sudo starts for it.

use tpa_bus::access as wire;
use tpa_bus::error::Refusal;
use tpa_bus::id::Id;
use zbus::Connection;
use zbus::message::Header;

use super::access::Access;
use super::{runner, view};
use crate::aside::aside;
use crate::core::Error;
use crate::engine::typed;
use crate::host::look::enter_group;
use crate::host::paths::Paths;
use crate::ledger::{Asked, Caller, Named, Refused, Runner, Typed};
use crate::policy::danger;

impl Access {
    /// What somebody wants to run, looked at. Whoever may not ask for it has nothing looked at.
    pub(super) async fn typed(
        &self,
        caller: &Caller,
        asked: &Asked,
        command: wire::NewCommand,
    ) -> Result<Typed, Refusal> {
        let wire::NewCommand {
            argv,
            run_as,
            directory,
        } = command;
        let words = (argv.as_slice(), directory.as_str(), run_as.as_deref());
        let run_as = self
            .engine
            .with(|core| core.may_ask_to_run(caller, asked, words))?;
        let account = self.account(&run_as).await?;
        let whom = danger::Account {
            groups: account.groups.clone(),
            is_root: account.person.uid == 0,
            decides: Vec::new(),
            standing: Vec::new(),
        };
        let looked = typed::command(argv.clone(), directory.clone(), (run_as, whom)).await;
        let (program, folder, amounts) = looked.map_err(not_looked_at)?;
        Ok(Typed {
            argv,
            directory,
            folder,
            run_as: account.person,
            program,
            amounts,
        })
    }

    /// The approved command, for whoever sudo started to run it.
    pub(super) fn approved(&self, (id, by): (Id, &Runner)) -> Result<wire::OneCommand, Refusal> {
        let command = self.engine.with(|core| core.approved_command(id, by))?;
        Ok(view::one_command(&command))
    }

    /// The same, for the one time that it is run: its program is looked at again.
    pub(super) async fn start(&self, (id, by): (Id, &Runner)) -> Result<wire::OneCommand, Refusal> {
        let command = self.engine.with(|core| core.approved_command(id, by))?;
        let program = command.argv.first().cloned().unwrap_or_default();
        let seen = typed::program(program).await.map_err(not_looked_at)?;
        hold(id, by.runner).await?;
        let command = self.engine.with(|core| core.start_command(id, by, &seen))?;
        Ok(view::one_command(&command))
    }
}

/// Which run a call is for, by the id in full that the program was started with, and who runs it.
pub(super) async fn run(
    connection: &Connection,
    header: &Header<'_>,
    id: &str,
) -> Result<(Id, Runner), Refusal> {
    let id = Id::parse(id).map_err(|_| Error::Refused(Refused::unknown_id(id)))?;
    Ok((id, runner::identify(connection, header, id).await?))
}

/// Puts the program, which has started nothing yet, where the end of its grant finds it and all that it
/// starts. sudo's process has done so where the gate concerns the caller, and of nobody else's.
async fn hold(id: Id, runner: Named) -> Result<(), Refusal> {
    let held = aside(move || enter_group(&Paths::default(), runner, id)).await;
    held.and_then(|held| Ok(held?))
        .map_err(|error| not_held(id, &error))
}

/// What is told where a process stands in no control group of this host's, as in a shell that was put
/// into a container from outside: what to do is not in tpad's journal.
fn not_held(id: Id, error: &anyhow::Error) -> Refusal {
    tracing::error!("the end of {id} cannot be kept, so it is not run: {error:#}");
    Refusal::Failed(format!(
        "the end of {id} cannot be kept here, so it is not run: {error:#}\n\
         next: log in to this host, by ssh or at a terminal, and go on there: tpactl run --resume {id}"
    ))
}

fn not_looked_at(error: anyhow::Error) -> Refusal {
    Error::Failed(error.context("cannot look at the program")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_runs_a_command_where_its_end_cannot_be_kept_is_told_where_it_can() {
        let id = Id::parse("7H2KM4QX").unwrap();
        let refusal = not_held(id, &anyhow::anyhow!("it stands nowhere")).to_string();
        let lines: Vec<_> = refusal.lines().collect();
        assert_eq!(lines.len(), 2, "{refusal}");
        assert!(lines[0].ends_with("so it is not run: it stands nowhere"));
        assert!(lines[1].starts_with("next: log in to this host"));
        assert!(lines[1].ends_with("tpactl run --resume 7H2KM4QX"));
    }
}
