//! What people say with their SSH key: from anywhere, by a signed text; and by a security key where a
//! role asks for it.

use anyhow::{Result, ensure};
use tpa_tests::grant::{request, role, shown};
use tpa_tests::host::Host;
use tpa_tests::module;
use tpa_tests::on_both_debians;
use tpa_tests::people::WEB_OPS;
use tpa_tests::scenario::play;

/// Where the software security key stands on the host.
const PROVIDER: &str = "/usr/local/lib/sk_software.so";

/// Has ssh-keygen use it, and answer for a person who is asked for the PIN.
const WITH_KEY: &str = "SSH_SK_PROVIDER=/usr/local/lib/sk_software.so SSH_ASKPASS=/usr/local/bin/pin \
                        SSH_ASKPASS_REQUIRE=force";

/// A role that asks for more than a login.
fn role_with(host: &Host, name: &str, proof: &str) -> Result<()> {
    let text = WEB_OPS.replace("needed = 1", &format!("needed = 1\nproof = \"{proof}\""));
    role(host, name, &text)
}

/// Makes a key of a person's, by these arguments of ssh-keygen.
fn key(host: &Host, user: &str, name: &str, kind: &str) -> Result<()> {
    let make = format!(
        "mkdir -p -m 700 ~/.ssh && {WITH_KEY} ssh-keygen -q -N '' -f ~/.ssh/{name} -t {kind} </dev/null"
    );
    host.console(user, &make).ok()?;
    let public = format!("/home/{user}/.ssh/{name}.pub");
    host.root(&format!(
        "echo \"{user} namespaces=\\\"statement@tpa.v1\\\" $(cut -d' ' -f1,2 {public})\" >> /etc/tpa/signers"
    ))
    .ok()?;
    Ok(())
}

fn reload(host: &Host) -> Result<()> {
    host.root("tpactl check && systemctl reload tpad").ok()?;
    Ok(())
}

/// Puts another word into the statement of a text, and leaves its signature.
const CHANGED: &str = "{ echo '-----BEGIN TPA STATEMENT-----'; \
    sed -n '/BEGIN TPA/,/END TPA/p' /tmp/asked | grep -v -e ----- | base64 -d | sed s/shop/shed/ | base64; \
    echo '-----END TPA STATEMENT-----'; sed -n '/BEGIN SSH/,$p' /tmp/asked; } > /tmp/changed";

/// Not taken: the command's code and words, and the line of the log.
fn not_taken(host: &Host, file: &str, code: i32, says: &str, why: &str) -> Result<()> {
    host.console("bob", &format!("tpactl submit {file}"))
        .code_is(code)?
        .says(says)?
        .says("next: ")?;
    let told = host.logged_with(&[" statement-refused ", &format!(" why={why} ")])?;
    ensure!(told.contains(" outcome=failure "), "{told}");
    Ok(())
}

