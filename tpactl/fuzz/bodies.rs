//! What each fuzz target does with its bytes. They fail by panicking.
//!
//! `cargo +nightly fuzz run TARGET` (cargo-fuzz) goes on from the corpus; `cargo test -p tpactl` runs
//! every file of the corpus on any toolchain.

#[path = "../src/door/command.rs"]
mod command;
#[path = "../src/door/line.rs"]
mod line;

use tpa_bus::text::is_unsafe;

/// What somebody typed behind `ssh tpa@HOST`: it is read as words of its own characters, in their order,
/// or not at all.
pub fn line(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let words = match line::read(text) {
        Ok(words) => words,
        Err(error) => {
            assert!(!error.why().is_empty());
            return;
        }
    };
    assert!(text.len() <= line::BYTES_MAX);
    let joined = words.concat();
    assert!(!joined.contains(is_unsafe));
    // White space, quotes and the sign between an option and its text are what a word may lose or gain; in
    // a command also what stands before a character that is meant as it is.
    let kept = |text: &str| -> String {
        let lost = |c: &char| !matches!(c, ' ' | '\'' | '"' | '=' | '\\');
        text.chars().filter(lost).collect()
    };
    assert_eq!(kept(&joined), kept(text));
}
