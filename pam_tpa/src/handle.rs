//! The PAM handle, as far as the gate needs it (pam(3), `pam_get_item(3)`, `pam_conv(3)`).

use tpa_bus::id::Id;

/// How loud a log line is (syslog(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Someone came in past the gate.
    Alert,
    /// Something is set up wrongly.
    Error,
    /// Something is not as it should be.
    Warning,
    /// A decision.
    Notice,
}

/// What the session line leaves for the scope line of the same PAM transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedOn {
    /// The grant.
    pub grant: Id,
    /// Seconds until its end, rounded up, when the session line ran.
    pub limit_s: u64,
}

/// The PAM handle. Items are read afresh each time: a module before ours may have changed them.
/// One that is not set, or is not UTF-8, is `None`.
pub trait Pam {
    /// `PAM_SERVICE`
    fn service(&self) -> Option<String>;
    /// `PAM_USER`. Not asked for when it is not set.
    fn user(&self) -> Option<String>;
    /// `PAM_RUSER`
    fn ruser(&self) -> Option<String>;
    /// `PAM_TTY`
    fn tty(&self) -> Option<String>;
    /// `PAM_RHOST`
    fn rhost(&self) -> Option<String>;
    /// How the person proved to sshd who they are: its `SSH_AUTH_INFO_0` (sshd(8)), a line each. It
    /// stands in the environment of the PAM transaction, which is sshd's and nobody else's.
    fn ssh_methods(&self) -> Option<String>;
    /// Shows a `PAM_ERROR_MSG`. Best effort: whether it can be shown decides nothing.
    fn say_error(&mut self, text: &str);
    /// Shows a `PAM_TEXT_INFO`, unless the application asked for silence. Best effort.
    fn say_info(&mut self, text: &str);
    /// Shows a `PAM_PROMPT_ECHO_ON`; what is typed, or `None` when nobody can be asked any more.
    /// What is not UTF-8 in it is replaced. Shown also where silence was asked for: without what
    /// stands before the colon an answer would be a guess.
    fn prompt(&mut self, text: &str) -> Option<String>;
    /// Writes a line to the system log.
    fn log(&mut self, level: Level, line: &str);
    /// Limits the login's scope through `pam_systemd`: `systemd.runtime_max_sec` (`pam_systemd(8)`).
    ///
    /// # Errors
    /// When PAM has no room for it.
    fn limit_runtime(&mut self, seconds: u64) -> Result<(), NotStored>;
    /// Stores on which grant the session was opened, for the scope line.
    ///
    /// # Errors
    /// When PAM has no room for it.
    fn store_opened(&mut self, opened: OpenedOn) -> Result<(), NotStored>;
    /// What the session line of this transaction stored.
    fn opened(&self) -> Option<OpenedOn>;
    /// Keeps for the session line on which grant the account line put this process into its cgroup.
    ///
    /// # Errors
    /// When PAM has no room for it.
    fn keep_bound(&mut self, grant: Id) -> Result<(), NotStored>;
    /// What the account line of this transaction kept.
    fn bound(&self) -> Option<Id>;
    /// Keeps for the scope line which grants hold this process.
    ///
    /// # Errors
    /// When PAM has no room for it.
    fn keep_holders(&mut self, grants: Vec<Id>) -> Result<(), NotStored>;
    /// What the session line of this transaction kept.
    fn holders(&self) -> Vec<Id>;
}

/// PAM could not keep a module's data (`pam_set_data(3)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotStored;
