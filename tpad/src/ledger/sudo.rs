//! Which of several grants a sudo command runs under.
//!
//! sudo itself decides by its rules what may run. Here it is only told apart whose end is also the
//! command's, when a person holds several grants: ending one takes what the others do not give.

use std::cmp::Reverse;

use crate::policy::{Gives, SudoRule};

/// How sudo was called, as the kernel has it (proc(5), cmdline).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SudoCall {
    /// As whom.
    pub target: Option<String>,
    /// Its arguments, its own options among them, without the name of sudo.
    pub words: Vec<String>,
}

/// How well a grant fits a call; the greater, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It gives nothing as that person.
    None,
    /// It gives something as that person; what, cannot be told.
    Target,
    /// A rule of it reads like the call, from so many words on: what comes first was called, what
    /// comes later may be an argument.
    Command(Reverse<usize>),
}

impl SudoCall {
    /// How well a grant fits.
    #[must_use]
    pub fn fit(&self, gives: &Gives) -> Fit {
        let as_target = |rule: &&SudoRule| {
            let target = self.target.as_ref();
            target.is_none_or(|target| rule.run_as == "ALL" || rule.run_as == *target)
        };
        let fits = gives.sudo.iter().filter(as_target).map(|rule| {
            let runs = rule.run.iter().filter_map(|run| self.runs(run));
            let edits = rule.edit.iter().filter_map(|file| self.place_of(file));
            let first = runs.chain(edits).min();
            first.map_or(Fit::Target, |at| Fit::Command(Reverse(at)))
        });
        fits.max().unwrap_or(Fit::None)
    }

    /// From which word on the call reads like this command of a rule (sudoers(5)). From its first
    /// wildcard on, everything does.
    fn runs(&self, command: &str) -> Option<usize> {
        let mut parts = command.split_ascii_whitespace();
        let path = parts.next()?;
        let arguments: Vec<&str> = parts.collect();
        if path == "ALL" {
            return Some(self.words.len());
        }
        let plain = |part: &&&str| !part.contains(['*', '?', '[', '\\', '^', '"']);
        let exact: Vec<&str> = arguments.iter().take_while(plain).copied().collect();
        let open = arguments.is_empty() || exact.len() < arguments.len();
        let at = self.place_of(path)?;
        let called = self.words.get(at.saturating_add(1)..)?;
        let same = called.len() >= exact.len() && called.iter().zip(&exact).all(|(a, b)| a == b);
        (same && (open || called.len() == exact.len())).then_some(at)
    }

    /// Where this file is named, by its path or its name alone.
    fn place_of(&self, path: &str) -> Option<usize> {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.words
            .iter()
            .position(|word| word == path || word == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::role;

    fn gives(run_as: &str, run: &[&str], edit: &[&str]) -> Gives {
        let mut gives = role("one").gives;
        gives.sudo = vec![SudoRule {
            run_as: run_as.to_owned(),
            run_as_group: None,
            run: run.iter().map(|text| (*text).to_owned()).collect(),
            edit: edit.iter().map(|text| (*text).to_owned()).collect(),
            password: false,
        }];
        gives
    }

    fn call(target: &str, line: &str) -> SudoCall {
        SudoCall {
            target: Some(target.to_owned()),
            words: line.split(' ').map(str::to_owned).collect(),
        }
    }

    fn at(place: usize) -> Fit {
        Fit::Command(Reverse(place))
    }

    #[test]
    fn a_call_fits_the_rule_that_reads_like_it() {
        let sleep = gives("root", &["/usr/bin/sleep 4711"], &[]);
        assert_eq!(call("root", "-n /usr/bin/sleep 4711").fit(&sleep), at(1));
        assert_eq!(call("root", "sleep 4711").fit(&sleep), at(0));
        assert_eq!(call("root", "sleep 4712").fit(&sleep), Fit::Target);
        assert_eq!(call("root", "sleep 4711 1").fit(&sleep), Fit::Target);
        assert_eq!(call("postgres", "sleep 4711").fit(&sleep), Fit::None);
    }

    #[test]
    fn rules_without_arguments_and_with_wildcards_are_open() {
        let any = gives("root", &["/usr/bin/id"], &[]);
        assert_eq!(call("root", "id -u").fit(&any), at(0));
        let log = gives("root", &["/usr/bin/journalctl -u nginx *"], &[]);
        assert_eq!(call("root", "journalctl -u nginx -f").fit(&log), at(0));
        assert_eq!(call("root", "journalctl -u cron").fit(&log), Fit::Target);
    }

    #[test]
    fn files_to_edit_are_named() {
        let edit = gives("root", &[], &["/etc/nginx/nginx.conf"]);
        assert_eq!(call("root", "-e /etc/nginx/nginx.conf").fit(&edit), at(1));
    }

    #[test]
    fn what_is_called_goes_before_what_is_an_argument() {
        let find = gives("root", &["/usr/bin/find"], &[]);
        let sleep = gives("root", &["/usr/bin/sleep 5"], &[]);
        let called = call("root", "find / sleep 5");
        assert!(called.fit(&find) > called.fit(&sleep));
    }
}
