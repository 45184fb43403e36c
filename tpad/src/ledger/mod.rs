//! PURE: what was decided.
//!
//! A [`Command`] and the [`State`], the policy and the time in, events out ([`decide`]); events
//! folded into the state ([`State::apply`]). No clock, no I/O, no D-Bus: whoever calls has looked
//! up who the people are and what time it is. Everything the product promises about who may have
//! access, and for how long, is decided in this folder and nowhere else.
#![forbid(unsafe_code)]

pub mod arrival;
mod asking;
mod boot;
mod caller;
mod checks;
#[cfg(test)]
mod clock_stories;
mod command;
mod deciding;
mod ending;
mod event;
mod exact;
mod gate;
mod gave;
mod lost;
mod person;
mod proof;
#[cfg(test)]
pub(crate) mod properties;
mod refused;
mod removed;
mod repeats;
mod request;
mod residue;
mod said;
mod shared_map;
mod sight;
#[cfg(test)]
mod signed_stories;
mod start;
mod state;
#[cfg(test)]
mod stories;
mod sudo;
mod sudo_call;
mod tidy;
mod time;
mod typed;
#[cfg(test)]
mod voices;
mod wall_clock;
mod watching;

pub use arrival::{Answer, Arrival};
pub use asking::{may_ask_for, may_file};
pub use boot::{
    BootRecord, End, InDatabase, Lacking, Newest, ends_among, lacking_of, unrecorded_ends, void,
};
pub use caller::{Namespace, Peer, Process, Traits, at_front_door, caller};
pub use command::{Asked, Command, decide, fits_sudo};
pub use deciding::may_decide_now;
pub use ending::{cut_off, is_undecided_or_on, reassign_sessions, taken_away};
pub use event::{Envelope, Event, LookedFor, Place, Priority};
pub use exact::{
    Amount, Named, OneCommand, Run, Runner, SeenProgram, Typed, approved, may_be_asked, over,
    running, start, told,
};
pub use gate::{AccessDecision, AccessQuery, UNLISTED_SERVICE, Why, is_outside_role, judge};
pub use gave::{Gave, Host, Logins};
pub use lost::{Accounts, Fate, InFiles, PasswdEntry, Seen, end_of_lost, fate, is_made_anew};
pub use person::{Caller, Identity, Person, Standing};
pub use proof::{Key, Proof, Said};
pub use refused::{Kind, Refused};
pub use removed::{Removed, removed};
pub use repeats::{Noted, Noting, Repeated, Repeats, Tally, Telling, Waits};
pub use request::{Approval, Closed, Deadline, Removal, Request, Stage};
pub use residue::{
    BeginningNote, Change, Depth, FINDINGS_MAX, Finding, Found as ResidueFound, Looks, Residue,
    Subject, Sure, look_due, may_read_residue, no_residue, notes_due, notes_needed,
};
pub use said::{command_of, refused as said_refused, seen_before};
pub use shared_map::SharedMap;
pub use sight::{
    AUDIT_GROUP, Found, audit_only, begins_within, id_prefix, login_holders, may_audit, may_see,
    may_see_session, pick, roles_decided_by,
};
pub use start::AtStart;
pub use state::{Session, State};
pub use sudo::{Fit, SudoCall};
pub use tidy::{
    Appeared, AtBeginning, CameTo, Facts, SeenFile, Tidied, TidyDue, may_go, tidy_due,
    unless_shared, untended,
};
pub use time::{due, next_moment};
pub use typed::{CommandLine, Digest, LINE_MAX, Shown, WORDS_MAX, name as bounded_name};
pub(crate) use wall_clock::LAG_MAX;
pub use wall_clock::{ClockSet, Doubt, Reading, WallClock, read};
pub use watching::{may_watch, no_recording, not_open, too_many_watch};
