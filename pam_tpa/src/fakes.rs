//! Fakes of what the phases see. What they may be told is a queue; whatever is left in it when a
//! fake is dropped was expected and did not happen, and fails the test.
#![allow(
    clippy::unnecessary_wraps,
    reason = "answers come in the type that the daemon gives them in"
)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use tpa_bus::access::NewRequest;
use tpa_bus::gate::{FiledRequest, OfferedRole, Query, Verdict};
use tpa_bus::id::Id;
use tpa_bus::offline::{Class, GateFile, Who};

use crate::args::Args;
use crate::daemon::{Daemon, NotFiled, Unanswered, Waited};
use crate::decide::Offline;
use crate::handle::{Level, NotStored, OpenedOn, Pam};
use crate::host::{Groups, Host};
use crate::people::{LookUp, Person};
use crate::phase::Phase;
use crate::seats::Seat;

/// The grant of the tests.
pub const ID: &str = "7H2KM4QX";

/// What happens, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A `PAM_ERROR_MSG` that begins so.
    Error(&'static str),
    /// A `PAM_TEXT_INFO` that begins so.
    Info(&'static str),
    /// A log line of this level with this in it.
    Log(Level, &'static str),
    /// A `PAM_PROMPT_ECHO_ON` with this in it, and what is typed.
    Prompt(&'static str, Option<&'static str>),
    /// The login is limited.
    Limit(u64),
    /// Word is left for the scope line.
    Stored(u64),
    /// It is kept for the session line that sudo is bound to the grant.
    Bound,
    /// So many grants that hold the process are kept for the scope line.
    Holders(usize),
}

/// A queue that must be used up.
#[derive(Debug)]
pub struct Script<T>(RefCell<VecDeque<T>>);

impl<T> Script<T> {
    /// What is expected.
    pub fn new(steps: impl IntoIterator<Item = T>) -> Self {
        Self(RefCell::new(steps.into_iter().collect()))
    }

    fn next(&self, happened: &str) -> T {
        let step = self.0.borrow_mut().pop_front();
        step.unwrap_or_else(|| panic!("not expected: {happened}"))
    }
}

impl<T> Drop for Script<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left = self.0.borrow().len();
            assert_eq!(left, 0, "expected steps did not happen");
        }
    }
}

/// A PAM handle.
pub struct FakePam {
    /// `PAM_SERVICE`
    pub service: &'static str,
    /// `PAM_USER`
    pub user: Option<&'static str>,
    /// `PAM_RUSER`
    pub ruser: Option<&'static str>,
    /// What the session line left.
    pub opened: Option<OpenedOn>,
    /// Which grant the account line bound sudo to.
    pub bound: Option<Id>,
    /// Which grants it found to hold the process.
    pub holders: Vec<Id>,
    /// How sshd says that they proved who they are.
    pub methods: Option<&'static str>,
    /// What is to happen.
    pub events: Script<Event>,
}

impl FakePam {
    /// A transaction of the service for the user, to whom this is to happen.
    pub fn new(
        service: &'static str,
        user: &'static str,
        events: impl IntoIterator<Item = Event>,
    ) -> Self {
        Self {
            service,
            user: Some(user),
            ruser: None,
            opened: None,
            bound: None,
            holders: Vec::new(),
            methods: None,
            events: Script::new(events),
        }
    }

    /// The same, under sudo: asked for by `ruser`.
    pub fn asked_by(mut self, ruser: &'static str) -> Self {
        self.ruser = Some(ruser);
        self
    }

    /// The same, after the session line found the grant to hold the process.
    pub fn held(mut self) -> Self {
        self.holders = vec![Id::parse(ID).unwrap()];
        self
    }

    /// The same, after the session line let in on a grant with so many seconds left.
    pub fn opened_for(mut self, limit_s: u64) -> Self {
        let grant = Id::parse(ID).unwrap();
        self.opened = Some(OpenedOn { grant, limit_s });
        self
    }
}

impl Pam for FakePam {
    fn service(&self) -> Option<String> {
        Some(self.service.to_owned())
    }

    fn user(&self) -> Option<String> {
        self.user.map(str::to_owned)
    }

    fn ruser(&self) -> Option<String> {
        self.ruser.map(str::to_owned)
    }

    fn tty(&self) -> Option<String> {
        Some("pts/1".to_owned())
    }

    fn rhost(&self) -> Option<String> {
        Some("192.0.2.7\n".to_owned())
    }

