//! Who is at the gate, and whether the gate concerns them.

use std::collections::BTreeSet;

use ::pam::constants::PamResultCode;
use tpa_bus::gate::{Query, UNLISTED};
use tpa_bus::names::DOOR_ACCOUNT;
use tpa_bus::offline::{Class, Concern, GateFile, Listing, Who};
use tpa_bus::text::one_line;

use crate::handle::Level;
use crate::people::{LookUp, Person};
use crate::phase::Phase;

/// Services that nobody watches: what is said there lands in a mail or nowhere.
const BACKGROUND: [&str; 3] = ["cron", "crond", "atd"];

/// Which part of PAM is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// `pam_acct_mgmt(3)`: under sudo `PAM_USER` is still the person.
    Account,
    /// `pam_open_session(3)`, `pam_close_session(3)`: under sudo `PAM_USER` is the one to become.
    Session,
}

/// Someone whom the gate concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Who.
    pub person: Person,
    /// What the service is to the gate.
    pub class: Class,
    /// What `tpad` is asked.
    pub query: Query,
    /// What ends every refusal.
    pub help: String,
}

/// What the gate has to do with a call.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Arrival {
    /// Nothing.
    Passes,
    /// Let nobody in whom we do not know.
    Refused(PamResultCode),
    /// To decide on.
    Concerned(Box<Subject>),
    /// Needs no grant for the sudo they call, and may hold one: see [`crate::given`].
    Ungated(Box<Subject>),
    /// Needs a grant, and comes by a service of which nobody said what it is: refused.
    Unlisted(Box<Subject>),
    /// The account of the front door, which is nobody: see [`crate::door`].
    Door(Box<Subject>),
}

impl Subject {
    /// Whether somebody is there to read what is said.
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        !BACKGROUND.contains(&self.query.service.as_str())
    }

    /// Who, where and from where, for a log line.
    #[must_use]
    pub fn describe(&self) -> String {
        let quoted = |text: &Option<String>| format!("{:?}", text.as_deref().unwrap_or(""));
        format!(
            "user={:?} uid={} service={:?} tty={} rhost={}",
            one_line(&self.person.name, 64),
            self.person.uid,
            one_line(&self.query.service, 64),
            quoted(&self.query.tty),
            quoted(&self.query.rhost),
        )
    }
}

/// Finds out who is at the gate.
pub fn arrive(phase: &mut Phase<'_>, moment: Moment) -> Arrival {
    let Some(service) = phase.pam.service() else {
        phase
            .pam
            .log(Level::Error, "PAM_SERVICE is not set; refused");
        return Arrival::Refused(PamResultCode::PAM_PERM_DENIED);
    };
    let gate = phase.gate_file(&service);
    let listing = gate.listing(&service);
    // What nobody listed gets its person the way a login does.
    let class = match listing {
        Listing::Ignored => return Arrival::Passes,
        Listing::As(class) => class,
        Listing::Unlisted => Class::Login,
    };
    if let Some(subject) = at_door(phase, &gate, &service, class) {
        return Arrival::Door(subject);
    }
    let Some(name) = person_at(phase, class, moment) else {
        phase
            .pam
            .log(Level::Error, "PAM does not say who is there; refused");
        return Arrival::Refused(PamResultCode::PAM_USER_UNKNOWN);
    };
    let person = match phase.host.person(&name) {
        LookUp::Known(person) => person,
        LookUp::Unknown => return Arrival::Refused(PamResultCode::PAM_USER_UNKNOWN),
        LookUp::Failed(why) => {
            let name = one_line(&name, 64);
            phase.pam.log(
                Level::Error,
                &format!("cannot look user {name:?} up: {why}; refused"),
            );
            return Arrival::Refused(PamResultCode::PAM_PERM_DENIED);
        }
    };
    if listing == Listing::Unlisted && phase.host.runs_as(person.uid) {
        return Arrival::Passes;
    }
    let concern = concern(phase, &gate, listing, &person);
    let calls_sudo = listing == Listing::As(Class::Sudo) && person.uid != 0;
    if concern == Concern::None && !calls_sudo {
        return Arrival::Passes;
    }
    let refused = listing == Listing::Unlisted && concern == Concern::Gated;
    let line = |text: Option<String>| text.map(|text| one_line(&text, 128));
    let query = Query {
        service,
        class: if refused { UNLISTED } else { class.as_str() }.to_owned(),
        user: person.name.clone(),
        uid: person.uid,
        pid: std::process::id(),
        exempt: concern == Concern::Exempt,
        tty: line(phase.pam.tty()),
        rhost: line(phase.pam.rhost()),
        target: (class == Class::Sudo && moment == Moment::Session)
            .then(|| phase.pam.user())
            .flatten(),
        ungated: None,
    };
    let subject = Box::new(Subject {
        person,
        class,
        query,
        help: gate.help,
    });
    if refused {
        Arrival::Unlisted(subject)
    } else if concern == Concern::None {
        Arrival::Ungated(subject)
    } else {
        Arrival::Concerned(subject)
    }
}

