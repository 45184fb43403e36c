//! The drop-ins in `/run/tpa/sudoers.d`: written only when sudo itself finds them good.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context as _, bail};
use tpa_bus::id::Id;
use tpa_bus::text;
use zruntime::SharedRuntime;

use crate::clock;
use crate::host::Report;
use crate::host::folder::Folder;
use crate::host::managed_dir::{At, Change, ManagedDir};
use crate::host::manifest::Manifest;
use crate::host::paths::Paths;
use crate::host::program::{self, Ran};
use crate::host::publish::{Publisher, Wanted};
use crate::host::sudoers::{self, Sudo};
use crate::plan::Rule;

/// The drop-ins.
#[derive(Debug)]
pub struct Rules {
    managed: ManagedDir,
    /// The rules that were rejected.
    rejected: BTreeMap<Id, Rejected>,
    /// How many microseconds the same text is not tried again. Trying writes, which wakes whoever
    /// watches the folder, tpad too: without a pause one rejected rule keeps it busy.
    pause_us: u64,
    /// Which sudo was found at the last look.
    sudo: Option<Sudo>,
}

/// A rule that was not taken.
#[derive(Debug)]
struct Rejected {
    /// Kept so that each reason is told once.
    why: String,
    /// The text that sudo did not take, and when it was tried, in microseconds of `CLOCK_MONOTONIC`.
    tried: Option<(String, u64)>,
}

/// How many microseconds a rejected rule is not tried again; what is recorded later tries it.
const PAUSE_US: u64 = 1_000_000;

impl Default for Rules {
    fn default() -> Self {
        Self {
            managed: ManagedDir::new("rule", 0o440, |name, _| {
                Id::parse(name).into_iter().collect()
            }),
            rejected: BTreeMap::new(),
            pause_us: 0,
            sudo: None,
        }
    }
}

impl Rules {
    /// The drop-ins as the `tpad` before this one may have left them.
    #[must_use]
    pub fn after(before: &Manifest) -> Self {
        let rules = Self::default();
        Self {
            managed: rules.managed.after(before),
            pause_us: PAUSE_US,
            ..rules
        }
    }

    /// Tells what they were made to say.
    pub fn tell(&self, manifest: &mut Manifest) {
        self.managed.tell(manifest);
    }

    /// Whether a rule that should be there was not taken.
    #[must_use]
    pub fn are_owed(&self) -> bool {
        !self.rejected.is_empty()
    }

    /// Takes one rule away. Needs no sudo, no space on the disk, and nobody's answer.
    pub fn remove(&mut self, paths: &Paths, id: Id) -> Option<Report> {
        match existing(paths) {
            Ok(Some(folder)) => self.managed.remove(&folder, id.as_str(), false),
            Ok(None) => None,
            Err(error) => Some(Report::failed("rule", &error)),
        }
    }