    fn ssh_methods(&self) -> Option<String> {
        self.methods.map(str::to_owned)
    }

    fn say_error(&mut self, text: &str) {
        match self.events.next(text) {
            Event::Error(start) if text.starts_with(start) => (),
            other => panic!("said {text:?} as an error instead of {other:?}"),
        }
    }

    fn say_info(&mut self, text: &str) {
        match self.events.next(text) {
            Event::Info(start) if text.starts_with(start) => (),
            other => panic!("said {text:?} instead of {other:?}"),
        }
    }

    fn prompt(&mut self, text: &str) -> Option<String> {
        match self.events.next(text) {
            Event::Prompt(part, answer) if text.contains(part) => answer.map(str::to_owned),
            other => panic!("asked {text:?} instead of {other:?}"),
        }
    }

    fn log(&mut self, level: Level, line: &str) {
        match self.events.next(line) {
            Event::Log(expected, part) if level == expected && line.contains(part) => (),
            other => panic!("logged {line:?} as {level:?} instead of {other:?}"),
        }
    }

    fn limit_runtime(&mut self, seconds: u64) -> Result<(), NotStored> {
        assert_eq!(self.events.next("a limit"), Event::Limit(seconds));
        Ok(())
    }

    fn store_opened(&mut self, opened: OpenedOn) -> Result<(), NotStored> {
        assert_eq!(
            self.events.next("what was opened"),
            Event::Stored(opened.limit_s)
        );
        Ok(())
    }

    fn opened(&self) -> Option<OpenedOn> {
        self.opened
    }

    fn keep_bound(&mut self, grant: Id) -> Result<(), NotStored> {
        assert_eq!(grant.as_str(), ID);
        assert_eq!(
            self.events.next("a grant that sudo is bound to"),
            Event::Bound
        );
        Ok(())
    }

    fn bound(&self) -> Option<Id> {
        self.bound
    }

    fn keep_holders(&mut self, grants: Vec<Id>) -> Result<(), NotStored> {
        assert_eq!(self.events.next("holders"), Event::Holders(grants.len()));
        Ok(())
    }

    fn holders(&self) -> Vec<Id> {
        self.holders.clone()
    }
}

/// What `tpad` is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `Account`
    Account,
    /// `OpenSession`
    Open,
    /// `OpenDoor`
    Door,
    /// `CloseSession`
    Close,
}

/// What people who ask for a grant get to hear.
#[derive(Debug)]
pub enum Desk {
    /// `Preview`
    Preview(Result<Verdict, Unanswered>),
    /// `Roles`
    Roles(Result<Vec<OfferedRole>, NotFiled>),
    /// `Ask`: what is filed, and the answer.
    File(Box<NewRequest>, Box<Result<FiledRequest, NotFiled>>),
    /// `AwaitDecision` on this request.
    AwaitDecision(&'static str, Waited),
}

/// `tpad`: which method is called for which user, and the answer; and what the desk says.
pub struct FakeDaemon {
    hurried: Script<()>,
    gate: Script<(Method, &'static str, Result<Verdict, Unanswered>)>,
    desk: Script<Desk>,
}

impl FakeDaemon {
    /// One call and its answer.
    pub fn answers(
        method: Method,
        user: &'static str,
        answer: Result<Verdict, Unanswered>,
    ) -> Self {
        Self {
            hurried: Script::new([]),
            gate: Script::new([(method, user, answer)]),
            desk: Script::new([]),
        }
    }

    /// What the desk is asked, and says.
    pub fn at_desk(desk: impl IntoIterator<Item = Desk>) -> Self {
        Self {
            hurried: Script::new([]),
            gate: Script::new([]),
            desk: Script::new(desk),
        }
    }

    /// The same, and it is told that a state file lets them in.
    pub fn hurried(self) -> Self {
        Self {
            hurried: Script::new([()]),
            ..self
        }
    }

    /// The same, and then how the person stands.
    pub fn and_standing(self, answer: Result<Verdict, Unanswered>) -> Self {
        Self {
            desk: Script::new([Desk::Preview(answer)]),
            ..self
        }
    }

    /// Must not be asked.
    pub fn silent() -> Self {
        Self::at_desk([])
    }

