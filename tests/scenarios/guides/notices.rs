//! The guide to who is told of events, with a stand-in for those who are told.

use anyhow::{Context as _, Result};
use tpa_tests::grant::request;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play_with_tools;
use tpa_tests::stand_in::{self, TOLD, mailed, told};

use super::{an_ordinary_user_is_not_alarmed, follow};

/// Holds what the guide says of a signature against what came to a target: `genuine` and the file.
const CHECK: &str = r#"
import http.client, sys
came = open(sys.argv[1], "rb")
came.readline()
headers = http.client.parse_headers(came)
body = came.read()
key = open("/etc/tpa/secrets/siem", "rb").read().strip()
assert genuine(key, headers, body)
assert not genuine(key, headers, body + b" ")
assert not genuine(key + b"x", headers, body)
headers.replace_header("X-TPA-Timestamp", str(int(headers["X-TPA-Timestamp"]) - 600))
assert not genuine(key, headers, body)
at = str(int(time.time()) - 600)
headers.replace_header("X-TPA-Timestamp", at)
made = hmac.new(key, at.encode() + b"." + body, hashlib.sha256).hexdigest()
headers.replace_header("X-TPA-Signature", "sha256=" + made)
assert not genuine(key, headers, body), "it is old"
"#;

/// The lines of the guide in Python.
fn python(guide: &str) -> Result<String> {
    let (_, from) = guide
        .split_once("```python\n")
        .context("it has such lines")?;
    let (lines, _) = from.split_once("```").context("they end")?;
    Ok(lines.to_owned())
}

fn is_signed(host: &Host, guide: &str) -> Result<()> {
    host.write("/root/check.py", &(python(guide)? + CHECK))?;
    host.root(&format!(
        "python3 /root/check.py \"$(ls {TOLD}/siem/* | tail -n 1)\""
    ))
    .ok()?;
    Ok(())
}

on_both_debians! {
    with play_with_tools;

    fn who_is_told_is_told_as_the_guide_says(host) {
        let _service = stand_in::bring(host)?;
        // Nobody out there is asked.
        let guide = include_str!("../../../docs/notify.md")
            .replace("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXX", "https://localhost:8443/chat")
            .replace("https://siem.example.com/tpa", "https://localhost:8443/siem");
        let (before, webhook) = guide.split_once("## A webhook").context("it has one")?;
        follow(host, before)?;
        told(host, "chat", "test")?;
        let id = request(host, "alice", "web-ops", "1h")?;
        mailed(host, "carol", &format!("tpactl approve {id}"))?;
        follow(host, webhook)?;
        is_signed(host, &guide)?;
        an_ordinary_user_is_not_alarmed(host)?;
    }
}
