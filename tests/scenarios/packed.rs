//! What is in the packages, and what the .rpm does to a tree that it is installed into. No host is
//! booted for it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tpa_tests::debian::{Debian, Equipment};
use tpa_tests::layer::Layer;
use tpa_tests::output::Output;
use tpa_tests::running::Running;
use tpa_tests::{base, installed, store, tool};

/// What the .rpm owns outside of /usr/share, as `rpm -ql` tells of it: mode, owner, name.
const OWNED: &str = "\
-r--r----- root root /etc/sudoers.d/tpa
drwxr-xr-x root root /etc/tpa
drwxr-xr-x root root /etc/tpa/roles.d
drwx------ root root /etc/tpa/secrets
-rw-r--r-- root root /etc/tpa/tpad.toml
lrwxrwxrwx root root /usr/bin/tpactl
-rw-r--r-- root root /usr/lib/systemd/system-preset/80-tpa.preset
drwxr-xr-x root root /usr/lib/systemd/system/session-.scope.d
-rw-r--r-- root root /usr/lib/systemd/system/session-.scope.d/50-tpa.conf
-rw-r--r-- root root /usr/lib/systemd/system/tpa-boot.service
drwxr-xr-x root root /usr/lib/systemd/system/tpa-reap-.service.d
-rw-r--r-- root root /usr/lib/systemd/system/tpa-reap-.service.d/50-tpa.conf
-rw-r--r-- root root /usr/lib/systemd/system/tpad.service
-rw-r--r-- root root /usr/lib/sysusers.d/tpa.conf
-rw-r--r-- root root /usr/lib/tmpfiles.d/tpa.conf
-rwxr-xr-x root root /usr/lib64/security/pam_tpa.so
drwxr-xr-x root root /usr/libexec/tpa
-rwx--x--x root root /usr/libexec/tpa/door
-rwx--x--x root root /usr/libexec/tpa/run
-rwxr-xr-x root root /usr/libexec/tpa/tpa-notify
-rwx--x--x root root /usr/libexec/tpa/tpactl
-rwxr-xr-x root root /usr/sbin/tpad
";

/// A system's tree that is not booted, with what scripts of packages find in a chroot.
struct Tree(Layer);

impl Tree {
    fn new() -> Result<Self> {
        let lock = store::lock()?;
        let below = base::ensure_tree(Debian::Trixie, Equipment::Plain)?;
        drop(lock);
        Ok(Self(Layer::over(&[below])?))
    }

    /// Runs a line of shell beside the tree, which is `$1`; `$2` is the .rpm.
    fn run(&self, line: &str) -> Result<Output> {
        let mut command = self.0.command();
        command
            .args(["/bin/sh", "-c"])
            .arg(format!("mount --rbind /proc \"$1/proc\"\n{line}"))
            .args([Path::new("tree"), &self.0.root(), &rpm()?]);
        Running::start(line.to_owned(), &mut command)?.finish()
    }
}

/// What `packaging/build` made, beside the .deb.
fn rpm() -> Result<std::path::PathBuf> {
    let deb = installed::package()?;
    let folder = deb.parent().context("a package is in a folder")?;
    let found = fs::read_dir(folder)?.filter_map(Result::ok);
    let mut paths = found.map(|entry| entry.path());
    paths
        .find(|path| path.extension().is_some_and(|extension| extension == "rpm"))
        .context("no .rpm beside the .deb")
}

#[test]
fn the_same_binaries_come_out_as_the_same_packages_byte_for_byte() -> Result<()> {
    let again = store::workspace().join("target/stage/again");
    let script = "umask 077; exec packaging/assemble \"$1\"";
    let mut assemble = Command::new("/bin/sh");
    assemble
        .args(["-c", script, "again"])
        .arg(&again)
        .current_dir(store::workspace())
        .envs([("TZ", "Pacific/Kiritimati"), ("LC_ALL", "C.UTF-8")]);
    tool::run(&mut assemble, "packaging/assemble")?;
    let deb = installed::package()?;
    for first in [deb, rpm()?] {
        let name = first.file_name().context("a file has a name")?;
        ensure!(
            fs::read(&first)? == fs::read(again.join(name))?,
            "{} comes out in other bytes\n  next: packaging/build, if binaries were built since",
            first.display()
        );
    }
    Ok(())
}

#[test]
fn no_binary_names_a_folder_of_the_machine_that_it_was_built_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut unpack = Command::new("/usr/bin/dpkg-deb");
    unpack.arg("--extract").arg(installed::package()?);
    tool::run(unpack.arg(folder.path()), "dpkg-deb")?;
    let cargo = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| home + "/.cargo"))?;
    let mut grep = Command::new("/usr/bin/grep");
    grep.args(["-r", "-l", "-F", "-e", &cargo, "-e"])
        .arg(store::workspace())
        .arg(folder.path());
    let said = Running::start("grep".to_owned(), &mut grep)?.finish()?;
    ensure!(
        said.code == 1,
        "{said}\n  next: an incremental build does; run packaging/build without one"
    );
    Ok(())
}

