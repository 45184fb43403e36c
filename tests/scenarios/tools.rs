//! The programs that people and machines reach hosts with: nothing but refusals reaches those that
//! nobody sits at, and with a grant they work as on any host.
//!
//! They stand on an image of their own, so that every other story's stays small.

use anyhow::{Result, ensure};
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::WEB_OPS;
use tpa_tests::scenario::play_with_tools;

const REFUSAL: &str = "tpa: access to web-01 denied: no active grant for alice.";

/// Logs in with alice's key, runs a command, and says what came on which stream.
const PARAMIKO: &str = r#"
import paramiko, sys
client = paramiko.SSHClient()
client.load_host_keys("/root/.ssh/known_hosts")
key = paramiko.Ed25519Key.from_private_key_file("/root/keys/alice")
client.connect("127.0.0.1", username="alice", pkey=key, look_for_keys=False, allow_agent=False)
_, out, err = client.exec_command("echo one; sudo -n -u postgres /usr/bin/id -un")
sys.stdout.write(out.read().decode())
sys.stderr.write(err.read().decode())
code = out.channel.recv_exit_status()
sftp = client.open_sftp()
print("sftp", sftp.normalize("."))
client.close()
sys.exit(code)
"#;

/// Becomes root, and another user, for one module each.
const PLAYBOOK: &str = r#"
- hosts: all
  gather_facts: false
  tasks:
    - name: as herself
      command: id -un
      register: herself
      changed_when: false
    - name: as another user
      command: id -un
      become: true
      become_user: postgres
      register: other
      changed_when: false
    - debug: { msg: "{{ herself.stdout }} then {{ other.stdout }}" }
"#;

const INVENTORY: &str = "127.0.0.1 ansible_user=alice ansible_ssh_private_key_file=/root/keys/alice ansible_become_flags='-n'\n";

/// Runs Ansible against the host, over stock ssh.
fn ansible(host: &Host) -> Result<tpa_tests::output::Output> {
    host.write("/root/hosts", INVENTORY)?;
    host.write("/root/play.yml", PLAYBOOK)?;
    Ok(host.root(
        "ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1 ansible-playbook -i /root/hosts /root/play.yml",
    ))
}

on_both_debians! {
    with play_with_tools;

    fn without_a_grant_every_tool_fails_and_says_why(host) {
        for line in [
            "ssh alice@127.0.0.1 true",
            "scp /etc/hostname alice@127.0.0.1:",
            "rsync /etc/hostname alice@127.0.0.1:",
            "echo pwd | sftp -b - alice@127.0.0.1",
        ] {
            let said = host.root(line);
            said.fails()?.says(REFUSAL)?;
            ensure!(said.out.is_empty(), "a script reads stdout: {said}");
        }
        host.write("/root/login.py", PARAMIKO)?;
        host.root("python3 /root/login.py").fails()?;
        ansible(host)?.fails()?.says("no active grant for alice")?.says("UNREACHABLE")?;
    }

    fn with_a_grant_the_tools_see_nothing_of_it(host) {
        grant(host, "alice", "web-ops", "1h")?;
        host.root("head -c 3000000 /dev/urandom >/root/data").ok()?;
        let same = "cmp /root/data /home/alice/data && rm /home/alice/data";
        for line in [
            "scp -q /root/data alice@127.0.0.1:",
            "scp -q -O /root/data alice@127.0.0.1:",
            "rsync /root/data alice@127.0.0.1:",
            "echo 'put /root/data' | sftp -q -b - alice@127.0.0.1 >/dev/null",
            "cat /root/data | ssh alice@127.0.0.1 'cat >data'",
            "ssh -M -S /root/shared -o ControlPersist=yes -fN alice@127.0.0.1 && scp -q -o ControlPath=/root/shared /root/data alice@127.0.0.1: && ssh -S /root/shared -O exit alice@127.0.0.1 2>/dev/null",
        ] {
            let said = host.root(line);
            said.ok()?;
            ensure!(said.out.is_empty() && said.err.is_empty(), "not a word was expected of {said}");
            host.root(same).ok()?;
        }
        host.write("/root/login.py", PARAMIKO)?;
        let said = host.root("python3 /root/login.py");
        ensure!(said.ok()? == "one\npostgres\nsftp /home/alice" && said.err.is_empty(), "{said}");
    }

    fn ansible_becomes_what_the_role_gives(host) {
        // Ansible runs its modules through a shell as the other user: that is what the role has to
        // give, and no less will do.
        host.write(
            "/etc/tpa/roles.d/web-ops.toml",
            &WEB_OPS.replace("run      = [\"/usr/bin/id -un\"]", "run      = [\"/bin/sh\", \"/usr/bin/sh\"]"),
        )?;
        host.root("systemctl reload tpad").ok()?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        let said = ansible(host)?;
        said.says("alice then postgres")?.keeps_quiet_about("tpa:")?.ok()?;
        host.logged_event("sudo-opened", &id)?;
        host.root(&format!("tpactl revoke {id} --reason 'over' --yes")).ok()?;
        ansible(host)?.fails()?.says("no active grant for alice")?;
    }
}
