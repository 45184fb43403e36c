//! Who is behind a call: the rule, without a bus or a kernel to ask.
//!
//! **The kernel's uid of the connection decides. The audit login uid can only take away, and speaks
//! for root alone.** A login uid is no proof of anybody: a process that has none may write any into
//! its own, and a daemon keeps that of whoever once started it. So a uid that is not root's is the
//! person, and a login uid beside it is one more person who must be allowed to decide. Behind root's
//! uid, which people share, the login uid names the person; but only that of the process which made
//! the connection, where that stands among the logins of the same person, and nobody else called
//! sudo. A number of a process proves nothing: whoever connected may have handed the connection on
//! and ended, and the number may be somebody else's by now, even of somebody with the same uid.
//!
//! In a user namespace of their own people have uids that are other people's outside of it
//! (subuid(5)). So whoever calls from one is nobody.

use super::{Caller, Identity, Key, Person, Proof, Refused};

/// `(uid_t) -1`: no uid.
const NO_UID: u32 = u32::MAX;

/// What the kernel and the bus tell of whoever is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The uid of the connection.
    pub uid: u32,
    /// The process behind it.
    pub process: Process,
}

/// The process behind a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// Known to be the one that made the connection: it was held by a descriptor of the kernel's
    /// while this was read, and it is still there.
    Held(Traits),
    /// All that is known is the number of the process that made the connection. This is whoever has
    /// it now, which proves nothing and can take away.
    Numbered(Traits),
    /// It has ended.
    Gone,
}

/// What proc(5) tells of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Real, effective, saved and file system uid.
    pub uids: [u32; 4],
    /// The audit login uid, where it has one.
    pub login: Option<u32>,
    /// Where its uids mean what they say.
    pub namespace: Namespace,
    /// Among whose logins it stands: the uid of a control group that root alone can put others into.
    pub session: Option<u32>,
    /// Who called sudo(8) or pkexec(1), by the environment of a process of root's: it names nobody,
    /// and takes away. −1 where that cannot be told.
    pub called_by: Option<u32>,
}

/// The user namespace of a process (`user_namespaces(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// The same as that of `tpad`.
    Ours,
    /// Another, or one that cannot be told.
    Another,
}

impl Traits {
    fn is_all(&self, uid: u32) -> bool {
        self.uids.iter().all(|each| *each == uid)
    }

    /// Whether the process stands among the logins of whom its login uid names, and nobody else is
    /// known to have called it.
    fn fits(&self, login: u32) -> bool {
        let called = self.called_by.filter(|uid| *uid != 0);
        self.session == Some(login) && called.is_none_or(|uid| uid == login)
    }

    /// Whether somebody who is not root called it.
    fn is_called(&self) -> bool {
        self.called_by.is_some_and(|uid| uid != 0)
    }
}

/// Who is calling. `look_up` finds the account of a uid; an error is why it cannot be told.
///
/// # Errors
/// A refusal, where nobody can be told to be calling at all.
pub fn caller(
    peer: Peer,
    look_up: impl Fn(u32) -> Result<Option<Identity>, String>,
) -> Result<Caller, Refused> {
    if peer.uid == NO_UID {
        return Err(nobody("uid -1 is nobody"));
    }
    if peer.process == Process::Gone {
        return Err(nobody("the process that connected has ended"));
    }
    if is_apart(peer) {
        let why = "you call from another user namespace, in which uids are not those of this host";
        return Err(nobody(why).next("call from outside of the container"));
    }
    if peer.uid == 0 {
        return Ok(behind_root(peer.process, look_up));
    }
    let identity = match look_up(peer.uid) {
        Ok(found) => found.ok_or_else(|| nobody(&format!("uid {} has no account", peer.uid)))?,
        // Whatever the name service says, the kernel's uid tells what is theirs to end.
        Err(why) => Identity::untold(peer.uid, why),
    };
    let (login, proof) = match peer.process {
        Process::Held(traits) => (traits.login, Proof::Uid),
        // It may be the caller's, and then its login takes away.
        Process::Numbered(traits) if traits.is_all(peer.uid) => (traits.login, Proof::Unproven),
        Process::Numbered(_) | Process::Gone => (None, Proof::Unproven),
    };
    let another = login.filter(|login| *login != peer.uid);
    let login = another.map(|uid| Box::new(known_or_not(look_up(uid), uid)));
    Ok(Caller {
        identity,
        uid: peer.uid,
        login,
        proof,
    })
}

/// Who is calling by their SSH key, which `/etc/tpa/signers` says is theirs. Nobody is root that way.
///
/// # Errors
/// A refusal, where that is nobody who may.
pub fn at_front_door(identity: Identity, key: Key) -> Result<Caller, Refused> {
    let uid = identity.person.uid;
    if uid == 0 || uid == NO_UID {
        return Err(nobody("a key does not speak for root")
            .next("use the key of your own account, or do it on the host"));
    }
    Ok(Caller {
        identity,
        uid,
        login: None,
        proof: Proof::Key(key),
    })
}

fn is_apart(peer: Peer) -> bool {
    match peer.process {
        Process::Held(traits) => traits.namespace == Namespace::Another,
        Process::Numbered(traits) => {
            traits.is_all(peer.uid) && traits.namespace == Namespace::Another
        }
        Process::Gone => false,
    }
}

fn behind_root(
    process: Process,
    look_up: impl Fn(u32) -> Result<Option<Identity>, String>,
) -> Caller {
    let root = |login, proof| Caller {
        identity: known_root(look_up(0)),
        uid: 0,
        login,
        proof,
    };
    let traits = match process {
        Process::Held(traits) if traits.is_all(0) => traits,
        Process::Held(_) | Process::Numbered(_) | Process::Gone => {
            return root(None, Proof::Unproven);
        }
    };
    let login = traits.login.unwrap_or(0);
    if login == 0 {
        // Somebody's sudo, and no login that says whose.
        let called = traits.is_called();
        return root(
            None,
            if called {
                Proof::Unproven
            } else {
                Proof::Login
            },
        );
    }
    match look_up(login) {
        Ok(Some(identity)) if traits.fits(login) => Caller {
            identity,
            uid: 0,
            login: None,
            proof: Proof::Login,
        },
        unknown => root(
            Some(Box::new(known_or_not(unknown, login))),
            Proof::Unproven,
        ),
    }
}

/// Root is there whatever the name service says.
fn known_root(found: Result<Option<Identity>, String>) -> Identity {
    match found {
        Ok(Some(identity)) => identity,
        _ => Identity::of(Person::root(), Vec::new()),
    }
}

/// Whoever cannot be looked up is on no list, which takes away and gives nothing.
fn known_or_not(found: Result<Option<Identity>, String>, uid: u32) -> Identity {
    match found {
        Ok(Some(identity)) => identity,
        Ok(None) => Identity::unknown(uid),
        Err(why) => Identity::untold(uid, why),
    }
}

fn nobody(why: &str) -> Refused {
    Refused::not_permitted(format!("cannot tell who you are: {why}"))
        .next("try again; if it stays, tell an admin")
}
