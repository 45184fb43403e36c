//! `org.tpa1.Gate`: what the PAM module asks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use tpa_bus::access as wire;
use tpa_bus::error::Refusal;
use tpa_bus::gate::{Query, UNLISTED, Verdict};
use tpa_bus::id::Id;
use tpa_bus::offline::Class;
use tpa_statement::login::Credential;
use zbus::message::Header;
use zbus::{Connection, interface};
use zruntime::SharedRuntime;

use super::caller::{is_root, named};
use super::door::{self, Visit};
use super::seats::Seats;
use super::{access, view, words};
use crate::core::{Core, Error};
use crate::engine::Engine;
use crate::host::process;
use crate::ledger::{
    Answer, Arrival, Caller, CommandLine, Identity, Person, Place, Proof, Why, bounded_name,
};
use crate::policy::Gives;

/// How long an answer waits for the rules of a grant that begins with it, or for those to go that have
/// ended: well within the gate's own two seconds.
const RULES: Duration = Duration::from_millis(1_500);

/// How long the name service may take over somebody who is refused, to name a role that they may
/// ask for.
const HINT: Duration = Duration::from_millis(300);

/// How long it may take over somebody who asks at the gate: within what the module waits.
const ASKING: Duration = Duration::from_secs(1);

/// How a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// On the socket that only root can open.
    Socket,
    /// On the system bus, where the driver tells who is calling.
    Bus,
}

/// The interface.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Decides and records.
    pub engine: Arc<Engine>,
    /// Runs everything.
    pub runtime: SharedRuntime,
    /// How its calls come.
    pub way: Way,
    /// Who waits for a decision.
    pub waiting: Arc<Seats>,
    /// The place that its connection has among those that are answered, where that is counted.
    pub place: Option<Arc<super::waiting::Place>>,
}

