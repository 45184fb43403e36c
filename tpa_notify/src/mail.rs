//! Mail, by the host's own sendmail(8).
//!
//! Whom it goes to stands on the command line of sendmail, never in a header that it reads; a header
//! has nothing in it that people typed but the subject, which is encoded (RFC 2047), and the body is
//! encoded too. So nothing typed can begin a header, end the message or be a recipient.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use nix::unistd::Group;

use crate::body::{summary, text};
use crate::http::base64;
use crate::job::{Event, Job, Outcome, Step};

/// The program that every mail server and relay for Unix brings.
pub const SENDMAIL: &str = "/usr/sbin/sendmail";

/// Most recipients that are served by one run; the others are by the next.
const MOST: usize = 50;

/// Most characters of a subject.
const SUBJECT: usize = 120;

/// Sends a mail to each recipient who does not have it, of what is theirs to know. One whose mail is not
/// taken holds up nobody else. Each step is told as it is done.
#[must_use]
pub fn send(job: &Job, sendmail: &str, mut step: impl FnMut(Step)) -> Outcome {
    let all = mails(job, &members);
    if all.is_empty() {
        return Outcome::refused("there is nobody to send it to".to_owned());
    }
    let left = all.into_iter().filter(|(to, _)| !job.told.contains(to));
    let (last, first): (Vec<_>, Vec<_>) = left.partition(|(to, _)| job.tried.contains(to));
    let mut problem = None;
    let mut not = 0_usize;
    for (number, (to, mail)) in first.into_iter().chain(last).enumerate() {
        if number >= MOST {
            problem.get_or_insert(format!("{MOST} were served, the others follow"));
            break;
        }
        step(Step::Trying(to.clone()));
        match hand_over(sendmail, job.from.as_deref(), &to, &mail) {
            Ok(()) => step(Step::Told(to)),
            Err(why) => {
                not = not.saturating_add(1);
                problem = Some(why);
            }
        }
    }
    match problem {
        None => Outcome::Told,
        Some(why) if not > 1 => Outcome::failed(format!("{why}, and so for {not} recipients")),
        Some(why) => Outcome::failed(why),
    }
}

/// Each recipient, with the whole mail.
fn mails(job: &Job, members: &dyn Fn(&str) -> Vec<String>) -> BTreeMap<String, String> {
    let resolve = |list: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> {
        let each = list.flat_map(|who| match who.strip_prefix('@') {
            Some(group) => members(group),
            None => vec![who.to_owned()],
        });
        each.filter(|who| is_recipient(who)).collect()
    };
    if !job.to.is_empty() {
        let all = resolve(&mut job.to.iter().map(String::as_str));
        return all
            .into_iter()
            .map(|to| (to.clone(), mail(job, &to)))
            .collect();
    }
    let mut theirs: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in &job.events {
        for who in resolve(&mut concerned(event).into_iter()) {
            theirs.entry(who).or_default().push(event.clone());
        }
    }
    let each = theirs.into_iter().map(|(to, events)| {
        // What was only counted may be others' business.
        let job = Job {
            events,
            more: BTreeMap::new(),
            ..job.clone()
        };
        let mail = mail(&job, &to);
        (to, mail)
    });
    each.collect()
}

/// Whom an event concerns: who may decide is told of what waits and of what went past them, who asked
/// of the decision.
fn concerned(event: &Event) -> Vec<&str> {
    let who_asked = || vec![event.field("user"), event.field("requested_by")];
    let who_decides = || event.field("approvers").split(',').collect::<Vec<_>>();
    match event.name() {
        "request-created" | "request-reminder" if event.waits() => who_decides(),
        "approval-recorded" if event.waits() || event.field("approval") == "auto" => {
            [who_decides(), who_asked()].concat()
        }
        "break-glass-used" | "break-glass-reviewed" => [who_decides(), who_asked()].concat(),
        "approval-recorded" | "request-denied" | "request-lapsed" | "grant-activated"
        | "grant-extended" | "grant-expired" | "grant-revoked" | "grant-ended" => who_asked(),
        _ => Vec::new(),
    }
}

/// A user's name, or an address of letters that mean nothing to a mail server. Neither begins as an
/// option does.
#[must_use]
pub fn is_recipient(who: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._+-@".contains(c);
    let begins = who.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let (local, domain) = who.split_once('@').unwrap_or((who, "host"));
    let domain_fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    begins
        && who.len() <= 254
        && !local.is_empty()
        && who.chars().all(fits)
        && domain.starts_with(|c: char| c.is_ascii_alphanumeric())
        && domain.chars().all(domain_fits)
}

/// Who is in a group, by the host's own account of it.
fn members(group: &str) -> Vec<String> {
    let Ok(Some(found)) = Group::from_name(group) else {
        return Vec::new();
    };
    // Whose own group it is does not stand in it.
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of_their_own = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, gid) = (fields.next()?, fields.nth(2)?);
        (gid.parse() == Ok(found.gid.as_raw())).then(|| name.to_owned())
    });
    found.mem.iter().cloned().chain(of_their_own).collect()
}

/// Headers and body, with the line ends that sendmail takes.
fn mail(job: &Job, to: &str) -> String {
    let subject = format!("[tpa] {}", summary(job, SUBJECT));
    let mut mail = String::new();
    if let Some(from) = job.from.as_deref().filter(|from| is_recipient(from)) {
        let _ = writeln!(mail, "From: {from}");
    }
    let _ = write!(
        mail,
        "To: {to}\nSubject: {}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: base64\nAuto-Submitted: auto-generated\n\n",
        encoded(&subject)
    );
    for line in base64(&format!("{}\n", text(job))).as_bytes().chunks(76) {
        mail.push_str(&String::from_utf8_lossy(line));
        mail.push('\n');
    }
    mail
}

/// A header's text as encoded words of at most 75 characters, each of whole letters.
fn encoded(text: &str) -> String {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len().saturating_add(c.len_utf8()) > 42 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words: Vec<_> = words
        .iter()
        .map(|word| format!("=?utf-8?B?{}?=", base64(word)))
        .collect();
    words.join("\n ")
}

/// Has sendmail take it. systemd ends it with this program when it takes too long.
fn hand_over(sendmail: &str, from: Option<&str>, to: &str, mail: &str) -> Result<(), String> {
    let mut command = Command::new(sendmail);
    // A line with nothing but a dot is a line.
    command.arg("-i");
    if let Some(from) = from.filter(|from| is_recipient(from)) {
        command.args(["-f", from]);
    }
    let started = command
        .arg(to)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = started.map_err(|error| format!("{sendmail}: {}", error.kind()))?;
    let written = child
        .stdin
        .take()
        .map_or(Ok(()), |mut input| input.write_all(mail.as_bytes()));
    let ended = child
        .wait()
        .map_err(|error| format!("{sendmail}: {}", error.kind()))?;
    written.map_err(|error| format!("{sendmail} does not read: {}", error.kind()))?;
    if ended.success() {
        Ok(())
    } else {
        Err(format!("{sendmail} ended with {ended}"))
    }
}

#[cfg(test)]
mod tests;
