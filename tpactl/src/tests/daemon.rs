//! A `tpad` that does what a test tells it to, over a pair of sockets.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard};

use tpa_bus::access::{
    ApproveOptions, Event, Evidence, Filter, LogFilter, NewRequest, NoticeTest, Piece,
    RECORDINGS_MAX, Recording, RecordingCheck, Request, RevokeWhat, Role, Session, Verification,
};
use tpa_bus::error::Refusal;
use tpa_bus::names::OBJECT_PATH;
use zbus::connection::Builder;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, Guid, fdo};

use crate::sample;

/// The files of a recording, by name.
pub type Files = Vec<(&'static str, Vec<u8>)>;

/// What it knows and how it behaves.
#[derive(Default)]
pub struct State {
    pub requests: Vec<Request>,
    pub roles: Vec<Role>,
    pub events: Vec<Event>,
    /// Events that were to be told again.
    pub told_again: Vec<u64>,
    /// What came of test messages.
    pub notices: Vec<NoticeTest>,
    /// The pieces of the chain, by what they come after.
    pub chain: Vec<Verification>,
    /// What it answers who would have statements and recordings looked at: that it does not know how to,
    /// unless a test says otherwise.
    pub looks: Looks,
    /// What was recorded: of each its files.
    pub recordings: Vec<(Recording, Files)>,
    /// Refuses every call with this.
    pub refusal: Option<Refusal>,
    /// Refuses decisions with this.
    pub refuses_decisions: Option<Refusal>,
    /// Decides what is filed within the call, and answers with the request as it was before.
    pub decided_at_once: Option<String>,
    /// Recorded one by one, each as soon as the trail was read.
    pub last_words: Vec<Event>,
    /// Goes away instead of answering with a request, or with the trail once it is read out.
    pub hangs_up: bool,
    /// What was filed.
    pub filed: Option<NewRequest>,
    /// The ends of commands that it was told of.
    pub command_ends: Vec<(String, i32)>,
    /// The words that came with a decision.
    pub said: Option<String>,
    /// How often it was called.
    pub calls: usize,
}

/// Whether a `tpad` knows the calls that came later.
#[derive(Clone, Default)]
pub enum Looks {
    /// One of before that.
    #[default]
    Unknown,
    /// There is nothing that does not fit.
    Well,
    /// It knows them, and refuses.
    Refused(Refusal),
}

impl Looks {
    fn answer<T: Default>(self) -> Result<T, LooksNot> {
        match self {
            Self::Unknown => Err(LooksNot(Box::new(fdo::Error::UnknownMethod("none".into())))),
            Self::Well => Ok(T::default()),
            Self::Refused(refusal) => Err(LooksNot(Box::new(refusal))),
        }
    }
}

/// The bus's own error, or one of `tpad`'s.
struct LooksNot(Box<dyn zbus::DBusError + Send>);

impl zbus::DBusError for LooksNot {
    fn create_reply(&self, call: &zbus::message::Header<'_>) -> zbus::Result<zbus::Message> {
        self.0.create_reply(call)
    }

    fn name(&self) -> zbus::names::ErrorName<'_> {
        self.0.name()
    }

    fn description(&self) -> Option<&str> {
        self.0.description()
    }
}

/// The daemon.
#[derive(Clone, Default)]
pub struct Daemon(Arc<Mutex<State>>);

impl Daemon {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn request(&self, id: &str) -> Request {
        let state = self.state();
        state
            .requests
            .iter()
            .find(|request| request.id == id)
            .unwrap()
            .clone()
    }

    /// Serves one connection.
    pub async fn serve(&self, stream: UnixStream) -> Connection {
        Builder::unix_stream(stream)
            .server(Guid::generate())
            .p2p()
            .serve_at(OBJECT_PATH, self.clone())
            .build()
            .await
            .unwrap()
    }

