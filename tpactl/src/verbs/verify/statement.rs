//! `tpactl verify --statement`: whether a statement was signed by whom it names. It asks no tpad, so
//! that evidence can be checked on any machine.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;
use tpa_statement::accept::{Accepted, Refused, authenticate};
use tpa_statement::signers::Signers;
use tpa_statement::sshsig::Presence;
use tpa_statement::statement::{Digest, Says};

use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::input::{open_regular, read_text};
use crate::json::{self, Time};
use crate::say;
use crate::verbs::submit::papers;

/// Who signs as whom on this host.
pub const SIGNERS: &str = "/etc/tpa/signers";

/// Longest file of signers, in bytes: 10,000 people with the longest RSA keys in use.
pub const SIGNERS_MAX: usize = 8 * 1024 * 1024;

/// `Statement`
#[derive(Serialize)]
struct View<'a> {
    verb: &'a str,
    id: String,
    by: &'a str,
    hosts: &'a BTreeSet<String>,
    at: Time,
    expires: Time,
    of: Option<&'a str>,
    role: Option<&'a str>,
    duration_s: Option<u64>,
    start: Option<Time>,
    until: Option<Time>,
    for_s: Option<u64>,
    reason: Option<&'a str>,
    ticket: Option<&'a str>,
    comment: Option<&'a str>,
    digest: &'a str,
    key: &'a str,
    key_type: &'a str,
    touched: Option<bool>,
    verified: Option<bool>,
    for_this_host: bool,
    expired: bool,
}

/// Whose word a file of signers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The host's: only root may have written it.
    Host,
    /// Of whoever runs the command: they named the file, and believe it or not.
    Caller,
}

/// `StatementList`
#[derive(Serialize)]
struct List<'a> {
    items: Vec<View<'a>>,
}

/// Reads the papers and the signers, and tells what was signed by whom it names: all that stand in the
/// file, or none. The exit code is about every one of them.
pub fn run(
    file: &Path,
    signers: Option<&Path>,
    as_json: bool,
    context: &Context,
) -> Result<Exit, Fail> {
    let papers = papers(file, context)?;
    let (path, trust) = match signers {
        Some(path) => (path, Trust::Caller),
        None => (Path::new(SIGNERS), Trust::Host),
    };
    let signers = read_signers(path, trust)?;
    let mut all = Vec::new();
    for (paper, number) in papers.iter().zip(1..) {
        let accepted = authenticate(paper, &signers);
        let which = (papers.len() > 1).then_some((number, papers.len()));
        all.push(accepted.map_err(|refused| not_good(&refused, which, path))?);
    }
    if as_json {
        let views: Vec<_> = all.iter().map(|one| view(one, context)).collect();
        let text = match <[View<'_>; 1]>::try_from(views) {
            Ok([view]) => json::kind("Statement", view),
            Err(items) => json::kind("StatementList", List { items }),
        };
        return context.screen.data(&text).map(|()| Exit::Done);
    }
    for (accepted, number) in all.iter().zip(1..) {
        if number > 1 {
            context.screen.data("")?;
        }
        context.lines(say::statement::lines(
            accepted,
            &context.host,
            &context.clock,
        ))?;
    }
    context.screen.note(say::statement::ONLY_THE_SIGNATURE);
    Ok(Exit::Done)
}

/// A file that the caller names may be their own. The host's own file has to be root's: what
/// somebody else can write there would pass for the host's word.
fn read_signers(path: &Path, trust: Trust) -> Result<Signers, Fail> {
    let shown = path.display();
    let text = open_regular(path).and_then(|file| {
        if trust == Trust::Host {
            only_root_writes(path, &file)?;
        }
        read_text(file, SIGNERS_MAX)
    });
    let text = text.map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return Fail::new(
                Exit::Failure,
                format!("there is no {shown}, and no statement is accepted without it"),
                "name a file that says who signs as whom: --signers FILE (ssh-keygen(1), ALLOWED SIGNERS)",
            );
        }
        Fail::new(
            Exit::Failure,
            format!("cannot read {shown}: {error}"),
            "fix the file, or name another one: --signers FILE",
        )
    })?;
    let signers = Signers::parse(&text);
    // Evidence is held against what is whole: on what is left out may be why it is none.
    let Some(first) = signers.problems().first() else {
        return Ok(signers);
    };
    Err(Fail::new(
        Exit::Failure,
        format!("{shown}: {first}"),
        format!(
            "fix the file ({}): here it is taken whole or not at all",
            say::count(signers.problems().len(), "problem")
        ),
    ))
}

