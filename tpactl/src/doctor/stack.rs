//! The lines of a PAM service, what it includes set in (pam.conf(5)).

use super::{Finding, Host};

/// How deep files may include each other before it is taken for a circle.
const DEPTH: usize = 8;

/// Where services are, the administrator's before the packages'.
pub const FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// One line: its phase, what becomes of its answer, its module's file name and arguments.
pub struct Line {
    pub phase: String,
    control: String,
    pub module: String,
    arguments: Vec<String>,
}

impl Line {
    /// Whether it has this module in this phase.
    pub fn is(&self, phase: &str, module: &str) -> bool {
        self.phase == phase && self.module == module
    }

    /// Whether it has this argument.
    pub fn has(&self, argument: &str) -> bool {
        self.arguments.iter().any(|one| one == argument)
    }

    /// The value of an argument `name=value`.
    pub fn value(&self, name: &str) -> Option<&str> {
        let pairs = self.arguments.iter().filter_map(|one| one.split_once('='));
        pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .next_back()
    }

    /// Whether an answer of the module can end the phase well, or jump over the line that comes
    /// so many lines after it.
    pub fn may_pass(&self, lines: usize) -> bool {
        let Some(actions) = self.control.strip_prefix('[') else {
            return self.control == "sufficient";
        };
        let mut actions = actions.trim_end_matches(']').split_whitespace();
        actions.any(|action| match action.split_once('=') {
            Some((_, "done")) => true,
            Some((_, jump)) => jump.parse().is_ok_and(|jump: usize| jump >= lines),
            None => false,
        })
    }
}

/// The files that a service includes.
pub fn included(host: &Host, service: &str) -> Result<Vec<String>, Finding> {
    let text = text(host, service)?.unwrap_or_default();
    let rules = text.lines().map(rule);
    Ok(rules
        .filter_map(|rule| match rule {
            Rule::Include { file, .. } => Some(file),
            Rule::Module(_) | Rule::Nothing => None,
        })
        .collect())
}

/// The text of a service's file, each rule in one line and without comments.
fn text(host: &Host, service: &str) -> Result<Option<String>, Finding> {
    for folder in FOLDERS {
        if let Some(text) = host.read(&format!("{folder}/{service}"))? {
            let text = text.replace("\\\n", " ");
            let bare = text
                .lines()
                .map(|line| line.split('#').next().unwrap_or_default());
            return Ok(Some(bare.collect::<Vec<_>>().join("\n")));
        }
    }
    Ok(None)
}

/// The lines of a service; `None` when it is not installed.
pub fn of(host: &Host, service: &str) -> Result<Option<Vec<Line>>, Finding> {
    lines(host, service, None, DEPTH)
}

fn lines(
    host: &Host,
    service: &str,
    only: Option<&str>,
    depth: usize,
) -> Result<Option<Vec<Line>>, Finding> {
    let Some(text) = text(host, service)? else {
        return Ok(None);
    };
    let mut found = Vec::new();
    for line in text.lines() {
        let (phase, file) = match rule(line) {
            Rule::Module(line) => {
                if only.is_none_or(|only| only == line.phase) {
                    found.push(line);
                }
                continue;
            }
            Rule::Include { phase, file } => (phase, file),
            Rule::Nothing => continue,
        };
        if depth == 0 {
            let problem = format!("{service} includes itself by way of {file}");
            return Err(Finding::error(
                "pam",
                problem,
                "correct the include lines in /etc/pam.d",
            ));
        }
        let wanted = phase.as_deref();
        if wanted.is_none() || only.is_none() || wanted == only {
            let included = lines(host, &file, wanted.or(only), depth - 1)?;
            found.extend(included.unwrap_or_default());
        }
    }
    Ok(Some(found))
}

/// What a line says.
enum Rule {
    Module(Line),
    Include { phase: Option<String>, file: String },
    Nothing,
}

fn rule(line: &str) -> Rule {
    let mut words = line.split_whitespace();
    let Some(first) = words.next() else {
        return Rule::Nothing;
    };
    if first == "@include" {
        return words.next().map_or(Rule::Nothing, |file| Rule::Include {
            phase: None,
            file: file.to_owned(),
        });
    }
    let phase = first.trim_start_matches('-').to_ascii_lowercase();
    let mut control = words.next().unwrap_or_default().to_owned();
    // A control in brackets has several words; the module comes after the one that closes it.
    while control.starts_with('[') && !control.ends_with(']') {
        let Some(word) = words.next() else {
            return Rule::Nothing;
        };
        control = format!("{control} {word}");
    }
    match (control.as_str(), words.next()) {
        (_, None) => Rule::Nothing,
        ("include" | "substack", Some(file)) => Rule::Include {
            phase: Some(phase),
            file: file.to_owned(),
        },
        (_, Some(module)) => Rule::Module(Line {
            phase,
            module: module.rsplit('/').next().unwrap_or(module).to_owned(),
            arguments: words.map(str::to_owned).collect(),
            control,
        }),
    }
}
