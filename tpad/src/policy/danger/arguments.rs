//! The arguments of a command: as a role allows them, or as somebody typed them.

use super::glob;

/// How much a role leaves to the person who runs the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing: every argument is spelled out.
    Nothing,
    /// What a wildcard or a regular expression may stand for, further arguments among it.
    Wild,
    /// Everything: the role names no arguments.
    All,
}

/// The arguments, word by word.
#[derive(Debug, Clone)]
pub(super) struct Arguments {
    words: Vec<String>,
    pub(super) left: Left,
    /// The person chooses the folder that the command is started in.
    pub(super) anywhere: bool,
}

impl Arguments {
    /// Those of a role, in sudoers(5) form: none means any, `""` means none, a wildcard matches
    /// spaces and slashes too, and from `^` on they are a regular expression.
    pub(super) fn of_rule(text: &str) -> Self {
        let text = text.trim_matches(' ');
        let (words, left) = match text {
            "" => (Vec::new(), Left::All),
            "\"\"" => (Vec::new(), Left::Nothing),
            _ if text.starts_with('^') => (Vec::new(), Left::Wild),
            _ if text.contains(['*', '?', '[']) => (quoted(text), Left::Wild),
            _ => (quoted(text), Left::Nothing),
        };
        Self {
            words,
            left,
            anywhere: true,
        }
    }

    /// Those that somebody typed, in a folder that is approved with them: nothing in them stands for
    /// anything else.
    pub(super) fn typed(words: &[String]) -> Self {
        Self {
            words: words.to_vec(),
            left: Left::Nothing,
            anywhere: false,
        }
    }

    /// What stands in them for sure.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// The same from a word on.
    pub(super) fn after(&self, index: usize) -> Self {
        let words: Vec<String> = self.words.iter().skip(index + 1).cloned().collect();
        // What is left open may be further back: then no word at all is no promise of none.
        Self { words, ..*self }
    }

    /// The same with the words of a line that a shell is given apart.
    pub(super) fn apart(&self) -> Self {
        let apart = |word: &String| {
            word.split([' ', '\t', ';', '|', '&', '(', ')', '`'])
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        Self {
            words: self.words.iter().flat_map(apart).collect(),
            ..*self
        }
    }

    /// The first word that is no option and no option's value. `None` when there is none.
    pub(super) fn verb(&self, values: &[String]) -> Option<&str> {
        self.operands(values).next()
    }

    /// The words that are no options and no option's value.
    pub(super) fn operands(&self, values: &[String]) -> impl Iterator<Item = &str> {
        let mut is_value = false;
        self.words.iter().map(String::as_str).filter(move |word| {
            let passed = std::mem::take(&mut is_value);
            is_value = !passed && values.iter().any(|value| value == word);
            !passed && !is_value && !word.starts_with('-')
        })
    }

    /// Whether an option or a word stands there for sure: `-x` also as `-vx` and `-xVALUE`,
    /// `--long` also as `--long=VALUE`.
    pub(super) fn has(&self, wanted: &str) -> bool {
        self.words.iter().any(|word| is(word, wanted))
    }
}

fn is(word: &str, wanted: &str) -> bool {
    if word == wanted {
        return true;
    }
    if wanted.contains(['*', '?']) {
        return glob::fits(wanted, &word.to_lowercase()) || glob::fits(wanted, word);
    }
    if let Some(long) = wanted.strip_prefix("--") {
        let given = word
            .strip_prefix("--")
            .and_then(|given| given.split('=').next());
        // getopt(3) takes the beginning of a long option for the whole.
        return given
            .is_some_and(|given| given == long || (given.len() > 3 && long.starts_with(given)));
    }
    let mut short = wanted.strip_prefix('-').unwrap_or_default().chars();
    let (Some(letter), None) = (short.next(), short.next()) else {
        return false;
    };
    let Some(given) = word
        .strip_prefix('-')
        .filter(|given| !given.starts_with('-'))
    else {
        return false;
    };
    // -xVALUE, or one of a few letters in a row: a longer word is an option of its own.
    let letters: String = given
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    let value = given.starts_with(letter) && given.contains(|c: char| !c.is_ascii_alphanumeric());
    value || (letters.len() <= 4 && letters.contains(letter))
}

/// The words of a text, in which quotes hold spaces together.
fn quoted(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut begun = false;
    for c in text.chars() {
        match (c, quote) {
            (' ', None) => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
                continue;
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, _) => word.push(c),
        }
        begun = true;
    }
    if begun {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_in_each_of_their_spellings() {
        let has = |text: &str, wanted: &str| Arguments::of_rule(text).has(wanted);
        for (text, wanted) in [
            ("-o x", "-o"),
            ("-vo x", "-o"),
            ("-o/etc/x", "-o"),
            ("--output=/etc/x", "--output"),
            ("--checkpoint-act=x", "--checkpoint-action"),
            ("-ou0 x", "-u"),
            ("-exec id", "-exec"),
            ("u+s /bin/x", "*+*s*"),
        ] {
            assert!(has(text, wanted), "{text}: {wanted}");
        }
        for (text, wanted) in [
            ("--no-pager", "-o"),
            ("-name x", "-x"),
            ("output", "-o"),
            ("--o", "--output"),
            ("-execdir", "-exec"),
        ] {
            assert!(!has(text, wanted), "{text}: {wanted}");
        }
    }

    #[test]
    fn quotes_hold_words_together_and_values_are_no_verbs() {
        let arguments = Arguments::of_rule("-d shop -c \"select 1\"");
        assert_eq!(arguments.words(), ["-d", "shop", "-c", "select 1"]);
        assert_eq!(arguments.verb(&["-d".to_owned()]), Some("select 1"));
        assert_eq!(Arguments::of_rule("\"\"").left, Left::Nothing);
        assert_eq!(Arguments::of_rule("").left, Left::All);
        assert_eq!(Arguments::of_rule("^a.*$").left, Left::Wild);
    }
}
