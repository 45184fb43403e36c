//! Who signs as whom: `signers`. A line that cannot be read is left out and told, and keeps out nobody
//! else; that only root may write the file, and how long it is, holds for it as a whole.

use std::path::Path;

use tpa_statement::signers::Signers;

use super::problem::Problem;

/// Name of the file.
pub(super) const NAME: &str = "signers";

/// No file of signers is longer than this, in bytes: 10,000 people with the longest RSA keys in
/// use.
pub(super) const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// Its lines that cannot be read, and are left out.
pub(super) fn problems(path: &Path, signers: &Signers) -> Vec<Problem> {
    let file = path.to_string_lossy();
    let told = signers.problems().iter().map(|problem| {
        Problem::at_line(&file, problem.line, shown(&problem.text), &problem.why)
            .next("a line is: NAME[,NAME…] [OPTIONS] KEY (ssh-keygen(1), ALLOWED SIGNERS)")
    });
    told.collect()
}

/// What of a line may stand in the journal: nothing where it is one word, since that may be a piece of a
/// private key that somebody pasted here.
fn shown(text: &str) -> &str {
    if text.contains(char::is_whitespace) {
        text
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cannot_be_read_is_shown_but_no_piece_of_a_private_key() {
        let text =
            "alice ssh-ed25519 \u{1b}[2Jnot-a-key\n\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n";
        let signers = Signers::parse(text);
        let told = problems(Path::new("/etc/tpa/signers"), &signers);
        let told: Vec<_> = told
            .iter()
            .map(|one| (one.line, one.text.as_str()))
            .collect();
        let alice = "alice ssh-ed25519 \\u{1b}[2Jnot-a-key";
        assert_eq!(told, [(Some(1), alice), (Some(3), "")]);
        let long = format!("alice {}", "x".repeat(8_000));
        let told = problems(Path::new("signers"), &Signers::parse(&long));
        assert!(told[0].text.chars().count() <= 81, "{}", told[0].text);
    }
}
