//! The fuzz targets on their corpus.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::path::Path;

fn each(target: &str, body: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let files: Vec<_> = fs::read_dir(corpus.join(target)).unwrap().collect();
    assert!(!files.is_empty());
    for file in files {
        let path = file.unwrap().path();
        println!("{}", path.display());
        body(&fs::read(path).unwrap());
    }
}

#[test]
fn a_statement_that_is_read_is_written_as_it_was() {
    each("statement", bodies::statement);
}

#[test]
fn papers_are_read_as_they_were_written_and_prove_nothing_without_a_listed_key() {
    each("paper", bodies::paper);
}

#[test]
fn signers_are_read_whole_or_what_is_wrong_is_said_by_line() {
    each("signers", bodies::signers);
}