/// The file, and the folder in which it could be replaced.
fn only_root_writes(path: &Path, file: &File) -> io::Result<()> {
    let is_roots = |found: &Metadata| found.uid() == 0 && found.mode() & 0o022 == 0;
    let folder = path.parent().unwrap_or(path).metadata()?;
    if is_roots(&file.metadata()?) && is_roots(&folder) {
        return Ok(());
    }
    Err(io::Error::other(
        "others than root can write it or its folder",
    ))
}

/// What is no statement cannot be read; whatever else is refused was read, and is not good. `which` of
/// how many, where there are several.
fn not_good(refused: &Refused, which: Option<(usize, usize)>, signers: &Path) -> Fail {
    let of = which.map(|(number, all)| format!(" {number} of {all}"));
    let of = of.unwrap_or_default();
    match refused {
        Refused::Malformed(_) => Fail::new(
            Exit::Failure,
            format!("cannot read what was signed{of}: {refused}"),
            "have it signed again: nothing of it is believed",
        ),
        _ => Fail::new(
            Exit::Unverified,
            format!("the statement{of} is not verified: {refused}"),
            format!(
                "believe nothing of it; who signs as whom was read from {}",
                signers.display()
            ),
        ),
    }
}

fn view<'a>(accepted: &'a Accepted, context: &Context) -> View<'a> {
    let Accepted {
        statement,
        digest,
        proof,
    } = accepted;
    let says = &statement.says;
    let request = match says {
        Says::Request(request) => Some(request),
        _ => None,
    };
    let seen = |at_least| {
        proof
            .is_security_key()
            .then_some(proof.presence >= at_least)
    };
    View {
        verb: says.verb(),
        id: statement.id.to_string(),
        by: &statement.by,
        hosts: &statement.hosts,
        at: Time(statement.at),
        expires: Time(statement.expires),
        of: says.of().map(Digest::as_str),
        role: request.map(|request| request.role.as_str()),
        duration_s: match says {
            Says::Extend { duration_s, .. } => Some(*duration_s),
            _ => request.and_then(|request| request.duration_s),
        },
        start: request.and_then(|request| request.start).map(Time),
        until: request.and_then(|request| request.until).map(Time),
        for_s: match says {
            Says::Approve { for_s, .. } => *for_s,
            _ => None,
        },
        reason: match says {
            Says::Request(request) => Some(&request.reason),
            Says::Extend { reason, .. } | Says::Deny { reason, .. } | Says::Revoke { reason } => {
                Some(reason)
            }
            _ => None,
        },
        ticket: request.and_then(|request| request.ticket.as_deref()),
        comment: match says {
            Says::Approve { comment, .. } => comment.as_deref(),
            Says::Review { comment } => Some(comment),
            _ => None,
        },
        digest: digest.as_str(),
        key: &proof.fingerprint,
        key_type: &proof.kind,
        touched: seen(Presence::Touched),
        verified: seen(Presence::Verified),
        for_this_host: statement.is_for(&[&context.host]),
        expired: statement.has_expired(context.clock.now),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_hosts_own_signers_are_roots_alone_and_a_file_that_is_named_is_the_callers_choice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signers");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let refused = read_signers(&path, Trust::Host).unwrap_err().lines();
        assert!(
            refused[0].contains("others than root can write it"),
            "{refused:?}"
        );
        assert!(read_signers(&path, Trust::Caller).is_ok());
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(read_signers(&path, Trust::Host).is_err());
    }
}
