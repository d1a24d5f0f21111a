//! A stream that does not wait for ever: neither for the rest of a head that has begun, nor for a client that does not
//! read its answer. Between requests a connection may be idle for longer, which hyper bounds.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

/// How many requests of a connection are being handled: then the client need not send anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Patience(Arc<AtomicUsize>);

/// A request that is being handled, until it is dropped.
pub(super) struct Handling(Patience);

impl Patience {
    pub(super) fn handling(&self) -> Handling {
        self.0.fetch_add(1, Ordering::Relaxed);
        Handling(self.clone())
    }

    fn is_handling(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The stream of a connection.
pub(super) struct Patient {
    stream: TcpStream,
    patience: Patience,
    head: Limit,
    write: Limit,
}

impl Patient {
    pub(super) fn new(stream: TcpStream, patience: Patience, head: Duration, write: Duration) -> Self {
        Self {
            stream,
            patience,
            head: Limit::new(head),
            write: Limit::new(write),
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if this.patience.is_handling() {
            this.head.end();
        } else if read.is_ready() {
            // Bytes of a head, unless hyper finds it complete and hands the request over.
            this.head.begin();
        } else {
            ready!(this.head.poll_over(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        // While we answer, no head is due.
        this.head.end();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.write.bound(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.head.end();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.write.bound(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A time limit that begins and ends; its timer is made once and used again.
struct Limit {
    duration: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl Limit {
    fn new(duration: Duration) -> Self {
        Self {
            duration,
            timer: None,
            running: false,
        }
    }

    /// Begins, unless it has begun before.
    fn begin(&mut self) {
        if !self.running {
            self.running = true;
            if let Some(timer) = &mut self.timer {
                timer.as_mut().reset(Instant::now() + self.duration);
            }
        }
    }

    fn end(&mut self) {
        self.running = false;
    }

    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.running {
            return Poll::Pending;
        }
        // Most heads and answers pass at once and never need the timer.
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.duration)));
        timer.as_mut().poll(context)
    }

    /// Bounds how long something may be pending.
    fn bound<T>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.end();
            return progress;
        }
        self.begin();
        ready!(self.poll_over(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}
