//! What a `sed` script can do. One that substitutes, deletes or prints does nothing else; with a
//! file or program named in it, or a script that is read from a file, it can do anything.

/// Whether the arguments of sed(1) come to nothing more than editing what they name.
pub(super) fn is_plain(words: &[String]) -> bool {
    let mut scripts = Vec::new();
    let mut named = false;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-e" | "--expression" => {
                named = true;
                scripts.extend(rest.next());
            }
            "-n" | "-E" | "-r" | "-i" | "-s" | "-u" | "-z" | "--quiet" | "--silent"
            | "--in-place" | "--regexp-extended" | "--null-data" | "--separate" | "--sandbox" => {}
            // What it puts behind the name may hold a folder.
            option
                if (option.starts_with("-i") || option.starts_with("--in-place="))
                    && !option.contains('/') => {}
            option if option.starts_with('-') => return false,
            _ if !named => {
                named = true;
                scripts.push(word);
            }
            _ => {}
        }
    }
    !scripts.is_empty()
        && scripts
            .iter()
            .all(|script| script.split(';').all(plain_command))
}

/// `s/a/b/g`, `3d`, `/x/p`, `$q`.
fn plain_command(command: &str) -> bool {
    let command = command.trim();
    let command = match command.strip_prefix('/') {
        Some(rest) => match rest.split_once('/') {
            Some((_, after)) => after.trim_start(),
            None => return false,
        },
        None => command.trim_start_matches(|c: char| c.is_ascii_digit() || "$,!".contains(c)),
    };
    if matches!(command, "d" | "p" | "q" | "=" | "D" | "P" | "l") {
        return true;
    }
    let mut rest = command.chars();
    let (Some('s' | 'y'), Some(mark)) = (rest.next(), rest.next()) else {
        return false;
    };
    let parts: Vec<&str> = rest.as_str().split(mark).collect();
    let [_, _, flags] = parts.as_slice() else {
        return false;
    };
    flags
        .chars()
        .all(|c| c.is_ascii_digit() || "gpiIm".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> bool {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        is_plain(&words)
    }

    #[test]
    fn substitutions_are_plain_and_what_runs_reads_or_writes_is_not() {
        for text in [
            "-i s/a/b/ /etc/x",
            "s|a|b|g /etc/x",
            "-n 3p /etc/x",
            "-e /x/d -e s/a/b/2 /f",
        ] {
            assert!(plain(text), "{text}");
        }
        for text in [
            "-i s/a/b/e /etc/x",
            "s/a/b/w/etc/cron.d/x /etc/x",
            "1e/bin/sh /etc/x",
            "-f /tmp/x /etc/x",
            "r/etc/shadow /etc/x",
            "w/etc/passwd /etc/x",
            "-i/etc/x/* s/a/b/ /f",
            "-n",
            "s/a/b/;1e /x",
        ] {
            assert!(!plain(text), "{text}");
        }
    }
}
