//! The system bus's socket, with the limits of [`CallLimiter`] in front of whoever answers.
//!
//! zbus gives each call a task as soon as it is read, also for Introspect, Properties and methods
//! that do not exist, which it answers by itself. While answers left more slowly than calls came,
//! tasks and answers piled up: 570 MB after 15 seconds, and none of it came back. Here a call is
//! counted before it is handed on, and a refusal has left before the next call is read.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_lite::future::yield_now;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use tpa_bus::error::Refusal;
use zbus::Message;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::export::async_trait::async_trait;
use zbus::message::{Flags, Header, Type};
use zbus::names::BusName;
use zruntime::lock::Mutex as AsyncMutex;
use zruntime::{AsyncIo, Shared, SharedRuntime};

use super::limit::{Admission, Call, CallLimiter, Sender};
use super::share::share_of;
use crate::clock::monotonic_us;

/// Longest body of a call, in bytes: many times what the longest texts and lists take.
const BODY_MAX: usize = 64 * 1_024;

/// Longest header of a message, in bytes. The names in it have at most 255 bytes each; a path has
/// no limit of its own.
const HEADER_MAX: usize = 8 * 1_024;

/// The part of a message that says how long the rest is, in bytes.
const PRIMARY: usize = 16;

/// Most descriptors that come with one read (unix(7): `SCM_MAX_FD`).
const DESCRIPTORS: usize = 253;

/// Most calls of one connection that wait until the bus has said whose it is.
const PARKED_EACH: usize = 4;

/// Most bytes of all calls that wait so. A short first call of a connection always may.
const PARKED_BYTES: usize = 1_024 * 1_024;

/// A first call that is short enough to wait, whatever else does, in bytes. The bus limits how many
/// connections there are.
const SHORT: usize = 1_024;

/// Most calls that are refused before others have their turn.
const REFUSED_IN_A_ROW: u32 = 8;

const DRIVER: &str = "org.freedesktop.DBus";

/// A connection to the bus that lets in no more calls than [`CallLimiter`] says.
#[derive(Debug)]
pub struct LimitedSocket(Arc<Wire>);

impl LimitedSocket {
    /// Takes over a stream that is connected to the bus. `is_door` knows the account of the front
    /// door by its uid.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub fn new(
        runtime: &SharedRuntime,
        stream: UnixStream,
        is_door: impl Fn(u32) -> bool + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Ok(Self(Arc::new(Wire {
            is_door: Box::new(is_door),
            stream: AsyncIo::new(runtime, stream)?,
            writing: AsyncMutex::new(()),
            limiter: Mutex::default(),
        })))
    }
}

impl Socket for LimitedSocket {
    type ReadHalf = Reader;
    type WriteHalf = Writer;

    fn split(self) -> Split<Reader, Writer> {
        let reader = Reader {
            wire: Arc::clone(&self.0),
            rest: Vec::new(),
            asked: BTreeMap::new(),
            parked: Parked::default(),
            ready: VecDeque::new(),
            refused: 0,
        };
        Split::new(reader, Writer(self.0))
    }
}

