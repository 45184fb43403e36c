//! Whatever the words are, sudo lets run the approved list of them and no other.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tpa_tests::debian::Debian;
use tpa_tests::grant::REASON;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::TPAD_TOML;
use tpa_tests::scenario::play;

use super::{in_quotes, prepare};

/// What sudo runs, with the id of the grant.
const RUN: &str = "/usr/libexec/tpa/run";

/// Where the lists come from. The same one finds the same lists; each release has its own.
const SEED: u64 = 0x7a11_0b5e_55ed;

/// Each of so many lists is asked for together with lists that lie close to it.
const ROUNDS: usize = 4;

/// So many lists lie close to it.
const CLOSE: usize = 24;

/// What words are made of: what a rule of sudo's or a shell reads more into, and what takes more than
/// one byte.
const SIGNS: [&str; 34] = [
    " ", " ", "*", "?", "[", "]", "[!a]", "\\", "\\\\", "'", "\"", "\"\"", "!", ",", ":", "=", "#",
    "^", "$", "^a.*$", "-", "--", "a", "b", "ü", "世界", "%", "@", "~", "`", ";", "|", "ALL",
    "sha256:",
];

/// Shows each word on a line of its own.
const LINES: &str = "#!/bin/sh\nfor word; do printf '[%s]\\n' \"$word\"; done\n";

/// Numbers that look like chance (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = u64::try_from(limit.max(1)).unwrap_or(1);
        usize::try_from((mixed ^ (mixed >> 31)) % limit).unwrap_or(0)
    }

    fn sign(&mut self) -> &'static str {
        SIGNS.get(self.below(SIGNS.len())).copied().unwrap_or("a")
    }

    /// Empty at times, and at times long.
    fn word(&mut self) -> String {
        let length = match self.below(12) {
            0 | 1 => 0,
            2 => 40,
            few => few,
        };
        (0..length).map(|_| self.sign()).collect()
    }

    fn list(&mut self) -> Vec<String> {
        let length = 1 + self.below(7);
        (0..length).map(|_| self.word()).collect()
    }

    /// A list that is another one by little: most of these are the same once sudo has joined them,
    /// or what a pattern in them would match.
    fn close_to(&mut self, list: &[String]) -> Vec<String> {
        let mut other = list.to_vec();
        let at = self.below(other.len());
        match self.below(8) {
            0 => other.push(String::new()),
            1 => other.insert(at, String::new()),
            2 => drop(other.remove(at)),
            3 => other = vec![list.join(" ")],
            4 => other = list.join(" ").split(' ').map(str::to_owned).collect(),
            5 => other.push(self.word()),
            6 => other.swap(at, 0),
            _ => {
                if let Some(word) = other.get_mut(at) {
                    word.push_str(self.sign());
                }
            }
        }
        other
    }
}

/// A list and those close to it, none of them twice.
fn family(dice: &mut Dice) -> Vec<Vec<String>> {
    let mut family = vec![dice.list()];
    while family.len() <= CLOSE {
        let origin = family.first().cloned().unwrap_or_default();
        let close = if origin.is_empty() {
            dice.list()
        } else {
            dice.close_to(&origin)
        };
        if !family.contains(&close) {
            family.push(close);
        }
    }
    family
}

fn quoted(list: &[String]) -> String {
    let words: Vec<_> = list.iter().map(String::as_str).collect();
    in_quotes(&words)
}

/// Files them all, and has carol approve all but the last; their ids.
fn filed(host: &Host, user: &str, family: &[Vec<String>]) -> Result<Vec<String>> {
    let ask = |list: &Vec<String>| {
        let words = quoted(list);
        format!(
            "tpactl run once --as root --reason '{REASON}' --no-wait --json -- /opt/shop/lines {words}\n"
        )
    };
    let script: String = family.iter().map(ask).collect();
    let filed = host.console(user, &format!("set -e; cd /srv\n{script}"));
    let stream = serde_json::Deserializer::from_str(filed.ok()?).into_iter::<Value>();
    let mut ids = Vec::new();
    for (request, list) in stream.zip(family) {
        let request = request?;
        let told = request.pointer("/command/argv").and_then(Value::as_array);
        let told: Vec<_> = told.into_iter().flatten().skip(1).collect();
        ensure!(
            told == list.iter().collect::<Vec<_>>(),
            "{told:?} is shown of {list:?}"
        );
        let id = request.pointer("/id").and_then(Value::as_str);
        ids.push(id.context("no id")?.to_owned());
    }
    ensure!(ids.len() == family.len(), "{filed}");
    let approved = ids.get(..CLOSE).unwrap_or_default().join(" ");
    host.console("carol", &format!("tpactl approve {approved} --yes"))
        .ok()?;
    Ok(ids)
}

