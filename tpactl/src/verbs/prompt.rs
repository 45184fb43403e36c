//! `tpactl prompt`: what access is left, for a shell prompt. It runs before each prompt, so it
//! reads one small file and asks nobody.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::Uid;
use serde::Serialize;
use tpa_bus::id::Id;
use tpa_bus::names::PROMPT_DIR;

use crate::clock::Clock;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::WholeFormat;
use crate::json;
use crate::say::time::{rfc3339, short};

const EXAMPLES: &str = "\
Examples:
  tpactl prompt
  bash:  . /usr/share/doc/tpa/examples/prompt/tpa-prompt.bash
  zsh:   . /usr/share/doc/tpa/examples/prompt/tpa-prompt.zsh
  fish:  source /usr/share/doc/tpa/examples/prompt/tpa-prompt.fish";

/// Longest file that is taken for one of `tpad`'s.
const FILE_MAX: u64 = 256;

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    format: WholeFormat,
}

/// The access that ends last.
#[derive(Debug, PartialEq, Eq)]
struct Access {
    id: Id,
    not_after: i64,
    remaining_s: u64,
}

/// `Prompt`
#[derive(Serialize)]
struct Prompt {
    id: Option<Id>,
    not_after: Option<String>,
    remaining_s: Option<u64>,
}

/// Prints `tpa:1h59m`, or nothing where there is no access.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Fail> {
    let access = current(&context.clock);
    if args.format.is_json() {
        let prompt = Prompt {
            id: access.as_ref().map(|access| access.id),
            not_after: access.as_ref().map(|access| rfc3339(access.not_after)),
            remaining_s: access.as_ref().map(|access| access.remaining_s),
        };
        context.screen.data(&json::kind("Prompt", prompt))?;
    } else if let Some(access) = access {
        context.screen.data(&text(&access))?;
    }
    Ok(Exit::Done)
}

/// The same without a command line to read: `tpactl prompt` and nothing else.
pub fn quick() -> Option<String> {
    current(&Clock::read()).map(|access| text(&access))
}

fn current(clock: &Clock) -> Option<Access> {
    let path = Path::new(PROMPT_DIR).join(Uid::current().to_string());
    let contents = read(&path, 0)?;
    parse(&contents, clock.now)
}

fn text(access: &Access) -> String {
    format!("tpa:{}", short(access.remaining_s))
}

/// The file's text, where it is a plain file that `owner` alone can write.
fn read(path: &Path, owner: u32) -> Option<String> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = File::from(open(path, flags, Mode::empty()).ok()?);
    let facts = file.metadata().ok()?;
    if !facts.is_file() || facts.uid() != owner || facts.mode() & 0o022 != 0 {
        return None;
    }
    let mut contents = String::new();
    file.take(FILE_MAX).read_to_string(&mut contents).ok()?;
    Some(contents)
}

/// Reads `<not_after> <id>`.
fn parse(contents: &str, now: i64) -> Option<Access> {
    let (not_after, id) = contents.trim_end().split_once(' ')?;
    let not_after: i64 = not_after.parse().ok()?;
    let remaining = not_after.checked_sub(now)?;
    Some(Access {
        id: Id::parse(id).ok()?,
        not_after,
        remaining_s: u64::try_from(remaining)
            .ok()
            .filter(|seconds| *seconds > 0)?,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_is_left_is_shown_and_nothing_when_it_is_over() {
        let left = |now| parse("1000 7H2KM4QX\n", now).map(|access| text(&access));
        assert_eq!(left(0).as_deref(), Some("tpa:16m40s"));
        assert_eq!(left(999).as_deref(), Some("tpa:1s"));
        assert_eq!(left(1_000), None);
        assert_eq!(left(5_000), None);
    }

    #[test]
    fn what_is_not_such_a_file_shows_nothing() {
        for contents in [
            "",
            "1000",
            "x 7H2KM4QX",
            "1000 \x1b[2J",
            "9223372036854775807 ",
        ] {
            assert_eq!(parse(contents, -1), None, "{contents:?}");
        }
    }

    #[test]
    fn a_file_that_others_can_write_or_a_link_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("1001"), folder.path().join("1002"));
        fs::write(&path, "1000 7H2KM4QX\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let me = Uid::effective().as_raw();
        assert!(read(&path, me).is_some());
        assert_eq!(read(&path, me + 1), None, "somebody else's");
        symlink(&path, &link).unwrap();
        assert_eq!(read(&link, me), None, "a link");
        fs::set_permissions(&path, Permissions::from_mode(0o646)).unwrap();
        assert_eq!(read(&path, me), None, "writable by others");
    }
}
