//! `org.tpa1.Access`: one method a verb. Each finds out who is calling, hands the command to the
//! engine, waits until the host follows, and answers with the request as it is then.

use std::sync::Arc;
use std::time::Duration;

use tpa_bus::access as wire;
use tpa_bus::error::Refusal;
use tpa_bus::id::Id;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, interface};
use zruntime::SharedRuntime;

use super::caller::identify;
use super::caller::named;
use super::claims::Claims;
use super::command;
use super::door;
use super::listeners::{Added, Listeners, Owner};
use super::notices;
use super::process::Held;
use super::statement::Statements;
use super::view;
use crate::accounts::Account;
use crate::aside::aside;
use crate::core::{Core, Error};
use crate::engine::Engine;
use crate::host::detached::{Detached, detached};
use crate::host::paths::Paths;
use crate::ledger::{Asked, Caller, Command, Identity, Refused, Request, Stage, may_ask_for};
use crate::policy::AuditFormat;
use crate::store::{EventQuery, RequestQuery};

/// Most events that one call gives.
const LOG_MAX: u32 = 1_000;

/// Most ids, or states, that one call names. More of them would keep others waiting.
const MANY: usize = 100;

/// Longest name of a user or role that is looked up, in bytes: longer than any that exists.
const NAME_MAX: usize = 256;

/// How long the name service may take over somebody who is named.
const NAMES: Duration = Duration::from_secs(5);

/// The interface.
#[derive(Debug, Clone)]
pub struct Access {
    /// Decides and records.
    pub engine: Arc<Engine>,
    /// Runs everything.
    pub runtime: SharedRuntime,
    /// How calls come.
    pub line: Line,
    /// Who is told of what happens.
    pub listeners: Arc<Listeners>,
    /// What all who bring statements share.
    pub statements: Arc<Statements>,
}

/// How calls come.
#[derive(Debug, Clone)]
pub enum Line {
    /// On the system bus, whose driver tells who is calling; where it does not tell which process,
    /// those themselves do.
    Bus(Claims),
    /// On the socket that only root can open, from this process.
    Socket(Held),
}

impl Access {
    fn show(&self, caller: &Caller, request: &Request) -> Result<wire::Request, Refusal> {
        self.engine.with(|core| {
            let now = core.now().map_err(Error::from)?;
            Ok(view::request(core, caller, request, &now))
        })
    }

    /// Does something with a request, waits for the host, and shows what came of it.
    async fn act(&self, caller: &Caller, command: &Command) -> Result<wire::Request, Refusal> {
        let request = self.engine.with(|core| core.act(caller, command))?;
        self.settled(caller, request.id).await
    }

    /// Waits until the host follows what was decided, and shows it.
    async fn settled(&self, caller: &Caller, id: Id) -> Result<wire::Request, Refusal> {
        self.show(caller, &self.followed(id).await?)
    }

    /// The request once the host follows what was decided of it. Of one that nobody has decided nothing
    /// is on the host: whoever files one waits for no rules of others'.
    pub(super) async fn followed(&self, id: Id) -> Result<Request, Refusal> {
        if !self.engine.with(|core| core.request(id))?.is_pending() {
            self.engine.settle(&self.runtime).await;
        }
        Ok(self.engine.with(|core| core.request(id))?)
    }

    /// The account of somebody who is named.
    pub(super) async fn account(&self, name: &str) -> Result<Account, Refusal> {
        let shown = tpa_bus::text::one_line(name, 40);
        let refused = |why: String| Refusal::from(Error::Refused(Refused::user(why)));
        if name.len() > NAME_MAX {
            return Err(refused(format!("there is no user {shown}")));
        }
        let accounts = &self.engine.accounts;
        let account = accounts.by_name(&self.runtime, name, NAMES).await;
        let account = account
            .map_err(|why| refused(format!("cannot look up the user {shown}: {why}")))?
            .ok_or_else(|| refused(format!("there is no user {shown}")))?;
        let uid_min = self.engine.policy().gate.uid_min;
        if door::is_account(&accounts.files(), account.person.uid, uid_min) {
            return Err(refused(format!("{shown} is the front door, and nobody")));
        }
        Ok(account)
    }