/// What sudo itself makes of commands: `true` where its rules let them run.
fn matched(host: &Host, user: &str, commands: &[String]) -> Result<Vec<bool>> {
    let ask = |command: &String| {
        format!(
            "sudo -n -l -U {user} -u root -- {command} >/dev/null 2>&1 && echo yes || echo no\n"
        )
    };
    let script: String = commands.iter().map(ask).collect();
    let said = host.root(&script);
    let answers: Vec<_> = said.ok()?.lines().map(|line| line == "yes").collect();
    ensure!(answers.len() == commands.len(), "{said}");
    Ok(answers)
}

/// Something close to what sudo is to run for this grant, and not it.
fn close_to_its_run(dice: &mut Dice, id: &str, words: &str) -> String {
    let cut = id.get(1..).unwrap_or_default();
    match dice.below(8) {
        0 => format!("{RUN} {id} ''"),
        1 => format!("{RUN} {id} {words}"),
        2 => format!("{RUN} '{id} '"),
        3 => format!("{RUN} '?{cut}'"),
        4 => format!("{RUN} {cut}"),
        5 => format!("{RUN} {words}"),
        6 => format!("/usr/bin/tpactl {id}"),
        _ => format!("/opt/shop/lines {words}"),
    }
}

/// Of a family of which all but the last are approved, each runs as itself, and once; sudo lets run
/// neither their words nor anything close to what tpactl has it do.
fn each_is_itself(host: &Host, user: &str, family: &[Vec<String>], dice: &mut Dice) -> Result<()> {
    let ids = filed(host, user, family)?;
    let (mut commands, mut expected) = (Vec::new(), Vec::new());
    let (mut calls, mut shown, mut refused) = (String::new(), String::new(), String::new());
    for (nth, (id, list)) in ids.iter().zip(family).enumerate() {
        let is_approved = nth < CLOSE;
        commands.push(format!("{RUN} {id}"));
        expected.push(is_approved);
        commands.push(close_to_its_run(dice, id, &quoted(list)));
        expected.push(false);
        let call = format!("sudo -n -u root -- {RUN} {id} && echo ran || echo refused\n");
        calls.push_str(&call);
        if is_approved {
            shown.extend(list.iter().map(|word| format!("[{word}]\n")));
        }
        shown.push_str(if is_approved { "ran\n" } else { "refused\n" });
        refused.push_str("refused\n");
    }
    let matched = matched(host, user, &commands)?;
    for ((command, runs), does) in commands.iter().zip(expected).zip(matched) {
        ensure!(runs == does, "sudo says {does} to {command}");
    }
    // All in one login, one straight after the other, and all of them again.
    let ran = host.ssh(user, &calls.repeat(2));
    shown.push_str(&refused);
    ensure!(ran.out == shown, "{shown} was expected of {ran}");
    for id in ids.iter().skip(CLOSE) {
        host.console(user, &format!("tpactl withdraw {id}")).ok()?;
    }
    Ok(())
}

on_both_debians! {
    with play;

    fn whatever_its_words_are_the_approved_list_runs_and_none_close_to_it(host) {
        prepare(host)?;
        host.write("/opt/shop/lines", LINES)?;
        host.root("chmod 0755 /opt/shop/lines").ok()?;
        host.write("/etc/tpa/tpad.toml", &format!("{TPAD_TOML}[limits]\npending_per_user = 30\n"))?;
        host.root("systemctl reload tpad").ok()?;
        let seed = SEED + u64::from(host.debian() == Debian::Trixie);
        let mut dice = Dice(seed);
        for round in 0..ROUNDS {
            let user = if round % 2 == 0 { "bob" } else { "alice" };
            let family = family(&mut dice);
            each_is_itself(host, user, &family, &mut dice)
                .with_context(|| format!("seed {seed:#x}, round {round}, {user}'s: {family:?}"))?;
        }
    }
}
