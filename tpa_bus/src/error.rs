//! Refusals as they cross the bus.

/// A refusal by `tpad`. Its text is for people: the first line says what was refused and why, a
/// second line, when there is one, says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What was asked for makes no sense: an unknown role, a time over the maximum.
    #[error("{0}")]
    Invalid(String),
    /// The caller may not do this.
    #[error("{0}")]
    NotPermitted(String),
    /// No such id that the caller may see, or the beginning of more than one.
    #[error("{0}")]
    UnknownId(String),
    /// Already decided, already ended: nothing changes.
    #[error("{0}")]
    NoChange(String),
    /// A limit is reached, or something failed inside `tpad`.
    #[error("{0}")]
    Failed(String),
}

/// What stands before each name of a D-Bus error.
const PREFIX: &str = "org.tpa1.Error.";

impl Refusal {
    /// The D-Bus error name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "org.tpa1.Error.Invalid",
            Self::NotPermitted(_) => "org.tpa1.Error.NotPermitted",
            Self::UnknownId(_) => "org.tpa1.Error.UnknownId",
            Self::NoChange(_) => "org.tpa1.Error.NoChange",
            Self::Failed(_) => "org.tpa1.Error.Failed",
        }
    }

    /// The refusal that an error reply carries; `None` when the error is not one of `tpad`'s.
    #[must_use]
    pub fn from_error(error: &zbus::Error) -> Option<Self> {
        let zbus::Error::MethodError(name, text, _) = error else {
            return None;
        };
        let text = text.clone().unwrap_or_default();
        Some(match name.as_str().strip_prefix(PREFIX)? {
            "Invalid" => Self::Invalid(text),
            "NotPermitted" => Self::NotPermitted(text),
            "UnknownId" => Self::UnknownId(text),
            "NoChange" => Self::NoChange(text),
            _ => Self::Failed(text),
        })
    }

    fn text(&self) -> &str {
        let (Self::Invalid(text)
        | Self::NotPermitted(text)
        | Self::UnknownId(text)
        | Self::NoChange(text)
        | Self::Failed(text)) = self;
        text
    }
}

impl zbus::DBusError for Refusal {
    fn create_reply(&self, call: &zbus::message::Header<'_>) -> zbus::Result<zbus::Message> {
        zbus::Message::error(call, self.name()).build(&(self.text(),))
    }

    fn name(&self) -> zbus::names::ErrorName<'_> {
        zbus::names::ErrorName::from_static_str_unchecked(Refusal::name(self))
    }

    fn description(&self) -> Option<&str> {
        Some(self.text())
    }
}
