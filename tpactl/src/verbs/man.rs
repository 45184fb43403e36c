//! `tpactl __man`: writes the manual page, made from the command line's own definition.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::Cli;
use crate::fail::{Exit, Fail};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder to write tpactl.1 into
    dir: PathBuf,
}

/// Writes it.
pub fn run(args: &Args) -> Result<Exit, Fail> {
    let path = args.dir.join("tpactl.1");
    page()
        .and_then(|page| std::fs::write(&path, page))
        .map_err(|error| {
            Fail::new(
                Exit::Failure,
                format!("cannot write {}: {error}", path.display()),
                "name a folder that is there and can be written",
            )
        })?;
    Ok(Exit::Done)
}

/// The page: the program, then each verb in a section of its own.
fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone())
        .manual("TPA")
        .source("TPA")
        .date("");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        page.write_all(&section(verb)?)?;
    }
    man.render_extra_section(&mut page)?;
    write!(
        page,
        ".SH SEE ALSO\n.BR tpad (8),\n.BR tpa\\-door (8),\n.BR pam_tpa (8),\n.BR tpad.conf (5),\n.BR tpa\\-roles (5),\n.BR tpa\\-notify.toml (5),\n.BR tpa\\-events (7)\n"
    )?;
    Ok(page)
}

/// A verb as one section, its own sections one level down.
fn section(verb: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(verb.clone());
    let mut body = Vec::new();
    man.render_synopsis_section(&mut body)?;
    man.render_options_section(&mut body)?;
    man.render_extra_section(&mut body)?;
    let about = verb
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let body = String::from_utf8_lossy(&body).replace(".SH ", ".SS ");
    Ok(format!(".SH tpactl {}\n{about}.\n{body}", verb.get_name()).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_verb_and_every_option() {
        let page = String::from_utf8(page().unwrap())
            .unwrap()
            .replace('\\', "");
        for verb in Cli::command()
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set())
        {
            let name = verb.get_name();
            assert!(page.contains(&format!(".SH tpactl {name}\n")), "{name}");
            for option in verb.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(page.contains(&format!("--{option}")), "{name} --{option}");
            }
        }
        let known: Vec<String> = Cli::command()
            .get_subcommands()
            .flat_map(|verb| verb.get_arguments().filter_map(clap::Arg::get_long))
            .chain(["help", "version"])
            .map(str::to_owned)
            .collect();
        for word in page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
            if let Some(option) = word.strip_prefix("--").filter(|option| !option.is_empty()) {
                assert!(
                    known.iter().any(|one| one == option),
                    "--{option} is no option"
                );
            }
        }
        assert!(page.contains("9 verification failed"));
    }
}
