//! A statement with its signature, as text that can be pasted, mailed and printed.
//!
//! ```text
//! TPA statement: alice asks for web-ops on web-01 …      lines for people, which prove nothing
//! -----BEGIN TPA STATEMENT-----
//! eyJ2IjoxLCJ2ZXJiIjoi…                                   the bytes that were signed, in base64
//! -----END TPA STATEMENT-----
//! -----BEGIN SSH SIGNATURE-----
//! U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTk…                as ssh-keygen(1) writes it
//! -----END SSH SIGNATURE-----
//! ```
//!
//! What a person reads is said anew from the bytes that were signed: the lines before the blocks
//! are passed over.

use ssh_encoding::pem::{self, LineEnding};

use crate::sshsig;
use crate::statement::{BYTES_MAX, Malformed};

/// What stands in the armour of the statement's bytes.
const LABEL: &str = "TPA STATEMENT";

/// Most papers in one text: a request, its decisions, and room.
pub const PAPERS_MAX: usize = 100;

/// Longest text, in bytes.
pub const TEXT_MAX: usize = 1024 * 1024;

/// A statement's bytes with the signature over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// The bytes that were signed.
    pub statement: Vec<u8>,
    /// The armoured signature.
    pub signature: String,
}

/// Why a text holds no papers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPaper {
    /// There is no block of a statement in it.
    #[error("there is no signed statement in it: no line says -----BEGIN {LABEL}-----")]
    None,
    /// A block is not whole, or not what its label says.
    #[error("the block that begins in line {0} is cut off or damaged")]
    Damaged(usize),
    /// A statement without its signature behind it.
    #[error("no signature stands behind the statement that begins in line {0}")]
    Unsigned(usize),
    /// Longer than anybody's.
    #[error("a text has at most {TEXT_MAX} bytes and {PAPERS_MAX} statements")]
    TooLong,
    /// The statement itself is too long.
    #[error(transparent)]
    Statement(#[from] Malformed),
}

impl Paper {
    /// The text, behind lines for people.
    ///
    /// # Errors
    /// [`Malformed`] for a statement longer than any may be.
    pub fn to_text(&self, headline: &[String]) -> Result<String, Malformed> {
        let too_long = || Malformed::TooLong(self.statement.len());
        if self.statement.len() > BYTES_MAX {
            return Err(too_long());
        }
        let block =
            pem::encode_string(LABEL, LineEnding::LF, &self.statement).map_err(|_| too_long())?;
        let mut text = String::new();
        for line in headline {
            // A line for people never begins a block.
            text.push_str("# ");
            text.push_str(&tpa_bus::text::one_line(line, 400));
            text.push('\n');
        }
        text.push_str(block.trim_end());
        text.push('\n');
        text.push_str(self.signature.trim());
        text.push('\n');
        Ok(text)
    }
}

/// The papers in a text, in their order. What stands between them is passed over, line endings and
/// white space that mail programs add are forgiven.
///
/// # Errors
/// [`NoPaper`]; then none is taken.
pub fn read(text: &str) -> Result<Vec<Paper>, NoPaper> {
    if text.len() > TEXT_MAX {
        return Err(NoPaper::TooLong);
    }
    let mut papers = Vec::new();
    let mut waiting: Option<(usize, Vec<u8>)> = None;
    let mut lines = (1..).zip(text.lines().map(str::trim));
    while let Some((line, text)) = lines.next() {
        let Some(label) = label(text, "BEGIN") else {
            continue;
        };
        let block = rest_of_block(&mut lines, text, label).ok_or(NoPaper::Damaged(line))?;
        match (label, waiting.take()) {
            (LABEL, None) => {
                let bytes = sshsig::dearmour(LABEL, &block).ok_or(NoPaper::Damaged(line))?;
                waiting = Some((line, bytes));
            }
            (LABEL, Some((unsigned, _))) => return Err(NoPaper::Unsigned(unsigned)),
            (sshsig::LABEL, Some((_, statement))) => papers.push(Paper {
                statement,
                signature: block,
            }),
            // A block of something else: not ours to read.
            (_, still) => waiting = still,
        }
        if papers.len() > PAPERS_MAX {
            return Err(NoPaper::TooLong);
        }
    }
    match waiting {
        Some((line, _)) => Err(NoPaper::Unsigned(line)),
        None if papers.is_empty() => Err(NoPaper::None),
        None => Ok(papers),
    }
}

