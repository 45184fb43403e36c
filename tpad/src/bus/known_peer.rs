//! A connection whose other end is known from the kernel.
//!
//! zbus asks the name service for the groups of whoever connects before it says hello. One that
//! hangs would keep every login waiting for an answer that nobody needs: the uid is all that counts.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::export::async_trait::async_trait;
use zbus::fdo::ConnectionCredentials;
use zruntime::{AsyncIo, Shared, SharedRuntime};

/// The connection. It passes no descriptors.
#[derive(Debug)]
pub struct KnownPeer {
    stream: Arc<Stream>,
    uid: u32,
}

struct Stream(AsyncIo<UnixStream, Shared>);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl KnownPeer {
    /// Takes over a stream. `uid` is the other end's (unix(7), `SO_PEERCRED`).
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub fn new(runtime: &SharedRuntime, stream: UnixStream, uid: u32) -> io::Result<Self> {
        let stream = Arc::new(Stream(AsyncIo::new(runtime, stream)?));
        Ok(Self { stream, uid })
    }
}

impl Socket for KnownPeer {
    type ReadHalf = Reader;
    type WriteHalf = Writer;

    fn split(self) -> Split<Reader, Writer> {
        let writer = Writer(Arc::clone(&self.stream));
        Split::new(Reader(self), writer)
    }
}

/// The half that calls come through.
#[derive(Debug)]
pub struct Reader(KnownPeer);

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let stream = &self.0.stream.0;
        let read = stream.read_with(|mut stream| stream.read(buffer)).await?;
        Ok((read, Vec::new()))
    }

    async fn peer_credentials(&mut self) -> io::Result<ConnectionCredentials> {
        Ok(ConnectionCredentials::default().set_unix_user_id(self.0.uid))
    }
}

/// The half that answers leave through.
#[derive(Debug)]
pub struct Writer(Arc<Stream>);

#[async_trait]
impl WriteHalf for Writer {
    async fn sendmsg(&mut self, buffer: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if !fds.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let stream = &self.0.0;
        stream.write_with(|mut stream| stream.write(buffer)).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.0.get_ref().shutdown(Shutdown::Both)
    }
}
