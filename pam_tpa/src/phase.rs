//! One call by PAM: what every phase starts from.

use std::ffi::CStr;

use ::pam::constants::{PamFlag, PamResultCode};
use ::pam::module::PamHandle;
use tpa_bus::offline::{GateFile, Listing};

use crate::args::Args;
use crate::bus::Bus;
use crate::daemon::Daemon;
use crate::ffi::Handle;
use crate::handle::{Level, Pam};
use crate::host::{Host, Machine};

/// What a phase has to work with.
pub struct Phase<'a> {
    /// The PAM handle.
    pub pam: &'a mut dyn Pam,
    /// `tpad`.
    pub daemon: &'a mut dyn Daemon,
    /// The machine.
    pub host: &'a dyn Host,
    /// The words behind the module in the service's file.
    pub args: Args,
}

impl Phase<'_> {
    /// Whom the gate concerns: what `tpad` left for us or, when that cannot be read, what the
    /// module's own arguments say, which without any is everyone but root and system users.
    ///
    /// Nothing is logged where the gate does not stand in either case: some services run as the
    /// person (the user's own systemd), who may not be able to read the file.
    pub fn gate_file(&mut self, service: &str) -> GateFile {
        self.host.gate_file().unwrap_or_else(|problem| {
            let gate = self.args.gate_file();
            if gate.listing(service) != Listing::Ignored {
                let line = format!("{problem}; going by the arguments");
                self.pam.log(Level::Warning, &line);
            }
            gate
        })
    }

    /// Writes down what is wrong with the arguments.
    fn log_args(&mut self) {
        for problem in &self.args.problems {
            self.pam.log(Level::Error, problem);
        }
    }
}

/// Runs one phase for PAM with the real machine and the real `tpad`.
///
/// A panic is caught by the entry point around this and ends as `PAM_ABORT`; here it is made
/// silent, because the standard hook writes to the standard error of sshd or sudo and, with
/// `RUST_BACKTRACE` in the environment, takes its time over it.
pub fn enter(
    pamh: &mut PamHandle,
    args: &[&CStr],
    flags: PamFlag,
    run: fn(&mut Phase<'_>) -> PamResultCode,
) -> PamResultCode {
    std::panic::set_hook(Box::new(|_| ()));
    let args = Args::parse(args.iter().map(|arg| arg.to_string_lossy()));
    let mut phase = Phase {
        pam: &mut Handle::new(pamh, flags),
        daemon: &mut Bus::system(),
        host: &Machine::system(),
        args,
    };
    phase.log_args();
    run(&mut phase)
}
