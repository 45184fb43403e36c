//! The guides in `docs/`: what stands in them is done as it stands there, and comes out as they say.

use anyhow::{Context as _, Result, bail, ensure};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::{play, play_stock};

/// The id that the guides show. In its place stands the newest request.
const SHOWN: &str = "7H2KM4QX";

/// A block that is carried out.
enum Block<'a> {
    /// The text of a file of root's.
    File(&'a str, String),
    /// Lines of shell as somebody, with how they end.
    Shell(&'a str, Ends, String),
}

/// How lines of shell end.
#[derive(Clone, Copy)]
enum Ends {
    /// With 0.
    Well,
    /// Refused.
    Badly,
    /// As the host may have it.
    Either,
}

/// The blocks whose first line names a file, or somebody who types them. Others only show something.
fn blocks(guide: &str) -> Result<Vec<Block<'_>>> {
    let mut blocks = Vec::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = text.join("\n") + "\n";
        match info.split(' ').collect::<Vec<_>>().as_slice() {
            ["toml", path] => blocks.push(Block::File(path, text)),
            ["sh", who] => blocks.push(Block::Shell(who, Ends::Well, text)),
            ["sh", who, "refused"] => blocks.push(Block::Shell(who, Ends::Badly, text)),
            ["sh", who, "any"] => blocks.push(Block::Shell(who, Ends::Either, text)),
            [""] => {}
            _ => bail!("the guide has a block that nobody carries out: {info}"),
        }
    }
    ensure!(
        !blocks.is_empty(),
        "the guide has no block that is carried out"
    );
    Ok(blocks)
}

fn newest(host: &Host) -> Result<String> {
    let listed = host.root("tpactl ls --json").json()?;
    let items = listed.list("items")?;
    let id = items.first().and_then(|item| item.get("id"));
    Ok(id
        .and_then(|id| id.as_str())
        .context("no request yet")?
        .to_owned())
}

fn follow(host: &Host, guide: &str) -> Result<()> {
    for block in blocks(guide)? {
        match block {
            Block::File(path, text) => host.write(path, &text)?,
            Block::Shell(who, ends, mut text) => {
                if text.contains(SHOWN) {
                    text = text.replace(SHOWN, &newest(host)?);
                }
                let line = format!("set -e\n{text}");
                let said = match who {
                    "root" => host.root(&line),
                    person => host.ssh(person, &line),
                };
                match ends {
                    Ends::Well => drop(said.ok()?),
                    Ends::Badly => drop(said.fails()?),
                    Ends::Either => {}
                }
            }
        }
    }
    Ok(())
}

on_both_debians! {
    with play_stock;

    fn getting_started_starts_and_can_be_read_in_the_log(host) {
        follow(host, include_str!("../../docs/getting-started.md"))?;
        host.ssh("alice", "true").ok()?;
        // What was done is there to be read.
        follow(host, include_str!("../../docs/reading-the-log.md"))?;
    }
}

on_both_debians! {
    with play;

    fn recovery_recovers_and_an_upgrade_is_looked_at(host) {
        follow(host, include_str!("../../docs/recovery.md"))?;
        follow(host, include_str!("../../docs/upgrading.md"))?;
        host.root("systemctl is-active tpad").ok()?;
        host.ssh("bob", "true").ok()?;
        host.ssh("alice", "true").fails()?;
    }
}