    /// What goes on of closed logins, under the grants that the caller may see.
    async fn detached(
        &self,
        caller: &Caller,
        grant: Option<Id>,
    ) -> Result<Vec<wire::Session>, Refusal> {
        let (holders, open) = self.engine.with(|core| {
            let open = core.open_sessions().values().map(|session| session.pid);
            let open: Vec<u32> = open.collect();
            (core.login_holders(caller), open)
        });
        let mut holders = holders?;
        holders.retain(|(_, id)| grant.is_none_or(|wanted| *id == wanted));
        if holders.is_empty() {
            return Ok(Vec::new());
        }
        let uids = holders.iter().map(|(person, _)| person.uid).collect();
        let found = aside(move || detached(&Paths::default(), &uids, &open)).await;
        let found = found.map_err(|error| Refusal::from(Error::from(error)))?;
        let now = self.engine.with(Core::now).map_err(Error::from)?;
        let of = |one: &Detached| holders.iter().find(|(person, _)| person.uid == one.uid);
        let known = found.iter().filter_map(|one| Some((of(one)?, one)));
        Ok(known
            .map(|((person, id), one)| view::detached(person, *id, one, &now))
            .collect())
    }

    /// The live and waiting grants of a person that the caller may see.
    fn grants_of(&self, caller: &Caller, uid: u32) -> Result<Vec<Request>, Refusal> {
        let theirs = |request: &Request| request.user.uid == uid && is_on(request);
        Ok(self
            .engine
            .with(|core| core.open_requests(caller, theirs))?)
    }
}

/// Whether a request is a grant that lives, or waits for its beginning.
fn is_on(request: &Request) -> bool {
    matches!(request.stage, Stage::Active { .. } | Stage::Waiting { .. })
}

