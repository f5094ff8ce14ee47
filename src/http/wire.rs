//! A connection that is patient neither with a client that does not read, nor hasty with one that still writes.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long a client may take none of an answer.
const STALL: Duration = Duration::from_secs(10);
/// How long, and for how many bytes, a client that was answered early may go on sending. If the connection were
/// closed on it at once, its system could throw the answer away before it is read.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 << 20;

/// Whether the last answer came before the request's body was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Early(Arc<AtomicBool>);

impl Early {
    pub(super) fn set(&self, early: bool) {
        self.0.store(early, Ordering::Relaxed);
    }
}

/// A stream with a time limit for each write, and with an end that lets an early answer arrive.
pub(super) struct Wire<S> {
    stream: S,
    early: Early,
    stalled: Option<Pin<Box<Sleep>>>,
    closing: Option<Closing>,
}

struct Closing {
    until: Pin<Box<Sleep>>,
    left_bytes: usize,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, early: Early) -> Self {
        Self { stream, early, stalled: None, closing: None }
    }

    /// Ends a write that does not come on.
    fn timed<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.timed(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.timed(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.timed(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.closing.is_none() {
            let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
            ready!(this.timed(cx, shut))?;
            if !this.early.0.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let closing = this
            .closing
            .get_or_insert_with(|| Closing { until: Box::pin(sleep(LINGER)), left_bytes: LINGER_BYTES });
        let mut scratch = [0; 4096];
        while closing.left_bytes > 0 && closing.until.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            closing.left_bytes = closing.left_bytes.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_left_after_ten_seconds_without_progress() {
        let (near, mut far) = duplex(16);
        let mut wire = Wire::new(near, Early::default());
        let began = Instant::now();
        let write = wire.write_all(&[0; 64]);
        let read = async {
            tokio::time::sleep(Duration::from_secs(8)).await;
            far.read_exact(&mut [0; 16]).await.unwrap();
        };
        let (written, ()) = tokio::join!(write, read);
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 18);
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_early_answer_what_still_comes_is_read_until_the_client_ends_or_a_second_is_over() {
        for ends in [true, false] {
            let (near, mut far) = duplex(16);
            let early = Early::default();
            early.set(true);
            let mut wire = Wire::new(near, early);
            let began = Instant::now();
            let send = async {
                far.write_all(&[0; 1000]).await.unwrap();
                if ends {
                    far.shutdown().await.unwrap();
                }
                far.read_to_end(&mut Vec::new()).await.unwrap();
            };
            let (shut, ()) = tokio::join!(wire.shutdown(), send);
            shut.unwrap();
            assert_eq!(began.elapsed().as_secs(), if ends { 0 } else { 1 });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_usual_answer_nothing_is_waited_for() {
        let (near, _far) = duplex(16);
        let began = Instant::now();
        Wire::new(near, Early::default()).shutdown().await.unwrap();
        assert!(began.elapsed().is_zero());
    }
}
