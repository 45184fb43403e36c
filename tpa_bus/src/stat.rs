//! When a process started, as proc(5) tells it in its file `stat`.

/// A tick of the clock that this is counted in, in milliseconds: `USER_HZ` is 100 wherever Debian runs.
pub const TICK_MS: u64 = 10;

/// The ticks from boot to the start of the process: the 22nd field. `None` when it is no such text.
#[must_use]
pub fn start_ticks(stat: &str) -> Option<u64> {
    // The second field is the program's name, in which there may be anything, brackets too.
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::start_ticks;

    #[test]
    fn the_start_stands_behind_a_name_that_may_look_like_fields() {
        let rest: Vec<_> = (4..=52).map(|field| field.to_string()).collect();
        let stat = format!("7 (a) S 1 (b) S {}\n", rest.join(" "));
        assert_eq!(start_ticks(&stat), Some(22));
        assert_eq!(start_ticks("7 (a) S 1\n"), None);
    }
}
