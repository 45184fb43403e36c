//! Where things are: bus names, object paths, sockets and files.
//!
//! All are fixed at build time. Nothing here is taken from the environment: in a setuid host the
//! environment belongs to the caller.

/// Well-known name of `tpad` on the system bus.
pub const BUS_NAME: &str = "org.tpa1";

/// The one object that `tpad` serves, on the bus and on the gate's socket.
pub const OBJECT_PATH: &str = "/org/tpa1";

/// Address of the system bus, as D-Bus spells it. Hard-coded: `DBUS_SYSTEM_BUS_ADDRESS` would let
/// the caller of a setuid program choose who answers.
pub const SYSTEM_BUS_ADDRESS: &str = "unix:path=/run/dbus/system_bus_socket";

/// The socket at [`SYSTEM_BUS_ADDRESS`].
pub const SYSTEM_BUS_SOCKET: &str = "/run/dbus/system_bus_socket";

/// Everything `tpad` derives while it runs. Root-only, gone after a reboot by nature.
pub const RUN_DIR: &str = "/run/tpa";

/// The gate's socket: D-Bus without the bus daemon, mode 0600.
pub const GATE_SOCKET: &str = "/run/tpa/gate.sock";

/// The socket of root's commands: D-Bus without the bus daemon, mode 0600. Here `tpad` can prove
/// which process connected, which the bus tells only from dbus 1.16 on. Before D-Bus begins, `tpad`
/// sends [`CHALLENGE_LENGTH`] random bytes, and the client sends them back.
pub const ACCESS_SOCKET: &str = "/run/tpa/access.sock";

/// Where processes say which connection on the system bus is theirs: only where the bus does not
/// tell, before dbus 1.16; mode 0666. After the same challenge as on [`ACCESS_SOCKET`] the client
/// sends the connection's unique name and a line feed, at most [`CLAIM_MAX`] bytes; `tpad` answers
/// with one byte, and believes it until the client hangs up.
pub const CLAIMS_SOCKET: &str = "/run/tpa-claims.sock";

/// Longest name on [`CLAIMS_SOCKET`] with its line feed, in bytes.
pub const CLAIM_MAX: usize = 64;

/// Length of the challenge on [`ACCESS_SOCKET`], in bytes.
pub const CHALLENGE_LENGTH: usize = 16;

/// Sudoers drop-ins, one file a grant, named by the grant's id.
pub const SUDOERS_DIR: &str = "/run/tpa/sudoers.d";

/// One [`crate::offline::StateFile`] for each person with a live grant, named by uid.
pub const STATE_DIR: &str = "/run/tpa/state";

/// What this boot has seen of the database, for whatever is put in its place. A line `alarm AT TEXT`
/// says that it was not the same when `tpad` started, at AT (seconds since 1970).
pub const BOOT_RECORD: &str = "/run/tpa/boot-record";

/// When a grant of a person's last ended, see [`crate::offline::render_end`]: a file each, named by
/// uid.
pub const ENDED_DIR: &str = "/run/tpa/ended";

/// What `tpactl prompt` reads: for each person a file with the end of their access, which they alone
/// may read. Whoever holds no grant cannot even see whether a file is there.
pub const PROMPT_DIR: &str = "/run/tpa-prompt";

/// Folder of the gate file and the database.
pub const GATE_DIR: &str = "/var/lib/tpa";

/// Whom the gate concerns: a [`crate::offline::GateFile`]. It outlives a reboot, so that a host
/// whose `tpad` does not start lets in those whom the gate never concerned.
pub const GATE_FILE: &str = "/var/lib/tpa/gate";

/// What was last known of the groups that the configuration names: a
/// [`crate::groups::KnownGroups`], for when the name service does not tell.
pub const GROUPS_FILE: &str = "/var/lib/tpa/groups";

/// Where sudo keeps its input/output logs (sudoers(5), `iolog_dir`): below it a folder for each grant
/// that is recorded, named by its id.
pub const RECORDINGS_DIR: &str = "/var/log/sudo-io";

/// Configuration of the daemon.
pub const CONFIG_FILE: &str = "/etc/tpa/tpad.toml";

/// Role files, `NAME.toml`.
pub const ROLES_DIR: &str = "/etc/tpa/roles.d";

/// Account of the front door (`ssh tpa@HOST`): everybody's keys lead to it, and it is nobody.
pub const DOOR_ACCOUNT: &str = "tpa";

/// The program that everybody gets there, and nothing else: `tpactl` under another name, which
/// nobody can read or trace.
pub const DOOR: &str = "/usr/libexec/tpa/door";

/// What opens the front door: settings of sshd that the package ships and an administrator puts
/// there.
pub const DOOR_SETTINGS: &str = "/etc/ssh/sshd_config.d/10-tpa-door.conf";

/// The program that sudo starts for a command that was approved as it was typed, and that runs it:
/// `tpactl` under another name, which nobody can read or trace.
pub const RUNNER: &str = "/usr/libexec/tpa/run";
