//! What people say with their SSH key: from anywhere, by a signed text; and by a security key where a
//! role asks for it.

use anyhow::{Result, ensure};
use tpa_tests::grant::{request, role, shown};
use tpa_tests::host::Host;
use tpa_tests::module;
use tpa_tests::on_both_debians;
use tpa_tests::output::Output;
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
        host.root("head -n -1 /tmp/asked > /tmp/cut; yes | head -c 2000000 > /tmp/huge; cat /tmp/asked /tmp/cut > /tmp/second-cut").ok()?;
        for file in ["/tmp/cut", "/tmp/second-cut"] {
            not_taken(host, file, 2, "cut off or damaged", "malformed")?;
        }
        host.console("bob", "tpactl submit /tmp/huge").code_is(2)?.says("at most 49152 bytes")?.says("next: ")?;
        host.logged_with(&[" statement-refused ", "at most 49152 bytes"])?;
        host.console("bob", "tpactl submit - </dev/null").code_is(2)?.says("there is no signed statement in it")?;
        not_taken(host, "/tmp/elsewhere", 4, "for other hosts", "other-host")?;
        let approved = host.console("bob", "tpactl submit /tmp/approved");
        approved.ok()?;
        approved.says("alice said request")?.says("carol said approve")?.says("is active")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").says("postgres")?.ok()?;
        let yes = host.logged_with(&[" approval-recorded ", " proof=key "])?;
        ensure!(yes.contains(" actor=carol ") && yes.contains(" key=SHA256:"), "{yes}");
        let id = yes.split(" grant=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
        host.root(&format!("tpactl show {id}")).says("signed, SHA256:")?;
        host.root(&format!("tpactl report {id}")).says("proof key, key SHA256:")?;
        // All of a text is verified, by anybody and without asking tpad.
        let verified = host.console("bob", "tpactl verify --statement /tmp/approved");
        verified.ok()?;
        verified.says("alice says request")?.says("carol says approve")?;

        // Once, also when tpad was away meanwhile.
        not_taken(host, "/tmp/approved", 7, "was taken before", "replayed")?;
        host.root("systemctl restart tpad").ok()?;
        host.console("bob", "tpactl submit - < /tmp/approved").code_is(7)?.says("was taken before")?;
        not_taken(host, "/tmp/unknown", 4, "it stands in no line of the signers file", "unknown-key")?;
        not_taken(host, "/tmp/as-carol", 4, "it is the key of alice", "not-theirs")?;
        host.root(&format!("tpactl revoke {id} --reason 'seen' --yes")).ok()?;
        host.ssh("alice", "true").fails()?;

        what_is_not_as_it_should_be_is_refused_in_words_and_changes_nothing(host)?;
        every_verb_is_said_by_a_text(host)?;
        what_a_security_key_signs_openssh_takes_for_the_same(host)?;

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
        // So does the picker, which gives the terminal back meanwhile.
        request(host, "alice", "web-ops", "30m")?;
        let picker = format!("ssh -tt carol@127.0.0.1 '{WITH_KEY} tpactl approve'");
        let mut picker = host.terminal(&format!("stty columns 80 rows 24; {picker}"))?;
        picker.sees("for you to decide")?;
        picker.presses("a")?;
        picker.sees("Approve? [y/N]")?;
        picker.presses("y")?;
        picker.sees("touch your security key")?;
        picker.sees(" left (until ")?;
        picker.presses("q")?;
        picker.ends()?;

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

        // The agent signs, too: there is no file of a private key here.
        role_with(host, "web-ops", "key")?;
        let id = request(host, "alice", "web-ops", "1h")?;
        host.ssh("carol", &format!(
            "eval $(ssh-agent -s) >/dev/null && ssh-add -q ~/.ssh/id_ecdsa && mkdir away && mv .ssh/id_* away/ && \
             tpactl approve {id} --yes; code=$?; mv away/* .ssh/; ssh-agent -k >/dev/null; exit $code"
        )).ok()?;
        let yes = host.logged_event("approval-recorded", &id)?;
        ensure!(yes.contains(" proof=key ") && yes.contains(" touched=false "), "{yes}");

        // The trail has kept what they all signed.
        host.root("tpactl verify").says(" in the trail: ")?.says("by a key that the signers file names")?;
        let trail = host.root("tpactl verify --json").json()?.object("statements")?;
        ensure!(trail.number("signed")? > 10 && trail.list("bad")?.is_empty(), "{trail:?}");
    }
}