/// The types of files for `SELinux`. What runs under several names is one file, and so of one type.
const LABELS: [(&str, &str); 10] = [
    ("/etc/tpa/tpad.toml", "tpa_conf_t"),
    ("/etc/tpa/secrets/slack", "tpa_secret_t"),
    ("/usr/sbin/tpad", "tpad_exec_t"),
    ("/usr/libexec/tpa/door", "shell_exec_t"),
    ("/usr/libexec/tpa/run", "shell_exec_t"),
    ("/usr/libexec/tpa/tpactl", "shell_exec_t"),
    ("/usr/libexec/tpa/tpa-notify", "bin_t"),
    ("/var/lib/tpa/ends.owed", "tpa_var_lib_t"),
    ("/var/log/sudo-io/7H2KM4QX/alice-1", "tpa_recording_t"),
    ("/run/tpa/gate.sock", "tpa_runtime_t"),
];

#[test]
fn the_policy_for_selinux_compiles_and_has_a_type_for_each_file_of_ours() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for entry in fs::read_dir(store::workspace().join("packaging/selinux"))? {
        let entry = entry?;
        fs::copy(entry.path(), folder.path().join(entry.file_name()))?;
    }
    let mut make = Command::new("/usr/bin/make");
    make.args(["-f", "/usr/share/selinux/devel/Makefile", "tpa.pp"])
        .current_dir(folder.path());
    tool::run(&mut make, "make tpa.pp")?;
    let mut unpack = Command::new("/usr/bin/semodule_unpackage");
    unpack.args(["tpa.pp", "tpa.mod", "labels"]);
    tool::run(unpack.current_dir(folder.path()), "semodule_unpackage")?;
    for (path, kind) in LABELS {
        let mut lookup = Command::new("/usr/sbin/selabel_lookup");
        lookup.args(["-r", "-b", "file", "-f", "labels", "-k", path]);
        let said = tool::run(lookup.current_dir(folder.path()), path)?;
        let said = String::from_utf8_lossy(&said);
        ensure!(said.contains(&format!(":{kind}:")), "{path}: {said}");
    }
    Ok(())
}

#[test]
fn the_rpm_installs_what_its_list_says_and_keeps_what_an_administrator_chose() -> Result<()> {
    let tree = Tree::new()?;
    tree.run("rpm --root \"$1\" --nodeps --install \"$2\"")?
        .ok()?;
    let owned = tree.run(
        "rpm --root \"$1\" --query --list tpa | grep -v ^/usr/share/ |
            while read -r name; do stat --printf '%A %U %G ' \"$1$name\"; echo \"$name\"; done",
    )?;
    ensure!(format!("{}\n", owned.ok()?) == OWNED, "{owned}");
    tree.run("cd \"$1\" && stat --format '%a %U %n' run/tpa var/lib/tpa && grep -o '^tpa-[a-z]*' etc/group | sort")?
        .says("700 root run/tpa\n755 root var/lib/tpa\ntpa-audit\ntpa-emergency\ntpa-keys\ntpa-notify\n")?
        .ok()?;
    // Files with a name of their own are root's alone to write, whatever stands above them.
    tree.run("rpm --root \"$1\" --query --list tpa | while read -r name; do find \"$1$name\" -maxdepth 0 -not -type l -perm /022; done | grep .")?
        .code_is(1)?;
    tree.run("grep -l pam_tpa \"$1\"/etc/pam.d/*")?.code_is(1)?;
    let enabled = "chroot \"$1\" systemctl is-enabled tpad tpa-boot";
    tree.run(enabled)?.says("enabled\nenabled\n")?.ok()?;

    tree.run("chroot \"$1\" systemctl disable tpad && echo '# mine' >>\"$1/etc/tpa/tpad.toml\"")?
        .ok()?;
    tree.run("rpm --root \"$1\" --nodeps --upgrade --force \"$2\"")?
        .ok()?;
    tree.run(enabled)?.says("disabled\nenabled\n")?;
    tree.run("tail -n 1 \"$1/etc/tpa/tpad.toml\"")?
        .says("# mine")?;

    tree.run("echo 'account required pam_tpa.so' >>\"$1/etc/pam.d/sshd\"")?;
    tree.run("rpm --root \"$1\" --erase tpa")?
        .fails()?
        .says("pam_tpa.so is still named in: /etc/pam.d/sshd")?;
    tree.run("ls \"$1/usr/sbin/tpad\" \"$1/usr/lib64/security/pam_tpa.so\"")?
        .ok()?;
    tree.run("sed -i /pam_tpa/d \"$1/etc/pam.d/sshd\" && rpm --root \"$1\" --erase tpa")?
        .ok()?;
    tree.run("ls -d \"$1/run/tpa\" \"$1/usr/sbin/tpad\" \"$1/etc/sudoers.d/tpa\"")?
        .fails()?;
    Ok(())
}

