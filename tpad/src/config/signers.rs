//! Reads who signs as whom: `signers`.

use std::path::Path;

use tpa_statement::signers::Signers;

use super::problem::Problem;

/// Name of the file.
pub(super) const NAME: &str = "signers";

/// No file of signers is longer than this, in bytes: 10,000 people with the longest RSA keys in
/// use.
pub(super) const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// Reads its text, whole or not at all.
pub(super) fn read(path: &Path, text: &str) -> Result<Signers, Vec<Problem>> {
    let file = path.to_string_lossy();
    Signers::parse(text).map_err(|problems| {
        let told = problems.into_iter().map(|problem| {
            let line = problem.line.checked_sub(1);
            let shown = line.and_then(|line| text.lines().nth(line));
            Problem::at_line(&file, problem.line, shown.unwrap_or_default(), problem.why)
                .next("a line is: NAME[,NAME…] [OPTIONS] KEY (ssh-keygen(1), ALLOWED SIGNERS)")
        });
        told.collect()
    })
}
