//! The module's arguments, as they stand in a file of `/etc/pam.d` (pam.conf(5)).

use tpa_bus::offline::{GateFile, Who};
use tpa_bus::span::Span;
use tpa_bus::text::one_line;

/// How long a decision is waited for at the prompt: with the typing before it within the two
/// minutes that sshd gives a login (`LoginGraceTime`, `sshd_config(5)`).
const WAIT: Span = Span::from_secs(90);
/// Longest such wait that an argument may ask for.
const WAIT_MAX: Span = Span::from_secs(3_600);

/// `pam_tpa.so [scope] [ask] [wait=90s] [login=WHO,…] [sudo=WHO,…] [exempt=WHO,…]
/// [help=Ask_in_#oncall]`
///
/// The lists hold only while the file that `tpad` writes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// The line after `pam_systemd`, which checks that the login really got its limit.
    pub scope: bool,
    /// The auth line lets people without a grant ask for one.
    pub ask: bool,
    /// How long it then waits for the decision.
    pub wait: Span,
    /// What is wrong with the arguments, for the log.
    pub problems: Vec<String>,
    login: Option<Vec<Who>>,
    sudo: Option<Vec<Who>>,
    exempt: Option<Vec<Who>>,
    help: Option<String>,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            scope: false,
            ask: false,
            wait: WAIT,
            problems: Vec::new(),
            login: None,
            sudo: None,
            exempt: None,
            help: None,
        }
    }
}

impl Args {
    /// Reads the arguments. One that cannot be understood is left out and named in `problems`,
    /// which leaves more people gated, never fewer.
    pub fn parse<S: AsRef<str>>(words: impl Iterator<Item = S>) -> Self {
        let mut args = Self::default();
        for word in words {
            let word = word.as_ref();
            if args.take(word).is_none() {
                let word = one_line(word, 80);
                args.problems.push(format!(
                    "argument \"{word}\" is not understood and left out"
                ));
            }
        }
        args
    }

    fn take(&mut self, word: &str) -> Option<()> {
        match word.split_once('=') {
            None if word == "scope" => self.scope = true,
            None if word == "ask" => self.ask = true,
            Some(("wait", span)) => self.wait = wait(span)?,
            Some(("login", list)) => self.login = Some(people(list)?),
            Some(("sudo", list)) => self.sudo = Some(people(list)?),
            Some(("exempt", list)) => self.exempt = Some(people(list)?),
            // PAM splits arguments at spaces, so the words of a sentence are joined by `_`.
            Some(("help", text)) => self.help = Some(one_line(&text.replace('_', " "), 200)),
            _ => return None,
        }
        Some(())
    }

    /// Whom the gate concerns by the arguments alone.
    #[must_use]
    pub fn gate_file(&self) -> GateFile {
        let strict = GateFile::default();
        let login = self.login.clone().unwrap_or(strict.login);
        GateFile {
            sudo: self.sudo.clone().unwrap_or_else(|| login.clone()),
            login,
            exempt: self.exempt.clone().unwrap_or_default(),
            help: self.help.clone().unwrap_or_default(),
            ..strict
        }
    }
}

/// All of a comma separated list, or nothing of it.
fn people(list: &str) -> Option<Vec<Who>> {
    list.split(',').map(Who::parse).collect()
}

/// A wait of some length, which is not for ever.
fn wait(text: &str) -> Option<Span> {
    let span = Span::parse(text).ok()?;
    (span.as_secs() > 0 && span <= WAIT_MAX).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Args {
        Args::parse(words.split_whitespace())
    }

    #[test]
    fn without_arguments_everyone_is_gated() {
        assert_eq!(parse("").gate_file(), GateFile::default());
    }

    #[test]
    fn lists_and_the_help_text_are_read() {
        let file =
            parse("login=@engineers,alice exempt=@tpa-emergency help=Ask_in_#oncall").gate_file();
        let engineers = vec![Who::Group("engineers".into()), Who::User("alice".into())];
        assert_eq!(file.login, engineers);
        assert_eq!(file.sudo, engineers, "sudo follows login when not named");
        assert_eq!(file.exempt, [Who::Group("tpa-emergency".into())]);
        assert_eq!(file.help, "Ask in #oncall");
    }

    #[test]
    fn a_list_with_a_bad_entry_is_left_out_whole_and_named() {
        let args = parse("login=@engineers,@ exempt=, scop");
        assert_eq!(args.gate_file(), GateFile::default());
        assert_eq!(args.problems.len(), 3);
        assert!(args.problems[2].contains("\"scop\""));
    }

    #[test]
    fn scope_is_a_word_of_its_own() {
        assert!(parse("scope").scope);
        assert!(!parse("scope=yes").scope);
    }

    #[test]
    fn asking_waits_for_as_long_as_it_says_and_never_for_ever() {
        assert!(!parse("").ask);
        assert_eq!(parse("ask").wait.as_secs(), 90);
        assert_eq!(parse("ask wait=4m").wait.as_secs(), 240);
        for bad in ["wait=0s", "wait=90", "wait=2h", "wait=-1s", "ask=yes"] {
            let args = parse(bad);
            assert_eq!((args.wait, args.ask), (WAIT, false), "{bad}");
            assert_eq!(args.problems.len(), 1, "{bad}");
        }
    }
}
