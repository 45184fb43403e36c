//! `--export`: says something by a signed text instead of to this host's tpad, which need not even be
//! there.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tpa_bus::id::Id;
use tpa_statement::paper::Paper;
use tpa_statement::signers::fingerprint;
use tpa_statement::sshsig::{Envelope, Presence};
use tpa_statement::statement::{Digest, LIFE_MAX_S, Says, Statement};

use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::say;
use crate::signing::{Choice, own_name, sign};
use crate::verbs::submit::{STREAM, papers};

/// Where a signed text goes, for whom it is and who signs it.
#[derive(Debug, Default, clap::Args)]
pub struct Export {
    /// Sign it with my SSH key and write the text here (- for stdout): tpactl submit hands it to the
    /// hosts. Nothing is asked of this host
    #[arg(id = "export", long = "export", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// The hosts that it is for, by their names; a decision is for those of its request when not given
    #[arg(
        long = "on",
        value_name = "HOST",
        value_delimiter = ',',
        requires = "export"
    )]
    hosts: Vec<String>,
    /// My login name there; as here when not given
    #[arg(long = "as", value_name = "NAME", requires = "export")]
    by: Option<String>,
}

/// Which key signs.
#[derive(Debug, Default, clap::Args)]
pub struct Key {
    /// Sign with this key, or with the agent's key of this public half; else with the first of the
    /// agent's and of those in ~/.ssh
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub key: Option<PathBuf>,
}

/// What is to be signed, and how.
pub struct Order<'a> {
    /// Where it goes, for whom it is, who signs.
    pub export: &'a Export,
    /// Which key.
    pub key: &'a Key,
    /// Where the text goes.
    pub file: &'a Path,
}

impl Export {
    /// What is to be signed; `None` where this host is asked.
    ///
    /// # Errors
    /// When a key is named and nothing is signed.
    pub fn order<'a>(&'a self, key: &'a Key) -> Result<Option<Order<'a>>, Fail> {
        match &self.file {
            Some(file) => Ok(Some(Order {
                export: self,
                key,
                file,
            })),
            None if key.key.is_some() => Err(Fail::new(
                Exit::Usage,
                "--key is for what is signed, and this is said to the host itself",
                "leave --key out, or sign it: --export FILE",
            )),
            None => Ok(None),
        }
    }
}

