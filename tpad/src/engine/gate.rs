//! Who comes in, as the ledger judges it and as it is recorded.

use tpa_bus::offline::Class;

use super::{Engine, Inner};
use crate::clock::Now;
use crate::ledger::{
    AccessDecision, AccessQuery, CommandLine, Deadline, Event, Person, Place, Request, Session,
    SudoCall, UNLISTED_SERVICE, Why, is_outside_role, judge,
};

/// Someone whom PAM is about to let in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Who.
    pub user: Person,
    /// To do what.
    pub class: Class,
    /// Where.
    pub place: Place,
    /// Start time of the process (proc(5)), which with its pid names it.
    pub started: u64,
    /// As whom a sudo command is to run.
    pub target: Option<String>,
    /// They come in whatever the ledger says.
    pub exempt: bool,
    /// The command line of sudo as it was typed; nothing for a login.
    pub command: CommandLine,
}

impl Arrival {
    /// What sudo was called to run; nothing for a login.
    fn sudo_call(&self) -> Option<SudoCall> {
        let words = &self.command.words;
        // By the name of sudoedit(8) it edits, whatever comes behind (sudo(8)).
        let edits = words.first().is_some_and(|name| name.ends_with("edit"));
        let edit = edits.then(|| "-e".to_owned());
        (self.class == Class::Sudo).then(|| SudoCall {
            target: self.target.clone(),
            words: edit
                .into_iter()
                .chain(words.iter().skip(1).cloned())
                .collect(),
            cut: self.command.cut,
        })
    }
}

/// The gate's answer.
#[derive(Debug, Clone)]
#[must_use]
pub enum Answer {
    /// In, on this grant, until then.
    Allow {
        /// The grant.
        grant: Box<Request>,
        /// Its end.
        deadline: Deadline,
        /// The moment of the answer.
        now: Now,
    },
    /// Out, and the request that explains most, when there is one.
    Deny {
        /// Why.
        why: Why,
        /// About which request.
        about: Option<Box<Request>>,
    },
}

impl Engine {
    /// The account phase.
    ///
    /// # Errors
    /// When the answer could not be recorded: then it is no.
    pub fn account(&self, arrival: &Arrival) -> anyhow::Result<Answer> {
        let mut inner = self.lock();
        let (answer, mut events, now) = self.judge(&mut inner, arrival)?;
        match &answer {
            Answer::Allow { grant, .. } if arrival.class == Class::Login => {
                let place = arrival.place.clone();
                events.push(Event::LoginAllowed {
                    id: grant.id,
                    place,
                });
            }
            // A sudo command is recorded when it begins.
            Answer::Allow { .. } => {}
            Answer::Deny { why, .. } => events.push(denied(arrival, why)),
        }
        self.record_if_any(&mut inner, events, &now)?;
        Ok(answer)
    }

    /// What the account phase would answer. Nothing is recorded, and no grant begins.
    ///
    /// # Errors
    /// When the time cannot be told.
    pub fn preview(&self, arrival: &Arrival) -> anyhow::Result<Answer> {
        let (answer, _, _) = self.judge(&mut self.lock(), arrival)?;
        Ok(answer)
    }

    /// The session phase: the same question again, and a session when the answer is yes. Who is exempt
    /// comes in on no grant, whatever they hold, and was told of in the account phase.
    ///
    /// # Errors
    /// When the answer could not be recorded: then it is no.
    pub fn open_session(&self, arrival: &Arrival) -> anyhow::Result<Answer> {
        let mut inner = self.lock();
        let (answer, mut events, now) = self.judge(&mut inner, arrival)?;
        if arrival.exempt {
            return Ok(answer);
        }
        match &answer {
            Answer::Allow { grant, .. } => {
                let mut session = session(arrival, grant, &now);
                session.outside_role = is_outside_role(&inner.state, &access_query(arrival), &now);
                events.push(Event::SessionOpened(session));
            }
            Answer::Deny { why, .. } => events.push(denied(arrival, why)),
        }
        self.record_if_any(&mut inner, events, &now)?;
        Ok(answer)
    }

