//! Reads what somebody typed behind `ssh tpa@HOST`, as sshd hands it on (`SSH_ORIGINAL_COMMAND`).
//!
//! Their own shell has taken its quotes away by then, so a reason comes as bare words: all words
//! behind `--reason` or `--comment` are one text, up to the next option. There is no shell here:
//! nothing stands for anything else, and only a quote that begins a word, and is closed, groups.
//!
//! The command behind `run … --` is read apart ([`command`]): there every word counts.

use tpa_bus::text::is_unsafe;

use super::command;

/// Longest line that is read, in bytes.
pub const BYTES_MAX: usize = 4_096;

/// Most words of it.
const WORDS_MAX: usize = 256;

/// Options whose value is a text.
const TEXTS: [&str; 2] = ["--reason", "--comment"];

/// Why a line is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is too long.
    Long,
    /// It has a character that cannot be seen, or breaks a line.
    Character,
    /// A quote is not closed, or something stands right behind it.
    Quote,
    /// In a command, outside quotes, something that a shell would do something with.
    Sign,
}

impl Unreadable {
    /// What to tell whoever typed it.
    pub fn why(self) -> &'static str {
        match self {
            Self::Long => "the line is too long",
            Self::Character => "the line has a line break or a character that cannot be seen",
            Self::Quote => "a quote is not closed, or something stands right behind it",
            Self::Sign => {
                "a sign that a shell reads stands outside single quotes: which words the command has is not \
                 clear; ssh takes one pair of quotes away, so put another around all of it: \
                 ssh tpa@HOST \"run ROLE … -- PROGRAM 'a word'\""
            }
        }
    }
}

/// A word, and whether it began with a quote.
struct Word {
    text: String,
    quoted: bool,
}

/// The words of a line, as arguments of a program: each text is one.
///
/// # Errors
/// [`Unreadable`].
pub fn read(line: &str) -> Result<Vec<String>, Unreadable> {
    if line.len() > BYTES_MAX {
        return Err(Unreadable::Long);
    }
    if line.contains(is_unsafe) {
        return Err(Unreadable::Character);
    }
    let (words, command) = words(line)?;
    let command = command.map(command::read).transpose()?;
    if words
        .len()
        .saturating_add(command.as_ref().map_or(0, Vec::len))
        > WORDS_MAX
    {
        return Err(Unreadable::Long);
    }
    let mut arguments = join_texts(words);
    if let Some(command) = command {
        arguments.push("--".to_owned());
        arguments.extend(command);
    }
    Ok(arguments)
}

/// The words, and what stands behind the `--` of a `run`.
fn words(line: &str) -> Result<(Vec<Word>, Option<&str>), Unreadable> {
    let mut words: Vec<Word> = Vec::new();
    let mut rest = line.trim_matches(' ');
    while !rest.is_empty() {
        // `--reason='two words'` begins with its quote too.
        let value = rest.strip_prefix("--").and_then(|_| rest.find(['=', ' ']));
        let name = match value.and_then(|at| rest.split_at_checked(at.saturating_add(1))) {
            Some((name, value)) if name.ends_with('=') && value.starts_with(['\'', '"']) => name,
            _ => "",
        };
        let behind = rest.strip_prefix(name).unwrap_or(rest);
        let (text, quoted, behind) = if let Some(quote @ ('\'' | '"')) = behind.chars().next() {
            let inside = behind.strip_prefix(quote).unwrap_or_default();
            let (text, behind) = inside.split_once(quote).ok_or(Unreadable::Quote)?;
            if !(behind.is_empty() || behind.starts_with(' ')) {
                return Err(Unreadable::Quote);
            }
            (text, name.is_empty(), behind)
        } else {
            let (text, behind) = behind.split_once(' ').unwrap_or((behind, ""));
            (text, false, behind)
        };
        let is_run = words.first().is_some_and(|first| first.text == "run");
        if is_run && !quoted && name.is_empty() && text == "--" {
            return Ok((words, Some(behind)));
        }
        words.push(Word {
            text: format!("{name}{text}"),
            quoted,
        });
        rest = behind.trim_start_matches(' ');
    }
    Ok((words, None))
}