    fn call(&self, called: Method, query: &Query) -> Result<Verdict, Unanswered> {
        let (method, user, answer) = self.gate.next(&format!("{called:?} {query:?}"));
        assert_eq!((called, query.user.as_str()), (method, user));
        assert_eq!(query.rhost.as_deref(), Some("192.0.2.7\\n"));
        answer
    }
}

impl Daemon for FakeDaemon {
    fn vouched_for(&mut self) {
        self.hurried.next("vouched for");
    }

    fn account(&mut self, query: &Query) -> Result<Verdict, Unanswered> {
        self.call(Method::Account, query)
    }

    fn open_session(&mut self, query: &Query) -> Result<Verdict, Unanswered> {
        self.call(Method::Open, query)
    }

    fn open_door(&mut self, query: &Query, methods: &str) -> Result<Verdict, Unanswered> {
        assert_eq!(methods, "publickey ssh-ed25519 AAAA\n");
        self.call(Method::Door, query)
    }

    fn close_session(&mut self, query: &Query) {
        let _ = self.call(Method::Close, query);
    }

    fn preview(&mut self, _: &Query) -> Result<Verdict, Unanswered> {
        match self.desk.next("Preview") {
            Desk::Preview(answer) => answer,
            other => panic!("Preview instead of {other:?}"),
        }
    }

    fn roles(&mut self, _: &Query) -> Result<Vec<OfferedRole>, NotFiled> {
        match self.desk.next("Roles") {
            Desk::Roles(answer) => answer,
            other => panic!("Roles instead of {other:?}"),
        }
    }

    fn file(&mut self, _: &Query, request: &NewRequest) -> Result<FiledRequest, NotFiled> {
        match self.desk.next("Ask") {
            Desk::File(expected, answer) if *expected == *request => *answer,
            other => panic!("{request:?} instead of {other:?}"),
        }
    }

    fn await_decision(&mut self, id: &str, rhost: Option<&str>, _: Duration) -> Waited {
        assert_eq!(rhost, Some("192.0.2.7\\n"));
        match self.desk.next("AwaitDecision") {
            Desk::AwaitDecision(expected, waited) if expected == id => waited,
            other => panic!("AwaitDecision on {id} instead of {other:?}"),
        }
    }
}

/// A machine with the users root, alice (engineers), bob, and eve (engineers, tpa-emergency);
/// engineers are gated.
pub struct FakeHost {
    /// What the state file gives.
    pub offline: Result<Option<u64>, String>,
    /// Groups of which cannot be told who is in them.
    pub unknown: &'static [&'static str],
    /// Why nobody gets in.
    pub barred: Option<&'static str>,
    /// Whether there are seats.
    pub seats: bool,
    /// Where the process stands.
    pub cgroup: &'static str,
    /// The grants whose cgroup that is.
    pub held_by: &'static [&'static str],
    /// Whether the grant lives, whenever that is looked at.
    pub live: bool,
    /// Whether a grant has ended since the process began.
    pub outlives: Result<bool, String>,
    /// The limit of whatever scope is asked for.
    pub limit: Result<u64, String>,
    /// The grant whose cgroup is left for another's.
    pub left: Option<Id>,
    /// What comes of moving into a grant's cgroup, each time.
    pub moves: Script<Result<(), String>>,
    /// Whether there is a gate file.
    pub gate_file: bool,
    /// The one uid that the process has.
    pub uid: u32,
    /// The uid of the account `tpa`.
    pub door: u32,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self {
            offline: Ok(None),
            unknown: &[],
            barred: None,
            seats: true,
            cgroup: "/user.slice/user-1001.slice/session-3.scope",
            held_by: &[],
            live: true,
            outlives: Ok(false),
            limit: Err("no limit asked for".into()),
            left: None,
            moves: Script::new([]),
            gate_file: true,
            uid: 0,
            door: 993,
        }
    }
}

impl Host for FakeHost {
    fn person(&self, name: &str) -> LookUp {
        // ALICE is another spelling, as some name services have it.
        let (name, uid) = match name {
            "root" => ("root", 0),
            "alice" | "ALICE" => ("alice", 1001),
            "alias1" => ("alias1", 1001),
            "alias5" => ("alias5", 1005),
            "bob" => ("bob", 1002),
            "eve" => ("eve", 1005),
            "tpa" => ("tpa", self.door),
            "broken" => return LookUp::Failed("no route".into()),
            _ => return LookUp::Unknown,
        };
        LookUp::Known(Person {
            name: name.into(),
            uid,
            gid: uid,
        })
    }

