//! Completion of live ids and roles, with their descriptions. It answers in 300 ms or not at all:
//! nobody waits for a Tab.

use std::time::Duration;

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use tpa_bus::access::{Filter, Request};
use tpa_bus::state::HELD;

use crate::bus::{Client, runtime};
use crate::fail::Fail;
use crate::say;

/// The variable in which a shell says that it wants completions.
pub const VARIABLE: &str = "TPACTL_COMPLETE";

const PATIENCE: Duration = Duration::from_millis(300);

/// Longest description.
const HELP_MAX: usize = 60;

/// Every request that the caller may see.
pub fn any() -> ArgValueCandidates {
    ArgValueCandidates::new(|| ids(&Filter::default()))
}

/// Those that wait for the caller's decision or review.
pub fn reviewable() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        ids(&Filter {
            reviewable: Some(true),
            ..Filter::default()
        })
    })
}

/// Grants that are on or to come.
pub fn held() -> ArgValueCandidates {
    ArgValueCandidates::new(|| held_of(&in_states(&HELD)))
}

/// The caller's own grants that are on or to come.
pub fn my_held() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        held_of(&Filter {
            mine: Some(true),
            ..in_states(&HELD)
        })
    })
}

/// Grants that are on.
pub fn active() -> ArgValueCandidates {
    ArgValueCandidates::new(|| ids(&in_states(&["active"])))
}

/// The caller's own grants that are on.
pub fn my_active() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        ids(&Filter {
            mine: Some(true),
            ..in_states(&["active"])
        })
    })
}

/// The caller's own requests that nobody has decided yet.
pub fn my_pending() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        ids(&Filter {
            mine: Some(true),
            ..in_states(&["pending"])
        })
    })
}

/// The roles that the caller may ask for.
pub fn roles() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let roles = answer(async {
            let client = Client::connect().await?;
            client.ask(client.access.roles()).await
        });
        let roles = roles.unwrap_or_default();
        let candidate = |role: &tpa_bus::access::Role| candidate(&role.name, &role.description);
        roles.iter().map(candidate).collect()
    })
}

fn in_states(states: &[&str]) -> Filter {
    Filter {
        states: Some(states.iter().map(|state| (*state).to_owned()).collect()),
        ..Filter::default()
    }
}

fn ids(filter: &Filter) -> Vec<CompletionCandidate> {
    candidates(&listed(filter))
}

/// The same without approved extensions, which have a word in common with what somebody holds.
fn held_of(filter: &Filter) -> Vec<CompletionCandidate> {
    let mut requests = listed(filter);
    requests.retain(Request::is_held);
    candidates(&requests)
}

fn listed(filter: &Filter) -> Vec<Request> {
    let requests = answer(async {
        let client = Client::connect().await?;
        client.list(filter).await
    });
    requests.unwrap_or_default()
}

fn candidates(requests: &[Request]) -> Vec<CompletionCandidate> {
    let candidate = |request: &Request| {
        let help = format!(
            "{} {}, {}: {}",
            request.state, request.user, request.role, request.reason
        );
        candidate(&say::id(&request.id), &help)
    };
    requests.iter().map(candidate).collect()
}

fn candidate(value: &str, help: &str) -> CompletionCandidate {
    let help = tpa_bus::text::one_line(help, HELP_MAX);
    CompletionCandidate::new(say::clean(value)).help(Some(help.into()))
}

/// The answer, if it comes in time. A completion that fails says nothing: the person is typing.
fn answer<T>(asked: impl Future<Output = Result<T, Fail>>) -> Option<T> {
    zruntime::block_on(async {
        let answer = runtime().ok()?.timeout(PATIENCE, asked).await;
        answer.ok()?.ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_does_not_come_in_time_is_no_answer() {
        assert_eq!(answer(std::future::pending::<Result<(), Fail>>()), None);
        assert_eq!(answer(async { Ok(7) }), Some(7));
    }

    #[test]
    fn a_description_is_one_clean_short_line() {
        let shown = candidate("7H2KM4QX", &"a\x1b[2J\n".repeat(40));
        let help = shown.get_help().unwrap().to_string();
        assert!(!help.chars().any(tpa_bus::text::is_unsafe), "{help:?}");
    }
}
