//! How long `tpactl prompt` takes from start to end, as a shell sees it: `cargo bench -p tpactl`.
//! It is to stay under 5 ms: people feel a prompt that is slower.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 500;

fn main() -> std::io::Result<()> {
    let mut times = (0..RUNS).map(|_| once()).collect::<Result<Vec<_>, _>>()?;
    times.sort_unstable();
    let at = |part: usize| times.get(RUNS * part / 100).copied().unwrap_or_default();
    println!(
        "tpactl prompt, {RUNS} runs: median {:.2?}, 95 of 100 within {:.2?}",
        at(50),
        at(95)
    );
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "this measures")]
fn once() -> std::io::Result<Duration> {
    let began = Instant::now();
    Command::new(env!("CARGO_BIN_EXE_tpactl"))
        .arg("prompt")
        .stdout(Stdio::null())
        .status()?;
    Ok(began.elapsed())
}