/// What both halves share.
struct Wire {
    stream: AsyncIo<UnixStream, Shared>,
    /// Held while a message is written, whole.
    writing: AsyncMutex<()>,
    limiter: Mutex<CallLimiter>,
    is_door: Box<dyn Fn(u32) -> bool + Send + Sync>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Wire {
    fn limiter(&self) -> MutexGuard<'_, CallLimiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let _whole = self.writing.lock().await;
        let mut rest = bytes;
        while !rest.is_empty() {
            let sent = self.write_some(rest).await?;
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    async fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        self.stream
            .write_with(|stream| Ok(send(stream, bytes, SendFlags::NOSIGNAL)?))
            .await
    }

    /// Reads what there is, with the descriptors that came along.
    async fn read_some(&self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        self.stream
            .read_with(|stream| {
                let mut space =
                    [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
                let mut ancillary = RecvAncillaryBuffer::new(&mut space);
                let mut buffers = [IoSliceMut::new(buffer)];
                let flags = RecvFlags::CMSG_CLOEXEC;
                let read = recvmsg(stream.as_fd(), &mut buffers, &mut ancillary, flags)?;
                let mut descriptors = Vec::new();
                for message in ancillary.drain() {
                    if let RecvAncillaryMessage::ScmRights(received) = message {
                        descriptors.extend(received);
                    }
                }
                Ok((read.bytes, descriptors))
            })
            .await
    }
}

/// The half that calls come through.
#[derive(Debug)]
pub struct Reader {
    wire: Arc<Wire>,
    /// What was read with the end of the handshake.
    rest: Vec<u8>,
    /// Whose uid was asked for, by the number of the question.
    asked: BTreeMap<u32, Sender>,
    parked: Parked,
    /// Calls that waited and may go on.
    ready: VecDeque<Message>,
    refused: u32,
}

/// Calls that wait until the bus has said whose they are.
#[derive(Debug, Default)]
struct Parked {
    calls: BTreeMap<Sender, Vec<(Message, bool)>>,
    bytes: usize,
}

/// Why a call is not handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    TooLong,
    TooMany,
    Descriptors,
}

/// A message as it was read.
struct Incoming {
    message: Message,
    /// Its body was skipped.
    too_long: bool,
    /// Whether an answer is wanted. zbus is told so always: only an answer says that a call is
    /// over, and one that nobody wants is dropped on its way out.
    wanted: bool,
}

impl Reader {
    /// The next message that somebody is to see.
    async fn next(&mut self, seq: u64) -> zbus::Result<Message> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(message);
            }
            let Some(incoming) = self.read(seq).await? else {
                continue;
            };
            let Incoming {
                message,
                too_long,
                wanted,
            } = incoming;
            match message.message_type() {
                Type::MethodCall => {
                    if let Some(message) = self.sort(message, too_long, wanted).await? {
                        return Ok(message);
                    }
                }
                Type::MethodReturn | Type::Error if self.is_answer(&message) => {
                    self.take_answer(&message).await?;
                }
                _ if too_long => {}
                _ => return Ok(message),
            }
        }
    }

    /// Gives a call back when it is to be answered now; otherwise it waits, or is refused.
    async fn sort(
        &mut self,
        message: Message,
        too_long: bool,
        wanted: bool,
    ) -> zbus::Result<Option<Message>> {
        let header = message.header();
        let Some(call) = counted(&message, &header, wanted) else {
            return Ok(None);
        };
        let refused = if too_long {
            Refused::TooLong
        } else if header.unix_fds().is_some_and(|descriptors| descriptors > 0) {
            Refused::Descriptors
        } else {
            // Bound first: the limiter must not stay locked in what follows.
            let admission = self.wire.limiter().call(call, now_ms());
            match admission {
                Admission::Admitted => {
                    self.refused = 0;
                    return Ok(Some(message.clone()));
                }
                Admission::Unknown => match self.parked.park(call.sender, &message, wanted) {
                    Wait::Refused => Refused::TooMany,
                    Wait::First => {
                        self.ask_for(call.sender, &header).await?;
                        return Ok(None);
                    }
                    Wait::Behind => return Ok(None),
                },
                Admission::Refused => Refused::TooMany,
            }
        };
        self.refuse(&header, refused, wanted).await?;
        Ok(None)
    }

    /// Asks the bus whose a connection is.
    async fn ask_for(&mut self, sender: Sender, header: &Header<'_>) -> zbus::Result<()> {
        let name = header.sender().map(ToString::to_string).unwrap_or_default();
        let question = Message::method_call("/org/freedesktop/DBus", "GetConnectionUnixUser")
            .destination(DRIVER)
            .interface(DRIVER)
            .build(&name)?;
        let serial = question.primary_header().serial_num().get();
        self.asked.insert(serial, sender);
        Ok(self.wire.write(question.data()).await?)
    }

    fn is_answer(&self, message: &Message) -> bool {
        let header = message.header();
        header
            .reply_serial()
            .is_some_and(|serial| self.asked.contains_key(&serial.get()))
            && header
                .sender()
                .is_some_and(|sender| sender.as_str() == DRIVER)
    }

    /// The bus has said whose a connection is, or that it is gone.
    async fn take_answer(&mut self, answer: &Message) -> zbus::Result<()> {
        let serial = answer.header().reply_serial();
        let Some(sender) = serial.and_then(|serial| self.asked.remove(&serial.get())) else {
            return Ok(());
        };
        let waiting = self.parked.take(sender);
        if answer.message_type() == Type::Error {
            return Ok(());
        }
        let uid: u32 = answer.body().deserialize()?;
        if (self.wire.is_door)(uid) {
            self.wire.limiter().has_door(share_of(uid));
        }
        self.wire.limiter().identified(sender, share_of(uid));
        for (message, wanted) in waiting {
            let header = message.header();
            let Some(call) = counted(&message, &header, wanted) else {
                continue;
            };
            let admission = self.wire.limiter().call(call, now_ms());
            if admission == Admission::Admitted {
                self.ready.push_back(message.clone());
            } else {
                self.refuse(&header, Refused::TooMany, wanted).await?;
            }
        }
        Ok(())
    }

    async fn refuse(
        &mut self,
        header: &Header<'_>,
        why: Refused,
        wanted: bool,
    ) -> zbus::Result<()> {
        self.refused = self.refused.saturating_add(1);
        if self.refused.is_multiple_of(REFUSED_IN_A_ROW) {
            yield_now().await;
        }
        if !wanted {
            return Ok(());
        }
        let refusal = match why {
            Refused::TooLong => Refusal::Invalid(format!(
                "a call of more than {} KiB is not read\nnext: say it shorter",
                BODY_MAX / 1_024
            )),
            Refused::TooMany => {
                Refusal::Failed("too many calls at once\nnext: try again in a moment".to_owned())
            }
            Refused::Descriptors => {
                Refusal::Invalid("no call takes file descriptors\nnext: leave them out".to_owned())
            }
        };
        let answer = Message::error(header, refusal.name()).build(&refusal.to_string())?;
        Ok(self.wire.write(answer.data()).await?)
    }

    /// Reads the next message. Exactly as many bytes are read as belong to it, so that descriptors
    /// come with the message that they were sent with. `None` for one with an impossible header.
    async fn read(&mut self, seq: u64) -> zbus::Result<Option<Incoming>> {
        let mut primary = [0; PRIMARY];
        let mut descriptors = Vec::new();
        self.fill(&mut primary, &mut descriptors).await?;
        let lengths = Lengths::of(&primary);
        let wanted = want_answer(&mut primary);
        let Some(header) = lengths.header.filter(|header| *header <= HEADER_MAX) else {
            self.skip(lengths.header, lengths.body).await?;
            return Ok(None);
        };
        let too_long = lengths.body > BODY_MAX;
        let kept = if too_long {
            // zbus is given a message that is whole: one without a body.
            primary
                .get_mut(4..8)
                .into_iter()
                .for_each(|body| body.fill(0));
            0
        } else {
            lengths.body
        };
        let mut bytes = Vec::with_capacity(header.saturating_add(kept));
        bytes.extend_from_slice(&primary);
        bytes.resize(header.saturating_add(kept), 0);
        let rest = bytes.get_mut(PRIMARY..).unwrap_or_default();
        self.fill(rest, &mut descriptors).await?;
        if too_long {
            self.skip(Some(PRIMARY), lengths.body).await?;
        }
        let mut whole = Whole {
            bytes,
            at: 0,
            descriptors,
        };
        let message = whole
            .receive_message(seq, &mut Vec::new(), &mut Vec::new())
            .await?;
        Ok(Some(Incoming {
            message,
            too_long,
            wanted,
        }))
    }

    async fn fill(&mut self, buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<()> {
        let mut at = 0;
        while let Some(space) = buffer.get_mut(at..).filter(|space| !space.is_empty()) {
            let read = if self.rest.is_empty() {
                let (read, received) = self.wire.read_some(space).await?;
                descriptors.extend(received);
                read
            } else {
                let left = self.rest.len().min(space.len());
                for (to, from) in space.iter_mut().zip(self.rest.drain(..left)) {
                    *to = from;
                }
                left
            };
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at = at.saturating_add(read);
        }
        Ok(())
    }

    /// Reads the rest of a message without keeping it.
    async fn skip(&mut self, header: Option<usize>, body: usize) -> zbus::Result<()> {
        let header = header.ok_or(zbus::Error::ExcessData)?;
        let mut left = header.saturating_sub(PRIMARY).saturating_add(body);
        let mut scrap = vec![0; BODY_MAX];
        while left > 0 {
            let piece = left.min(scrap.len());
            let space = scrap.get_mut(..piece).unwrap_or_default();
            self.fill(space, &mut Vec::new()).await?;
            left = left.saturating_sub(piece);
        }
        Ok(())
    }
}

