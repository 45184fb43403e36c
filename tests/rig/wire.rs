//! Just enough of D-Bus to misbehave on it (D-Bus specification, wire protocol): no library would
//! send what the abuse scenarios send.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::Uid;

/// A value in a dictionary of variants.
pub enum Value<'a> {
    /// `s`
    Text(&'a str),
    /// `u`
    Number(u32),
    /// `b`
    Truth(bool),
    /// `as`
    List(&'a [&'a str]),
}

/// A method call.
pub struct Call<'a> {
    /// To whom; nobody on a connection without a bus.
    pub destination: Option<&'a str>,
    /// Object.
    pub path: &'a str,
    /// Interface.
    pub interface: &'a str,
    /// Method.
    pub member: &'a str,
    /// Signature of the body.
    pub signature: &'a str,
    /// The body, as it is to be sent.
    pub body: &'a [u8],
    /// Whether an answer is wanted.
    pub answer: bool,
}

/// An answer: `None`, or the name of an error.
pub type Answer = Option<String>;

/// A connection that has authenticated.
pub struct Wire {
    stream: UnixStream,
    serial: u32,
}

impl Wire {
    /// Connects as the calling user. Reading gives up after a minute.
    pub fn open(socket: &Path) -> Result<Self> {
        let mut stream = UnixStream::connect(socket).context("connect")?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let uid = Uid::effective().to_string();
        // The uid in decimal, and that in hexadecimal: a digit d is the byte 3d.
        let hex: String = uid.chars().flat_map(|digit| ['3', digit]).collect();
        stream.write_all(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
        let mut said = Vec::new();
        while !said.ends_with(b"\r\n") {
            let mut byte = [0];
            ensure!(stream.read(&mut byte)? == 1, "closed in the handshake");
            said.extend(byte);
        }
        ensure!(said.starts_with(b"OK"), "not let in");
        stream.write_all(b"BEGIN\r\n")?;
        Ok(Self { stream, serial: 0 })
    }

    /// Connects to the system bus and says hello.
    pub fn on_bus() -> Result<Self> {
        let mut wire = Self::open(Path::new("/run/dbus/system_bus_socket"))?;
        wire.ask_bus("Hello")?;
        Ok(wire)
    }

    /// The socket, to be handed on.
    #[must_use]
    pub fn into_stream(self) -> UnixStream {
        self.stream
    }

    /// A connection that somebody else has authenticated.
    #[must_use]
    pub fn from_stream(stream: UnixStream) -> Self {
        // Whatever the other one sent had a smaller number.
        let serial = 1_000;
        Self { stream, serial }
    }

    /// Has the bus answer something. It answers one call after the other, so what was sent before
    /// has been passed on.
    pub fn is_passed_on(&mut self) -> Result<()> {
        self.ask_bus("GetId")
    }

    /// Calls a method of the bus itself that takes nothing.
    fn ask_bus(&mut self, member: &str) -> Result<()> {
        let bus = "org.freedesktop.DBus";
        self.send(&Call {
            destination: Some(bus),
            path: "/org/freedesktop/DBus",
            interface: bus,
            member,
            signature: "",
            body: &[],
            answer: true,
        })?;
        match self.answer()? {
            None => Ok(()),
            Some(error) => bail!("{error}"),
        }
    }

    /// Sends a call.
    pub fn send(&mut self, call: &Call<'_>) -> Result<()> {
        self.serial += 1;
        let mut out = Writer::default();
        let flags = u8::from(!call.answer);
        out.0.extend([b'l', 1, flags, 1]);
        out.number(u32::try_from(call.body.len())?);
        out.number(self.serial);
        let fields = [
            (1, "o", Some(call.path)),
            (2, "s", Some(call.interface)),
            (3, "s", Some(call.member)),
            (6, "s", call.destination),
            (8, "g", Some(call.signature).filter(|text| !text.is_empty())),
        ];
        out.list(8, |out| {
            for (code, kind, value) in fields {
                let Some(value) = value else { continue };
                out.align(8);
                out.0.push(code);
                out.signature(kind);
                if kind == "g" {
                    out.signature(value);
                } else {
                    out.text(value);
                }
            }
        });
        out.align(8);
        out.0.extend(call.body);
        self.stream.write_all(&out.0)?;
        Ok(())
    }

    /// Waits for the answer to the last call.
    pub fn answer(&mut self) -> Result<Answer> {
        loop {
            let (kind, to, error) = self.message()?;
            match kind {
                2 if to == self.serial => return Ok(None),
                3 if to == self.serial => return Ok(Some(error)),
                _ => {}
            }
        }
    }

    /// Whether the other side has closed; what it says meanwhile is left unread.
    pub fn is_closed(&mut self) -> Result<bool> {
        self.stream.set_nonblocking(true)?;
        let mut byte = [0; 4_096];
        let closed = match self.stream.read(&mut byte) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        self.stream.set_nonblocking(false)?;
        Ok(closed)
    }

    /// Type, serial that it answers, name of the error.
    fn message(&mut self) -> Result<(u8, u32, String)> {
        let mut head = [0; 16];
        self.stream.read_exact(&mut head)?;
        let number = |at: usize| {
            let bytes = head.get(at..at + 4).and_then(|b| b.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes) as usize
        };
        let (body, fields) = (number(4), number(12));
        let mut rest = vec![0; fields.next_multiple_of(8) + body];
        self.stream.read_exact(&mut rest)?;
        let header = rest.get(..fields).unwrap_or_default();
        let kind = head.get(1).copied().unwrap_or(0);
        Ok((kind, reply_to(header), error_name(header)))
    }
}

/// The field `REPLY_SERIAL`: code 5, signature `u`.
fn reply_to(header: &[u8]) -> u32 {
    let found = header.windows(8).find(|w| w.starts_with(&[5, 1, b'u', 0]));
    let bytes = found.and_then(|w| w.get(4..)?.try_into().ok());
    bytes.map_or(0, u32::from_le_bytes)
}

/// The field `ERROR_NAME`: code 4, signature `s`.
fn error_name(header: &[u8]) -> String {
    let at = header.windows(4).position(|w| w == [4, 1, b's', 0]);
    let name = at.and_then(|at| header.get(at + 8..));
    let name = name.unwrap_or_default().split(|byte| *byte == 0).next();
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}

/// Marshals `a{sv}`.
#[must_use]
pub fn dictionary(entries: &[(&str, Value<'_>)]) -> Vec<u8> {
    let mut out = Writer::default();
    out.list(8, |out| {
        for (name, value) in entries {
            out.align(8);
            out.text(name);
            match value {
                Value::Text(text) => {
                    out.signature("s");
                    out.text(text);
                }
                Value::Number(number) => {
                    out.signature("u");
                    out.number(*number);
                }
                Value::Truth(truth) => {
                    out.signature("b");
                    out.number(u32::from(*truth));
                }
                Value::List(texts) => {
                    out.signature("as");
                    out.list(4, |out| texts.iter().for_each(|text| out.text(text)));
                }
            }
        }
    });
    out.0
}

/// Marshals one text.
#[must_use]
pub fn text(text: &str) -> Vec<u8> {
    let mut out = Writer::default();
    out.text(text);
    out.0
}

/// Little-endian, aligned from its beginning.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn list(&mut self, align: usize, elements: impl FnOnce(&mut Self)) {
        self.number(0);
        let length_at = self.0.len() - 4;
        self.align(align);
        let begin = self.0.len();
        elements(self);
        let length = u32::try_from(self.0.len() - begin).unwrap_or(u32::MAX);
        if let Some(place) = self.0.get_mut(length_at..length_at + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }
}
