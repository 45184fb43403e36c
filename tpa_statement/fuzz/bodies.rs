//! What each fuzz target does with its bytes. They fail by panicking.
//!
//! `cargo +nightly fuzz run TARGET` (cargo-fuzz) goes on from the corpus; `cargo test -p
//! tpa_statement` runs every file of the corpus on any toolchain.

use tpa_statement::accept::accept;
use tpa_statement::paper;
use tpa_statement::signers::Signers;
use tpa_statement::sshsig::Envelope;
use tpa_statement::statement::{BYTES_MAX, Statement};

/// A statement that is read is one that reads the same when it is written again.
pub fn statement(data: &[u8]) {
    let Ok(statement) = Statement::parse(data) else {
        return;
    };
    assert!(data.len() <= BYTES_MAX);
    if let Ok(bytes) = statement.to_bytes() {
        assert_eq!(Statement::parse(&bytes), Ok(statement));
    }
}

/// Papers that are read are written and read as the same; nothing of them is taken without a key.
pub fn paper(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(papers) = paper::read(&text) else {
        return;
    };
    assert!(!papers.is_empty());
    for paper in papers {
        if let Ok(envelope) = Envelope::parse(&paper.signature) {
            let _ = envelope.verify(&paper.statement);
        }
        let taken = accept(&paper, &Signers::default(), &["web-01"], 1_764_090_000);
        assert!(taken.is_err(), "nobody signs on this host");
        if let Ok(text) = paper.to_text(&["a line\n-----BEGIN TPA STATEMENT-----".to_owned()]) {
            assert_eq!(paper::read(&text), Ok(vec![paper]));
        }
    }
}

/// Each line of a file of signers is read, or what is wrong is said of it.
pub fn signers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines = text.lines().count();
    let signers = Signers::parse(&text);
    for signer in signers.iter() {
        assert!((1..=lines).contains(&signer.line));
        assert!(signers.with_key(&signer.key).any(|known| known == signer));
        assert!(!signer.principals.iter().any(|name| name.contains('*')));
    }
    for problem in signers.problems() {
        assert!((1..=lines).contains(&problem.line));
        assert!(signers.iter().all(|signer| signer.line != problem.line));
    }
}