#[async_trait]
impl ReadHalf for Reader {
    async fn receive_message(
        &mut self,
        seq: u64,
        already_received_bytes: &mut Vec<u8>,
        _already_received_fds: &mut Vec<OwnedFd>,
    ) -> zbus::Result<Message> {
        // No descriptors come with the handshake: nobody can have called yet.
        self.rest.append(already_received_bytes);
        self.next(seq).await
    }

    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        self.wire.read_some(buffer).await
    }

    /// The bus answers with a descriptor of the caller's process.
    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

/// The half that answers leave through.
#[derive(Debug)]
pub struct Writer(Arc<Wire>);

#[async_trait]
impl WriteHalf for Writer {
    async fn send_message(&mut self, message: &Message) -> zbus::Result<()> {
        let header = message.header();
        let wanted = match answered(&header) {
            Some((sender, serial)) => self.0.limiter().answered(sender, serial),
            None => true,
        };
        if wanted {
            self.0.write(message.data()).await?;
        }
        Ok(())
    }

    async fn sendmsg(&mut self, buffer: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if fds.is_empty() {
            self.0.write_some(buffer).await
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.stream.get_ref().shutdown(Shutdown::Both)
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

/// How a call has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
enum Wait {
    /// For an answer that has to be asked for.
    First,
    /// For the same answer as the calls before it.
    Behind,
    /// There is no room.
    Refused,
}

impl Parked {
    fn park(&mut self, sender: Sender, message: &Message, wanted: bool) -> Wait {
        let bytes = message.data().len();
        let before = self.calls.get(&sender).map_or(0, Vec::len);
        let short = before == 0 && bytes <= SHORT;
        let fits = self.bytes.saturating_add(bytes) <= PARKED_BYTES;
        if before >= PARKED_EACH || !(short || fits) {
            return Wait::Refused;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.calls
            .entry(sender)
            .or_default()
            .push((message.clone(), wanted));
        if before == 0 {
            Wait::First
        } else {
            Wait::Behind
        }
    }

    fn take(&mut self, sender: Sender) -> Vec<(Message, bool)> {
        let calls = self.calls.remove(&sender).unwrap_or_default();
        let bytes: usize = calls.iter().map(|(call, _)| call.data().len()).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        calls
    }
}

/// How long the parts of a message are, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lengths {
    /// With the padding behind it. `None` when no message has such a header.
    header: Option<usize>,
    body: usize,
}

impl Lengths {
    /// As the first 16 bytes say (D-Bus specification, "Message Format").
    fn of(primary: &[u8; PRIMARY]) -> Self {
        let [endian, _, _, _, b0, b1, b2, b3, .., f0, f1, f2, f3] = *primary;
        let number = |bytes| match endian {
            b'B' => u32::from_be_bytes(bytes),
            _ => u32::from_le_bytes(bytes),
        };
        let fields = usize::try_from(number([f0, f1, f2, f3])).ok();
        let header = fields
            .and_then(|fields| fields.checked_add(PRIMARY))
            .and_then(|header| header.checked_next_multiple_of(8))
            .filter(|_| matches!(endian, b'l' | b'B'));
        Self {
            header,
            body: usize::try_from(number([b0, b1, b2, b3])).unwrap_or(usize::MAX),
        }
    }
}

/// A message that was read, for zbus to make one of its own of.
#[derive(Debug)]
struct Whole {
    bytes: Vec<u8>,
    at: usize,
    descriptors: Vec<OwnedFd>,
}

#[async_trait]
impl ReadHalf for Whole {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let left = self.bytes.get(self.at..).unwrap_or_default();
        let length = left.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(left) {
            *to = *from;
        }
        self.at = self.at.saturating_add(length);
        Ok((length, std::mem::take(&mut self.descriptors)))
    }
}

fn counted(message: &Message, header: &Header<'_>, wanted: bool) -> Option<Call> {
    Some(Call {
        sender: Sender::parse(header.sender()?.as_str())?,
        serial: header.primary().serial_num().get(),
        bytes: message.data().len(),
        wanted,
    })
}

/// Whether a message wants an answer, and has it want one (D-Bus specification, "Message Format":
/// the third byte, `NO_REPLY_EXPECTED`).
fn want_answer(primary: &mut [u8; PRIMARY]) -> bool {
    let [_, _, flags, ..] = primary;
    let unwanted = Flags::NO_REPLY_EXPECTED.bits();
    let wanted = *flags & unwanted == 0;
    *flags &= !unwanted;
    wanted
}

/// Whose call a message answers, and which.
fn answered(header: &Header<'_>) -> Option<(Sender, u32)> {
    match (header.message_type(), header.destination()) {
        (Type::MethodReturn | Type::Error, Some(BusName::Unique(name))) => {
            Some((Sender::parse(name.as_str())?, header.reply_serial()?.get()))
        }
        _ => None,
    }
}

fn now_ms() -> u64 {
    monotonic_us().map_or(0, |us| us / 1_000)
}

#[cfg(test)]
mod tests {
    use futures_lite::StreamExt as _;
    use zbus::{Connection, Guid, MessageStream, connection, interface};

    use super::*;

    /// Answers nothing.
    struct Silent;

    #[interface(name = "org.tpa1.Silent")]
    impl Silent {
        async fn wait(&self) {
            std::future::pending::<()>().await;
        }
    }

    /// A bus with three connections: 5 and 6 are uid 1002's, 7 is root's.
    struct Bus {
        wire: Connection,
        messages: MessageStream,
        asked: usize,
    }

    impl Bus {
        async fn of(runtime: &SharedRuntime) -> (Self, Connection) {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let served =
                connection::Builder::socket(LimitedSocket::new(runtime, ours, |_| false).unwrap())
                    .p2p()
                    .serve_at("/org/tpa1", Silent)
                    .build();
            let bus = connection::Builder::unix_stream(theirs)
                .server(Guid::generate())
                .p2p()
                .build();
            let (served, wire) = futures_lite::future::try_zip(served, bus).await.unwrap();
            let messages = MessageStream::from(&wire);
            let bus = Self {
                wire,
                messages,
                asked: 0,
            };
            (bus, served)
        }

        async fn call(&self, connection: u32, interface: &str, member: &str, body: &str) {
            let call = Message::method_call("/org/tpa1", member)
                .interface(interface)
                .sender(format!(":1.{connection}"));
            let call = if body.is_empty() {
                call.build(&())
            } else {
                call.build(&body)
            };
            self.wire.send(&call.unwrap()).await.unwrap();
        }

        async fn introspect(&self, connection: u32) {
            let interface = "org.freedesktop.DBus.Introspectable";
            self.call(connection, interface, "Introspect", "").await;
        }

        /// Whether a call is answered, and none before it is left to be.
        async fn introspects(&mut self, connection: u32) -> bool {
            self.introspect(connection).await;
            self.answer().await.is_none()
        }

        /// The next answer, as the name of its error. Says whose a connection is meanwhile.
        async fn answer(&mut self) -> Option<String> {
            loop {
                let message = self.messages.next().await.unwrap().unwrap();
                let header = message.header();
                if message.message_type() != Type::MethodCall {
                    return header.error_name().map(ToString::to_string);
                }
                self.asked += 1;
                let name: String = message.body().deserialize().unwrap();
                let uid: u32 = if name == ":1.7" { 0 } else { 1_002 };
                let answer = Message::method_return(&header).sender(DRIVER).build(&uid);
                self.wire.send(&answer.unwrap()).await.unwrap();
            }
        }
    }

    const FAILED: &str = "org.tpa1.Error.Failed";

    fn on_a_bus(story: impl AsyncFnOnce(&mut Bus)) {
        let runtime = SharedRuntime::new().unwrap();
        runtime.clone().block_on(async {
            let (mut bus, served) = Bus::of(&runtime).await;
            story(&mut bus).await;
            drop(served);
        });
    }

    #[test]
    fn of_a_person_s_calls_no_more_than_the_limit_are_handed_on_over_however_many_connections() {
        on_a_bus(async |bus| {
            for connection in [5, 6, 7] {
                bus.introspect(connection).await;
                assert_eq!(bus.answer().await, None, "{connection}");
            }
            assert_eq!(bus.asked, 3, "once for each connection");
            for n in 0..20 {
                bus.call(5 + n % 2, "org.tpa1.Silent", "Wait", "").await;
            }
            for _ in 0..4 {
                assert_eq!(bus.answer().await.as_deref(), Some(FAILED));
            }
            // What zbus answers by itself counts like everything else, and root has room.
            bus.introspect(5).await;
            assert_eq!(bus.answer().await.as_deref(), Some(FAILED));
            assert!(bus.introspects(7).await);
            assert_eq!(bus.asked, 3);
        });
    }

    #[test]
    fn answered_calls_leave_no_trace() {
        on_a_bus(async |bus| {
            for _ in 0..100 {
                assert!(bus.introspects(5).await);
            }
        });
    }

    #[test]
    fn a_call_that_wants_no_answer_counts_until_it_is_over_and_no_longer() {
        on_a_bus(async |bus| {
            assert!(bus.introspects(5).await);
            for serial in 0..100 {
                let call = Message::method_call("/org/tpa1", "Introspect")
                    .interface("org.freedesktop.DBus.Introspectable")
                    .sender(":1.5")
                    .with_flags(Flags::NO_REPLY_EXPECTED);
                bus.wire.send(&call.build(&()).unwrap()).await.unwrap();
                assert!(
                    bus.introspects(7).await,
                    "{serial}: none but root's is answered"
                );
            }
            assert!(bus.introspects(5).await);
        });
    }

    #[test]
    fn a_call_that_is_too_long_is_refused_and_the_next_one_is_read() {
        on_a_bus(async |bus| {
            let long = "x".repeat(BODY_MAX + 1);
            bus.call(5, "org.tpa1.Silent", "Wait", &long).await;
            let refused = bus.answer().await;
            assert_eq!(refused.as_deref(), Some("org.tpa1.Error.Invalid"));
            assert!(bus.introspects(5).await);
        });
    }

    #[test]
    fn lengths_are_read_as_the_specification_has_them() {
        let primary = [b'l', 1, 0, 1, 2, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0];
        let expected = Lengths {
            header: Some(32),
            body: 2,
        };
        assert_eq!(Lengths::of(&primary), expected);
        let garbage = [b'x', 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0];
        assert_eq!(Lengths::of(&garbage).header, None);
        let endless = [b'B', 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255];
        assert!(
            Lengths::of(&endless)
                .header
                .is_none_or(|header| header > HEADER_MAX)
        );
    }
}
