//! Tells `tpad` how an approved command ended, also where `tpad` was restarted while it ran: a socket of
//! root's closed then, and where the bus tells no processes, `tpad` no longer knows whose connection it has.

use std::time::Duration;

use futures_lite::{StreamExt as _, future};
use zruntime::Shared;
use zruntime::signal::{Signal, Signals};

use crate::bus::{Client, runtime, unreachable};
use crate::context::Context;
use crate::fail::{Exit, Fail};

/// How long to wait for a `tpad` that is not there: what PID 1 gives it for its start.
const LIMIT: Duration = Duration::from_secs(30);

/// What ends the wait. Not a terminal that goes away: the trail is not there for that.
const STOPS: [Signal; 3] = [Signal::Interrupt, Signal::Quit, Signal::Terminate];

/// Has the exit code of a grant's command recorded. `connect` makes a connection of its own.
///
/// # Errors
/// When `tpad` did not confirm it.
pub async fn tell(
    client: &Client,
    (id, exit_code): (&str, u8),
    connect: impl AsyncFn() -> Result<Client, Fail>,
    context: &Context,
) -> Result<(), Fail> {
    let end = async |client: &Client| {
        let told = client.access.end_command(id, i32::from(exit_code));
        client.ask(told).await
    };
    let told = match end(client).await {
        // Of a connection from before a restart.
        Err(fail) if matches!(fail.exit(), Exit::Unreachable | Exit::NotPermitted) => {
            let again = again(client, async || end(&connect().await?).await, context);
            future::or(again, given_up()).await
        }
        told => told,
    };
    told.map_err(|fail| {
        Fail::new(
            fail.exit(),
            format!(
                "tpad did not confirm that the command of {id} ended with {exit_code}: {}",
                fail.error()
            ),
            format!("see what it knows: tpactl show {id}"),
        )
    })
}

/// Tells it over connections made anew: now, and whenever `tpad` comes.
async fn again(
    client: &Client,
    told: impl AsyncFn() -> Result<(), Fail>,
    context: &Context,
) -> Result<(), Fail> {
    let trying = async {
        let signals = client.signals().await?;
        // Listened to before it is tried, so that no coming falls between.
        let mut owners = client.ask(signals.inner().receive_owner_changed()).await?;
        let mut said = false;
        loop {
            match told().await {
                Err(fail) if fail.exit() == Exit::Unreachable => {}
                answer => return answer,
            }
            if !said {
                said = true;
                context.screen.note(&format!(
                    "the command has ended; tpad is not there to be told, waiting for up to {}s",
                    LIMIT.as_secs()
                ));
            }
            let mut is_back = false;
            while !is_back {
                let owner = owners.next().await;
                is_back = owner
                    .ok_or_else(|| unreachable("the connection was closed"))?
                    .is_some();
            }
        }
    };
    let answer = runtime()?.timeout(LIMIT, trying).await;
    answer.unwrap_or_else(|_| {
        let limit = LIMIT.as_secs();
        Err(unreachable(&format!(
            "it did not come back within {limit}s"
        )))
    })
}

/// Somebody wants to wait no longer.
async fn given_up() -> Result<(), Fail> {
    let mut stops: Signals<Shared> = Signals::new(&runtime()?, STOPS)?;
    stops.recv().await?;
    Err(unreachable("you stopped waiting for it"))
}
