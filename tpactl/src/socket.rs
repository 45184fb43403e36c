//! The sockets where `tpad` knows which process this is.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use nix::unistd::geteuid;
use tpa_bus::names::{ACCESS_SOCKET, CHALLENGE_LENGTH, CLAIMS_SOCKET};
use zruntime::{AsyncIo, Shared, SharedRuntime};

/// Connects to the socket of root's commands, so that `tpad` knows whose login this comes from.
/// `None` for others than root, and where there is no such socket.
pub async fn connect() -> zbus::Result<Option<UnixStream>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    // None: an older `tpad`, none, or root of a container. The bus tells.
    match open(ACCESS_SOCKET)? {
        Some(stream) => Ok(Some(answer(stream).await?.into_inner())),
        None => Ok(None),
    }
}

/// Has `tpad` know that the connection of this name on the bus is this process's, for as long as
/// the stream is open. `None` where the bus itself tells.
pub async fn claim(name: &str) -> zbus::Result<Option<UnixStream>> {
    let Some(stream) = open(CLAIMS_SOCKET)? else {
        return Ok(None);
    };
    let stream = answer(stream).await?;
    write(&stream, format!("{name}\n").as_bytes()).await?;
    read(&stream, &mut [0]).await?;
    Ok(Some(stream.into_inner()))
}

fn open(path: &str) -> io::Result<Option<UnixStream>> {
    match UnixStream::connect(path) {
        Ok(stream) => Ok(Some(stream)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Answers `tpad`'s challenge, which proves that this very process connected.
async fn answer(stream: UnixStream) -> io::Result<AsyncIo<UnixStream, Shared>> {
    let stream = AsyncIo::new(&SharedRuntime::current()?, stream)?;
    let mut challenge = [0; CHALLENGE_LENGTH];
    read(&stream, &mut challenge).await?;
    write(&stream, &challenge).await?;
    Ok(stream)
}

async fn read(stream: &AsyncIo<UnixStream, Shared>, bytes: &mut [u8]) -> io::Result<()> {
    let mut read = 0;
    while read < bytes.len() {
        let rest = bytes.get_mut(read..).unwrap_or_default();
        match stream.read_with(|mut stream| stream.read(rest)).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            more => read = read.saturating_add(more),
        }
    }
    Ok(())
}

/// So few bytes are taken at once.
async fn write(stream: &AsyncIo<UnixStream, Shared>, bytes: &[u8]) -> io::Result<()> {
    let written = stream.write_with(|mut stream| stream.write(bytes)).await?;
    if written < bytes.len() {
        return Err(ErrorKind::WriteZero.into());
    }
    Ok(())
}
