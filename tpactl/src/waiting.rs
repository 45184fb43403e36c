//! Waiting for a request to get somewhere: by signals, until the time is up or Ctrl-C.

use std::pin::Pin;
use std::time::Duration;

use futures_lite::future;
use tpa_bus::access::Request;
use tpa_bus::span::Span;
use zruntime::signal::{Signal, Signals};
use zruntime::{Shared, Sleep};

use crate::bus::{Client, runtime};
use crate::changes::{News, Requests};
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::Form;
use crate::goal::{Goal, Progress};
use crate::say;
use crate::say::table::wrap;

/// What ends a wait before its goal does.
enum Stop {
    TimeIsUp,
    CtrlC,
}

/// The time limit and Ctrl-C.
struct Limits {
    timer: Option<Pin<Box<Sleep<Shared>>>>,
    interrupts: Signals<Shared>,
}

impl Limits {
    fn set(limit: Option<Span>) -> Result<Self, Fail> {
        let runtime = runtime()?;
        let interrupts = Signals::new(&runtime, [Signal::Interrupt]).map_err(|error| {
            Fail::new(
                Exit::Failure,
                format!("cannot listen for Ctrl-C: {error}"),
                "repeat the command with --no-wait, then look with tpactl show",
            )
        })?;
        let timer = limit.map(|span| Box::pin(runtime.sleep(Duration::from_secs(span.as_secs()))));
        Ok(Self { timer, interrupts })
    }

    async fn reached(&mut self) -> Stop {
        let time = async {
            match &mut self.timer {
                Some(timer) => timer.await,
                None => std::future::pending().await,
            }
            Stop::TimeIsUp
        };
        let ctrl_c = async {
            match self.interrupts.recv().await {
                Ok(_) => Stop::CtrlC,
                // Ctrl-C cannot be heard any more; everything else still ends the wait.
                Err(_) => std::future::pending().await,
            }
        };
        future::or(time, ctrl_c).await
    }
}

/// A request on its way to a goal. Made before the request is filed or read.
pub struct Wait {
    changes: Requests,
    limits: Limits,
    limit: Option<Span>,
}

impl Wait {
    /// Begins to listen.
    pub async fn begin(client: &Client, limit: Option<Span>) -> Result<Self, Fail> {
        Ok(Self {
            limits: Limits::set(limit)?,
            changes: Requests::watch(client).await?,
            limit,
        })
    }

    /// Waits until `request` reaches the goal, saying on stderr what for, and tells how it ended.
    pub async fn until(
        self,
        goal: Goal,
        request: Request,
        client: &Client,
        context: &Context,
        form: Form,
    ) -> Result<Exit, Fail> {
        match self.reached(goal, request, client, context, form).await? {
            Ok(request) => {
                context.show_outcome(&request, form)?;
                Ok(Exit::Done)
            }
            Err(exit) => Ok(exit),
        }
    }

    /// The same, and nothing is told of a request that has reached the goal: here it is. Of one that
    /// never will it is told, and how the command ends.
    pub async fn reached(
        mut self,
        goal: Goal,
        mut request: Request,
        client: &Client,
        context: &Context,
        form: Form,
    ) -> Result<Result<Request, Exit>, Fail> {
        let mut said = String::new();
        let mut client = client.clone();
        loop {
            match goal.progress(&request) {
                Progress::Reached => return Ok(Ok(request)),
                Progress::Unreachable => {
                    context.show_outcome(&request, form)?;
                    return Ok(Err(Exit::Declined));
                }
                Progress::Waiting => {
                    let waiting = say::request::waiting(&request, &context.clock.again());
                    if waiting != said {
                        for row in wrap(&waiting, 2, context.screen.width) {
                            context.screen.note(&row);
                        }
                        said = waiting;
                    }
                }
            }
            let stop = async { Ok(Err(self.limits.reached().await)) };
            let news = async { self.changes.next().await.map(Ok) };
            let told = future::or(stop, news).await?;
            if matches!(told, Ok(News::Back)) {
                client = client.again().await?;
            }
            match told {
                Ok(News::Changed(id)) if id != request.id => {}
                Ok(News::Changed(_) | News::Back) => request = client.get(&request.id).await?,
                Ok(News::Stopped) => context.screen.note(say::request::TPAD_STOPPED),
                Err(stop) => {
                    context.show_outcome(&request, form)?;
                    return Err(self.given_up(&stop, &request));
                }
            }
        }
    }

    fn given_up(&self, stop: &Stop, request: &Request) -> Fail {
        let id = say::id(&request.id);
        let state = say::clean(&request.state);
        let error = match (stop, self.limit) {
            (Stop::TimeIsUp, Some(limit)) => format!("{id} is still {state} after {limit}"),
            _ => format!("you stopped waiting; {id} stays {state}"),
        };
        let next = match request.state.as_str() {
            "pending" => format!("tpactl wait {id} --for approved, or tpactl withdraw {id}"),
            _ => format!("tpactl show {id}"),
        };
        Fail::new(Exit::Pending, error, next)
    }
}
