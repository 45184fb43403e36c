//! What the gate goes by when `tpad` does not answer: two files that `tpad` derives.
//!
//! Both are lines of `key value`, written whole and renamed into place. A reader takes a file as
//! it is or not at all: an unknown key, a missing first line or a value that does not parse makes
//! the whole file unreadable, and an unreadable file lets nobody in.

use std::fmt::{self, Write as _};

use crate::id::Id;
use crate::text;

/// What a service is to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Starts a login, or runs as the person: sshd, login, su, cron.
    Login,
    /// Runs a command as somebody else for the person: sudo.
    Sudo,
}

impl Class {
    /// `login` or `sudo`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Sudo => "sudo",
        }
    }

    /// The reverse of [`Class::as_str`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Login, Self::Sudo]
            .into_iter()
            .find(|class| class.as_str() == name)
    }
}

/// Where the gate has a PAM service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Listing {
    /// Among those at which it stands.
    As(Class),
    /// Among those that are no way in.
    Ignored,
    /// Nowhere: nobody said what it is, so whoever needs a grant for anything is refused there.
    Unlisted,
}

/// One entry of a list of people: a user, a group, or everyone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Who {
    /// `*`: everyone but root and system users.
    Everyone,
    /// `alice`
    User(String),
    /// `@engineers`
    Group(String),
}

impl Who {
    /// Reads `alice`, `@engineers` or `*`; `None` when empty or unfit for one line.
    #[must_use]
    pub fn parse(entry: &str) -> Option<Self> {
        let named = |name: &str| {
            (!name.is_empty() && !name.contains(text::is_unsafe)).then(|| name.to_owned())
        };
        match (entry, entry.strip_prefix('@')) {
            ("*", _) => Some(Self::Everyone),
            (_, Some(group)) => named(group).map(Self::Group),
            (user, None) => named(user).map(Self::User),
        }
    }

    /// Whether the entry means the person of this name, with these groups.
    #[must_use]
    pub fn includes(&self, user: &str, groups: &[String]) -> bool {
        match self {
            Self::Everyone => true,
            Self::User(name) => name == user,
            Self::Group(name) => groups.contains(name),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("*"),
            Self::User(name) => f.write_str(name),
            Self::Group(name) => write!(f, "@{name}"),
        }
    }
}

/// What the gate is to a person who comes through a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Concern {
    /// Passes; `tpad` is not asked.
    None,
    /// Needs a grant.
    Gated,
    /// Let in whatever `tpad` says or does not say, and logged loudly.
    Exempt,
}

/// Whom the gate concerns: derived from `[gate]` of the configuration at each load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFile {
    /// Lowest uid of a person (`UID_MIN` of login.defs(5)); below it are root and system users.
    pub uid_min: u32,
    /// Who needs a grant to log in.
    pub login: Vec<Who>,
    /// Who needs a grant to use sudo.
    pub sudo: Vec<Who>,
    /// Who is let in all the same.
    pub exempt: Vec<Who>,
    /// PAM services, each with its class.
    pub services: Vec<(Class, String)>,
    /// PAM services that are no way in.
    pub ignored: Vec<String>,
    /// What ends every refusal.
    pub help: String,
}

/// uid of `nobody`, who is a system user in spite of the number.
pub const NOBODY: u32 = 65_534;

/// PAM services that are logins, unless the configuration says otherwise.
pub const LOGIN_SERVICES: [&str; 7] = ["sshd", "login", "su", "su-l", "cron", "crond", "atd"];
/// PAM services that are sudo, unless the configuration says otherwise.
pub const SUDO_SERVICES: [&str; 2] = ["sudo", "sudo-i"];
/// PAM services that are no way in, unless the configuration says otherwise: `chfn`, `chsh` and
/// `passwd` change the entry of somebody who is in already; `systemd-user` is the person's own
/// service manager, which a login starts; `runuser` is root's alone; `polkit-1` asks for a password
/// on behalf of polkit(8), whose rules decide.
pub const IGNORED_SERVICES: [&str; 7] = [
    "chfn",
    "chsh",
    "passwd",
    "polkit-1",
    "runuser",
    "runuser-l",
    "systemd-user",
];

