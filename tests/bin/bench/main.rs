//! What TPA costs, measured on a throwaway host: each figure beside its reference, in turn. On that
//! host it is also what asks PAM: `bench account FOLDER USER`.

mod account;
mod figures;
mod left;
mod statistics;

use std::time::Duration;

use anyhow::{Result, bail};
use tpa_tests::debian::{Debian, Equipment};
use tpa_tests::host::Host;

use figures::{Effort, Figure, Time};

const FULL: Effort = Effort {
    logins: 100,
    commands: 300,
    people: 100,
    idle: 20,
    files: 2_000_000,
};

/// Sees that everything works; what it prints says little.
const QUICK: Effort = Effort {
    logins: 3,
    commands: 5,
    people: 5,
    idle: 2,
    files: 20_000,
};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let effort = match words.as_slice() {
        [] => FULL,
        ["--quick"] => QUICK,
        ["account", folder, user] => return account::ask(folder, user),
        _ => bail!("usage: bench [--quick]"),
    };
    let host = Host::boot_gated(Debian::Trixie, Equipment::Plain)?;
    let (times, figures) = figures::measure(&host, &effort)?;
    println!("{}\n", figures::machine(&host)?);
    print_times(&times);
    print_figures(&figures);
    Ok(())
}

fn print_times(times: &[Time]) {
    println!("| time in ms | p50 | p99 | last | count |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for Time { what, summary } in times {
        println!(
            "| {what} | {} | {} | {} | {} |",
            millis(summary.p50),
            millis(summary.p99),
            millis(summary.last),
            summary.count
        );
    }
}

fn print_figures(figures: &[Figure]) {
    println!("\n| figure | is |\n| --- | ---: |");
    for Figure { what, is } in figures {
        println!("| {what} | {is} |");
    }
}

fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}
