//! Lets people and the gate in.
//!
//! [`serve`] puts the two interfaces where they belong: [`access`] on the system bus for
//! everyone, [`gate`] on a socket that only root can open and, as a second way, on the bus for
//! root. [`caller`] tells who is calling, and [`claims`] which process, where the bus does not; no
//! interface asks the caller. [`socket`] and [`limit`]
//! let in no more of a person's calls at once than can be answered.

pub mod access;
pub mod caller;
pub mod claims;
pub mod client;
mod command;
pub mod door;
pub mod gate;
pub mod known_peer;
pub mod limit;
pub mod listeners;
mod notices;
pub mod process;
mod rate;
mod runner;
mod seats;
pub mod serve;
mod share;
pub mod socket;
mod statement;
mod view;
mod waiting;
mod words;

use tpa_bus::error::Refusal;

use crate::core::Error;
use crate::ledger::Kind;

/// A refusal, as it crosses the bus.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refused) => {
                let text = refused.to_string();
                match refused.kind {
                    Kind::Invalid => Self::Invalid(text),
                    Kind::NotPermitted => Self::NotPermitted(text),
                    Kind::UnknownId => Self::UnknownId(text),
                    Kind::NoChange => Self::NoChange(text),
                    Kind::Limit => Self::Failed(text),
                }
            }
            Error::Failed(error) => {
                tracing::error!("{error:#}");
                Self::Failed(format!(
                    "{error:#}\nnext: see what tpad says: journalctl -u tpad"
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use zbus::object_server::Interface;
    use zruntime::SharedRuntime;

    use super::*;
    use crate::config::load::Source;
    use crate::engine::Engine;

    /// The lines of a description that say what there is, without what is said about it.
    fn bones(xml: &str) -> Vec<String> {
        let mut bones = String::new();
        let mut rest = xml;
        while let Some((before, comment)) = rest.split_once("<!--") {
            bones.push_str(before);
            rest = comment.split_once("-->").unwrap().1;
        }
        bones.push_str(rest);
        let lines = bones.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    }

    fn served(interface: &dyn Interface) -> Vec<String> {
        let mut xml = String::new();
        interface.introspect_to_writer(&mut xml, 0);
        bones(&xml)
    }

    #[test]
    fn what_is_served_is_what_the_contract_says() {
        let folder = tempfile::tempdir().unwrap();
        let owner = nix::unistd::geteuid().as_raw();
        let source = Source::in_folder(folder.path(), owner);
        let engine = Engine::open(
            &folder.path().join("tpa.db"),
            &folder.path().join("run"),
            source,
        )
        .unwrap();
        let engine = Arc::new(engine);
        let runtime = SharedRuntime::new().unwrap();
        let access = access::Access {
            engine: Arc::clone(&engine),
            runtime: runtime.clone(),
            line: access::Line::Bus(claims::Claims::new(8, 8)),
            listeners: Arc::default(),
            statements: Arc::default(),
        };
        let gate = gate::Gate {
            engine,
            runtime,
            way: gate::Way::Socket,
            waiting: waiting::seats(1),
            place: None,
        };

        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tpa_bus/org.tpa1.xml");
        let contract = bones(&std::fs::read_to_string(file).unwrap());
        let interfaces = contract
            .iter()
            .skip_while(|line| !line.starts_with("<interface"))
            .take_while(|line| *line != "</node>")
            .cloned();
        let served = [served(&access), served(&gate)].concat();
        assert_eq!(served, interfaces.collect::<Vec<_>>());
    }
}
