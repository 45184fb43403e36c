//! Every method that tpad serves, called by everybody about everything: whoever is not named in the
//! table is refused, and a refusal changes nothing.

mod table;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use table::{ACCESS, About, CALLERS, GATE, PEOPLE, READS, SEE_ALICES};
use tpa_tests::bus::{self, call};
use tpa_tests::debian::Debian;
use tpa_tests::grant::{REASON, role, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::{TPAD_TOML, WEB_OPS};
use tpa_tests::scenario::play;

/// An id that nothing has.
const NO_ID: &str = "ZZZZZZZZ";

/// The cast, the roles that they may all ask for, and what belongs to each.
fn stage(host: &Host) -> Result<BTreeMap<(&'static str, About), String>> {
    host.root("useradd --groups tpa-audit heidi && gpasswd --delete erin oncall")
        .ok()?;
    let limits = format!("{TPAD_TOML}[limits]\npending_per_user = 40\n");
    host.write("/etc/tpa/tpad.toml", &limits)?;
    let who = format!("{PEOPLE:?}").replace(']', ", \"frank\"]");
    let text = WEB_OPS.replace("[\"@engineers\"]", &who);
    let glass = text
        .replace("needed = 1\n", "")
        .replace("login = true", "login = true\nbreak_glass = true");
    role(host, "web-ops", &text)?;
    role(host, "glass", &glass)?;
    role(host, "night", &WEB_OPS.replace("\"@oncall\"", "\"erin\""))?;
    let mut standing = BTreeMap::new();
    for owner in PEOPLE {
        for about in [About::Pending, About::Live, About::Unreviewed] {
            standing.insert((*owner, about), made(host, owner, about)?);
        }
    }
    Ok(standing)
}

/// Files a request, and brings it to where it is to be.
fn made(host: &Host, owner: &str, about: About) -> Result<String> {
    let role = if about == About::Unreviewed {
        "glass"
    } else {
        "web-ops"
    };
    let line = format!("tpactl request {role} --for 1h --reason '{REASON}' --no-wait --json");
    let id = host.console(owner, &line).json()?.text("id")?.to_owned();
    if about == About::Live {
        host.console("dave", &format!("tpactl approve {id} --yes"))
            .ok()?;
    }
    Ok(id)
}

/// How many events there are, but for those that tell of a refusal.
fn events(host: &Host) -> Result<String> {
    let count = host.root(
        "tpactl log | grep -vcE ' (decision-refused|statement-refused|beginning-noted|residue) '",
    );
    Ok(count.ok()?.to_owned())
}

/// The bus of Debian 12 does not tell for certain which process calls. Whoever is to decide then
/// shows it to tpad, as tpactl does and a plain call does not; root can always take away.
fn is_known(host: &Host, who: &str, method: &str) -> bool {
    let decides = match method {
        "Approve" | "Deny" | "Review" => true,
        "Revoke" => who != "root",
        _ => false,
    };
    host.debian() != Debian::Bookworm || !decides
}

/// A host, and how much had happened on it before the refusals that were seen since.
struct Watched<'a> {
    host: &'a Host,
    events: String,
    refused: Vec<String>,
}

impl Watched<'_> {
    /// None of the refusals since the last look made anything happen.
    fn nothing_has_happened(&mut self) -> Result<()> {
        let now = events(self.host)?;
        ensure!(
            now == self.events,
            "{} events, then {now}: {:#?}",
            self.events,
            self.refused
        );
        self.refused.clear();
        Ok(())
    }

    /// Whoever may is served; whoever may not is told so, and nothing has happened: that is looked at
    /// before something may, and by [`Self::nothing_has_happened`].
    fn answers(
        &mut self,
        who: &str,
        (interface, method): (&str, &str),
        arguments: &str,
        may: bool,
    ) -> Result<()> {
        if may && !self.refused.is_empty() {
            self.nothing_has_happened()?;
        }
        let said = call(self.host, who, interface, method, arguments);
        let error = bus::error(&said)?;
        match error.map(|name| name.strip_prefix(bus::OURS).unwrap_or(name)) {
            None if may => {}
            Some("NotPermitted" | "UnknownId" | bus::DENIED) if !may => {}
            // Root needs no grant, and gets none.
            Some("Invalid") if who == "root" && method == "CreateRequest" => {}
            Some("Invalid") if method == "Submit" => {}
            _ if may => bail!("an answer was expected of {said}"),
            _ => bail!("a refusal was expected of {said}"),
        }
        if may {
            self.events = events(self.host)?;
        } else {
            self.refused.push(said.command);
        }
        Ok(())
    }

    /// Somebody's access is over: what follows from it has happened too.
    fn is_over(&mut self, id: &str) -> Result<()> {
        self.host.logged_event("removal-confirmed", id)?;
        self.events = events(self.host)?;
        Ok(())
    }
}

/// Whoever may not see a request is answered, word for word, as if there were none.
fn is_as_if_none(
    host: &Host,
    who: &str,
    (interface, method): (&str, &str),
    arguments: &str,
    hidden: &str,
) -> Result<()> {
    let answer = |id: &str| -> Result<(String, String)> {
        let said = call(host, who, interface, method, &arguments.replace("ID", id));
        let name = bus::error(&said)?.unwrap_or_default().to_owned();
        let text = said
            .err
            .lines()
            .find(|line| line.starts_with("Call failed"));
        Ok((name, text.unwrap_or_default().replace(id, NO_ID)))
    };
    let (told, none) = (answer(hidden)?, answer(NO_ID)?);
    ensure!(
        told == none,
        "{who}, {method}: {told:?}, and of none {none:?}"
    );
    ensure!(none.1.contains(NO_ID), "{none:?}");
    Ok(())
}

