//! The fuzz targets on their corpus.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
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
fn a_role_file_loads_or_what_is_wrong_is_said() {
    each("configuration", bodies::configuration);
}

#[test]
fn an_id_or_a_span_reads_back_as_itself() {
    each("names", bodies::names);
}

#[test]
fn sudo_reads_every_rule_that_is_rendered_as_it_was_meant() {
    each("sudoers", bodies::sudoers);
}

#[test]
fn state_and_gate_files_are_written_as_they_were_read() {
    each("files", bodies::files);
}

#[test]
fn an_event_reads_back_as_itself() {
    each("rows", bodies::rows);
}