    /// Makes the drop-ins those of the rules. `known` are the grants that there were.
    pub async fn apply(
        &mut self,
        runtime: &SharedRuntime,
        paths: &Paths,
        rules: &BTreeMap<Id, Rule>,
        known: &BTreeSet<Id>,
        at: &At,
    ) -> Vec<Report> {
        let mut reports = Vec::new();
        self.rejected.retain(|id, _| rules.contains_key(id));
        let sudo = match (rules.len(), at, self.sudo) {
            // Nothing to render: any sudo will do, none too.
            (0, ..) => Ok(Sudo::Classic),
            (_, At::Changed(_), Some(sudo)) => Ok(sudo),
            _ => installed(runtime, paths).await,
        };
        self.sudo = sudo.as_ref().ok().copied().filter(|_| !rules.is_empty());
        let texts = match &sudo {
            Ok(sudo) => self.render(rules, *sudo, &mut reports),
            Err(error) => {
                reports.push(Report::failed("sudo", error));
                rules
                    .keys()
                    .map(|id| (id.as_str().to_owned(), String::new()))
                    .collect()
            }
        };
        let changes = Folder::create(&paths.run, 0o700)
            .and_then(|_| Folder::create(&paths.sudoers, 0o700))
            .and_then(|folder| Ok((self.managed.diff(&folder, &texts, known, at)?, folder)));
        let (changes, folder) = match changes {
            Ok(found) => found,
            Err(error) => {
                reports.push(Report::failed("rule", &error));
                return reports;
            }
        };
        let mut writes = Vec::new();
        for change in changes {
            match change {
                Change::Remove { name, drift } => {
                    reports.extend(self.managed.remove(&folder, &name, drift));
                }
                Change::Write { name, text, drift } => writes.push((name, text, drift)),
            }
        }
        // Nothing can be written for a sudo that is not known; removing needs none.
        let Ok(sudo) = sudo else { return reports };
        let drifted = writes.iter().filter(|(_, _, drift)| *drift);
        reports.extend(drifted.map(|(name, _, _)| self.managed.drift(name)));
        let wanted: Vec<Wanted<'_>> = writes
            .iter()
            .filter_map(|(name, text, _)| {
                let rule = rules.get(&Id::parse(name).ok()?)?;
                (!self.is_just_rejected(rule.id, text)).then_some(Wanted { name, text, rule })
            })
            .collect();
        let publisher = Publisher {
            runtime,
            paths,
            folder: &folder,
            sudo,
        };
        let written = publisher.publish(&wanted).await;
        for (wanted, written) in wanted.iter().zip(written) {
            let (id, text) = (wanted.rule.id, wanted.text.to_owned());
            match written {
                Ok(()) => {
                    self.managed.remember(wanted.name, Some(text));
                    self.rejected.remove(&id);
                    reports.push(Report::RuleWritten { id });
                }
                Err(error) => {
                    self.managed.remember(wanted.name, None);
                    let tried = clock::monotonic_us().ok().map(|now_us| (text, now_us));
                    reports.extend(self.reject(id, format!("{error:#}"), tried));
                }
            }
        }
        reports
    }

    fn render(
        &mut self,
        rules: &BTreeMap<Id, Rule>,
        sudo: Sudo,
        reports: &mut Vec<Report>,
    ) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (id, rule) in rules {
            match sudoers::render(rule, sudo) {
                Ok(text) => {
                    texts.insert(id.as_str().to_owned(), text);
                }
                Err(why) => reports.extend(self.reject(*id, why.to_string(), None)),
            }
        }
        texts
    }

    fn is_just_rejected(&self, id: Id, text: &str) -> bool {
        let tried = self.rejected.get(&id).and_then(|one| one.tried.as_ref());
        let (Some((rejected, at_us)), Ok(now_us)) = (tried, clock::monotonic_us()) else {
            return false;
        };
        rejected == text && now_us.saturating_sub(*at_us) < self.pause_us
    }

    fn reject(&mut self, id: Id, why: String, tried: Option<(String, u64)>) -> Option<Report> {
        let rejected = Rejected {
            why: why.clone(),
            tried,
        };
        let before = self.rejected.insert(id, rejected);
        let is_told = before.is_some_and(|before| before.why == why);
        (!is_told).then_some(Report::RuleRejected { id, why })
    }
}

/// The folder, when there is one.
fn existing(paths: &Paths) -> anyhow::Result<Option<Folder>> {
    if std::fs::symlink_metadata(&paths.sudoers)
        .is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
    {
        return Ok(None);
    }
    // `create`, because a folder whose mode went wrong must not keep a rule alive.
    Folder::create(&paths.sudoers, 0o700).map(Some)
}

