//! The socket of root's commands.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use nix::unistd::geteuid;
use tpa_bus::names::{ACCESS_SOCKET, CHALLENGE_LENGTH};
use zruntime::{AsyncIo, SharedRuntime};

/// Connects, and answers `tpad`'s challenge: so that it knows this very process, and whose login it
/// comes from. `None` for others than root, and where there is no such socket.
pub async fn connect() -> zbus::Result<Option<UnixStream>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let stream = match UnixStream::connect(ACCESS_SOCKET) {
        Ok(stream) => stream,
        // An older `tpad`, none, or root of a container: the bus tells.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::PermissionDenied
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Some(answer(stream).await?))
}

async fn answer(stream: UnixStream) -> io::Result<UnixStream> {
    let stream = AsyncIo::new(&SharedRuntime::current()?, stream)?;
    let mut challenge = [0; CHALLENGE_LENGTH];
    let mut read = 0;
    while read < CHALLENGE_LENGTH {
        let rest = challenge.get_mut(read..).unwrap_or_default();
        match stream.read_with(|mut stream| stream.read(rest)).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            more => read = read.saturating_add(more),
        }
    }
    // So few bytes are taken at once.
    let written = stream
        .write_with(|mut stream| stream.write(&challenge))
        .await?;
    if written < CHALLENGE_LENGTH {
        return Err(ErrorKind::WriteZero.into());
    }
    Ok(stream.into_inner())
}
