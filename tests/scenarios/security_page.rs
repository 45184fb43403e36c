//! SECURITY.md names the tests that show what it says; they are there.

use std::fs;

use anyhow::{Context, Result, ensure};
use tpa_tests::store::workspace;

#[test]
fn every_test_that_the_security_page_names_exists() -> Result<()> {
    let page = fs::read_to_string(workspace().join("SECURITY.md"))?;
    let named: Vec<_> = page
        .split('`')
        .filter_map(|word| word.split_once(".rs::"))
        .collect();
    ensure!(named.len() > 50, "{} tests are named", named.len());
    for (file, test) in named {
        let path = workspace().join(format!("{file}.rs"));
        let text = fs::read_to_string(&path)
            .with_context(|| format!("SECURITY.md names {}", path.display()))?;
        ensure!(
            text.contains(&format!("fn {test}(")),
            "SECURITY.md names {file}.rs::{test}, which is not there"
        );
    }
    Ok(())
}

#[test]
fn every_line_of_its_tables_names_a_test() -> Result<()> {
    let page = fs::read_to_string(workspace().join("SECURITY.md"))?;
    let lines = page.lines().filter(|line| line.starts_with("| "));
    for line in lines.filter(|line| !line.starts_with("| ---") && !line.contains("| shown by |")) {
        ensure!(line.contains(".rs::"), "no test is named: {line}");
    }
    Ok(())
}