/// The label of a line that begins or ends a block (RFC 7468).
fn label<'a>(line: &'a str, which: &str) -> Option<&'a str> {
    line.strip_prefix("-----")?
        .strip_prefix(which)?
        .strip_prefix(' ')?
        .strip_suffix("-----")
}

/// The whole block that this line began.
fn rest_of_block<'a>(
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
    first: &str,
    begun: &str,
) -> Option<String> {
    let mut block = format!("{first}\n");
    for (_, line) in lines {
        if label(line, "BEGIN").is_some() || block.len() > 2 * (BYTES_MAX + sshsig::BYTES_MAX) {
            return None;
        }
        if line.is_empty() {
            continue;
        }
        block.push_str(line);
        block.push('\n');
        if let Some(ended) = label(line, "END") {
            return (ended == begun).then_some(block);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIGNATURE: &str = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----";

    fn paper(statement: &[u8]) -> Paper {
        Paper {
            statement: statement.to_vec(),
            signature: format!("{SIGNATURE}\n"),
        }
    }

    #[test]
    fn what_was_pasted_by_a_mail_program_is_read() {
        let text = paper(b"{}").to_text(&["alice\nasks".to_owned()]).unwrap();
        assert!(text.starts_with("# alice\\nasks\n-----BEGIN TPA STATEMENT-----\n"));
        let mailed = format!(
            "Hello!\n> quoted\n{}\n-- \nalice",
            text.replace('\n', "  \r\n")
        );
        assert_eq!(read(&mailed).unwrap(), [paper(b"{}")]);
        let both = format!("{text}\n\n{text}");
        assert_eq!(read(&both).unwrap().len(), 2);
    }

    #[test]
    fn half_a_paper_is_none() {
        let text = paper(b"{}").to_text(&[]).unwrap();
        assert_eq!(read("hello"), Err(NoPaper::None));
        assert_eq!(read(SIGNATURE), Err(NoPaper::None));
        let unsigned = text.split("-----BEGIN SSH").next().unwrap();
        assert_eq!(read(unsigned), Err(NoPaper::Unsigned(1)));
        assert_eq!(
            read(&format!("{unsigned}{text}")),
            Err(NoPaper::Unsigned(1))
        );
        let cut: String = text.chars().take(text.len() - 5).collect();
        assert_eq!(read(&cut), Err(NoPaper::Damaged(4)));
        let other = text.replace("END TPA STATEMENT", "END SSH SIGNATURE");
        assert_eq!(read(&other), Err(NoPaper::Damaged(1)));
        let garbage = text.replace("e30", "e3*");
        assert_eq!(read(&garbage), Err(NoPaper::Damaged(1)));
        assert_eq!(read(&" ".repeat(TEXT_MAX + 1)), Err(NoPaper::TooLong));
        assert_eq!(read(&text.repeat(PAPERS_MAX + 1)), Err(NoPaper::TooLong));
    }

    proptest! {
        #[test]
        fn every_paper_is_read_as_it_was_written(statement in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let paper = paper(&statement);
            let text = paper.to_text(&["for people".to_owned()]).unwrap();
            prop_assert_eq!(read(&text), Ok(vec![paper]));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(-----BEGIN [A-Z ]{0,14}-----|[a-z=]{0,8}|\n|-----END TPA STATEMENT-----){0,20}") {
            let _ = read(&text);
        }
    }
}