#[test]
fn both_packages_unpack_where_usr_libexec_is_a_file_system_of_its_own() -> Result<()> {
    // dpkg with a list of its own: the tree's names groups that this machine does not have.
    for unpack in [
        "mkdir -p \"$1/root/list/info\" \"$1/root/list/updates\" && touch \"$1/root/list/status\" && \
         dpkg --root=\"$1\" --admindir=\"$1/root/list\" --force-depends --unpack \"${2%/*}\"/*.deb",
        "rpm --root \"$1\" --nodeps --install \"$2\"",
    ] {
        let apart = "mount -t tmpfs tmpfs \"$1/usr/libexec\"";
        let names = "cd \"$1/usr/libexec/tpa\" && stat --format '%a %h' door run tpactl";
        let said = Tree::new()?.run(&format!("{apart} && {unpack} >&2 && {names}"))?;
        ensure!(said.ok()? == "711 3\n711 3\n711 3", "{said}");
    }
    Ok(())
}

/// What stands in for authselect(8), which Debian does not have: a profile like its own, copied, and
/// what it makes of `{include if "with-tpa"}` when that is asked for.
const AUTHSELECT: &str = r#"#!/bin/sh
set -e
case $1 in
create-profile)
    mkdir -p /etc/authselect/custom/tpa
    cat >/etc/authselect/custom/tpa/password-auth <<PROFILE
auth        sufficient                           pam_unix.so
account     sufficient                           pam_localuser.so {exclude if "with-files"}
account     required                             pam_permit.so

-session    optional                             pam_keyinit.so revoke
-session    optional                             pam_systemd.so
session     [success=1 default=ignore]           pam_succeed_if.so service in crond
session     required                             pam_unix.so
PROFILE
    ;;
select)
    sed 's/ *{[^}]*}//' /etc/authselect/custom/tpa/password-auth >/etc/pam.d/password-auth
    printf 'custom/tpa\nwith-tpa\n' >/etc/authselect/authselect.conf
    ;;
esac
"#;

#[test]
fn the_profile_for_authselect_has_the_lines_in_their_places_and_is_selected_by_nobody() -> Result<()>
{
    let tree = Tree::new()?;
    tree.run("rpm --root \"$1\" --nodeps --install \"$2\"")?
        .ok()?;
    tree.run(&format!(
        "cat >\"$1/usr/bin/authselect\" <<'TOOL' && chmod 0755 \"$1/usr/bin/authselect\"\n{AUTHSELECT}TOOL\n"
    ))?
    .ok()?;
    tree.run("chroot \"$1\" /usr/share/tpa/make-authselect-profile sssd")?
        .says("nothing is selected yet")?
        .ok()?;
    tree.run("grep -l pam_tpa \"$1\"/etc/pam.d/*")?.code_is(1)?;
    let phase = |phase: &str| {
        let file = "\"$1/etc/authselect/custom/tpa/password-auth\"";
        tree.run(&format!(
            "grep -- '^-*{phase}' {file} | grep -o 'pam_tpa.so.*\\|pam_[a-z_]*.so'"
        ))
    };
    let feature = "{include if \"with-tpa\"}";
    let account = phase("account")?;
    ensure!(
        account.ok()? == format!("pam_tpa.so          {feature}\npam_localuser.so\npam_permit.so"),
        "{account}"
    );
    let session = phase("session")?;
    ensure!(
        session.ok()?
            == format!(
                "pam_tpa.so          {feature}\npam_keyinit.so\npam_systemd.so\n\
                 pam_tpa.so scope    {feature}\npam_succeed_if.so\npam_unix.so"
            ),
        "{session}"
    );
    tree.run("chroot \"$1\" authselect select custom/tpa with-tpa")?
        .ok()?;
    tree.run("rpm --root \"$1\" --erase tpa")?
        .fails()?
        .says("authselect disable-feature with-tpa")?;
    Ok(())
}

#[test]
fn a_preset_of_the_administrators_keeps_the_rpm_from_enabling_tpad() -> Result<()> {
    let tree = Tree::new()?;
    let preset = "etc/systemd/system-preset";
    tree.run(&format!(
        "mkdir -p \"$1/{preset}\" && echo 'disable tpad.service' >\"$1/{preset}/10-mine.preset\" &&
            rpm --root \"$1\" --nodeps --install \"$2\""
    ))?
    .ok()?;
    tree.run("chroot \"$1\" systemctl is-enabled tpad tpa-boot")?
        .says("disabled\nenabled\n")?;
    Ok(())
}
