//! The fuzz target on its corpus.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::path::Path;

#[test]
fn an_argument_is_understood_or_named_and_lets_nobody_off_by_mistake() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/arguments");
    let files: Vec<_> = fs::read_dir(corpus).unwrap().collect();
    assert!(!files.is_empty());
    for file in files {
        let path = file.unwrap().path();
        println!("{}", path.display());
        bodies::arguments(&fs::read(path).unwrap());
    }
}
