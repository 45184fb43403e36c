//! A booted host, and what people do on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::container::Container;
use crate::debian::{Debian, Equipment};
use crate::disk;
use crate::installed;
use crate::layer::Layer;
use crate::machine::Machine;
use crate::output::Output;
use crate::people;
use crate::running::Running;
use crate::terminal::Terminal;
use crate::tool;
use crate::vm::Vm;

/// Where rsyslog writes what tpad says.
const AUTH_LOG: &str = "/var/log/auth.log";

/// A booted host. Gone when dropped.
pub struct Host {
    debian: Debian,
    machine: Box<dyn Machine>,
}

impl Host {
    /// Boots a host with the package installed as it comes: nobody is gated.
    pub fn boot(debian: Debian) -> Result<Self> {
        Self::boot_with(debian, Equipment::Plain)
    }

    /// Boots such a host with more on it.
    pub fn boot_with(debian: Debian, equipment: Equipment) -> Result<Self> {
        let layer = Layer::over(&installed::trees(debian, equipment)?)?;
        let machine = Container::boot(layer).with_context(|| format!("booting {debian}"))?;
        Ok(Self {
            debian,
            machine: Box::new(machine),
        })
    }

    /// Cuts the host's power at once, and gives it back: it boots again from the same disk.
    pub fn cut_power(&self) -> Result<()> {
        self.machine.cut_power()
    }

    /// Shuts the host down in good order, and boots it again.
    pub fn reboot(&self) -> Result<()> {
        self.machine.reboot()
    }

    /// Suspends the host for so many seconds. Only an emulated machine can be.
    pub fn suspend(&self, seconds: u64) -> Result<()> {
        self.machine.suspend(seconds)
    }

    /// Boots a host that gates the engineers, as an administrator would set it up.
    pub fn boot_gated(debian: Debian, equipment: Equipment) -> Result<Self> {
        let host = Self::boot_with(debian, equipment)?;
        host.gate()?;
        Ok(host)
    }

    /// Boots such a host on an emulated machine, with a kernel and clocks of its own.
    pub fn emulate_gated(debian: Debian) -> Result<Self> {
        let machine =
            Vm::boot(disk::image(debian)?).with_context(|| format!("booting {debian}"))?;
        let host = Self {
            debian,
            machine: Box::new(machine),
        };
        host.gate()?;
        Ok(host)
    }

    fn gate(&self) -> Result<()> {
        self.write("/etc/tpa/tpad.toml", people::TPAD_TOML)?;
        self.write("/etc/tpa/roles.d/web-ops.toml", people::WEB_OPS)?;
        self.write("/etc/tpa/roles.d/db-admin.toml", people::DB_ADMIN)?;
        self.root("tpactl check").ok()?;
        self.root("systemctl reload tpad").ok()?;
        self.root("pam-auth-update --enable tpa").ok()?;
        Ok(())
    }

    /// Which release it is.
    #[must_use]
    pub fn debian(&self) -> Debian {
        self.debian
    }

    /// Runs a line of shell as root, on no login.
    pub fn root(&self, line: &str) -> Output {
        self.run(&["/bin/sh", "-c", line], format!("# {line}"))
    }

    /// So many processes have a command line like this. Nothing tells when a process that was put
    /// into the background has become the program, so it is looked for until it has, for a minute.
    pub fn runs(&self, pattern: &str, count: usize) -> Result<()> {
        self.eventually(&format!("[ \"$(pgrep -cf '{pattern}')\" = {count} ]"))
    }

    /// A line of shell succeeds within a minute: how soon is up to what else this machine does. For
    /// what nothing tells of.
    pub fn eventually(&self, line: &str) -> Result<()> {
        let look = format!("until {line}; do sleep 0.1; done");
        let found = self.run(
            &["/usr/bin/timeout", "60", "/bin/sh", "-c", &look],
            format!("# {look}"),
        );
        found.ok().map(|_| ())
    }

    /// None of these files is there, of which names and patterns stand as for a shell.
    pub fn none_of(&self, files: &str) -> Result<()> {
        let found = self.root(&format!("ls -d {files} 2>/dev/null"));
        ensure!(found.out.is_empty(), "{found}");
        Ok(())
    }

    /// Runs a line of shell as a person who got in some other way: no PAM, no login.
    pub fn console(&self, user: &str, line: &str) -> Output {
        let id = format!("--reuid={user}");
        let group = format!("--regid={user}");
        let home = format!("HOME=/home/{user}");
        let argv = [
            "/usr/bin/setpriv",
            &id,
            &group,
            "--init-groups",
            "/usr/bin/env",
            &home,
            "/bin/sh",
            "-c",
            line,
        ];
        self.run(&argv, format!("{user}$ {line}"))
    }

    /// Logs in over ssh with the person's key and runs a line of shell.
    pub fn ssh(&self, user: &str, line: &str) -> Output {
        let destination = format!("{user}@127.0.0.1");
        let argv = ["/usr/bin/ssh", "-T", &destination, line];
        self.run(&argv, format!("ssh {destination} {line}"))
    }

