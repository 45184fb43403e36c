//! What a recording says of the command it is of: `log.json`, `sudoers_plugin(5)`.

use serde::Deserialize;
use tpa_bus::text::one_line;

/// Longest command line that is told, in characters.
const COMMAND_MAX: usize = 1_000;

/// What is told of it. The environment of the command, which stands there too, is not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Header {
    #[serde(default)]
    command: String,
    #[serde(default)]
    runargv: Vec<String>,
    #[serde(default)]
    runuser: String,
    ttyname: Option<String>,
    lines: Option<u32>,
    columns: Option<u32>,
    #[serde(default)]
    timestamp: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
struct Timestamp {
    #[serde(default)]
    seconds: i64,
}

impl Header {
    /// Reads one; what is none says nothing.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The command with its arguments, as one line.
    pub fn command(&self) -> String {
        let arguments = self.runargv.iter().skip(1).map(String::as_str);
        let words: Vec<_> = std::iter::once(self.command.as_str())
            .chain(arguments)
            .collect();
        one_line(&words.join(" "), COMMAND_MAX)
    }

    /// As whom it ran.
    pub fn target(&self) -> String {
        one_line(&self.runuser, 64)
    }

    /// The terminal it was started on.
    pub fn tty(&self) -> Option<String> {
        self.ttyname.as_ref().map(|name| one_line(name, 64))
    }

    /// Rows and columns of that terminal.
    pub fn size(&self) -> (Option<u32>, Option<u32>) {
        (self.lines, self.columns)
    }

    /// When it began, in seconds since 1970.
    pub fn started_at(&self) -> i64 {
        self.timestamp.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sudo_says_is_read_and_what_is_no_header_says_nothing() {
        let header = Header::parse(
            r#"{"timestamp": {"seconds": 1795680394, "nanoseconds": 1}, "command": "/usr/bin/sleep",
                "runuser": "root", "ttyname": "/dev/pts/0", "columns": 80, "lines": 24,
                "runargv": ["sleep", "4711\u001b[2J"], "runenv": ["A=b"]}"#,
        );
        assert_eq!(header.command(), "/usr/bin/sleep 4711\\u{1b}[2J");
        assert_eq!(header.target(), "root");
        assert_eq!(header.size(), (Some(24), Some(80)));
        assert_eq!(header.started_at(), 1_795_680_394);
        for text in ["", "[]", "{\"timestamp\": 3}", "\0"] {
            assert_eq!(Header::parse(text), Header::default(), "{text}");
        }
    }
}