on_both_debians! {
    with play;

    fn who_cannot_log_in_asks_and_approves_by_signed_texts_and_security_keys_prove_who_was_there(host) {
        host.copy_in(&module::built("sk_software")?, PROVIDER)?;
        host.write("/usr/local/bin/pin", "#!/bin/sh\necho 1234\n")?;
        host.root(&format!("chmod 755 /usr/local/bin/pin; chmod 644 {PROVIDER}")).ok()?;
        host.root("touch /etc/tpa/signers; chmod 644 /etc/tpa/signers").ok()?;
        key(host, "alice", "id_ed25519", "ed25519")?;
        key(host, "carol", "id_ecdsa", "ecdsa")?;
        reload(host)?;
        host.root("tpactl check").says("signs as carol")?;

        // On a machine with no tpad. What is approved is shown from the request's own bytes.
        host.root("systemctl stop tpad").ok()?;
        let ask = "tpactl request web-ops --for 1h --reason 'the shop answers with errors' \
                   --on $(hostname) --export - > /tmp/asked";
        host.console("alice", ask).ok()?;
        let approve = "tpactl approve /tmp/asked --yes --export";
        host.console("carol", &format!("{approve} /tmp/approved")).says("the shop answers with errors")?.says("1h")?.ok()?;
        host.console("carol", &format!("{approve} /tmp/approved")).fails()?.says("not there yet")?;
        let elsewhere = "tpactl request web-ops --for 1h --reason 'the shop answers with errors' --on web-99 --export -";
        host.console("alice", &format!("{elsewhere} > /tmp/elsewhere")).ok()?;
        // Nobody's key, and somebody else's name.
        host.console("mallory", "mkdir -p -m 700 ~/.ssh && ssh-keygen -q -N '' -t ed25519 -f ~/.ssh/id_ed25519").ok()?;
        host.console("mallory", &format!("{approve} /tmp/unknown")).ok()?;
        host.console("alice", &format!("{approve} /tmp/as-carol --as carol")).ok()?;
        host.root("systemctl start tpad").ok()?;

        // Anybody carries it, and it is what was signed or nothing.
        host.root(CHANGED).ok()?;
        not_taken(host, "/tmp/changed", 4, "not that of these bytes", "signature")?;
        host.root("head -n -1 /tmp/asked > /tmp/cut").ok()?;
        host.console("bob", "tpactl submit /tmp/cut").code_is(1)?.says("cut off")?;
        not_taken(host, "/tmp/elsewhere", 4, "for other hosts", "other-host")?;
        let approved = host.console("bob", "tpactl submit /tmp/approved");
        approved.ok()?;
        approved.says("alice said request")?.says("carol said approve")?.says("is active")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").says("postgres")?.ok()?;
        let yes = host.logged_with(&[" approval-recorded ", " proof=key "])?;
        ensure!(yes.contains(" actor=carol ") && yes.contains(" key=SHA256:"), "{yes}");
        let id = yes.split(" grant=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
        host.root(&format!("tpactl show {id}")).says("signed, SHA256:")?;

        // Once, also when tpad was away meanwhile.
        not_taken(host, "/tmp/approved", 7, "was taken before", "replayed")?;
        host.root("systemctl restart tpad").ok()?;
        host.console("bob", "tpactl submit - < /tmp/approved").code_is(7)?.says("was taken before")?;
        not_taken(host, "/tmp/unknown", 4, "it stands in no line of the signers file", "unknown-key")?;
        not_taken(host, "/tmp/as-carol", 4, "it is the key of alice", "not-theirs")?;
        host.root(&format!("tpactl revoke {id} --reason 'seen' --yes")).ok()?;
        host.ssh("alice", "true").fails()?;

        // A role that asks for a touch: neither a login nor a key in a file will do.
        role_with(host, "web-ops", "touch")?;
        let id = request(host, "alice", "web-ops", "1h")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).fails()?.says("no security key")?.says("next: ")?;
        let file = format!("tpactl approve {id} --yes --key ~/.ssh/id_ecdsa");
        host.ssh("carol", &file).code_is(4)?.says("no security key that you touch")?;
        host.console("alice", "tpactl request web-ops --for 1h --reason 'the shop answers with errors' \
                               --on $(hostname) --export /tmp/again").ok()?;
        host.console("carol", "tpactl approve /tmp/again --yes --export /tmp/untouched").ok()?;
        host.console("bob", "tpactl submit /tmp/untouched").says("signed with a security key that you touch")?;
        let refused = host.logged_with(&[" decision-refused ", " why=proof "])?;
        ensure!(refused.contains(" proof=key ") && refused.contains(" touched=false "), "{refused}");
        // A security key that is not touched is one in a file.
        key(host, "carol", "id_ed25519_sk", "ed25519-sk -O no-touch-required")?;
        reload(host)?;
        let approve = format!("{WITH_KEY} tpactl approve {id} --yes");
        host.ssh("carol", &approve).code_is(4)?.says("no security key that you touch")?;
        host.root("rm /home/carol/.ssh/id_ed25519_sk*").ok()?;
        key(host, "carol", "id_ecdsa_sk", "ecdsa-sk")?;
        reload(host)?;
        host.ssh("carol", &approve).says("touch your security key")?.ok()?;
        shown(host, &id)?.has("state", "active")?.has("proof", "touch")?;
        let yes = host.logged_event("approval-recorded", &id)?;
        ensure!(yes.contains(" proof=touch ") && yes.contains(" touched=true "), "{yes}");
        host.ssh("alice", "true").ok()?;

        // The same for a PIN, which not every security key asks for.
        role_with(host, "web-ops", "pin")?;
        let id = request(host, "alice", "web-ops", "1h")?;
        let approve = format!("{WITH_KEY} tpactl approve {id} --yes");
        host.ssh("carol", &approve).code_is(4)?.says("does not ask for your PIN")?;
        key(host, "carol", "id_ed25519_sk", "ed25519-sk -O verify-required")?;
        reload(host)?;
        host.ssh("carol", &approve).ok()?;
        let yes = host.logged_event("approval-recorded", &id)?;
        ensure!(yes.contains(" proof=pin "), "{yes}");
        // What takes away never asks for more.
        host.ssh("dave", &format!("tpactl revoke {id} --reason 'enough' --yes")).ok()?;
    }
}
