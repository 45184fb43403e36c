//! The runtime that a D-Bus connection of the gate lives on: one call's, one thread's.
//!
//! zbus would use a runtime that starts a helper thread for work left over, and panics where
//! threads cannot be made. This one is driven by the calling thread alone, starts no thread ever,
//! and is gone with its descriptors when the call returns.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;

use zbus::runtime::traits::{PollIo, Runtime, TaskHandle};
use zbus::runtime::{Interest, IoSource};
use zruntime::{Registration, Shared, SharedRuntime, Sleep, Task};

/// A runtime that only the thread inside its `block_on` drives.
#[derive(Clone)]
pub struct OneThread(pub SharedRuntime);

impl Runtime for OneThread {
    type RegisteredIoSource = Watched;
    type Sleep = Sleep<Shared>;
    type Task<T>
        = Job<T>
    where
        T: Send + 'static;

    fn register_io_source(&self, source: IoSource) -> io::Result<Watched> {
        self.0.register(source).map(Watched)
    }

    fn sleep(&self, duration: Duration) -> Sleep<Shared> {
        self.0.sleep(duration)
    }

    fn spawn<T>(&self, name: &str, future: impl Future<Output = T> + Send + 'static) -> Job<T>
    where
        T: Send + 'static,
    {
        Job(self.0.spawn(name.to_owned(), future))
    }

    // The gate connects by itself, to sockets that it has checked, so nothing below is reached.

    async fn connect_tcp(&self, _: SocketAddr) -> io::Result<IoSource> {
        Err(ErrorKind::Unsupported.into())
    }

    async fn connect_unix(&self, _: &Path) -> io::Result<IoSource> {
        Err(ErrorKind::Unsupported.into())
    }

    fn spawn_process(
        &self,
        _: Command,
        _: Stdio,
        _: Stdio,
        _: Stdio,
    ) -> io::Result<Pin<Box<dyn Future<Output = io::Result<ExitStatus>> + Send + 'static>>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn spawn_blocking<T>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = T> + Send + 'static>>
    where
        T: Send + 'static,
    {
        // In place: the default hands it to a thread.
        Box::pin(std::future::ready(work()))
    }
}

/// A socket under watch.
pub struct Watched(Registration<Shared>);

impl PollIo for Watched {
    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        operation: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let interest = match interest {
            Interest::Readable => zruntime::Interest::Readable,
            Interest::Writable => zruntime::Interest::Writable,
            _ => return Poll::Ready(Err(ErrorKind::Unsupported.into())),
        };
        self.0.poll_io(cx, interest, operation)
    }
}

/// A task, cancelled when this is dropped.
pub struct Job<T>(Task<T, Shared>);

impl<T> Future for Job<T> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.get_mut().0).poll(cx)
    }
}

impl<T: Send + 'static> TaskHandle<T> for Job<T> {
    fn detach(self) {
        self.0.detach();
    }
}
