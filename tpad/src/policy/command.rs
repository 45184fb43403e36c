//! PURE: commands and files as a role may name them.
//!
//! Written into sudoers(5), each must mean there what it says here. What the role's author cannot
//! have meant, or what a reader of the rule would take for something else, is refused.

use tpa_bus::text;

/// Why a command cannot stand in a role; `None` when it can.
///
/// A command is an absolute path, then arguments with the wildcards of sudoers(5); `""` as the
/// only argument means none, and no arguments mean any.
pub(crate) fn unfit_command(command: &str) -> Option<&'static str> {
    let program = command.split(' ').next().unwrap_or_default();
    match program {
        "" => Some("begins with a space, or is empty"),
        "ALL" => Some("\"ALL\" would be every command there is"),
        // Under whatever path, sudo takes it for its own word.
        _ if program.rsplit('/').next() == Some("sudoedit") => {
            Some("files to edit belong under edit, not run")
        }
        "list" | "cd" => Some("a word of sudo, not a command"),
        _ if command.starts_with('!') => Some("a forbidden command can be run under another name"),
        _ => unfit_characters(command)
            .or_else(|| unfit_path(program))
            .or_else(|| unfit_arguments(command)),
    }
}

fn unfit_arguments(command: &str) -> Option<&'static str> {
    let (_, arguments) = command.trim_end_matches(' ').split_once(' ')?;
    let arguments = arguments.trim_start_matches(' ');
    let expression = arguments.strip_prefix('^')?;
    let ends = |inner: &str| !inner.contains('$');
    (!expression.strip_suffix('$').is_some_and(ends)).then_some(
        "arguments that begin with \"^\" are a regular expression, with one \"$\", at its end",
    )
}

/// Why a file to edit cannot stand in a role; `None` when it can. A wildcard may stand for (part
/// of) the last name only: in a folder's place it could lead anywhere.
pub(crate) fn unfit_file(file: &str) -> Option<&'static str> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    if file.contains(' ') {
        return Some("a file's path has no spaces here");
    }
    if folder.contains(WILDCARDS) {
        return Some("a wildcard may stand in the last part of the path only");
    }
    // The rest of the path is checked as if the wildcards were letters.
    unfit_characters(file).or_else(|| unfit_path(&file.replace(WILDCARDS, "x")))
}

/// Why a path is not that of one program or file; `None` when it is.
pub(crate) fn unfit_path(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        return Some("must begin with an absolute path");
    }
    if path.ends_with('/') {
        return Some("a folder would stand for everything in it");
    }
    if path.contains(WILDCARDS) {
        return Some("a wildcard in the program's path could stand for any program");
    }
    let parts = path.split('/').skip(1);
    for part in parts {
        match part {
            ".." => return Some("\"..\" leads out of the folder it stands in"),
            "." | "" => return Some("a path has one spelling: no \"//\" and no \"/./\""),
            _ => {}
        }
    }
    None
}

/// Why this cannot be the path of a program, or of a folder of them; `None` when it can.
pub(crate) fn unfit_program(path: &str) -> Option<&'static str> {
    let spaces = path.contains(' ').then_some("a path has no spaces here");
    spaces
        .or_else(|| unfit_characters(path))
        .or_else(|| unfit_path(path))
}

const WILDCARDS: &[char] = &['*', '?', '[', ']'];

fn unfit_characters(text: &str) -> Option<&'static str> {
    if text.contains(text::is_unsafe) {
        return Some("control or invisible characters");
    }
    if text.contains(|c: char| c.is_whitespace() && c != ' ') {
        return Some("white space other than a plain space");
    }
    if text.contains('#') {
        return Some("\"#\" begins a comment in sudo's rules");
    }
    if text.contains('\\') {
        return Some("no backslash: special characters are escaped for you");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_as_people_mean_them_are_taken() {
        for command in [
            "/usr/bin/systemctl restart nginx",
            "/usr/bin/journalctl -u nginx *",
            "/usr/bin/id \"\"",
            "/usr/bin/psql -d shop -c select\\x",
            "/bin/x a:b=c,d",
            "/bin/x ^[a-z]+$",
        ] {
            let fit = unfit_command(command).is_none();
            assert_eq!(fit, !command.contains('\\'), "{command}");
        }
    }

    #[test]
    fn commands_that_sudo_would_take_for_something_else_are_refused() {
        for command in [
            "",
            " /bin/ls",
            "ls",
            "bin/ls",
            "../bin/ls",
            "/usr/../bin/ls",
            "/usr/bin/",
            "/usr/bin/*",
            "/usr//bin/ls",
            "/usr/./bin/ls",
            "ALL",
            "ALL, /bin/ls",
            "!/bin/sh",
            "sudoedit /etc/x",
            "/usr/bin/sudoedit",
            "/usr/bin/sudoedit /etc/x",
            "/bin/grep ^x",
            "/bin/grep  ^ ",
            "/bin/grep ^x$$",
            "NOPASSWD: /bin/sh",
            "#include /x",
            "#1001",
            "/bin/ls #x",
            "/bin/ls\n/bin/sh",
            "/bin/ls\tx",
            "/bin/ls \u{202e}x",
            "^/bin/.*$",
            "/bin/l?",
            "/bin/ls \\",
            "-u",
            "%wheel",
            "list",
        ] {
            assert!(unfit_command(command).is_some(), "{command:?}");
        }
    }

    #[test]
    fn files_may_have_a_wildcard_in_their_last_part_only() {
        for file in [
            "/etc/nginx/nginx.conf",
            "/etc/nginx/conf.d/*.conf",
            "/srv/x/*",
        ] {
            assert_eq!(unfit_file(file), None, "{file}");
        }
        for file in [
            "",
            "nginx.conf",
            "/etc/*/nginx.conf",
            "/etc/nginx/",
            "/etc/../shadow",
            "/etc//x",
            "/etc/a b",
            "/etc/x\n",
            "!/etc/x",
            "/etc/x, /etc/y",
            "ALL",
            "/",
            "*",
        ] {
            assert!(unfit_file(file).is_some(), "{file:?}");
        }
    }
}