/// The account of the front door, where it is the one to be let in, also by somebody's sudo. An
/// account of that name which is a person's is theirs.
fn at_door(
    phase: &Phase<'_>,
    gate: &GateFile,
    service: &str,
    class: Class,
) -> Option<Box<Subject>> {
    if phase.pam.user().as_deref() != Some(DOOR_ACCOUNT) {
        return None;
    }
    let LookUp::Known(person) = phase.host.person(DOOR_ACCOUNT) else {
        return None;
    };
    if !gate.is_system(person.uid) {
        return None;
    }
    let line = |text: Option<String>| text.map(|text| one_line(&text, 128));
    let query = Query {
        service: service.to_owned(),
        class: class.as_str().to_owned(),
        user: person.name.clone(),
        uid: person.uid,
        pid: std::process::id(),
        exempt: false,
        tty: line(phase.pam.tty()),
        rhost: line(phase.pam.rhost()),
        target: None,
        ungated: None,
    };
    Some(Box::new(Subject {
        person,
        class,
        query,
        help: gate.help.clone(),
    }))
}

/// The name of the person, who under sudo is not the one they become.
fn person_at(phase: &Phase<'_>, class: Class, moment: Moment) -> Option<String> {
    match (class, moment) {
        (Class::Login, _) => phase.pam.user(),
        (Class::Sudo, Moment::Account) => phase.pam.ruser().or_else(|| phase.pam.user()),
        // No falling back: PAM_USER is root here, whom the gate would let pass.
        (Class::Sudo, Moment::Session) => phase.pam.ruser(),
    }
}

/// What the gate is to the person. A uid is one person: under whatever name they come, they need a
/// grant where any name of theirs does.
fn concern(phase: &mut Phase<'_>, gate: &GateFile, listing: Listing, person: &Person) -> Concern {
    if gate.is_system(person.uid) {
        return Concern::None;
    }
    let own = concern_of_name(phase, gate, listing, person);
    if own != Concern::None {
        return own;
    }
    let others = phase.host.other_names(person);
    let gated = others
        .iter()
        .any(|other| concern_of_name(phase, gate, listing, other) == Concern::Gated);
    if gated { Concern::Gated } else { Concern::None }
}

/// What the gate is to somebody by one name. They count as in a gated group unless they are known to
/// be outside it, and as in an exempt one only when they are known to be in it.
fn concern_of_name(
    phase: &mut Phase<'_>,
    gate: &GateFile,
    listing: Listing,
    person: &Person,
) -> Concern {
    let groups = phase.host.groups(person, &named_groups(gate));
    for note in &groups.notes {
        let name = one_line(&person.name, 64);
        let line = format!("at the gate for user {name:?}: {}", one_line(note, 400));
        phase.pam.log(Level::Error, &line);
    }
    let unknown = |who: &Who| matches!(who, Who::Group(name) if groups.unknown.contains(name));
    let strict = GateFile {
        exempt: gate
            .exempt
            .iter()
            .filter(|who| !unknown(who))
            .cloned()
            .collect(),
        ..gate.clone()
    };
    let counted = [groups.is_in, groups.unknown].concat();
    match listing {
        Listing::As(class) => strict.concern(class, &person.name, person.uid, &counted),
        Listing::Unlisted => strict.concern_unlisted(&person.name, person.uid, &counted),
        Listing::Ignored => Concern::None,
    }
}

/// The groups in the lists of the gate, each once.
fn named_groups(gate: &GateFile) -> Vec<String> {
    let lists = [&gate.login, &gate.sudo, &gate.exempt]
        .into_iter()
        .flatten();
    let named: BTreeSet<_> = lists
        .filter_map(|who| match who {
            Who::Group(name) => Some(name.clone()),
            Who::Everyone | Who::User(_) => None,
        })
        .collect();
    named.into_iter().collect()
}