    /// Logs in to an interactive shell over ssh, and stays there.
    pub fn log_in(&self, user: &str) -> Result<Running> {
        let destination = format!("{user}@127.0.0.1");
        let argv = ["/usr/bin/ssh", "-tt", &destination];
        Running::start_open(format!("ssh {destination}"), &mut self.command(&argv))
    }

    /// Runs a line of shell over ssh in the background.
    pub fn start_ssh(&self, user: &str, arguments: &[&str]) -> Result<Running> {
        let destination = format!("{user}@127.0.0.1");
        let mut argv = vec!["/usr/bin/ssh"];
        argv.extend(arguments.first());
        argv.push(&destination);
        argv.extend(arguments.iter().skip(1));
        Running::start(argv.join(" "), &mut self.command(&argv))
    }

    /// Starts a line of shell as root.
    pub fn start(&self, line: &str) -> Result<Running> {
        let argv = ["/bin/sh", "-c", line];
        Running::start(format!("# {line}"), &mut self.command(&argv))
    }

    /// Starts a line of shell of root's on a terminal of its own.
    pub fn terminal(&self, line: &str) -> Result<Terminal> {
        let argv = ["/usr/bin/script", "-qfec", line, "/dev/null"];
        Terminal::start(format!("# {line}"), &mut self.command(&argv))
    }

    /// Waits for a line with this text in `/var/log/auth.log`, which may stand there already.
    pub fn logged(&self, text: &str) -> Result<String> {
        self.logged_with(&[text])
    }

    /// Waits for the line of an event of a grant in `/var/log/auth.log`.
    pub fn logged_event(&self, event: &str, grant: &str) -> Result<String> {
        self.logged_event_behind(0, event, grant)
    }

    /// Waits for the line of an event of a grant behind so many bytes of `/var/log/auth.log`.
    pub fn logged_event_behind(&self, bytes: u64, event: &str, grant: &str) -> Result<String> {
        self.logged_behind(bytes, &[&format!(" {event} "), &format!(" grant={grant} ")])
    }

    /// No line of `/var/log/auth.log` tells of such an event.
    pub fn no_event_logged(&self, event: &str) -> Result<()> {
        self.root(&format!("grep ' {event} ' {AUTH_LOG}"))
            .code_is(1)?;
        Ok(())
    }

    /// Waits for a line with all of these texts in `/var/log/auth.log`.
    pub fn logged_with(&self, texts: &[&str]) -> Result<String> {
        self.logged_behind(0, texts)
    }

    /// How long `/var/log/auth.log` is by now, in bytes.
    pub fn log_length(&self) -> Result<u64> {
        let said = self.root(&format!("stat -c %s {AUTH_LOG}"));
        Ok(said.ok()?.trim().parse()?)
    }

    /// Waits for a line with all of these texts behind so many bytes of `/var/log/auth.log`.
    pub fn logged_behind(&self, bytes: u64, texts: &[&str]) -> Result<String> {
        let from = format!("--bytes=+{}", bytes.saturating_add(1));
        let argv = ["/usr/bin/tail", &from, "--follow=name", "--retry", AUTH_LOG];
        Running::start(argv.join(" "), &mut self.command(&argv))?.line_with_all(texts)
    }

    /// Writes a file of root's that all may read.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        self.machine
            .put(text.as_bytes(), 0o644, path)
            .with_context(|| format!("writing {path}"))
    }

    /// Copies a file of this machine into the host.
    pub fn copy_in(&self, file: &Path, path: &str) -> Result<()> {
        let mode = fs::metadata(file)?.permissions().mode() & 0o7777;
        self.machine
            .put(&fs::read(file)?, mode, path)
            .with_context(|| format!("copying to {path}"))
    }

    /// Copies a file of the host to this machine.
    pub fn copy_out(&self, path: &str, file: &Path) -> Result<()> {
        let mut command = self.command(&["/usr/bin/cat", path]);
        let read = tool::run(&mut command, format!("reading {path}"))?;
        fs::write(file, read).with_context(|| format!("writing {}", file.display()))
    }

    /// What the host's journal says, for a person who looks into a failure.
    #[must_use]
    pub fn journal(&self) -> String {
        self.root("journalctl --no-pager --lines=120 --output=short-precise")
            .out
    }

    /// A root shell on the host, on this terminal.
    pub fn shell(&self) -> Result<()> {
        self.machine.shell().status()?;
        Ok(())
    }

    fn run(&self, argv: &[&str], shown: String) -> Output {
        let running = Running::start(shown.clone(), &mut self.command(argv));
        running
            .and_then(Running::finish)
            .unwrap_or_else(|error| Output {
                command: shown,
                code: -1,
                out: String::new(),
                err: format!("{error:#}"),
                took: std::time::Duration::ZERO,
            })
    }

    fn command(&self, argv: &[&str]) -> Command {
        self.machine.command(argv)
    }
}