#[interface(name = "org.tpa1.Access")]
impl Access {
    async fn create_request(
        &self,
        request: wire::NewRequest,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Request, Refusal> {
        let caller = identify(connection, &header).await?;
        let user = match request
            .user
            .clone()
            .filter(|name| *name != caller.person().name)
        {
            Some(name) => {
                let files = self.engine.accounts.files();
                Some(named(self.account(&name).await?, &files))
            }
            None => None,
        };
        let command = request.command.clone();
        let mut asked = asked(&caller, user, request);
        if let Some(command) = command {
            asked.command = Some(Box::new(self.typed(&caller, &asked, command).await?));
        }
        let request = self.engine.with(|core| core.ask(&caller, asked))?;
        self.settled(&caller, request.id).await
    }

    async fn approved_command(
        &self,
        id: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::OneCommand, Refusal> {
        let (id, by) = command::run(connection, &header, id).await?;
        self.approved((id, &by))
    }

    async fn start_command(
        &self,
        id: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::OneCommand, Refusal> {
        let (id, by) = command::run(connection, &header, id).await?;
        self.start((id, &by)).await
    }

    async fn end_command(
        &self,
        id: &str,
        exit_code: i32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Refusal> {
        let (id, by) = command::run(connection, &header, id).await?;
        Ok(self
            .engine
            .with(|core| core.end_command(id, by.runner, exit_code))?)
    }

    async fn list_requests(
        &self,
        filter: wire::Filter,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::Request>, Refusal> {
        let caller = identify(connection, &header).await?;
        let query = RequestQuery {
            of: filter
                .mine
                .filter(|mine| *mine)
                .map(|_| caller.person().uid),
            user: filter.user,
            role: filter.role,
            since: filter.since,
            until: filter.until,
            states: filter
                .states
                .map(|states| check_count("states", states))
                .transpose()?,
            limit: Some(wire::LIST_MAX),
            ..RequestQuery::default()
        };
        let found = if filter.reviewable == Some(true) {
            let open = self
                .engine
                .with(|core| core.open_requests(&caller, |request| query.fits(request)))?;
            self.engine
                .with(|core| core.retain_reviewable(&caller, open))?
        } else {
            self.engine.with(|core| core.requests(&caller, &query))?
        };
        self.engine.with(|core| {
            let now = core.now().map_err(Error::from)?;
            Ok(view::requests(core, &caller, &found, &now))
        })
    }

    async fn get_request(
        &self,
        id: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Request, Refusal> {
        let caller = identify(connection, &header).await?;
        let id = self.engine.with(|core| core.find(&caller, id))?;
        self.show(&caller, &self.engine.with(|core| core.request(id))?)
    }

    async fn approve(
        &self,
        id: &str,
        options: wire::ApproveOptions,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Request, Refusal> {
        let caller = identify(connection, &header).await?;
        let id = self.engine.with(|core| core.resolve(&caller, id))?;
        let wire::ApproveOptions {
            duration_s,
            comment,
        } = options;
        let yes = Command::Approve {
            id,
            duration_s,
            comment,
        };
        self.act(&caller, &yes).await
    }

    async fn deny(
        &self,
        id: &str,
        reason: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Request, Refusal> {
        let caller = identify(connection, &header).await?;
        let id = self.engine.with(|core| core.resolve(&caller, id))?;
        self.act(&caller, &Command::Deny { id, reason }).await
    }

    async fn withdraw(
        &self,
        id: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Request, Refusal> {
        let caller = identify(connection, &header).await?;
        let id = self.engine.with(|core| core.resolve(&caller, id))?;
        self.act(&caller, &Command::Withdraw(id)).await
    }

    async fn extend(
        &self,
        id: &str,
        seconds: u64,
        reason: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Request, Refusal> {
        let caller = identify(connection, &header).await?;
        let id = self.engine.with(|core| core.resolve(&caller, id))?;
        let asked = self
            .engine
            .with(|core| core.extend(&caller, id, seconds, reason))?;
        self.settled(&caller, asked.id).await
    }

    async fn end(
        &self,
        id: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::Request>, Refusal> {
        let caller = identify(connection, &header).await?;
        let ids = if id.is_empty() {
            let mine = self.grants_of(&caller, caller.person().uid)?;
            mine.iter().map(|request| request.id).collect()
        } else {
            vec![self.engine.with(|core| core.resolve(&caller, id))?]
        };
        let commands = ids.iter().map(|id| Command::End(*id)).collect();
        // Whoever ends their own login ends this very call: they hear of it while they can.
        let waits = !self.engine.with(|core| core.gave_logins(&ids));
        self.end_each(&caller, commands, waits, "you hold no access")
            .await
    }

    async fn revoke(
        &self,
        what: wire::RevokeWhat,
        reason: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::Request>, Refusal> {
        let caller = identify(connection, &header).await?;
        let ids = self.to_revoke(&caller, what).await?;
        let revoke = |id| Command::Revoke {
            id,
            reason: reason.clone(),
        };
        let commands = ids.into_iter().map(revoke).collect();
        self.end_each(&caller, commands, true, "there is no access to revoke")
            .await
    }

    async fn review(
        &self,
        id: &str,
        comment: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Request, Refusal> {
        let caller = identify(connection, &header).await?;
        let id = self.engine.with(|core| core.resolve(&caller, id))?;
        self.act(&caller, &Command::Review { id, comment }).await
    }

    async fn submit(
        &self,
        text: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Submission, Refusal> {
        let carrier = identify(connection, &header).await?;
        self.submit_text(&carrier, text).await
    }

    async fn roles(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::Role>, Refusal> {
        let caller = identify(connection, &header).await?;
        Ok(roles_for(&self.engine, &caller))
    }

    async fn who_am_i(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Myself, Refusal> {
        let caller = identify(connection, &header).await?;
        Ok(wire::Myself {
            user: caller.person().name.clone(),
            uid: caller.person().uid,
            key: caller.proof.key().map(|key| key.fingerprint.clone()),
        })
    }

    async fn status(
        &self,
        user: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::Request>, Refusal> {
        let caller = identify(connection, &header).await?;
        let uid = if user.is_empty() {
            caller.person().uid
        } else {
            self.account(user).await?.person.uid
        };
        let found = self.grants_of(&caller, uid)?;
        self.engine.with(|core| {
            let now = core.now().map_err(Error::from)?;
            Ok(view::requests(core, &caller, &found, &now))
        })
    }

    async fn sessions(
        &self,
        id: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::Session>, Refusal> {
        let caller = identify(connection, &header).await?;
        let grant = if id.is_empty() {
            None
        } else {
            Some(self.engine.with(|core| core.find(&caller, id))?)
        };
        let open = self.engine.with(|core| core.sessions(&caller, grant));
        let mut sessions: Vec<_> = open.iter().map(view::session).collect();
        sessions.extend(self.detached(&caller, grant).await?);
        Ok(sessions)
    }

    async fn log(
        &self,
        filter: wire::LogFilter,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::Event>, Refusal> {
        let caller = identify(connection, &header).await?;
        let id = filter.id.filter(|id| !id.is_empty());
        let query = EventQuery {
            id: id
                .map(|id| self.engine.with(|core| core.find(&caller, &id)))
                .transpose()?,
            since: filter.since,
            until: filter.until,
            after: filter.after,
            codes: filter.codes,
            limit: filter.limit.unwrap_or(LOG_MAX).min(LOG_MAX),
        };
        let format = match filter.format.as_deref() {
            None | Some("kv") => AuditFormat::Kv,
            Some("cee") => AuditFormat::Cee,
            Some(_) => {
                return Err(Refusal::Invalid("a line comes as kv or as cee".to_owned()));
            }
        };
        Ok(self
            .engine
            .events(&caller, query)
            .await?
            .iter()
            .map(|record| view::event(record, format))
            .collect())
    }

    async fn verify(
        &self,
        after: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Verification, Refusal> {
        let caller = identify(connection, &header).await?;
        let walk = self.engine.verify(&caller, after).await?;
        let (first_break, problem) = walk.broken.unzip();
        Ok(wire::Verification {
            after: walk.before.seq,
            after_hash: walk.before.hash,
            db: Some(walk.database),
            hashes: walk.hashes,
            done: walk.done,
            first_break,
            problem,
        })
    }

    async fn statements(
        &self,
        after: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::Evidence>, Refusal> {
        let caller = identify(connection, &header).await?;
        let found = self.engine.evidence(&caller, after).await?;
        Ok(found.into_iter().map(view::evidence).collect())
    }

    async fn resend_events(
        &self,
        events: Vec<u64>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Refusal> {
        let caller = identify(connection, &header).await?;
        if !caller.is_root() {
            return Err(Refusal::NotPermitted(
                "only root may have lines sent again\nnext: sudo tpactl verify --resend".into(),
            ));
        }
        self.engine.resend_events(&events);
        Ok(())
    }

    async fn recordings(
        &self,
        id: &str,
        after: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::Recording>, Refusal> {
        let caller = identify(connection, &header).await?;
        let id = self.engine.with(|core| core.find(&caller, id))?;
        Ok(self.engine.recordings(&caller, id, after).await?)
    }

    async fn open_recording(
        &self,
        id: &str,
        name: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<u64, Refusal> {
        let caller = identify(connection, &header).await?;
        let id = self.engine.with(|core| core.find(&caller, id))?;
        Ok(self.engine.open_recording(&caller, id, name).await?)
    }

    async fn read_recording(
        &self,
        opened: u64,
        part: &str,
        offset: u64,
        wait: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Piece, Refusal> {
        let caller = identify(connection, &header).await?;
        let what = (opened, part, offset);
        let piece = self
            .engine
            .read_recording(&self.runtime, &caller, what, wait);
        Ok(piece.await?)
    }

    async fn check_recordings(
        &self,
        after: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::RecordingCheck, Refusal> {
        let caller = identify(connection, &header).await?;
        let checked = self.engine.check_recordings(&caller, after).await?;
        Ok(view::recording_check(checked))
    }

    async fn residue(
        &self,
        id: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<wire::Residue, Refusal> {
        let caller = identify(connection, &header).await?;
        let id = self.engine.with(|core| core.find(&caller, id))?;
        let (residue, tidied) = self.engine.residue(&caller, id).await?;
        Ok(view::residue(id, residue, tidied))
    }

    async fn test_notices(
        &self,
        target: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<wire::NoticeTest>, Refusal> {
        let caller = identify(connection, &header).await?;
        if !caller.is_root() {
            return Err(Refusal::NotPermitted(
                "only root may send test messages\nnext: sudo tpactl notify --test".into(),
            ));
        }
        notices::test(&self.engine, &self.runtime, target).await
    }

    async fn reload(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Refusal> {
        let caller = identify(connection, &header).await?;
        if !caller.is_root() {
            return Err(Refusal::NotPermitted(
                "only root may reload the configuration\nnext: sudo systemctl reload tpad".into(),
            ));
        }
        reload(&self.engine, &self.runtime).await
    }

    async fn subscribe(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Refusal> {
        let Some(name) = header
            .sender()
            .filter(|_| matches!(self.line, Line::Bus(_)))
        else {
            return Err(Refusal::Invalid(
                "signals come over the system bus\nnext: subscribe there".to_owned(),
            ));
        };
        let owner = Owner::watch(connection, name).await;
        let owner = owner.map_err(|error| Refusal::Failed(format!("cannot listen: {error}")))?;
        let caller = identify(connection, &header).await?;
        match self.listeners.add(name, caller) {
            Added::New => {}
            Added::Known => return Ok(()),
            Added::TooMany => {
                return Err(Refusal::Failed(
                    "too many connections wait for news\nnext: end a tpactl that waits or follows"
                        .to_owned(),
                ));
            }
        }
        let (listeners, name) = (Arc::clone(&self.listeners), name.to_owned());
        let forget = async move {
            owner.gone().await;
            listeners.remove(&name);
        };
        self.runtime.spawn("listener", forget).detach();
        Ok(())
    }

    /// A request came into being or changed its state.
    #[zbus(signal)]
    pub async fn request_changed(
        emitter: &SignalEmitter<'_>,
        id: &str,
        state: &str,
    ) -> zbus::Result<()>;

    /// An event was recorded. Its content is read with `Log`, by those who may.
    #[zbus(signal)]
    pub async fn event_recorded(emitter: &SignalEmitter<'_>, seq: u64) -> zbus::Result<()>;
}

impl Access {
    async fn to_revoke(&self, caller: &Caller, what: wire::RevokeWhat) -> Result<Vec<Id>, Refusal> {
        let all_of = |found: Vec<Request>| found.into_iter().map(|request| request.id).collect();
        match what {
            wire::RevokeWhat {
                ids: Some(ids),
                user: None,
                all: None,
            } => check_count("ids", ids)?
                .iter()
                .map(|id| {
                    self.engine
                        .with(|core| core.resolve(caller, id))
                        .map_err(Refusal::from)
                })
                .collect(),
            wire::RevokeWhat {
                ids: None,
                user: Some(user),
                all: None,
            } => {
                let uid = self.account(&user).await?.person.uid;
                Ok(all_of(self.grants_of(caller, uid)?))
            }
            wire::RevokeWhat {
                ids: None,
                user: None,
                all: Some(true),
            } => Ok(all_of(
                self.engine.with(|core| core.open_requests(caller, is_on))?,
            )),
            _ => Err(Refusal::Invalid(
                "name either ids, a user, or all".to_owned(),
            )),
        }
    }

    /// Ends several grants. The first refusal is the answer when none could be ended; when some
    /// could, they are, and the refusal comes after. `waits` for the host to follow.
    async fn end_each(
        &self,
        caller: &Caller,
        commands: Vec<Command>,
        waits: bool,
        nothing: &str,
    ) -> Result<Vec<wire::Request>, Refusal> {
        let mut refused = None;
        let mut ended = Vec::new();
        for command in &commands {
            match self.engine.with(|core| core.act(caller, command)) {
                Ok(request) => ended.push(request.id),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if waits {
            self.engine.settle(&self.runtime).await;
        }
        match refused {
            Some(error) => Err(error.into()),
            None if commands.is_empty() => Err(Refusal::NoChange(format!(
                "{nothing}\nnext: see what there is: tpactl ls --state active,scheduled,approved"
            ))),
            None => ended
                .iter()
                .map(|id| self.show(caller, &self.engine.with(|core| core.request(*id))?))
                .collect(),
        }
    }
}

/// The roles that a person may ask for.
pub(super) fn roles_for(engine: &Engine, caller: &Caller) -> Vec<wire::Role> {
    let policy = engine.policy();
    let asked = policy
        .roles
        .values()
        .filter(|role| may_ask_for(&policy, role, &caller.identity));
    asked
        .map(|role| view::role(&policy, caller, role))
        .collect()
}

/// What a new request says: for the caller, or for somebody else.
pub(super) fn asked(caller: &Caller, user: Option<Identity>, request: wire::NewRequest) -> Asked {
    let user = user.unwrap_or_else(|| caller.identity.clone());
    Asked {
        user,
        role: request.role,
        reason: request.reason,
        ticket: request.ticket,
        duration_s: request.duration_s,
        until: request.until,
        at: request.at,
        command: None,
    }
}

/// A list that is not too long to be gone through at once.
fn check_count(what: &str, list: Vec<String>) -> Result<Vec<String>, Refusal> {
    if list.len() <= MANY {
        return Ok(list);
    }
    Err(Refusal::Invalid(format!(
        "{} {what} are too many for one call\nnext: name at most {MANY}",
        list.len()
    )))
}

/// Loads the configuration anew and waits until the host follows.
pub(super) async fn reload(engine: &Engine, runtime: &SharedRuntime) -> Result<(), Refusal> {
    engine.reload(runtime).await.map_err(|error| {
        Refusal::Invalid(format!(
            "{error:#}\nnext: correct it, check it with: tpactl check"
        ))
    })?;
    engine.settle(runtime).await;
    Ok(())
}
