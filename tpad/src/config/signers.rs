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
        Problem::at_line(&file, problem.line, "", &problem.why)
            .next("a line is: NAME[,NAME…] [OPTIONS] KEY (ssh-keygen(1), ALLOWED SIGNERS)")
    });
    told.collect()
}
