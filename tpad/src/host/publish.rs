//! Putting rules into their places: written only when sudo itself finds them good.
//!
//! What sudo says of all rules together costs the more the more there are, so it is asked once for
//! all that are written at a moment: after a boot that is every rule of the host. Where it says no,
//! the half of them is tried, until it is known which it is. Each question is a process, so none is
//! asked whose answer another one holds: a whole that is good with the new rules was good before,
//! and so is each of them.

use std::ffi::OsStr;

use anyhow::{Context as _, bail};
use tpa_bus::text;
use zruntime::SharedRuntime;

use crate::host::folder::{Folder, Found, Staged};
use crate::host::paths::Paths;
use crate::host::program;
use crate::host::settings;
use crate::host::sudoers::Sudo;
use crate::plan::Rule;

/// A rule that is to be in its place.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Its file's name.
    pub name: &'a str,
    /// What that says.
    pub text: &'a str,
    /// The rule.
    pub rule: &'a Rule,
}

/// Writes rules.
#[derive(Debug)]
pub struct Publisher<'a> {
    /// Runs sudo's programs.
    pub runtime: &'a SharedRuntime,
    /// Where they are.
    pub paths: &'a Paths,
    /// Where the rules are put.
    pub folder: &'a Folder,
    /// The sudo that they are for.
    pub sudo: Sudo,
}

/// What was under the name of a rule before.
type Before<'a> = (&'a Wanted<'a>, Option<Found>);