    fn other_names(&self, person: &Person) -> Vec<Person> {
        let of = |name: &str| Person {
            name: name.to_owned(),
            ..*person
        };
        match person.name.as_str() {
            // A second name of alice's, and one of eve's.
            "alias1" => vec![of("alice")],
            "alias5" => vec![of("eve")],
            _ => Vec::new(),
        }
    }

    fn groups(&self, person: &Person, named: &[String]) -> Groups {
        let theirs: &[&str] = match person.name.as_str() {
            "alice" => &["engineers"],
            "eve" => &["engineers", "tpa-emergency"],
            _ => &[],
        };
        let mut groups = Groups::default();
        for name in named {
            if self.unknown.contains(&name.as_str()) {
                groups
                    .notes
                    .push(format!("the group @{name} cannot be looked up"));
                groups.unknown.push(name.clone());
            } else if theirs.contains(&name.as_str()) {
                groups.is_in.push(name.clone());
            }
        }
        groups
    }

    fn barred(&self, _: Class, _: &Person) -> Option<String> {
        self.barred.map(str::to_owned)
    }

    fn seat(&self, _: &Person) -> Result<Option<Seat>, String> {
        Ok(self.seats.then(Seat::default))
    }

    fn runs_as(&self, uid: u32) -> bool {
        self.uid == uid
    }

    fn gate_file(&self) -> Result<GateFile, String> {
        let engineers = vec![Who::Group("engineers".into())];
        self.gate_file
            .then(|| GateFile {
                login: engineers.clone(),
                sudo: engineers,
                exempt: vec![Who::Group("tpa-emergency".into())],
                help: "Ask in #oncall".into(),
                ..GateFile::default()
            })
            .ok_or_else(|| "gate: gone".into())
    }

    fn live_grant(&self, _: Class, _: &Person) -> Result<Option<Offline>, String> {
        self.offline.clone().map(|remaining| {
            remaining.map(|remaining_s| Offline {
                id: Id::parse(ID).unwrap(),
                role: "web-ops".into(),
                remaining_s,
            })
        })
    }

    fn is_live(&self, id: &Id, of: Option<u32>) -> bool {
        assert_eq!(id.as_str(), ID);
        assert!(of.is_none_or(|uid| [1001, 1002, 1005].contains(&uid)));
        self.live
    }

    fn outlives_grant(&self, _: u32) -> Result<bool, String> {
        self.outlives.clone()
    }

    fn cgroup(&self) -> Result<String, String> {
        Ok(self.cgroup.to_owned())
    }

    fn held_by(&self) -> Vec<Id> {
        let ids = self.held_by.iter();
        ids.map(|id| Id::parse(id).unwrap()).collect()
    }

    fn enter_group(&self, id: &Id, left: Option<&Id>) -> Result<(), String> {
        assert_eq!(id.as_str(), ID);
        assert_eq!(left.copied(), self.left);
        self.moves.next("a move into the grant's cgroup")
    }

    fn leave_group(&self, id: &Id) -> Result<(), String> {
        assert_eq!(id.as_str(), ID);
        self.moves.next("a move out of the grant's cgroup")
    }

    fn scope_limit_s(&self, _: &str) -> Result<u64, String> {
        self.limit.clone()
    }
}

/// `tpad` lets in on the grant, for so long.
pub fn allowed(remaining_s: u64) -> Result<Verdict, Unanswered> {
    Ok(Verdict {
        allowed: true,
        text: vec!["tpa: grant 7H2KM4QX".into()],
        grant: Some(ID.into()),
        remaining_s: Some(remaining_s),
        ..Verdict::default()
    })
}

/// `tpad` refuses.
pub fn refused() -> Result<Verdict, Unanswered> {
    Ok(Verdict {
        text: vec!["tpa: no active grant".into(), "     Request: …".into()],
        ..Verdict::default()
    })
}

/// `tpad` is not there.
pub fn gone() -> Result<Verdict, Unanswered> {
    Err(Unanswered::Gone("connection refused".into()))
}

/// Runs a phase in this world.
pub fn run<T>(
    phase: fn(&mut Phase<'_>) -> T,
    mut pam: FakePam,
    mut daemon: FakeDaemon,
    host: &FakeHost,
    args: &str,
) -> T {
    phase(&mut Phase {
        pam: &mut pam,
        daemon: &mut daemon,
        host,
        args: Args::parse(args.split_whitespace()),
    })
}