#[interface(name = "org.tpa1.Gate")]
impl Gate {
    async fn account(
        &self,
        query: Query,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Verdict, Refusal> {
        self.root_only(connection, &header).await?;
        if query.class == UNLISTED {
            let (user, place) = who_and_where(&query)?;
            self.engine
                .with(|core| core.unlisted(user, place))
                .map_err(Error::from)?;
            return Ok(Verdict::default());
        }
        let arrival = self.arrival(&query).await?;
        if query.exempt {
            self.engine
                .with(|core| core.exempt(&arrival))
                .map_err(Error::from)?;
            return Ok(Verdict {
                allowed: true,
                ..Verdict::default()
            });
        }
        let answer = self
            .engine
            .with(|core| core.account(&arrival))
            .map_err(Error::from)?;
        self.follow_first_use(&answer).await;
        self.follow_ends(&arrival).await;
        Ok(self.verdict(&arrival, &answer).await)
    }

    async fn open_session(
        &self,
        query: Query,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Verdict, Refusal> {
        self.root_only(connection, &header).await?;
        let arrival = self.arrival(&query).await?;
        let answer = self
            .engine
            .with(|core| core.open_session(&arrival))
            .map_err(Error::from)?;
        self.follow_ends(&arrival).await;
        let mut verdict = self.verdict(&arrival, &answer).await;
        verdict
            .text
            .extend(self.no_meanwhile(arrival.class, &answer));
        Ok(verdict)
    }

    async fn close_session(
        &self,
        query: Query,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Refusal> {
        self.root_only(connection, &header).await?;
        let arrival = self.arrival(&query).await?;
        let closed = self.engine.with(|core| core.close_session(&arrival));
        Ok(closed.map_err(Error::from)?)
    }

    async fn open_door(
        &self,
        query: Query,
        methods: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Verdict, Refusal> {
        self.root_only(connection, &header).await?;
        let (account, place) = who_and_where(&query)?;
        let entered = self.enter(account.uid, place.pid, methods).await;
        Ok(Verdict {
            allowed: entered.is_ok(),
            text: entered.err().into_iter().collect(),
            ..Verdict::default()
        })
    }

    async fn preview(
        &self,
        query: Query,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Verdict, Refusal> {
        self.root_only(connection, &header).await?;
        let arrival = self.arrival(&query).await?;
        let answer = self
            .engine
            .with(|core| core.preview(&arrival))
            .map_err(Error::from)?;
        self.follow_ends(&arrival).await;
        Ok(Verdict {
            pending: pending(&answer, arrival.class),
            held: held(&answer),
            ..self.verdict(&arrival, &answer).await
        })
    }

    async fn roles(
        &self,
        query: Query,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::Role>, Refusal> {
        self.root_only(connection, &header).await?;
        let class = class(&query)?;
        let policy = self.engine.policy();
        let mut roles = access::roles_for(&self.engine, &self.person(&query).await?);
        roles.retain(|role| {
            let role = policy.roles.get(&role.name);
            role.is_some_and(|role| gives(&role.gives, class))
        });
        Ok(roles)
    }

    async fn ask(
        &self,
        query: Query,
        request: wire::NewRequest,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Request, Refusal> {
        self.root_only(connection, &header).await?;
        let caller = self.person(&query).await?;
        // Whoever has just authenticated asks for themselves.
        let request = wire::NewRequest {
            user: None,
            ..request
        };
        let asked = access::asked(&caller, None, request);
        let request = self.engine.with(|core| core.ask(&caller, asked))?;
        self.engine.settle(&self.runtime).await;
        self.show(&caller, request.id)
    }

    async fn await_decision(
        &self,
        id: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Request, Refusal> {
        self.root_only(connection, &header).await?;
        let id = Id::parse(id).map_err(|error| Refusal::UnknownId(error.to_string()))?;
        let caller = at_gate(Identity::of(Person::root(), Vec::new()));
        let uid = self.engine.with(|core| core.request(id))?.user.uid;
        let _seat = self
            .waiting
            .take(uid)
            .ok_or_else(|| Refusal::Failed("too many wait for a decision already".to_owned()))?;
        if let Some(place) = &self.place {
            place.leave();
        }
        // Who hangs up waits no more: what is pending for hours must not keep their connections.
        let hung_up = async {
            connection.closed().await;
            Err(Refusal::Failed("the caller hung up".to_owned()))
        };
        let decided = async { Ok(self.engine.decided(id).await?) };
        let waited = or(decided, hung_up).await;
        if let Some(place) = &self.place {
            place.is_decided();
        }
        waited?;
        self.engine.settle(&self.runtime).await;
        self.show(&caller, id)
    }

    async fn reload(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Refusal> {
        self.root_only(connection, &header).await?;
        access::reload(&self.engine, &self.runtime).await
    }
}

impl Gate {
    /// Lets somebody in through the front door, or says why not.
    async fn enter(&self, account: u32, server: u32, methods: &str) -> Result<(), String> {
        let refused = |why: String| {
            let help = &self.engine.policy().gate.help;
            format!(
                "tpa: the front door of {} stays closed: {why}. {help}",
                self.engine.with(|core| core.host())
            )
        };
        let told = || refused("sshd does not tell the one key that you came with".to_owned());
        let credential = door::proven(methods).ok_or_else(told)?;
        let now = self
            .engine
            .with(Core::now)
            .map_err(|why| refused(format!("{why:#}")))?;
        let policy = self.engine.policy();
        let signers = policy.signers.as_ref();
        let signers = signers.ok_or_else(|| refused("there is no /etc/tpa/signers".to_owned()))?;
        let login = credential
            .person(signers, now.wall_s)
            .map_err(|why| refused(why.to_string()))?;
        let proc = Path::new("/proc");
        let asked_pin = login.asks_pin && self.sshd_asks_pin(&credential, now.wall_s).await;
        let visit = Visit {
            account,
            person: login.person,
            credential,
            asked_pin,
        };
        let entered = self.engine.door.enter(proc, server, visit);
        entered.map_err(refused)
    }

    /// Whether sshd has asked for the PIN: it goes by the file, which may have been changed since it was
    /// loaded.
    async fn sshd_asks_pin(&self, credential: &Credential, now_s: i64) -> bool {
        let signers = self.engine.signers_on_disk(&self.runtime).await;
        let login = signers.and_then(|signers| credential.person(&signers, now_s).ok());
        login.is_some_and(|login| login.asks_pin)
    }

    /// The socket lets nobody but root connect; on the bus the driver says who it is.
    async fn root_only(&self, connection: &Connection, header: &Header<'_>) -> Result<(), Refusal> {
        if self.way == Way::Socket || is_root(connection, header).await {
            return Ok(());
        }
        Err(Refusal::NotPermitted(
            "the gate answers to root alone".to_owned(),
        ))
    }

    /// Sudo reads its rules after this answer: those of a grant that begins with it must be there.
    async fn follow_first_use(&self, answer: &Answer) {
        if let Answer::Allow { grant, .. } = answer
            && grant.is_waiting()
        {
            self.follow().await;
        }
    }

    /// Has the host follow what is recorded, for as long as an answer waits for that.
    async fn follow(&self) {
        let followed = self.engine.settle(&self.runtime);
        let _ = self.runtime.timeout(RULES, followed).await;
    }

    /// The module looks behind this answer whether a grant has ended since sudo was called: what has
    /// ended for us has ended for the host by then.
    async fn follow_ends(&self, arrival: &Arrival) {
        if arrival.class == Class::Sudo && self.engine.with(|core| core.is_ending(&arrival.user)) {
            self.follow().await;
        }
    }

    /// The person at the gate, as NSS has them: the module's word alone is not enough for a request.
    async fn person(&self, query: &Query) -> Result<Caller, Refusal> {
        let accounts = &self.engine.accounts;
        let account = accounts
            .by_uid(&self.runtime, query.uid, ASKING)
            .await
            .map_err(|why| Refusal::Failed(format!("cannot look up uid {}: {why}", query.uid)))?
            .filter(|account| account.person.name == query.user)
            .ok_or_else(|| Refusal::Invalid(format!("uid {} is not this user's", query.uid)))?;
        Ok(at_gate(named(account, &accounts.files())))
    }

    async fn arrival(&self, query: &Query) -> Result<Arrival, Refusal> {
        let class = class(query)?;
        let (user, place) = who_and_where(query)?;
        let others = self.engine.accounts.other_names(&user);
        let user = if query.exempt || others.is_empty() {
            user
        } else {
            self.engine.with(|core| core.known_as(user, &others))
        };
        Ok(Arrival {
            user,
            class,
            place,
            started: process::started(Path::new("/proc"), query.pid).unwrap_or(0),
            target: given(query.target.as_ref()),
            exempt: query.exempt,
            ungated: query.ungated == Some(true),
            command: match class {
                Class::Sudo => process::command_line(Path::new("/proc"), query.pid).await,
                Class::Login => CommandLine::default(),
            },
        })
    }

    fn show(&self, caller: &Caller, id: Id) -> Result<wire::Request, Refusal> {
        self.engine.with(|core| {
            let now = core.now().map_err(Error::from)?;
            let request = core.request(id)?;
            Ok(view::request(core, caller, &request, &now))
        })
    }

    async fn verdict(&self, arrival: &Arrival, answer: &Answer) -> Verdict {
        let user = &arrival.user;
        match answer {
            Answer::Allow {
                grant,
                deadline,
                now,
            } => Verdict {
                allowed: true,
                text: vec![words::grant_line(grant, deadline, now)],
                grant: Some(grant.id.as_str().to_owned()),
                not_after: Some(deadline.not_after),
                remaining_s: Some(deadline.remaining_ms(now).div_ceil(1_000)),
                pending: None,
                held: None,
            },
            // What none of their grants gives them, they need none for.
            Answer::Deny { .. } if arrival.ungated => Verdict {
                allowed: true,
                ..Verdict::default()
            },
            Answer::Deny { why, about } => {
                let policy = self.engine.policy();
                let role = self.askable(user, why).await;
                let is_open =
                    arrival.class == Class::Login && policy.signers.is_some() && door::is_enabled();
                let door = if is_open {
                    words::Door::Open
                } else {
                    words::Door::Closed
                };
                let host = self.engine.with(|core| core.host());
                let ask = role.map(|role| words::request_by(door, &host, &role));
                let text = words::refusal(
                    arrival.class,
                    &host,
                    &tpa_bus::text::one_line(&user.name, 64),
                    why,
                    about.as_deref(),
                    ask.as_deref(),
                    &policy.gate.help,
                );
                Verdict {
                    allowed: false,
                    text,
                    ..Verdict::default()
                }
            }
        }
    }

    /// Whoever logs in on one grant is told of the no to another request of theirs.
    fn no_meanwhile(&self, class: Class, answer: &Answer) -> Option<String> {
        let (Class::Login, Answer::Allow { grant, now, .. }) = (class, answer) else {
            return None;
        };
        let no = self.engine.with(|core| core.no_meanwhile(grant, now))?;
        words::no_line(&no)
    }

    /// A role that the person may ask for: the one they had last, else the first by name.
    async fn askable(&self, user: &Person, why: &Why) -> Option<String> {
        let accounts = &self.engine.accounts;
        let files = accounts.files();
        // It is advice: of an account of this host what is known will do, and nobody is asked.
        let known = accounts.as_known(user).filter(|_| files.has(user));
        let account = match known {
            Some(account) => account,
            None => accounts
                .by_uid(&self.runtime, user.uid, HINT)
                .await
                .ok()??,
        };
        let caller = at_gate(named(account, &files));
        let mut roles = access::roles_for(&self.engine, &caller);
        // Those for one command are not asked for here.
        roles.retain(|role| role.exact.is_none());
        let had = why
            .about()
            .and_then(|id| self.engine.with(|core| core.request(id)).ok())
            .map(|r| r.role);
        let last = had.filter(|had| roles.iter().any(|role| role.name == *had));
        last.or_else(|| roles.into_iter().next().map(|role| role.name))
    }
}

/// Somebody whom PAM has authenticated at the gate.
fn at_gate(identity: Identity) -> Caller {
    Caller {
        uid: identity.person.uid,
        identity,
        login: None,
        proof: Proof::Gate,
    }
}

/// Whether a role gives what somebody is here for.
fn gives(gives: &Gives, class: Class) -> bool {
    match class {
        Class::Login => gives.login,
        Class::Sudo => gives.uses_sudo(),
    }
}

/// The live grant that gives something else.
fn held(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Deny {
            why: Why::OtherUse(id),
            ..
        } => Some(id.as_str().to_owned()),
        _ => None,
    }
}

/// The undecided request that would let in whom the answer keeps out.
fn pending(answer: &Answer, class: Class) -> Option<String> {
    match answer {
        Answer::Deny {
            why: Why::Pending(id),
            about: Some(request),
        } if gives(&request.gives, class) => Some(id.as_str().to_owned()),
        _ => None,
    }
}

fn class(query: &Query) -> Result<Class, Refusal> {
    Class::from_name(&query.class)
        .ok_or_else(|| Refusal::Invalid("the gate asks about login or sudo".to_owned()))
}

fn who_and_where(query: &Query) -> Result<(Person, Place), Refusal> {
    if query.uid == u32::MAX || query.user.is_empty() {
        return Err(Refusal::Invalid("the gate asks about nobody".to_owned()));
    }
    let user = Person {
        uid: query.uid,
        name: bounded_name(query.user.clone()),
    };
    let place = Place {
        service: bounded_name(query.service.clone()),
        tty: given(query.tty.as_ref()),
        rhost: given(query.rhost.as_ref()),
        pid: query.pid,
    };
    Ok((user, place))
}

/// What PAM holds, where it holds anything.
fn given(item: Option<&String>) -> Option<String> {
    let item = item.filter(|text| !text.is_empty());
    item.cloned().map(bounded_name)
}