impl Publisher<'_> {
    /// Puts rules into their places, and says of each whether it stands there. One that is no good
    /// keeps no other out.
    pub async fn publish(&self, wanted: &[Wanted<'_>]) -> Vec<anyhow::Result<()>> {
        let mut outcomes = Vec::new();
        let mut to_try = vec![wanted];
        while let Some(some) = to_try.pop() {
            match self.put(some).await {
                Ok(()) => outcomes.extend(some.iter().map(|_| Ok(()))),
                Err(error) if some.len() < 2 => outcomes.push(Err(error)),
                Err(_) => {
                    let (first, second) = some.split_at(some.len() / 2);
                    to_try.extend([second, first]);
                }
            }
        }
        outcomes
    }

    /// Writes rules if they are good, each by itself and all with all others. They get their names
    /// only then: what is under such a name is in force, and whoever watches the folder sees it come
    /// and go. Where it fails, what was there before is there again.
    async fn put(&self, wanted: &[Wanted<'_>]) -> anyhow::Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let staged = self.stage(wanted)?;
        let together = self.check_together(&staged).await;
        drop(staged);
        match together {
            Ok(()) => self.put_into_place(wanted).await,
            Err(error) => self.put_where_broken(wanted, error).await,
        }
    }

    /// The same where the whole may be no good without them either, which is not theirs; whether
    /// they break more cannot be told then. Else the error stands.
    async fn put_where_broken(
        &self,
        wanted: &[Wanted<'_>],
        error: anyhow::Error,
    ) -> anyhow::Result<()> {
        if self.check_whole().await.is_ok() {
            return Err(error);
        }
        let staged = self.stage(wanted)?;
        for file in &staged {
            self.check(&[OsStr::new("-cf"), file.path().as_os_str()])
                .await?;
        }
        staged.into_iter().try_for_each(Staged::publish)
    }

    fn stage(&self, wanted: &[Wanted<'_>]) -> anyhow::Result<Vec<Staged<'_>>> {
        let staged = wanted.iter();
        staged
            .map(|one| self.folder.stage(one.name, one.text, 0o440))
            .collect()
    }

    /// The same for rules that are good behind all others, which is not yet their place.
    async fn put_into_place(&self, wanted: &[Wanted<'_>]) -> anyhow::Result<()> {
        let mut before = Vec::new();
        for one in wanted {
            before.push((one, self.folder.read(one.name)?));
        }
        if self.sudo == Sudo::Classic {
            self.settle(&before).await?;
        }
        let written = wanted
            .iter()
            .try_for_each(|one| self.folder.write(one.name, one.text, 0o440));
        if written.is_err() {
            self.take_back(&before)?;
            return written;
        }
        let Err(error) = self.check_whole().await else {
            return Ok(());
        };
        self.take_back(&before)?;
        let error = error.context("taken back, since in its place it is not good");
        self.put_where_broken(wanted, error).await
    }

    async fn check_whole(&self) -> anyhow::Result<()> {
        self.check(&[OsStr::new("-c")]).await
    }

    /// Has sudo read the whole configuration with these behind it, which reads each of them too.
    async fn check_together(&self, staged: &[Staged<'_>]) -> anyhow::Result<()> {
        use std::fmt::Write as _;
        let Some(first) = staged.first() else {
            return Ok(());
        };
        let mut text = format!("@include {}\n", self.paths.main_sudoers.display());
        for file in staged {
            writeln!(text, "@include {}", file.path().display())?;
        }
        let name = format!("{}.all", first.name());
        let together = self.folder.stage(&name, &text, 0o440)?;
        self.check(&[OsStr::new("-cf"), together.path().as_os_str()])
            .await
            .context("together with the other rules")
    }

    /// Puts the settings of rules in place alone: what they come to is seen there, and before
    /// anything can be run.
    async fn settle(&self, before: &[Before<'_>]) -> anyhow::Result<()> {
        let written = before.iter().try_for_each(|(one, before)| {
            let lines = one.text.split_inclusive('\n');
            let settings: String = lines.filter(|line| line.starts_with("Defaults")).collect();
            // Those of a rule that is only written anew stand already, and it goes on meanwhile.
            let stand =
                matches!(before, Some(Found::File { text, .. }) if text.contains(&settings));
            if stand {
                Ok(())
            } else {
                self.folder.write(one.name, &settings, 0o440)
            }
        });
        let held = match written {
            Ok(()) => self.hold(before.iter().map(|(one, _)| one.rule)).await,
            Err(error) => Err(error),
        };
        if held.is_err() {
            match before {
                // Neither does what stood there before.
                [(one, _)] => drop(self.folder.remove(one.name)?),
                several => self.take_back(several)?,
            }
        }
        held
    }

    fn take_back(&self, before: &[Before<'_>]) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        // Each for itself: one failure leaves no other in force.
        for (one, before) in before {
            let taken = match before {
                Some(Found::File { text, mode }) => self.folder.write(one.name, text, *mode),
                Some(Found::Other) | None => {
                    let removed = self.folder.remove(one.name);
                    removed.map(drop).map_err(anyhow::Error::from)
                }
            };
            outcome = outcome.and(taken);
        }
        outcome
    }

    /// Whether what the rules give is asked for and held. Where that cannot be looked at, it is
    /// told in tpad's own log, and `tpactl doctor` reads the files.
    async fn hold(&self, rules: impl Iterator<Item = &Rule>) -> anyhow::Result<()> {
        let sections = OsStr::new("aliases,privileges");
        let options = ["-e", "-f", "json", "-s"].map(OsStr::new);
        let main = self.paths.main_sudoers.as_os_str();
        let arguments = [&options[..], &[sections, main]].concat();
        let ran = program::run(self.runtime, &self.paths.cvtsudoers, &arguments).await;
        let read = ran.and_then(|ran| {
            let json = ran.text.find('{').and_then(|at| ran.text.get(at..));
            let mut values =
                serde_json::Deserializer::from_str(json.unwrap_or_default()).into_iter();
            Ok(values.next().context("it says nothing")??)
        });
        match read {
            Ok(read) => {
                for rule in rules {
                    if let Some(line) = settings::overridden(&read, rule) {
                        bail!(
                            "\"{line}\" in sudo's configuration counts for what it gives, which \
                             would neither be held nor end with the grant; tpactl doctor names the \
                             file"
                        )
                    }
                }
                Ok(())
            }
            Err(error) => {
                let program = self.paths.cvtsudoers.display();
                tracing::warn!("cannot tell what sudo's Defaults come to ({program}): {error:#}");
                Ok(())
            }
        }
    }

    async fn check(&self, arguments: &[&OsStr]) -> anyhow::Result<()> {
        let visudo = &self.paths.visudo;
        let ran = program::run(self.runtime, visudo, arguments).await?;
        if ran.success {
            return Ok(());
        }
        let text = text::one_line(&ran.text, 300);
        bail!("{} refuses it: {text}", visudo.display())
    }
}