/// Makes one argument of each text. `--reason=` stands before it, so that it is no option itself.
fn join_texts(words: Vec<Word>) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(Word { text, quoted }) = words.next() {
        let names_text = |name: &&&str| {
            let behind = text.strip_prefix(**name);
            behind.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        let Some(name) = TEXTS.iter().find(names_text).filter(|_| !quoted) else {
            arguments.push(text);
            continue;
        };
        let mut parts = Vec::new();
        if let Some(value) = text.strip_prefix(&format!("{name}=")) {
            parts.push(value.to_owned());
        }
        while let Some(word) = words.next_if(|word| word.quoted || !is_option(&word.text)) {
            parts.push(word.text);
        }
        arguments.push(if parts.is_empty() {
            text
        } else {
            format!("{name}={}", parts.join(" "))
        });
    }
    arguments
}

fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arguments(line: &str) -> Vec<String> {
        read(line).unwrap()
    }

    #[test]
    fn a_reason_is_one_text_whether_or_not_its_quotes_came_through() {
        let expected = [
            "request",
            "web-ops",
            "--reason=nginx hangs, don't ask",
            "--for",
            "1h",
        ];
        for line in [
            "request web-ops --reason nginx hangs, don't ask --for 1h",
            "request web-ops --reason \"nginx hangs, don't ask\" --for 1h",
            "  request  web-ops --reason=\"nginx hangs, don't ask\" --for 1h ",
        ] {
            assert_eq!(arguments(line), expected, "{line}");
        }
        let comment = arguments("approve 7H2K --comment it's - fine -y");
        assert_eq!(comment, ["approve", "7H2K", "--comment=it's - fine", "-y"]);
        let as_text = arguments("deny 7H2K --reason '--yes and more'");
        assert_eq!(as_text, ["deny", "7H2K", "--reason=--yes and more"]);
    }

    #[test]
    fn behind_the_dashes_of_run_every_word_of_the_command_counts() {
        let line =
            "run once --reason the old table -- /usr/bin/psql -c 'DROP TABLE old;' --reason x  y";
        let expected = [
            "run",
            "once",
            "--reason=the old table",
            "--",
            "/usr/bin/psql",
            "-c",
            "DROP TABLE old;",
            "--reason",
            "x",
            "y",
        ];
        assert_eq!(arguments(line), expected);
        // A quoted text may have them, and no other verb does anything with them.
        let quoted = arguments("run once --reason 'a -- $b' -- id");
        assert_eq!(quoted, ["run", "once", "--reason=a -- $b", "--", "id"]);
        assert_eq!(arguments("ls -- $x"), ["ls", "--", "$x"]);
        let unquoted = "run once --reason x -- psql -c DROP TABLE old;";
        assert_eq!(read(unquoted), Err(Unreadable::Sign));
        let many = format!("run once --reason x -- {}", "x ".repeat(WORDS_MAX));
        assert_eq!(read(&many), Err(Unreadable::Long));
    }

    #[test]
    fn nothing_stands_for_anything_else() {
        let line = "show $(id) `id` ; id | cat > /tmp/x && * ~ $HOME \\n";
        assert_eq!(arguments(line), line.split(' ').collect::<Vec<_>>());
    }

    #[test]
    fn a_line_that_could_mean_two_things_is_not_read() {
        for (line, why) in [
            ("deny 7H2K --reason 'no", Unreadable::Quote),
            ("deny \"7H2K\"x", Unreadable::Quote),
            ("ls\nrevoke --all", Unreadable::Character),
            ("ls\r", Unreadable::Character),
            ("ls\0", Unreadable::Character),
            ("ls \u{202e}", Unreadable::Character),
            (&"x".repeat(BYTES_MAX + 1), Unreadable::Long),
            (&"x ".repeat(WORDS_MAX + 1), Unreadable::Long),
        ] {
            assert_eq!(read(line), Err(why), "{line:?}");
        }
        assert_eq!(arguments(""), Vec::<String>::new());
        assert_eq!(
            arguments("deny 7H2K --reason"),
            ["deny", "7H2K", "--reason"]
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader_or_brings_a_character_that_moves_a_cursor(line in "\\PC*|[-a-z'\"= ]{0,60}|.{0,60}") {
            if let Ok(arguments) = read(&line) {
                let read: usize = arguments.iter().map(String::len).sum();
                prop_assert!(read <= line.len() + arguments.len());
                prop_assert!(!arguments.concat().contains(is_unsafe));
            }
        }

        #[test]
        fn words_without_quotes_and_texts_are_what_they_were(words in prop::collection::vec("[A-Za-z0-9$;|&*.=/-]{1,12}", 1..20)) {
            prop_assume!(!words.iter().any(|word| TEXTS.iter().any(|name| word.starts_with(name))));
            prop_assert_eq!(arguments(&words.join(" ")), words);
        }
    }
}
