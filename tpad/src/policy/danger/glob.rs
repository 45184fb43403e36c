//! Patterns: whether a text fits one, and whether two have a text in common.

/// Whether some text fits both: `pattern` is the table's, where `*` is any text and a `/` at the
/// end stands for all that is below; `rule` is the role's, where `*` is any text and `?` and `[…]`
/// any character.
pub(super) fn overlap(pattern: &str, rule: &str) -> bool {
    if !may_begin_alike(pattern, rule) {
        return false;
    }
    let below = pattern.ends_with('/').then_some(Token::Any);
    let pattern: Vec<Token> = tokens(pattern, false).into_iter().chain(below).collect();
    let rule = tokens(rule, true);
    // `reach[j]`: what was read of the pattern so far and the first j tokens of the rule fit.
    let mut reach = vec![false; rule.len() + 1];
    if let Some(start) = reach.first_mut() {
        *start = true;
    }
    skip_any(&rule, &mut reach);
    for token in &pattern {
        reach = step(*token, &rule, &reach);
        skip_any(&rule, &mut reach);
    }
    reach.last().copied().unwrap_or_default()
}

/// Whether the two do not differ before the first wildcard: most do.
fn may_begin_alike(pattern: &str, rule: &str) -> bool {
    let is_wild = |c: u8| matches!(c, b'*' | b'?' | b'[');
    let mut pairs = pattern.bytes().zip(rule.bytes());
    let first = pairs.find(|(one, other)| one != other || is_wild(*one));
    first.is_none_or(|(one, other)| is_wild(one) || is_wild(other))
}

/// Whether a word, in which nothing is special, fits a pattern of `*` and `?`.
pub(super) fn fits(pattern: &str, word: &str) -> bool {
    let pattern = tokens(pattern, true);
    let word: Vec<Token> = word.chars().map(Token::Char).collect();
    let mut reach = vec![false; word.len() + 1];
    if let Some(start) = reach.first_mut() {
        *start = true;
    }
    for token in &pattern {
        reach = step(*token, &word, &reach);
    }
    reach.last().copied().unwrap_or_default()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Any,
}

fn tokens(text: &str, single: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Any,
            '?' if single => Token::One,
            '[' if single => {
                chars.by_ref().find(|c| *c == ']');
                Token::One
            }
            c => Token::Char(c),
        });
    }
    tokens
}

/// A `*` of the rule may stand for nothing.
fn skip_any(rule: &[Token], reach: &mut [bool]) {
    for (index, token) in rule.iter().enumerate() {
        let before = reach.get(index).copied().unwrap_or_default();
        if let Some(after) = reach.get_mut(index + 1)
            && *token == Token::Any
        {
            *after |= before;
        }
    }
}

/// One more token of the pattern.
fn step(token: Token, rule: &[Token], before: &[bool]) -> Vec<bool> {
    let mut after = vec![false; before.len()];
    let at = |list: &[bool], index: usize| list.get(index).copied().unwrap_or_default();
    for index in 0..before.len() {
        let last = index.checked_sub(1).and_then(|last| rule.get(last));
        let read = match (token, last) {
            // Any text: none, or one more token of the rule.
            (Token::Any, None) => at(before, index),
            (Token::Any, Some(_)) => at(before, index) || at(&after, index - 1),
            (_, None) => false,
            (_, Some(Token::Any)) => at(before, index) || at(before, index - 1),
            (Token::One, Some(_)) | (_, Some(Token::One)) => at(before, index - 1),
            (Token::Char(one), Some(Token::Char(other))) => one == *other && at(before, index - 1),
        };
        if let Some(slot) = after.get_mut(index) {
            *slot = read;
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_meet_where_a_text_fits_both() {
        for (pattern, rule) in [
            ("/etc/passwd", "/etc/passwd"),
            ("/etc/sudoers.d/", "/etc/sudoers.d/x"),
            ("/etc/sudoers.d/", "/etc/sudoers.d/*"),
            ("/etc/sudoers", "/etc/su*"),
            ("/etc/sudoers", "/etc/*"),
            ("/etc/shadow", "/etc/shado?"),
            ("/etc/shadow", "/etc/[a-z]hadow"),
            ("*/.ssh/*", "/home/a/.ssh/authorized_keys"),
            ("/etc/cron*", "/etc/cron.d/x"),
            ("/dev/sd*", "/dev/sda"),
            ("*", ""),
        ] {
            assert!(overlap(pattern, rule), "{pattern} {rule}");
        }
        for (pattern, rule) in [
            ("/etc/passwd", "/etc/passwd.x"),
            ("/etc/sudoers.d/", "/etc/sudoers"),
            ("/etc/shadow", "/etc/hosts"),
            ("/etc/sudoers", "/etc/n*"),
            ("/etc/shadow", "/etc/shado"),
        ] {
            assert!(!overlap(pattern, rule), "{pattern} {rule}");
        }
    }

    #[test]
    fn a_word_fits_a_pattern_as_a_whole() {
        for (pattern, word) in [
            ("*+*s*", "u+s"),
            ("4???", "4755"),
            ("a=*w*", "a=rw"),
            ("*", ""),
        ] {
            assert!(fits(pattern, word), "{pattern} {word}");
        }
        for (pattern, word) in [("*+*s*", "u+x"), ("4???", "640"), ("x", "xx"), ("?", "")] {
            assert!(!fits(pattern, word), "{pattern} {word}");
        }
    }
}