/// Which sudo is installed: either may stand at `/usr/bin/sudo`, through the alternatives.
///
/// `sudo -V` would say so, after looking up the host's name in DNS. So the binary's place and
/// `visudo -V` are gone by, which tells a grammar's version when it is the classic one. Should
/// sudo-rs be taken for it, the rule has a `NOTAFTER` there and gives nothing.
async fn installed(runtime: &SharedRuntime, paths: &Paths) -> anyhow::Result<Sudo> {
    let in_rust =
        in_rust(&paths.sudo).with_context(|| format!("look for {}", paths.sudo.display()))?;
    let Ran { success, text } = program::run(runtime, &paths.visudo, &[OsStr::new("-V")]).await?;
    if !success || !text.contains("version") {
        let text = text::one_line(&text, 80);
        bail!("{} -V fails: {text}", paths.visudo.display());
    }
    if in_rust || !text.contains("grammar version") {
        Ok(Sudo::Rs)
    } else {
        Ok(Sudo::Classic)
    }
}

/// Whether this sudo is the one written in Rust, by its place: Debian and Ubuntu keep those in
/// `/usr/lib/cargo/bin`.
///
/// # Errors
/// When there is no sudo.
pub fn in_rust(sudo: &Path) -> std::io::Result<bool> {
    let sudo = std::fs::canonicalize(sudo)?;
    Ok(sudo.ends_with("sudo-rs") || sudo.components().any(|c| c.as_os_str() == "cargo"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SudoRule;
    use std::os::unix::fs::PermissionsExt as _;

    struct Rig {
        dir: tempfile::TempDir,
        paths: Paths,
        runtime: SharedRuntime,
        rules: Rules,
    }

    const ID: &str = "7H2KM4QX";

    fn id() -> Id {
        Id::parse(ID).unwrap()
    }

    fn rule(command: &str) -> BTreeMap<Id, Rule> {
        let rule = Rule {
            id: id(),
            uid: 1001,
            user: "alice".into(),
            role: "web".into(),
            not_after: 1_795_493_870,
            sudo: vec![SudoRule {
                run_as: "root".into(),
                run_as_group: None,
                run: vec![command.into()],
                edit: vec![],
                password: true,
                tidy: false,
            }],
            record: false,
        };
        BTreeMap::from([(id(), rule)])
    }

    impl Rig {
        /// A host whose visudo refuses what says `refused`, what includes something that says
        /// `together`, and, asked about everything in place, what says `conflict`.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let mut paths = Paths::below(dir.path());
            paths.sudo = dir.path().join("sudo");
            paths.visudo = dir.path().join("visudo");
            std::fs::write(&paths.sudo, "").unwrap();
            let sudoers = paths.sudoers.display();
            let visudo = format!(
                "#!/bin/sh\necho \"$1\" >>{}\ncase $1 in\n-V) echo visudo version 1.9, grammar version 50 ;;\n\
                 -cf) ! /bin/grep refused \"$2\" && \
                 ! {{ /bin/grep -q ^@include \"$2\" && /bin/grep -rE 'together|refused' {sudoers}; }} ;;\n\
                 -c) ! /bin/grep -r --exclude='.*' conflict {sudoers} ;;\nesac\n",
                dir.path().join("asked").display()
            );
            // Never open for writing in this process: a program that another thread starts at that
            // moment would hold it open, and a file that is written to cannot be run (execve(2),
            // ETXTBSY).
            let text = dir.path().join("visudo.text");
            std::fs::write(&text, visudo).unwrap();
            paths.cvtsudoers = dir.path().join("cvtsudoers");
            let said = dir.path().join("defaults");
            let cvtsudoers = dir.path().join("cvtsudoers.text");
            let script = format!("#!/bin/sh\n/bin/cat {}\n", said.display());
            std::fs::write(&cvtsudoers, script).unwrap();
            for (text, program) in [(&text, &paths.visudo), (&cvtsudoers, &paths.cvtsudoers)] {
                let mut install = std::process::Command::new("/usr/bin/install");
                let installed = install.arg("--mode=755").args([text, program]);
                assert!(installed.status().unwrap().success());
            }
            std::fs::write(&said, "{}").unwrap();
            Self {
                dir,
                paths,
                runtime: SharedRuntime::new().unwrap(),
                rules: Rules::default(),
            }
        }

        /// What cvtsudoers says of the whole configuration.
        fn defaults(&self, json: &str) {
            std::fs::write(self.dir.path().join("defaults"), json).unwrap();
        }

        fn apply(&mut self, rules: &BTreeMap<Id, Rule>) -> Vec<Report> {
            let known = BTreeSet::from([id()]);
            let (rig, at) = (&mut self.rules, &At::Everything);
            let applying = rig.apply(&self.runtime, &self.paths, rules, &known, at);
            self.runtime.block_on(applying)
        }

        /// How often visudo was asked with these options.
        fn asked(&self, options: &str) -> usize {
            let said = std::fs::read_to_string(self.dir.path().join("asked")).unwrap();
            said.lines().filter(|line| *line == options).count()
        }

        fn on_disk(&self) -> Option<String> {
            let names = Folder::open(&self.paths.sudoers).unwrap().names().unwrap();
            assert!(names.is_empty() || names == [ID], "{names:?}");
            std::fs::read_to_string(self.paths.sudoers.join(ID)).ok()
        }
    }

    #[test]
    fn a_rule_is_written_once_and_goes_with_its_grant() {
        let mut rig = Rig::new();
        assert_eq!(
            rig.apply(&rule("/bin/a")),
            [Report::RuleWritten { id: id() }]
        );
        assert!(rig.on_disk().unwrap().contains("/bin/a"));
        assert_eq!(rig.apply(&rule("/bin/a")), []);
        assert_eq!(rig.apply(&BTreeMap::new()), []);
        assert_eq!(rig.on_disk(), None);
    }

    /// Rules for so many grants, with the one at `bad` for a command of its own.
    fn many(count: u8, bad: u8, command: &str) -> BTreeMap<Id, Rule> {
        let [(_, rule)]: [_; 1] = Vec::from_iter(rule("/bin/a")).try_into().unwrap();
        let of = |n: u8| {
            let mut rule = rule.clone();
            rule.id = Id::from_random([0, 0, 0, 0, n]);
            rule.uid = 1_001 + u32::from(n);
            if n == bad {
                rule.sudo[0].run = vec![command.into()];
            }
            (rule.id, rule)
        };
        (0..count).map(of).collect()
    }

    #[test]
    fn a_rejected_rule_is_not_tried_again_at_once_unless_it_says_something_else() {
        let mut rig = Rig::new();
        rig.rules.pause_us = u64::MAX;
        for (command, tries) in [("/bin/refused", 1), ("/bin/refused", 1), ("/bin/a", 2)] {
            rig.apply(&rule(command));
            let alone = rig.asked("-cf");
            assert!(alone >= tries, "{command}: {alone}");
            assert_eq!(alone == 1, command == "/bin/refused", "{command}: {alone}");
        }
        assert!(rig.on_disk().is_some());
    }

    #[test]
    fn of_many_rules_at_once_sudo_is_asked_as_often_as_of_one() {
        let mut rig = Rig::new();
        for (count, new, times) in [(1, 1, 1), (41, 40, 2)] {
            let reports = rig.apply(&many(count, 0, "/bin/a"));
            let written = |report: &Report| matches!(report, Report::RuleWritten { .. });
            assert!(reports.iter().all(written), "{reports:?}");
            assert_eq!(reports.len(), new);
            let asked = ["-cf", "-c"].map(|options| rig.asked(options));
            assert_eq!(
                asked,
                [times, times],
                "before it is in force, and when it is"
            );
        }
    }

    #[test]
    fn in_a_configuration_that_was_broken_before_a_rule_has_to_be_good_by_itself() {
        let mut rig = Rig::new();
        std::fs::create_dir(&rig.paths.run).unwrap();
        std::fs::create_dir(&rig.paths.sudoers).unwrap();
        let theirs = rig.paths.sudoers.join("00000001");
        std::fs::create_dir(&theirs).unwrap();
        std::fs::write(theirs.join("x"), "conflict together").unwrap();
        let reports = rig.apply(&rule("/bin/refused"));
        let rejected = |report: &Report| matches!(report, Report::RuleRejected { .. });
        assert!(reports.iter().any(rejected), "{reports:?}");
        let reports = rig.apply(&rule("/bin/a"));
        assert!(
            reports.contains(&Report::RuleWritten { id: id() }),
            "{reports:?}"
        );
    }

    #[test]
    fn one_rule_of_many_that_is_no_good_keeps_no_other_out_and_leaves_nothing() {
        let off = r#"{ "Defaults": [{ "Binding": [{ "command": "/bin/held" }], "Options": [{ "pam_session": false }] }] }"#;
        for command in ["/bin/refused", "/bin/conflict", "/bin/held"] {
            let mut rig = Rig::new();
            rig.defaults(off);
            let rules = many(12, 7, command);
            let bad = Id::from_random([0, 0, 0, 0, 7]);
            let reports = rig.apply(&rules);
            let rejected =
                |report: &&Report| matches!(report, Report::RuleRejected { id, .. } if *id == bad);
            assert_eq!(reports.iter().filter(rejected).count(), 1, "{reports:?}");
            let names = Folder::open(&rig.paths.sudoers).unwrap().names().unwrap();
            let others = rules.keys().filter(|id| **id != bad);
            let others: Vec<_> = others.map(|id| id.as_str().to_owned()).collect();
            assert_eq!(names, others, "{command}");
            for name in &names {
                let text = std::fs::read_to_string(rig.paths.sudoers.join(name)).unwrap();
                assert!(text.contains("/bin/a"), "{command}: {text}");
            }
        }
    }

    #[test]
    fn a_rule_that_sudo_refuses_never_gets_its_name_and_is_told_once() {
        let mut rig = Rig::new();
        let reports = rig.apply(&rule("/bin/refused"));
        assert!(
            matches!(&reports[..], [Report::RuleRejected { .. }]),
            "{reports:?}"
        );
        assert_eq!(rig.on_disk(), None);
        assert_eq!(rig.apply(&rule("/bin/refused")), []);
    }

    #[test]
    fn a_rule_that_breaks_the_whole_never_gets_its_name() {
        let mut rig = Rig::new();
        rig.apply(&rule("/bin/a"));
        let inode = |rig: &Rig| {
            let metadata = std::fs::metadata(rig.paths.sudoers.join(ID)).unwrap();
            std::os::unix::fs::MetadataExt::ino(&metadata)
        };
        let before = inode(&rig);
        let reports = rig.apply(&rule("/bin/together"));
        assert!(
            matches!(&reports[..], [Report::RuleRejected { .. }]),
            "{reports:?}"
        );
        assert_eq!(inode(&rig), before);
    }

    #[test]
    fn a_rule_that_is_bad_only_in_its_place_is_taken_back_to_what_was_there() {
        let mut rig = Rig::new();
        assert!(matches!(
            &rig.apply(&rule("/bin/conflict"))[..],
            [Report::RuleRejected { .. }]
        ));
        assert_eq!(rig.on_disk(), None);
        rig.apply(&rule("/bin/a"));
        rig.apply(&rule("/bin/conflict"));
        assert!(rig.on_disk().unwrap().contains("/bin/a"));
    }

    #[test]
    fn a_rule_that_sudo_would_run_without_a_session_is_not_in_force() {
        let mut rig = Rig::new();
        let off = r#"{ "Defaults": [{ "Binding": [{ "command": "/bin/held" }], "Options": [{ "pam_session": false }] }] }"#;
        rig.defaults(off);
        let reports = rig.apply(&rule("/bin/held"));
        let [Report::RuleRejected { why, .. }] = &reports[..] else {
            panic!("{reports:?}");
        };
        assert!(why.starts_with("\"Defaults !pam_session\""), "{why}");
        assert_eq!(rig.on_disk(), None);
        rig.apply(&rule("/bin/other"));
        assert!(rig.on_disk().unwrap().contains("/bin/other"));
        rig.apply(&rule("/bin/held"));
        assert_eq!(rig.on_disk(), None, "nor is the one before it");
        for unknown in ["", "no JSON", "{}"] {
            rig.defaults(unknown);
            rig.apply(&rule("/bin/held"));
            assert!(rig.on_disk().unwrap().contains("/bin/held"), "{unknown:?}");
        }
    }

    #[test]
    fn a_configuration_that_was_broken_before_does_not_keep_a_good_rule_out() {
        let mut rig = Rig::new();
        std::fs::create_dir(&rig.paths.run).unwrap();
        std::fs::create_dir(&rig.paths.sudoers).unwrap();
        let theirs = rig.paths.sudoers.join("00000001");
        std::fs::create_dir(&theirs).unwrap();
        std::fs::write(theirs.join("x"), "conflict").unwrap();
        let reports = rig.apply(&rule("/bin/a"));
        assert!(
            reports.contains(&Report::RuleWritten { id: id() }),
            "{reports:?}"
        );
    }

    #[test]
    fn with_no_sudo_installed_nothing_is_written_and_what_ended_still_goes() {
        let mut rig = Rig::new();
        rig.apply(&rule("/bin/a"));
        std::fs::remove_file(&rig.paths.visudo).unwrap();
        let other = rig.paths.sudoers.join("00000001");
        std::fs::write(&other, "").unwrap();
        let reports = rig.apply(&rule("/bin/a"));
        assert!(
            matches!(&reports[..], [Report::Failed { .. }, Report::Drift { .. }]),
            "{reports:?}"
        );
        assert!(!other.exists());
        assert!(rig.on_disk().is_some());
    }

    #[test]
    fn sudo_rs_is_told_by_its_place_and_by_its_visudo() {
        let mut rig = Rig::new();
        let binary = rig.dir.path().join("cargo");
        std::fs::create_dir(&binary).unwrap();
        std::fs::write(binary.join("sudo"), "").unwrap();
        std::fs::remove_file(&rig.paths.sudo).unwrap();
        std::os::unix::fs::symlink(binary.join("sudo"), &rig.paths.sudo).unwrap();
        rig.apply(&rule("/bin/a"));
        assert!(!rig.on_disk().unwrap().contains("NOTAFTER"));
        let mut rig = Rig::new();
        let visudo = std::fs::read_to_string(&rig.paths.visudo).unwrap();
        std::fs::write(
            &rig.paths.visudo,
            visudo.replace(", grammar version 50", ""),
        )
        .unwrap();
        rig.apply(&rule("/bin/a"));
        assert!(!rig.on_disk().unwrap().contains("NOTAFTER"));
    }

    #[test]
    fn one_rule_is_removed_where_nothing_else_works() {
        let mut rig = Rig::new();
        assert_eq!(rig.rules.remove(&rig.paths, id()), None);
        rig.apply(&rule("/bin/a"));
        std::fs::remove_file(&rig.paths.visudo).unwrap();
        let wide = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(&rig.paths.sudoers, wide).unwrap();
        assert_eq!(rig.rules.remove(&rig.paths, id()), None);
        assert_eq!(rig.on_disk(), None);
    }

    #[test]
    fn the_sudo_of_this_machine_takes_the_rule() {
        let mut rig = Rig::new();
        let installed = Paths::default();
        if !installed.visudo.exists() {
            return;
        }
        (rig.paths.sudo, rig.paths.visudo) = (installed.sudo, installed.visudo);
        rig.paths.cvtsudoers = installed.cvtsudoers;
        assert_eq!(
            rig.apply(&rule("/bin/a b=1,2")),
            [Report::RuleWritten { id: id() }]
        );
        assert!(rig.dir.path().exists());
    }
}
