//! Colour, as ANSI sequences; [`crate::screen`] takes them out where they do not belong.

/// A heading.
pub fn bold(text: &str) -> String {
    format!("\x1b[1m{text}\x1b[0m")
}

/// The colour that a state is shown in. The word itself always stands there too.
pub fn state(state: &str, text: &str) -> String {
    let colour = match state {
        "pending" => "33",
        "active" => "32",
        "approved" | "scheduled" => "36",
        "denied" | "revoked" => "31",
        _ => return text.to_owned(),
    };
    format!("\x1b[{colour}m{text}\x1b[0m")
}

/// What somebody must not overlook.
pub fn warning(text: &str) -> String {
    format!("\x1b[33m{text}\x1b[0m")
}