impl Default for GateFile {
    /// What holds when the file is missing: everyone but root and system users is gated.
    fn default() -> Self {
        let services = |class, names: &[&str]| {
            names
                .iter()
                .map(|name| (class, (*name).to_owned()))
                .collect::<Vec<_>>()
        };
        Self {
            uid_min: 1000,
            login: vec![Who::Everyone],
            sudo: vec![Who::Everyone],
            exempt: Vec::new(),
            services: [
                services(Class::Login, &LOGIN_SERVICES),
                services(Class::Sudo, &SUDO_SERVICES),
            ]
            .concat(),
            ignored: ignored_by_default(),
            help: String::new(),
        }
    }
}

fn ignored_by_default() -> Vec<String> {
    IGNORED_SERVICES.map(str::to_owned).to_vec()
}

/// The file is not one that `tpad` wrote whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

const GATE_HEADER: &str = "tpa-gate 2";
/// Of files from before services could be ignored.
const FIRST_GATE_HEADER: &str = "tpa-gate 1";
/// What stands in place of a class for a service that is no way in.
const IGNORE: &str = "ignore";
const STATE_HEADER: &str = "tpa-state 1";

impl GateFile {
    /// What a PAM service is to the gate.
    pub fn listing(&self, service: &str) -> Listing {
        let listed = self.services.iter().find(|(_, name)| name == service);
        match listed {
            Some((class, _)) => Listing::As(*class),
            None if self.ignored.iter().any(|name| name == service) => Listing::Ignored,
            None => Listing::Unlisted,
        }
    }

    /// What the gate is to a person at a service that is in no list: what it is to them wherever
    /// it stands, whichever is stricter.
    pub fn concern_unlisted(&self, user: &str, uid: u32, groups: &[String]) -> Concern {
        match self.concern(Class::Login, user, uid, groups) {
            Concern::None => self.concern(Class::Sudo, user, uid, groups),
            concern => concern,
        }
    }

    /// Whether this is root or a system user, who are never concerned.
    #[must_use]
    pub fn is_system(&self, uid: u32) -> bool {
        uid < self.uid_min || uid == NOBODY
    }

    /// What the gate is to a person. `groups` are the names of all groups they are in.
    pub fn concern(&self, class: Class, user: &str, uid: u32, groups: &[String]) -> Concern {
        let listed = |list: &[Who]| list.iter().any(|who| who.includes(user, groups));
        let gated = match class {
            Class::Login => &self.login,
            Class::Sudo => &self.sudo,
        };
        if self.is_system(uid) || !listed(gated) {
            Concern::None
        } else if listed(&self.exempt) {
            Concern::Exempt
        } else {
            Concern::Gated
        }
    }

    /// The file's text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = format!("{GATE_HEADER}\nuid_min {}\n", self.uid_min);
        for (key, list) in [
            ("login", &self.login),
            ("sudo", &self.sudo),
            ("exempt", &self.exempt),
        ] {
            for who in list {
                let _ = writeln!(out, "{key} {who}");
            }
        }
        for (class, service) in &self.services {
            let _ = writeln!(out, "service {} {service}", class.as_str());
        }
        for service in &self.ignored {
            let _ = writeln!(out, "service {IGNORE} {service}");
        }
        if !self.help.is_empty() {
            let _ = writeln!(out, "help {}", text::one_line(&self.help, 200));
        }
        out.push_str("end\n");
        out
    }

    /// Reads the file's text.
    pub fn parse(contents: &str) -> Result<Self, ParseError> {
        let mut file = Self {
            uid_min: 0,
            login: Vec::new(),
            sudo: Vec::new(),
            exempt: Vec::new(),
            services: Vec::new(),
            ignored: Vec::new(),
            help: String::new(),
        };
        let records = match records(contents, GATE_HEADER) {
            Err(_) if contents.starts_with(FIRST_GATE_HEADER) => {
                file.ignored = ignored_by_default();
                records(contents, FIRST_GATE_HEADER)?
            }
            records => records?,
        };
        for record in records {
            let value = record.value;
            let error = |problem| record.error(problem);
            let who = || Who::parse(value).ok_or_else(|| error("not a user, @group or *"));
            match record.key {
                "uid_min" => file.uid_min = value.parse().map_err(|_| error("not a uid"))?,
                "login" => file.login.push(who()?),
                "sudo" => file.sudo.push(who()?),
                "exempt" => file.exempt.push(who()?),
                "service" => {
                    let (class, name) = value.split_once(' ').ok_or_else(|| error("no service"))?;
                    if class == IGNORE {
                        file.ignored.push(name.to_owned());
                        continue;
                    }
                    let class = Class::from_name(class).ok_or_else(|| error("unknown class"))?;
                    file.services.push((class, name.to_owned()));
                }
                "help" => file.help = text::one_line(value, 200),
                _ => return Err(error("unknown key")),
            }
        }
        if file.uid_min == 0 {
            return Err(ParseError {
                line: 1,
                problem: "no uid_min",
            });
        }
        Ok(file)
    }
}