on_both_debians! {
    with play;

    fn whoever_is_not_named_is_refused_and_nothing_has_changed(host) {
        table::is_complete()?;
        let standing = stage(host)?;
        // Longer than a command may take here.
        let login = "ssh -f -T alice@127.0.0.1 'exec sleep 4710' </dev/null >/dev/null 2>&1";
        host.root(login).ok()?;
        let mut watched = Watched { host, events: events(host)?, refused: Vec::new() };

        for (method, arguments, about, own, others) in ACCESS {
            let name = ("org.tpa1.Access", method);
            for who in CALLERS {
                if about == About::Nothing {
                    watched.answers(who, name, arguments, own.contains(&who))?;
                    continue;
                }
                let other = if who == "alice" { "mallory" } else { "alice" };
                let is_known = is_known(host, who, method);
                for (owner, who_may) in [(who, own), (other, others)] {
                    let may = is_known && who_may.contains(&who);
                    let Some(id) = standing.get(&(owner, about)) else { continue };
                    // What is used up is made for the purpose.
                    let id = if may && !READS.contains(&method) {
                        watched.nothing_has_happened()?;
                        made(host, owner, about)?
                    } else {
                        id.clone()
                    };
                    watched.answers(who, name, &arguments.replace("ID", &id), may)?;
                    if may && ["End", "Revoke"].contains(&method) {
                        watched.is_over(&id)?;
                    }
                }
                watched.answers(who, name, &arguments.replace("ID", NO_ID), false)?;
                if let Some(hidden) = standing.get(&(other, about)).filter(|_| !SEE_ALICES.contains(&who)) {
                    is_as_if_none(host, who, name, arguments, hidden)?;
                }
            }
            watched.nothing_has_happened()?;
        }

        let uid = host.root("id -u bob");
        let query = format!("6 service s sshd class s login user s bob uid u {} pid u 1 exempt b false", uid.ok()?);
        let live = standing.get(&("alice", About::Live)).context("alice's grant")?;
        for (method, arguments) in GATE {
            let arguments = arguments.replace("QUERY", &query).replace("ID", live);
            for who in CALLERS {
                watched.answers(who, ("org.tpa1.Gate", method), &arguments, who == "root")?;
            }
            watched.nothing_has_happened()?;
        }

        // What is listed is what they may see, and taking back all is taking back one's own.
        for who in CALLERS {
            for (method, arguments, text) in [("ListRequests", "'a{sv}' 0", live.as_str()), ("Status", "s alice", live), ("Sessions", "s ''", "\"alice\"")] {
                let said = call(host, who, "org.tpa1.Access", method, arguments);
                ensure!(said.ok()?.contains(text) == SEE_ALICES.contains(&who), "{text}: {said}");
            }
        }
        for who in CALLERS.iter().filter(|who| !SEE_ALICES.contains(who) || **who == "heidi") {
            for what in ["user s alice", "all b true"] {
                call(host, who, "org.tpa1.Access", "Revoke", &format!("'a{{sv}}s' 1 {what} over"));
            }
            shown(host, live)?.has("state", "active")?;
        }
    }

    fn beyond_what_the_policy_of_the_bus_names_nothing_is_reached(host) {
        let properties = "org.freedesktop.DBus.Properties";
        for who in ["bob", "carol"] {
            for (interface, method, arguments) in [
                (properties, "Get", "ss org.tpa1.Access Version"),
                (properties, "GetAll", "s org.tpa1.Access"),
                (properties, "Set", "ssv org.tpa1.Access Version s 2"),
                ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", ""),
                ("org.freedesktop.systemd1.Manager", "Reload", ""),
                ("org.tpa1.Access2", "Reload", ""),
                ("org.tpa1", "Reload", ""),
            ] {
                let said = call(host, who, interface, method, arguments);
                ensure!(bus::error(&said)? == Some(bus::DENIED), "{said}");
            }
            call(host, who, "org.freedesktop.DBus.Peer", "Ping", "").ok()?;
            let name = "dbus-send --system --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus \
                org.freedesktop.DBus.RequestName string:org.tpa1 uint32:7";
            host.console(who, name).fails()?.says("is not allowed to own the service")?;
            host.console(who, "busctl --address=unix:path=/run/tpa/gate.sock call org.tpa1 /org/tpa1 org.tpa1.Gate Reload")
                .fails()?
                .says("Failed to connect")?;
        }
        let shown = call(host, "bob", "org.freedesktop.DBus.Introspectable", "Introspect", "");
        let served = shown.ok()?.split("<interface name=\\\"").skip(1);
        let served: Vec<_> = served.filter_map(|text| text.split("\\\"").next()).collect();
        let standard = ["Introspectable", "Peer", "Properties"].map(|name| format!("org.freedesktop.DBus.{name}"));
        let mut expected = vec!["org.tpa1.Access", "org.tpa1.Gate"];
        expected.extend(standard.iter().map(String::as_str));
        let mut sorted = served.clone();
        sorted.sort_unstable();
        expected.sort_unstable();
        ensure!(sorted == expected, "{served:?}");
    }
}