impl Order<'_> {
    /// Asks for access: under an id that is drawn here.
    pub fn request(&self, says: Says, context: &Context) -> Result<Exit, Fail> {
        let mut bytes = [0; 5];
        getrandom::fill(&mut bytes).map_err(|error| {
            let why = format!("no randomness for an id: {error}");
            Fail::new(Exit::Failure, why, "try again")
        })?;
        let statement =
            self.statement(Id::from_random(bytes), self.named_hosts()?, says, context)?;
        self.write(&[], &statement, context)?;
        context.screen.note(&format!(
            "signed as {}; to have it decided: tpactl approve FILE --export FILE; to file it: tpactl submit FILE",
            say::id(statement.id.as_str())
        ));
        Ok(Exit::Done)
    }

    /// Says something about a request or a grant, by its whole id.
    pub fn about(&self, id: &str, says: Says, context: &Context) -> Result<Exit, Fail> {
        let id = Id::parse(id).map_err(|_| {
            let shown = say::clean(id);
            Fail::new(
                Exit::Usage,
                format!("{shown} is no whole id, and no host is asked which one is meant"),
                "give all eight characters",
            )
        })?;
        let statement = self.statement(id, self.named_hosts()?, says, context)?;
        self.write(&[], &statement, context)?;
        context.screen.note(&format!(
            "signed: {} {}; hand it over: tpactl submit FILE",
            statement.says.verb(),
            say::id(statement.id.as_str())
        ));
        Ok(Exit::Done)
    }

    /// Decides on the request in a text, which is shown from its own bytes. `says` makes the decision
    /// on it; `consent` asks.
    pub fn decide(
        &self,
        file: &Path,
        says: impl FnOnce(Digest) -> Says,
        consent: impl FnOnce(&Statement) -> Result<(), Fail>,
        context: &Context,
    ) -> Result<Exit, Fail> {
        let before = papers(file, context)?;
        let (request, asked, key) = the_request(&before)?;
        if asked.has_expired(context.clock.now) {
            return Err(Fail::new(
                Exit::NoChange,
                format!("the request {} has expired", say::id(asked.id.as_str())),
                "have it asked again",
            ));
        }
        for line in say::statement::to_decide(&asked, &key, &context.clock) {
            context.screen.note(&line);
        }
        consent(&asked)?;
        let hosts = self.hosts_among(&asked)?;
        let of = Digest::of(&request.statement);
        let statement = self.statement(asked.id, hosts, says(of), context)?;
        self.write(&before, &statement, context)?;
        context
            .screen
            .note("signed; hand the whole text over: tpactl submit FILE");
        Ok(Exit::Done)
    }

    fn statement(
        &self,
        id: Id,
        hosts: BTreeSet<String>,
        says: Says,
        context: &Context,
    ) -> Result<Statement, Fail> {
        let by = match &self.export.by {
            Some(by) => by.clone(),
            None => own_name()?,
        };
        let at = context.clock.now;
        Ok(Statement {
            id,
            by,
            hosts,
            at,
            expires: at.saturating_add(LIFE_MAX_S),
            says,
        })
    }

    fn named_hosts(&self) -> Result<BTreeSet<String>, Fail> {
        let hosts: BTreeSet<String> = self.export.hosts.iter().cloned().collect();
        if hosts.is_empty() {
            return Err(Fail::new(
                Exit::Usage,
                "a signed statement names the hosts that it is for",
                "add --on HOST[,HOST…], each as hostname says it there",
            ));
        }
        Ok(hosts)
    }

    /// A decision is for the hosts of its request, or for fewer.
    fn hosts_among(&self, asked: &Statement) -> Result<BTreeSet<String>, Fail> {
        if self.export.hosts.is_empty() {
            return Ok(asked.hosts.clone());
        }
        let hosts = self.named_hosts()?;
        match hosts.iter().find(|host| !asked.hosts.contains(*host)) {
            None => Ok(hosts),
            Some(host) => Err(Fail::new(
                Exit::Usage,
                format!("the request is not for {}", say::clean(host)),
                "name some of its hosts, or leave --on out",
            )),
        }
    }

    /// Signs, and writes the text behind those that were there.
    fn write(
        &self,
        before: &[Paper],
        statement: &Statement,
        context: &Context,
    ) -> Result<(), Fail> {
        let choice = Choice {
            file: self.key.key.as_deref(),
            presence: Presence::Key,
            signers: None,
        };
        let signed = sign(statement, choice, context)?;
        let headline = say::statement::headline(statement, &context.clock);
        let mut text = String::new();
        for (paper, headline) in before
            .iter()
            .map(|paper| (paper, Vec::new()))
            .chain([(&signed, headline)])
        {
            let paper = paper.to_text(&headline).map_err(|error| {
                let why = format!("it cannot be written: {error}");
                Fail::new(Exit::Failure, why, "say it shorter")
            })?;
            text.push_str(&paper);
        }
        if self.file == Path::new(STREAM) {
            return context.screen.data(text.trim_end());
        }
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(self.file)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| {
            Fail::new(
                Exit::Failure,
                format!("cannot write {}: {error}", self.file.display()),
                "name a file that is not there yet, or - for stdout",
            )
        })
    }
}

/// The one request in a text, what it says, and the key that signed it.
fn the_request(papers: &[Paper]) -> Result<(Paper, Statement, String), Fail> {
    let fail = |why: String| {
        Fail::new(
            Exit::Failure,
            why,
            "give the text of one request, as tpactl request --export wrote it",
        )
    };
    let mut found = Vec::new();
    for paper in papers {
        let statement = Statement::parse(&paper.statement)
            .map_err(|error| fail(format!("a statement in it is none: {error}")))?;
        if matches!(statement.says, Says::Request(_) | Says::Extend { .. }) {
            found.push((paper, statement));
        }
    }
    let number = found.len();
    let Ok([(paper, statement)]) = <[_; 1]>::try_from(found) else {
        return Err(fail(format!("there are {number} requests in it, not one")));
    };
    let envelope = Envelope::parse(&paper.signature)
        .and_then(|envelope| envelope.verify(&paper.statement).map(|_| envelope))
        .map_err(|error| {
            let why = format!("the request is not what was signed: {error}");
            Fail::new(
                Exit::Unverified,
                why,
                "have it asked again; believe nothing of it",
            )
        })?;
    Ok((paper.clone(), statement, fingerprint(&envelope.key)))
}
