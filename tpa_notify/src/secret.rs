//! The target's secrets, where systemd put them for this process alone (systemd.exec(5),
//! `LoadCredential=`). None of them is ever part of a message to tpad or to the journal.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Longest secret, in bytes.
const MOST: u64 = 4_096;

/// What a target may have.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Its whole address.
    pub url: Option<String>,
    /// `PagerDuty`'s routing key, Opsgenie's API key, or what a webhook's body is signed with.
    pub secret: Option<String>,
    /// What a webhook is sent as `Authorization: Bearer`.
    pub token: Option<String>,
}

impl Secrets {
    /// Reads them from `$CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// Which cannot be read; without the folder there are none.
    pub fn of_this_process() -> Result<Self, String> {
        match std::env::var_os("CREDENTIALS_DIRECTORY") {
            Some(folder) => Self::read(Path::new(&folder)),
            None => Ok(Self::default()),
        }
    }

    /// Reads them from a folder.
    ///
    /// # Errors
    /// Which cannot be read.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let one = |name: &str| {
            let file = match File::open(folder.join(name)) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(format!("the {name} cannot be read: {}", error.kind())),
            };
            let mut text = String::new();
            let read = file.take(MOST).read_to_string(&mut text);
            read.map_err(|error| format!("the {name} cannot be read: {}", error.kind()))?;
            let text = text.trim();
            if text.is_empty() {
                return Err(format!("the file with the {name} is empty"));
            }
            if text.chars().any(|c| !c.is_ascii_graphic()) {
                return Err(format!(
                    "the {name} must be one line of ASCII without spaces"
                ));
            }
            Ok(Some(text.to_owned()))
        };
        Ok(Self {
            url: one("url")?,
            secret: one("secret")?,
            token: one("token")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_and_its_text_stands_in_no_complaint() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Secrets::read(folder.path()).unwrap().url.is_none());
        std::fs::write(folder.path().join("url"), "https://h/s3cret\n").unwrap();
        let read = Secrets::read(folder.path()).unwrap();
        assert_eq!(read.url.as_deref(), Some("https://h/s3cret"));
        for text in ["", "\n", "s3cret\r\nX: y", "s3cret key", "s3crét"] {
            std::fs::write(folder.path().join("token"), text).unwrap();
            let complaint = Secrets::read(folder.path()).map(|_| ()).unwrap_err();
            assert!(!complaint.contains("s3cr"), "{complaint}");
        }
    }
}