/// The live grants of one person, for the gate without `tpad` and for `tpad reap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFile {
    /// Whose.
    pub uid: u32,
    /// Their name at the time of the grant: another name with the same uid gets nothing.
    pub user: String,
    /// Boot in which the deadlines count (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// Whether the person's logins end with the last grant that gives login.
    pub end_logins: bool,
    /// The grants.
    pub grants: Vec<OfflineGrant>,
}

/// One grant in a [`StateFile`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfflineGrant {
    /// Its id.
    pub id: Id,
    /// May log in with it.
    pub login: bool,
    /// May use sudo with it.
    pub sudo: bool,
    /// `CLOCK_BOOTTIME` in milliseconds at which it ends.
    pub deadline_ms: u64,
    /// Wall clock in seconds since 1970 at which it ends; the earlier of the two holds.
    pub not_after: i64,
    /// Its role.
    pub role: String,
    /// `CLOCK_BOOTTIME` in milliseconds at which it began: 0 when that was before this boot, or is
    /// not known.
    pub began_ms: u64,
}

impl OfflineGrant {
    /// Whether it gives this kind of access.
    #[must_use]
    pub fn gives(&self, class: Class) -> bool {
        match class {
            Class::Login => self.login,
            Class::Sudo => self.sudo,
        }
    }

    /// Milliseconds left, by whichever clock ends it first; 0 when it has ended.
    #[must_use]
    pub fn remaining_ms(&self, boottime_ms: u64, wall_s: i64) -> u64 {
        let by_wall = u64::try_from(self.not_after.saturating_sub(wall_s)).unwrap_or(0);
        self.deadline_ms
            .saturating_sub(boottime_ms)
            .min(by_wall.saturating_mul(1000))
    }
}

/// The text of a file in [`crate::names::ENDED_DIR`]: `CLOCK_BOOTTIME` in milliseconds, read after the
/// rules of the grant were gone.
#[must_use]
pub fn render_end(boottime_ms: u64) -> String {
    format!("{boottime_ms}\n")
}

/// Reads it; `None` when it is no such text.
#[must_use]
pub fn parse_end(text: &str) -> Option<u64> {
    text.strip_suffix('\n')?.parse().ok()
}

impl StateFile {
    /// When the last of the grants for sudo was over that nobody has ended yet: `CLOCK_BOOTTIME` in
    /// milliseconds. One that is ended already has its end in [`crate::names::ENDED_DIR`].
    #[must_use]
    pub fn last_over_ms(&self, boot_id: &str, boottime_ms: u64, wall_s: i64) -> Option<u64> {
        let over = self.grants.iter().filter(|grant| {
            let left = grant.remaining_ms(boottime_ms, wall_s);
            grant.sudo && grant.deadline_ms > 0 && left == 0
        });
        let ended = over.map(|grant| {
            let ago_s = u64::try_from(wall_s.saturating_sub(grant.not_after)).unwrap_or(0);
            let by_wall = boottime_ms.saturating_sub(ago_s.saturating_mul(1_000));
            by_wall.min(grant.deadline_ms)
        });
        ended.max().filter(|_| self.boot_id == boot_id)
    }

    /// The grant that lets this person in for the longest time, when one does: same boot, same
    /// name, not ended by either clock.
    #[must_use]
    pub fn live_grant(
        &self,
        class: Class,
        user: &str,
        boot_id: &str,
        boottime_ms: u64,
        wall_s: i64,
    ) -> Option<&OfflineGrant> {
        if self.user != user || self.boot_id != boot_id {
            return None;
        }
        self.grants
            .iter()
            .filter(|grant| grant.gives(class) && grant.remaining_ms(boottime_ms, wall_s) > 0)
            .max_by_key(|grant| grant.remaining_ms(boottime_ms, wall_s))
    }