/// Says something by a text, and hands that over.
fn say(host: &Host, who: &str, line: &str) -> Result<Output> {
    let line = format!("tpactl {line} --export - > /tmp/said-{who}");
    host.console(who, &line).ok()?;
    Ok(host.console("bob", &format!("tpactl submit /tmp/said-{who}")))
}

fn every_verb_is_said_by_a_text(host: &Host) -> Result<()> {
    let ask = "request web-ops --for 1h --reason 'the shop answers with errors' --on web-01";
    let asks = || -> Result<String> {
        let came = say(host, "alice", ask)?;
        host.root("cp /tmp/said-alice /tmp/asks").ok()?;
        let told = came.ok()?;
        let id = told.split(' ').nth(3).unwrap_or_default();
        came.says(&format!("alice said request: {id} is pending"))?;
        Ok(id.to_owned())
    };
    asks()?;
    say(host, "carol", "deny /tmp/asks --reason 'not today'")?.says(" is denied")?;
    let id = asks()?;
    say(host, "alice", &format!("withdraw {id} --on web-01"))?.says("is withdrawn")?;
    let id = asks()?;
    say(host, "carol", "approve /tmp/asks --yes --for 30m")?.says("is active")?;
    let more = format!("extend {id} --for 10m --reason 'it takes longer' --on web-01");
    say(host, "alice", &more)?
        .says("alice said extend: ")?
        .says(" is pending")?;
    host.root("cp /tmp/said-alice /tmp/asks").ok()?;
    say(host, "carol", "approve /tmp/asks --yes")?.says("carol said approve: ")?;
    host.logged_event("grant-extended", &id)?;
    say(host, "alice", &format!("end {id} --on web-01"))?.says("is ended")?;
    asks()?;
    let granted = say(host, "carol", "approve /tmp/asks --yes")?;
    let id = shown_last(&granted)?;
    say(
        host,
        "carol",
        &format!("revoke {id} --reason 'seen enough' --on web-01"),
    )?
    .says("is revoked")?;
    Ok(())
}

/// The id in the last line of what was told of a text.
fn shown_last(came: &Output) -> Result<String> {
    let last = came.ok()?.lines().last().unwrap_or_default();
    Ok(last.split(' ').nth(3).unwrap_or_default().to_owned())
}

/// Puts other flags into the signature of a security key, and leaves the rest.
const OTHER_FLAGS: &str = r"{ echo '-----BEGIN SSH SIGNATURE-----'
    { grep -v -e ----- statement.sig | base64 -d | head -c -5; printf '\005'
      grep -v -e ----- statement.sig | base64 -d | tail -c 4; } | base64
    echo '-----END SSH SIGNATURE-----'; } >other.sig && mv other.sig statement.sig
    { sed '/BEGIN SSH/,$d' /tmp/paper; cat statement.sig; } >/tmp/other && mv /tmp/other /tmp/paper";

/// Both take what a security key has signed, and neither takes it with other bytes or flags.
fn what_a_security_key_signs_openssh_takes_for_the_same(host: &Host) -> Result<()> {
    for (name, kind, touched, verified) in [
        ("sk1", "ed25519-sk", true, false),
        ("sk2", "ecdsa-sk", true, false),
        ("sk3", "ed25519-sk -O verify-required", true, true),
        ("sk4", "ecdsa-sk -O verify-required", true, true),
        ("sk5", "ed25519-sk -O no-touch-required", false, false),
        ("sk6", "ecdsa-sk -O no-touch-required", false, false),
    ] {
        let make = format!(
            "cd /root/st && {WITH_KEY} ssh-keygen -q -N '' -f {name} -t {kind} </dev/null && \
             echo \"carol $(cut -d' ' -f1,2 {name}.pub)\" >listed"
        );
        host.root(&make).ok()?;
        let signs = format!(
            "{WITH_KEY} /usr/local/bin/sign {name} carol AAAAAAF1 now 3600 web-01 '{REVOKES}'"
        );
        let openssh = || {
            host.root(
                "cd /root/st && ssh-keygen -Y verify -f listed -I carol -n statement@tpa.v1 \
                 -s statement.sig <statement",
            )
        };
        let ours =
            || host.root("tpactl verify --statement /tmp/paper --signers /root/st/listed --json");
        host.root(&signs).ok()?;
        openssh().ok()?;
        let told = ours().json()?;
        for (field, is) in [("touched", touched), ("verified", verified)] {
            ensure!(told.0.get(field) == Some(&is.into()), "{name}: {}", told.0);
        }
        if !verified {
            host.root(&format!("cd /root/st && {OTHER_FLAGS}")).ok()?;
            openssh().fails()?;
            ours().code_is(9)?.says("not that of these bytes")?;
        }
        host.root(&format!(
            "{signs} && cd /root/st && sed -i s/because/be-cause/ statement"
        ))
        .ok()?;
        openssh().fails()?;
    }
    Ok(())
}

