//! What the fuzz target does with its bytes. It fails by panicking.
//!
//! `cargo +nightly fuzz run arguments` (cargo-fuzz) goes on from the corpus; `cargo test -p pam_tpa`
//! runs every file of the corpus on any toolchain.

use pam_tpa::args::Args;
use tpa_bus::offline::GateFile;
use tpa_bus::text::is_unsafe;

/// One argument of the module a line. What is not understood counts as not written and is named,
/// and nobody is let off but by an argument that says so.
pub fn arguments(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let words: Vec<&str> = text.split('\n').collect();
    let understood = |word: &&&str| Args::parse([word].into_iter()).problems.is_empty();
    let good: Vec<&str> = words.iter().filter(understood).copied().collect();

    let mut args = Args::parse(words.iter());
    assert_eq!(args.problems.len(), words.len() - good.len());
    assert!(args.problems.iter().all(|line| !line.contains(is_unsafe)));
    args.problems.clear();
    assert_eq!(args, Args::parse(good.iter()));
    assert!((1..=3_600).contains(&args.wait.as_secs()));

    let gate = args.gate_file();
    let says = |key: &str| good.iter().any(|word| word.starts_with(key));
    let strict = GateFile::default();
    assert!(says("login=") || gate.login == strict.login);
    assert!(says("login=") || says("sudo=") || gate.sudo == strict.sudo);
    assert!(says("exempt=") || gate.exempt.is_empty());
    assert_eq!(GateFile::parse(&gate.render()), Ok(gate));
}