    /// The file's text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = format!(
            "{STATE_HEADER}\nuid {}\nuser {}\nboot {}\nend_logins {}\n",
            self.uid, self.user, self.boot_id, self.end_logins
        );
        for grant in &self.grants {
            let _ = writeln!(
                out,
                "grant {} {} {} {} {} {}",
                grant.id.as_str(),
                grant.login,
                grant.sudo,
                grant.deadline_ms,
                grant.not_after,
                grant.role
            );
            if grant.began_ms > 0 {
                let _ = writeln!(out, "began {} {}", grant.id.as_str(), grant.began_ms);
            }
        }
        out.push_str("end\n");
        out
    }

    /// Reads the file's text.
    pub fn parse(contents: &str) -> Result<Self, ParseError> {
        let (mut uid, mut user, mut boot_id, mut end_logins) = (None, None, None, None);
        let mut grants = Vec::new();
        for record in records(contents, STATE_HEADER)? {
            let value = record.value;
            let error = |problem| record.error(problem);
            match record.key {
                "uid" => uid = Some(value.parse().map_err(|_| error("not a uid"))?),
                "user" => user = Some(value.to_owned()),
                "boot" => boot_id = Some(value.to_owned()),
                "end_logins" => end_logins = Some(value.parse().map_err(|_| error("not a bool"))?),
                "grant" => grants.push(parse_grant(value).ok_or_else(|| error("not a grant"))?),
                "began" => began(&mut grants, value).ok_or_else(|| error("no beginning"))?,
                _ => return Err(error("unknown key")),
            }
        }
        match (uid, user, boot_id, end_logins) {
            (Some(uid), Some(user), Some(boot_id), Some(end_logins)) if uid != 0 => Ok(Self {
                uid,
                user,
                boot_id,
                end_logins,
                grants,
            }),
            _ => Err(ParseError {
                line: 1,
                problem: "uid, user, boot or end_logins is missing",
            }),
        }
    }
}

fn parse_grant(value: &str) -> Option<OfflineGrant> {
    let mut words = value.splitn(6, ' ');
    Some(OfflineGrant {
        id: Id::parse(words.next()?).ok()?,
        login: words.next()?.parse().ok()?,
        sudo: words.next()?.parse().ok()?,
        deadline_ms: words.next()?.parse().ok()?,
        not_after: words.next()?.parse().ok()?,
        role: words.next()?.to_owned(),
        began_ms: 0,
    })
}

/// A line of its own behind that of the grant: files of before have none.
fn began(grants: &mut [OfflineGrant], value: &str) -> Option<()> {
    let (id, began_ms) = value.split_once(' ')?;
    let id = Id::parse(id).ok()?;
    let grant = grants.iter_mut().find(|grant| grant.id == id)?;
    grant.began_ms = began_ms.parse().ok()?;
    Some(())
}

/// One line of a file.
pub(crate) struct Record<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
    line: usize,
}

impl Record<'_> {
    pub(crate) fn error(&self, problem: &'static str) -> ParseError {
        ParseError {
            line: self.line,
            problem,
        }
    }
}