/// Signs any text as somebody, as no `tpactl` would; prints the digest of its bytes.
const SIGN: &str = r#"#!/bin/bash
# usage: sign KEY BY ID AT LIFE_S HOST REST [NAMESPACE]
set -eu
cd /root/st
when() { date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ; }
at=$(date -d "$4" +%s)
printf '{"v":1,"by":"%s","id":"%s","hosts":["%s"],"at":"%s","expires":"%s",%s}' \
    "$2" "$3" "$6" "$(when "$at")" "$(when "$((at + $5))")" "$7" >statement
rm -f statement.sig
ssh-keygen -q -Y sign -n "${8:-statement@tpa.v1}" -f "$1" statement
{
    echo '-----BEGIN TPA STATEMENT-----'
    base64 statement
    echo '-----END TPA STATEMENT-----'
    cat statement.sig
} >/tmp/paper
chmod 644 /tmp/paper
sha256sum statement | cut -d' ' -f1
"#;

/// Keys that root has for this: people's, a second one of carol's, one whose time is over, one of root's
/// own, and that of a CA with a certificate of hers.
const KEYS: &str = r#"mkdir -p /root/st && cd /root/st &&
for key in alice bob carol dave erin second old root ghost new ca; do
    ssh-keygen -q -t ed25519 -N '' -f "$key"
done &&
line() { echo "$1 $(cut -d' ' -f1,2 "$2.pub")"; } &&
for key in alice bob carol dave erin root ghost; do line "$key" "$key"; done >>/etc/tpa/signers &&
line carol second >>/etc/tpa/signers &&
line 'carol valid-before="20260101Z"' old >>/etc/tpa/signers &&
line 'carol cert-authority' ca >>/etc/tpa/signers &&
systemctl reload tpad"#;

const ASKS: &str = r#""verb":"request","duration":"1h","reason":"the shop answers with errors""#;
const REVOKES: &str = r#""verb":"revoke","reason":"because""#;

/// A statement of this host's that is signed now.
fn sign(host: &Host, key: &str, by: &str, id: &str, rest: &str) -> Result<String> {
    let signed = host.root(&format!(
        "/usr/local/bin/sign {key} {by} {id} now 3600 web-01 '{rest}'"
    ));
    Ok(signed.ok()?.trim().to_owned())
}