    /// The end of a session, when it was one under a grant.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub fn close_session(&self, arrival: &Arrival) -> anyhow::Result<()> {
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        let is_it = |session: &&Session| {
            session.pid == arrival.place.pid
                && session.started == arrival.started
                && session.service == arrival.place.service
        };
        let closed = inner.state.sessions.values().find(is_it).cloned();
        let events = closed.map(Event::SessionClosed).into_iter().collect();
        self.record_if_any(&mut inner, events, &now)
    }

    /// Someone who needs a grant was refused at a service that is in no list.
    ///
    /// # Errors
    /// When it could not be recorded. They are refused all the same.
    pub fn unlisted(&self, user: Person, place: Place) -> anyhow::Result<()> {
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        let why = UNLISTED_SERVICE.to_owned();
        let event = Event::LoginDenied { user, place, why };
        self.record(&mut inner, None, vec![event], &now)
    }

    /// Someone was let in whatever the ledger says.
    ///
    /// # Errors
    /// When it could not be recorded. They are in all the same.
    pub fn exempt(&self, arrival: &Arrival) -> anyhow::Result<()> {
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        let event = Event::ExemptLogin {
            user: arrival.user.clone(),
            place: arrival.place.clone(),
        };
        self.record(&mut inner, None, vec![event], &now)
    }

    fn judge(
        &self,
        inner: &mut Inner,
        arrival: &Arrival,
    ) -> anyhow::Result<(Answer, Vec<Event>, Now)> {
        let now = self.tick(inner)?;
        let at = access_query(arrival);
        let known = |id| inner.state.requests.get(&id).cloned().map(Box::new);
        Ok(match judge(&inner.state, &at, &now) {
            AccessDecision::Allow {
                grant,
                deadline,
                first_use,
            } => match known(grant) {
                Some(grant) => {
                    let events = first_use.into_iter().map(|event| *event).collect();
                    (
                        Answer::Allow {
                            grant,
                            deadline,
                            now: now.clone(),
                        },
                        events,
                        now,
                    )
                }
                None => (
                    Answer::Deny {
                        why: Why::NoGrant,
                        about: None,
                    },
                    Vec::new(),
                    now,
                ),
            },
            AccessDecision::Deny(why) => {
                let about = why.about().and_then(known);
                (Answer::Deny { why, about }, Vec::new(), now)
            }
        })
    }

    fn record_if_any(
        &self,
        inner: &mut Inner,
        events: Vec<Event>,
        now: &Now,
    ) -> anyhow::Result<()> {
        if events.is_empty() {
            Ok(())
        } else {
            self.record(inner, None, events, now)
        }
    }
}

fn access_query(arrival: &Arrival) -> AccessQuery {
    AccessQuery {
        user: arrival.user.clone(),
        class: arrival.class,
        sudo: arrival.sudo_call(),
    }
}

fn denied(arrival: &Arrival, why: &Why) -> Event {
    Event::LoginDenied {
        user: arrival.user.clone(),
        place: arrival.place.clone(),
        why: why.as_str().to_owned(),
    }
}

pub(super) fn session(arrival: &Arrival, grant: &Request, now: &Now) -> Session {
    let shown = &arrival.command.shown;
    Session {
        grant: grant.id,
        user: arrival.user.clone(),
        service: arrival.place.service.clone(),
        class: arrival.class.as_str().to_owned(),
        pid: arrival.place.pid,
        started: arrival.started,
        tty: arrival.place.tty.clone(),
        rhost: arrival.place.rhost.clone(),
        target: arrival.target.clone(),
        command: (!shown.text.is_empty()).then(|| shown.text.clone()),
        command_digest: shown.digest.clone(),
        outside_role: false,
        opened_at: now.wall_s,
    }
}