    fn called(&self) -> Result<MutexGuard<'_, State>, Refusal> {
        let mut state = self.state();
        state.calls += 1;
        state.refusal.clone().map_or(Ok(state), Err)
    }

    fn decide(&self, id: &str, to: &str) -> Result<Request, Refusal> {
        let refusal = self.state().refuses_decisions.clone();
        refusal.map_or_else(|| self.change(id, to), Err)
    }

    fn change(&self, id: &str, to: &str) -> Result<Request, Refusal> {
        let mut state = self.called()?;
        let request = state.requests.iter_mut().find(|request| request.id == id);
        let request = request.ok_or_else(|| Refusal::UnknownId(format!("no request {id}")))?;
        request.state = to.to_owned();
        Ok(request.clone())
    }

    async fn file(
        &self,
        request: Request,
        emitter: &SignalEmitter<'_>,
    ) -> Result<Request, Refusal> {
        let decided = {
            let mut state = self.called()?;
            state.requests.push(request.clone());
            state.decided_at_once.clone()
        };
        if let Some(decision) = decided {
            self.change(&request.id, &decision)?;
            Self::request_changed(emitter, &request.id, &decision)
                .await
                .unwrap();
        }
        Ok(request)
    }
}

// The macro hands arguments over by value.
#[allow(clippy::needless_pass_by_value)]
#[zbus::interface(name = "org.tpa1.Access")]
impl Daemon {
    async fn create_request(
        &self,
        new: NewRequest,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<Request, Refusal> {
        self.state().filed = Some(new);
        self.file(sample::pending(), &emitter).await
    }

    async fn extend(
        &self,
        id: String,
        seconds: u64,
        reason: String,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<Request, Refusal> {
        let request = Request {
            extends: Some(id),
            duration_s: seconds,
            reason,
            ..sample::pending()
        };
        self.file(request, &emitter).await
    }

    fn list_requests(&self, filter: Filter) -> Result<Vec<Request>, Refusal> {
        let state = self.called()?;
        let wanted = |request: &&Request| {
            let states = filter.states.as_ref();
            states.is_none_or(|states| states.contains(&request.state))
                && filter
                    .user
                    .as_ref()
                    .is_none_or(|user| *user == request.user)
                && filter
                    .until
                    .is_none_or(|until| request.requested_at < until)
        };
        Ok(state.requests.iter().filter(wanted).cloned().collect())
    }

    async fn get_request(
        &self,
        id: String,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Request, Refusal> {
        if self.state().hangs_up {
            let _ = connection.clone().close().await;
        }
        let state = self.called()?;
        let mut found = state
            .requests
            .iter()
            .filter(|request| request.id.starts_with(&id));
        let request = found.next().cloned();
        request.ok_or_else(|| Refusal::UnknownId(format!("no request {id}")))
    }

    fn approve(&self, id: String, options: ApproveOptions) -> Result<Request, Refusal> {
        self.state().said = options.comment;
        self.decide(&id, "active")
    }

    fn deny(&self, id: String, reason: String) -> Result<Request, Refusal> {
        self.state().said = Some(reason);
        self.decide(&id, "denied")
    }

    fn withdraw(&self, id: String) -> Result<Request, Refusal> {
        self.change(&id, "withdrawn")
    }

    fn end(&self, id: String) -> Result<Vec<Request>, Refusal> {
        Ok(vec![self.change(&id, "ended")?])
    }

    fn revoke(&self, what: RevokeWhat, reason: String) -> Result<Vec<Request>, Refusal> {
        self.state().said = Some(reason);
        let mut state = self.called()?;
        let mut revoked = Vec::new();
        for request in state
            .requests
            .iter_mut()
            .filter(|request| request.state == "active")
        {
            if what.all == Some(true) || what.user.as_ref() == Some(&request.user) {
                request.state = "revoked".to_owned();
                revoked.push(request.clone());
            }
        }
        Ok(revoked)
    }

    fn roles(&self) -> Result<Vec<Role>, Refusal> {
        Ok(self.called()?.roles.clone())
    }

    fn status(&self, user: String) -> Result<Vec<Request>, Refusal> {
        let of = if user.is_empty() { "alice" } else { &user };
        let mut grants = self.called()?.requests.clone();
        grants.retain(|request| request.user == of);
        Ok(grants)
    }

    fn sessions(&self, id: String) -> Result<Vec<Session>, Refusal> {
        let state = self.called()?;
        let sessions = state
            .requests
            .iter()
            .flat_map(|request| request.sessions.clone());
        Ok(sessions.filter(|session| session.grant == id).collect())
    }

    async fn log(
        &self,
        filter: LogFilter,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<Event>, Refusal> {
        let (page, news) = {
            let mut state = self.called()?;
            let after = filter.after.unwrap_or(0);
            let limit = usize::try_from(filter.limit.unwrap_or(1_000)).unwrap();
            let later = state.events.iter().filter(|event| event.seq > after);
            let page: Vec<Event> = later.take(limit).cloned().collect();
            let recorded = state.last_words.pop();
            state.events.extend(recorded.clone());
            (page, recorded.map(|event| event.seq))
        };
        if page.is_empty() && self.state().hangs_up {
            let _ = connection.clone().close().await;
        }
        // Where nothing was recorded it says so all the same: news that turn out to be none.
        let seq = news.unwrap_or(u64::MAX);
        let _ = Self::event_recorded(&emitter, seq).await;
        Ok(page)
    }

    fn recordings(&self, id: String, after: String) -> Result<Vec<Recording>, Refusal> {
        let state = self.called()?;
        assert_eq!(id.len(), 8);
        let all = state.recordings.iter().map(|(one, _)| one);
        Ok(all
            .filter(|one| one.name > after)
            .take(RECORDINGS_MAX)
            .cloned()
            .collect())
    }

    /// The number of a recording is its place.
    fn open_recording(&self, id: String, name: String) -> Result<u64, Refusal> {
        let state = self.called()?;
        assert_eq!(id.len(), 8);
        let place = state
            .recordings
            .iter()
            .position(|(one, _)| one.name == name);
        place
            .map(|place| place as u64)
            .ok_or_else(|| Refusal::UnknownId("no such recording".to_owned()))
    }

    /// Three bytes at a time.
    fn read_recording(
        &self,
        opened: u64,
        part: String,
        offset: u64,
        wait: bool,
    ) -> Result<Piece, Refusal> {
        let mut state = self.called()?;
        let (one, parts) = &mut state.recordings[usize::try_from(opened).unwrap()];
        let data = parts.iter().find(|(name, _)| *name == part);
        let data = data.map(|(_, data)| data.as_slice()).unwrap_or_default();
        let rest = data
            .get(usize::try_from(offset).unwrap()..)
            .unwrap_or_default();
        let piece = Piece {
            data: rest[..rest.len().min(3)].to_vec(),
            live: one.live,
        };
        // One that is waited for is over after that.
        one.live &= !(wait && piece.data.is_empty());
        Ok(piece)
    }

    fn test_notices(&self, target: String) -> Result<Vec<NoticeTest>, Refusal> {
        let mut tests = self.called()?.notices.clone();
        tests.retain(|test| target.is_empty() || test.target == target);
        Ok(tests)
    }

    fn resend_events(&self, events: Vec<u64>) -> Result<(), Refusal> {
        self.called()?.told_again.extend(events);
        Ok(())
    }

    /// Here its signals reach everybody: there is one connection.
    fn subscribe(&self) -> Result<(), Refusal> {
        self.called().map(drop)
    }

    fn verify(&self, after: u64) -> Result<Verification, Refusal> {
        let state = self.called()?;
        let piece = state.chain.iter().find(|piece| piece.after >= after);
        Ok(piece.cloned().unwrap_or_default())
    }

    fn end_command(&self, id: String, exit_code: i32) -> Result<(), Refusal> {
        self.called()?.command_ends.push((id, exit_code));
        Ok(())
    }

    /// There are none, behind whichever event.
    fn statements(&self, after: u64) -> Result<Vec<Evidence>, LooksNot> {
        let _ = after;
        let looks = self.state().looks.clone();
        looks.answer()
    }

    fn check_recordings(&self, after: u64) -> Result<RecordingCheck, LooksNot> {
        let looks = self.state().looks.clone();
        let all = |check| RecordingCheck {
            last: after,
            done: true,
            ..check
        };
        looks.answer().map(all)
    }

    #[zbus(signal)]
    async fn request_changed(
        emitter: &SignalEmitter<'_>,
        id: &str,
        state: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn event_recorded(emitter: &SignalEmitter<'_>, seq: u64) -> zbus::Result<()>;
}