fn asks(host: &Host, id: &str, role: &str) -> Result<String> {
    let digest = sign(
        host,
        "alice",
        "alice",
        id,
        &format!(r#"{ASKS},"role":"{role}""#),
    )?;
    brought(host).says(&format!("{id} is pending"))?.ok()?;
    Ok(digest)
}

fn brought(host: &Host) -> Output {
    host.console("bob", "tpactl submit /tmp/paper")
}

fn what_is_not_as_it_should_be_is_refused_in_words_and_changes_nothing(host: &Host) -> Result<()> {
    host.write("/usr/local/bin/sign", SIGN)?;
    host.root("chmod 755 /usr/local/bin/sign").ok()?;
    host.root(KEYS).ok()?;
    role(host, "two", &WEB_OPS.replace("needed = 1", "needed = 2"))?;
    let soon = WEB_OPS.replace("reason_min = 10", "reason_min = 10\nlapse = \"4s\"");
    role(host, "soon", &soon)?;
    let lapses = asks(host, "AAAAAAE1", "soon")?;

    none_of_these_counts(host)?;
    host.root("tpactl show AAAAAAA1").code_is(6)?;
    nobody_decides_who_could_not_on_the_host(host)?;
    one_person_is_one_however_they_say_it(host)?;

    let late = format!(r#""verb":"approve","of":"{lapses}""#);
    host.eventually("tpactl show AAAAAAE1 --json | grep -q lapsed")?;
    sign(host, "carol", "carol", "AAAAAAE1", &late)?;
    brought(host).code_is(7)?.says("is lapsed already")?;
    host.root("rm /etc/tpa/roles.d/two.toml /etc/tpa/roles.d/soon.toml && systemctl reload tpad")
        .ok()?;
    Ok(())
}

/// Papers that are expired, of the future, of another host, of another form, of another's key.
fn none_of_these_counts(host: &Host) -> Result<()> {
    let asks_web = format!(r#"{ASKS},"role":"web-ops""#);
    let twice = format!(r#"{asks_web},"role":"two""#);
    let unknown = format!(r#"{asks_web},"x":1"#);
    let (web, other) = ("web-01", "web-01.elsewhere.org");
    // Signed when, for how many seconds, for which host, what; the exit code and the words.
    for (at, life, on, rest, code, says, why) in [
        (
            "2 hours ago",
            3_600,
            web,
            &asks_web,
            4,
            "it has expired",
            "expired",
        ),
        (
            "5 minutes",
            3_600,
            web,
            &asks_web,
            4,
            "in the future",
            "future",
        ),
        (
            "now",
            3_600,
            other,
            &asks_web,
            4,
            "which is web-01",
            "other-host",
        ),
        (
            "now",
            259_200,
            web,
            &asks_web,
            2,
            "by at most 24h",
            "malformed",
        ),
        ("now", 3_600, web, &twice, 2, "duplicate field", "malformed"),
        ("now", 3_600, web, &unknown, 2, "unknown field", "malformed"),
    ] {
        let paper = format!("alice alice AAAAAAA1 '{at}' {life} {on} '{rest}'");
        is_refused(host, &paper, code, says, why)?;
    }
    // Which key, by whom, what, in which namespace; the words.
    let asks_web = asks_web.as_str();
    for (key, by, rest, namespace, says, why) in [
        (
            "root",
            "root",
            asks_web,
            "",
            "root signs no statements",
            "root",
        ),
        (
            "ghost",
            "ghost",
            asks_web,
            "",
            "ghost has no account",
            "no-account",
        ),
        (
            "alice",
            "ghost",
            asks_web,
            "",
            "does not sign as ghost",
            "not-theirs",
        ),
        (
            "old",
            "carol",
            REVOKES,
            "",
            "it was not valid when",
            "not-theirs",
        ),
        (
            "alice",
            "alice",
            asks_web,
            "git",
            "made for \"git\"",
            "signature",
        ),
    ] {
        let paper = format!("{key} {by} AAAAAAA1 now 3600 {web} '{rest}' {namespace}");
        is_refused(host, &paper, 4, says, why)?;
    }
    Ok(())
}

/// What is signed with these words for `sign` is brought and refused, which the log tells with the
/// reason in a word.
fn is_refused(host: &Host, paper: &str, code: i32, says: &str, why: &str) -> Result<()> {
    let signed = host.root(&format!("/usr/local/bin/sign {paper}"));
    let digest = signed.ok()?.trim().to_owned();
    brought(host).code_is(code)?.says(says)?.says("next: ")?;
    is_told(
        host,
        &digest,
        &["statement-refused", &format!(" why={why} ")],
    )
}

/// The log tells of a statement that was not taken.
fn is_told(host: &Host, digest: &str, texts: &[&str]) -> Result<()> {
    let digest = format!(" statement={digest}");
    let told = host.logged_with(&[&[digest.as_str(), " outcome=failure "], texts].concat())?;
    ensure!(told.contains(" actor="), "{told}");
    Ok(())
}

fn nobody_decides_who_could_not_on_the_host(host: &Host) -> Result<()> {
    let of = asks(host, "AAAAAAC1", "web-ops")?;
    asks(host, "AAAAAAC2", "web-ops")?;
    let yes = format!(r#""verb":"approve","of":"{of}""#);
    let another = format!(r#""verb":"approve","of":"{}""#, "0".repeat(64));
    let longer = format!(r#"{yes},"for":"3h""#);
    for (who, id, rest, code, says) in [
        ("alice", "AAAAAAC1", &yes, 4, "your own request"),
        (
            "bob",
            "AAAAAAC1",
            &yes,
            6,
            "no request AAAAAAC1 that you may see",
        ),
        (
            "carol",
            "AAAAAAC1",
            &another,
            2,
            "decides on another request",
        ),
        ("carol", "AAAAAAC2", &yes, 2, "decides on another request"),
        ("carol", "AAAAAAC9", &yes, 6, "no request"),
        ("carol", "AAAAAAC1", &longer, 2, "longer than the 1h"),
    ] {
        let digest = sign(host, who, who, id, rest)?;
        brought(host).code_is(code)?.says(says)?;
        is_told(host, &digest, &[])?;
    }
    // For this host and another one, of a request that was for this one alone.
    let more = format!("carol carol AAAAAAC1 now 3600 'web-01\",\"web-02' '{yes}'");
    is_refused(host, &more, 2, "is for web-02 too", "ledger")?;
    // What was signed while they could, and comes when they cannot any more.
    let signers = "grep -v \"$(cut -d' ' -f2 /root/st/KEY.pub)\" /etc/tpa/signers >/root/st/less; \
                   cp /etc/tpa/signers /root/st/all; cat /root/st/less >/etc/tpa/signers; \
                   systemctl reload tpad";
    let back = "cat /root/st/all >/etc/tpa/signers; systemctl reload tpad";
    let (key_out, ca_out) = (
        signers.replace("KEY", "second"),
        signers.replace("KEY", "ca"),
    );
    let certify = |people: &str, when: &str| {
        format!("cd /root/st && ssh-keygen -q -s ca -I id -n {people} -V {when} new.pub")
    };
    let good = certify("carol", "+1h");
    for (key, who, before, after, says) in [
        (
            "dave",
            "dave",
            "true",
            "usermod -e 1 dave",
            "has expired, so it decides nothing",
        ),
        (
            "erin",
            "erin",
            "usermod -e '' dave",
            "gpasswd -d erin oncall",
            "no request AAAAAAC1 that you may see",
        ),
        (
            "second",
            "carol",
            "gpasswd -a erin oncall",
            &key_out,
            "is nobody's",
        ),
        (
            "new-cert.pub",
            "carol",
            &format!("{back}; {good}"),
            &ca_out,
            "is nobody's",
        ),
        (
            "new-cert.pub",
            "carol",
            &format!("{back}; {}", certify("carol", "20200101:20200102")),
            "true",
            "was not valid then",
        ),
        (
            "new-cert.pub",
            "carol",
            &certify("erin", "+1h"),
            "true",
            "is not carol's",
        ),
    ] {
        host.root(before).ok()?;
        let digest = sign(host, key, who, "AAAAAAC1", &yes)?;
        host.root(after).ok()?;
        let code = if says.starts_with("no request") { 6 } else { 4 };
        brought(host).code_is(code)?.says(says)?.says("next: ")?;
        is_told(host, &digest, &[])?;
    }
    for id in ["AAAAAAC1", "AAAAAAC2"] {
        shown(host, id)?.has("state", "pending")?;
        host.console("alice", &format!("tpactl withdraw {id} --yes"))
            .ok()?;
    }
    Ok(())
}

fn one_person_is_one_however_they_say_it(host: &Host) -> Result<()> {
    let of = asks(host, "AAAAAAD1", "two")?;
    let yes = format!(r#""verb":"approve","of":"{of}""#);
    sign(host, "carol", "carol", "AAAAAAD1", &yes)?;
    brought(host).says("AAAAAAD1 is pending")?.ok()?;
    sign(
        host,
        "second",
        "carol",
        "AAAAAAD1",
        &format!(r#"{yes},"comment":"again""#),
    )?;
    brought(host)
        .code_is(7)?
        .says("you have approved AAAAAAD1 already")?;
    host.ssh("carol", "tpactl approve AAAAAAD1 --yes")
        .code_is(7)?;
    shown(host, "AAAAAAD1")?.has("state", "pending")?;
    host.ssh("erin", "tpactl approve AAAAAAD1 --yes").ok()?;
    sign(host, "erin", "erin", "AAAAAAD1", &yes)?;
    brought(host).code_is(7)?.says("is active already")?;
    host.root("tpactl revoke AAAAAAD1 --reason seen --yes")
        .ok()?;
    Ok(())
}