/// The records between the header and `end`.
pub(crate) fn records<'a>(contents: &'a str, header: &str) -> Result<Vec<Record<'a>>, ParseError> {
    let body = contents
        .strip_prefix(header)
        .and_then(|rest| rest.strip_prefix('\n'))
        .ok_or(ParseError {
            line: 1,
            problem: "not the first line of such a file",
        })?;
    let last = ParseError {
        line: contents.lines().count(),
        problem: "the end is missing",
    };
    let body = body
        .strip_suffix("end\n")
        .filter(|body| body.is_empty() || body.ends_with('\n'))
        .ok_or(last)?;
    body.lines()
        .enumerate()
        .map(|(index, text)| {
            let line = index + 2;
            let (key, value) = text.split_once(' ').ok_or(ParseError {
                line,
                problem: "no value",
            })?;
            Ok(Record { key, value, line })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> GateFile {
        GateFile {
            login: vec![Who::Group("engineers".into()), Who::User("alice".into())],
            sudo: vec![Who::Everyone],
            exempt: vec![Who::Group("tpa-emergency".into())],
            help: "Ask in #oncall".into(),
            ..GateFile::default()
        }
    }

    fn state() -> StateFile {
        let grant = |id, login, deadline_ms| OfflineGrant {
            id: Id::parse(id).unwrap(),
            login,
            sudo: true,
            deadline_ms,
            not_after: 1_000,
            role: "web ops".into(),
            began_ms: 1_000,
        };
        StateFile {
            uid: 1001,
            user: "alice".into(),
            boot_id: "b".into(),
            end_logins: true,
            grants: vec![
                grant("7H2KM4QX", true, 5_000),
                grant("00000001", false, 9_000),
            ],
        }
    }

    #[test]
    fn both_files_read_back_as_they_were_written() {
        assert_eq!(GateFile::parse(&gate().render()), Ok(gate()));
        assert_eq!(StateFile::parse(&state().render()), Ok(state()));
    }

    #[test]
    fn a_service_in_no_list_is_none_that_is_ignored() {
        let file = GateFile {
            ignored: vec!["vlock".into()],
            ..gate()
        };
        let read = GateFile::parse(&file.render()).unwrap();
        assert_eq!(read.listing("sshd"), Listing::As(Class::Login));
        assert_eq!(read.listing("sudo-i"), Listing::As(Class::Sudo));
        assert_eq!(read.listing("vlock"), Listing::Ignored);
        for service in ["chfn", "cockpit", "SSHD", "sshd ", ""] {
            assert_eq!(read.listing(service), Listing::Unlisted, "{service:?}");
        }
    }

    #[test]
    fn a_file_from_before_services_could_be_ignored_has_the_usual_ones() {
        let old = "tpa-gate 1\nuid_min 1000\nlogin @engineers\nservice login sshd\nend\n";
        let file = GateFile::parse(old).unwrap();
        assert_eq!(file.listing("systemd-user"), Listing::Ignored);
        assert_eq!(file.listing("xrdp-sesman"), Listing::Unlisted);
        let none = GateFile {
            ignored: Vec::new(),
            ..gate()
        };
        assert_eq!(GateFile::parse(&none.render()), Ok(none));
    }

    #[test]
    fn whoever_needs_a_grant_for_anything_needs_one_where_nobody_said_what_for() {
        let sudo_only = GateFile {
            login: Vec::new(),
            sudo: vec![Who::Group("engineers".into())],
            ..gate()
        };
        let engineer = ["engineers".to_owned()];
        let exempt = ["engineers".to_owned(), "tpa-emergency".to_owned()];
        for file in [gate(), sudo_only.clone()] {
            let concern = |uid, groups| file.concern_unlisted("dave", uid, groups);
            assert_eq!(concern(1003, &engineer), Concern::Gated);
            assert_eq!(concern(1003, &exempt), Concern::Exempt);
            assert_eq!(concern(100, &engineer), Concern::None);
        }
        assert_eq!(sudo_only.concern_unlisted("bob", 1002, &[]), Concern::None);
    }

    #[test]
    fn no_part_of_a_file_is_taken_for_the_whole() {
        for text in [gate().render(), state().render()] {
            for length in 0..text.len() {
                let part = &text[..length];
                assert!(
                    GateFile::parse(part).is_err() && StateFile::parse(part).is_err(),
                    "{part}"
                );
            }
        }
    }

    #[test]
    fn root_and_system_users_are_never_concerned() {
        for uid in [0, 1, 999, NOBODY] {
            assert_eq!(
                GateFile::default().concern(Class::Login, "x", uid, &[]),
                Concern::None
            );
        }
        assert_eq!(
            GateFile::default().concern(Class::Login, "x", 1000, &[]),
            Concern::Gated
        );
    }

    #[test]
    fn the_emergency_group_is_exempt_only_where_it_would_be_gated() {
        let groups = ["engineers".to_owned(), "tpa-emergency".to_owned()];
        assert_eq!(
            gate().concern(Class::Login, "eve", 1005, &groups),
            Concern::Exempt
        );
        assert_eq!(
            gate().concern(Class::Login, "bob", 1002, &[]),
            Concern::None
        );
        assert_eq!(
            gate().concern(Class::Sudo, "bob", 1002, &[]),
            Concern::Gated
        );
    }

    #[test]
    fn a_state_file_lets_in_until_the_earlier_of_two_clocks() {
        let live = |class, ms, wall| {
            state()
                .live_grant(class, "alice", "b", ms, wall)
                .map(|g| g.id.to_string())
        };
        assert_eq!(live(Class::Login, 4_999, 10).as_deref(), Some("7H2KM4QX"));
        assert_eq!(live(Class::Login, 5_000, 10), None);
        assert_eq!(live(Class::Login, 0, 1_000), None);
        assert_eq!(live(Class::Sudo, 4_999, 10).as_deref(), Some("00000001"));
    }

    #[test]
    fn another_boot_or_another_name_gets_nothing() {
        assert!(
            state()
                .live_grant(Class::Login, "alice", "c", 0, 0)
                .is_none()
        );
        assert!(
            state()
                .live_grant(Class::Login, "mallory", "b", 0, 0)
                .is_none()
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text: String) {
            let _ = GateFile::parse(&text);
            let _ = StateFile::parse(&format!("tpa-state 1\n{text}\nend\n"));
        }
    }
}
