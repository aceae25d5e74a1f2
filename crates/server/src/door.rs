//! The door: how many connections there may be at once, and how long each of them is waited for.
//!
//! A connection is waited for until its request is whole and, later, until the next one begins. Who
//! is waited for longest leaves when somebody comes and there is no room, so that half requests
//! keep nobody out; a request that is being answered is never cut off.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{Instant, Sleep},
};

/// How long callers may take, and how many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the first byte of a request, or from the connection, to the end of its headers.
    pub head: Duration,
    /// From there to the end of its body.
    pub body: Duration,
    /// How long a connection may be idle between two requests, or not take its answer.
    pub idle: Duration,
    /// The most connections at once.
    pub connections: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            connections: 256,
        }
    }
}

/// How long a connection is waited for in any case: who has just come is about to speak.
const GRACE: Duration = Duration::from_millis(250);
/// How long an answer may lie untaken while others wait for room.
const STUCK: Duration = Duration::from_secs(10);
/// How many file handles are left to others once there are none.
const SPARE: usize = 8;
/// How soon a connection that could not be accepted is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// What a connection is waited for, and since when.
#[derive(Clone, Copy)]
enum Phase {
    /// The rest of a request's headers.
    Head(Instant),
    /// The rest of a request's body.
    Body(Instant),
    /// Nothing: its request is being answered.
    Answering,
    /// That it takes its answer, of which something was written or not.
    Answered { since: Instant, wrote: bool },
    /// Its next request.
    Idle(Instant),
}

struct State {
    phase: Phase,
    leaves: bool,
    waker: Option<Waker>,
}

/// One connection, as the others see it.
struct Seat {
    id: u64,
    state: Mutex<State>,
    room: Arc<Room>,
}

/// All connections.
#[derive(Default)]
struct Room {
    taken: Mutex<(u64, BTreeMap<u64, Arc<Seat>>)>,
    /// A connection has ended, or may be asked to.
    changed: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    fn take(self: &Arc<Self>, most: usize) -> Option<Arc<Seat>> {
        let mut taken = lock(&self.taken);
        let (next, seats) = &mut *taken;
        if seats.len() >= most {
            return None;
        }
        *next += 1;
        let state = State {
            phase: Phase::Head(Instant::now()),
            leaves: false,
            waker: None,
        };
        let seat = Arc::new(Seat {
            id: *next,
            state: Mutex::new(state),
            room: Arc::clone(self),
        });
        seats.insert(*next, Arc::clone(&seat));
        Some(seat)
    }

    /// Asks the connection to leave that is waited for longest, if one is waited for long enough;
    /// otherwise says when one will be, if one is waited for at all.
    fn make_room(&self) -> Option<Instant> {
        let taken = lock(&self.taken);
        let since = |seat: &&Arc<Seat>| {
            let state = lock(&seat.state);
            match state.phase {
                _ if state.leaves => None,
                Phase::Head(since) | Phase::Body(since) | Phase::Idle(since) => Some(since),
                Phase::Answered { since, .. } if since.elapsed() > STUCK => Some(since),
                Phase::Answering | Phase::Answered { .. } => None,
            }
        };
        let waited = taken
            .1
            .values()
            .filter_map(|seat| Some((since(&seat)?, seat)));
        let (since, seat) = waited.min_by_key(|(since, _)| *since)?;
        if since.elapsed() < GRACE {
            return Some(since + GRACE);
        }
        let mut state = lock(&seat.state);
        state.leaves = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        None
    }
}

/// A listener that holds to a [`Patience`].
pub(crate) struct Door {
    listener: TcpListener,
    patience: Patience,
    room: Arc<Room>,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, patience: Patience) -> Self {
        Self {
            listener,
            patience,
            room: Arc::default(),
        }
    }

    async fn seat(&self) -> Arc<Seat> {
        loop {
            let changed = self.room.changed.notified();
            if let Some(seat) = self.room.take(self.patience.connections) {
                return seat;
            }
            match self.room.make_room() {
                // Over or not: the room is looked at again.
                Some(soon) => drop(tokio::time::timeout_at(soon, changed).await),
                None => changed.await,
            }
        }
    }
}

impl Listener for Door {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let visit = Visit {
                        stream,
                        seat: self.seat().await,
                        patience: self.patience,
                        timer: Box::pin(tokio::time::sleep(self.patience.head)),
                        blocked: false,
                    };
                    return (visit, address);
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted
                            | io::ErrorKind::ConnectionRefused
                            | io::ErrorKind::ConnectionReset
                    ) => {}
                // The process has no file handle left: from now on there are fewer connections, and
                // one that is waited for gives up its own.
                Err(_) => {
                    let room = lock(&self.room.taken).1.len().saturating_sub(SPARE).max(1);
                    self.patience.connections = self.patience.connections.min(room);
                    self.room.make_room();
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The caller at the other end of a connection.
#[derive(Clone)]
pub(crate) struct Peer {
    address: SocketAddr,
    seat: Arc<Seat>,
}

impl Peer {
    pub(crate) fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// A request has begun; its answer is awaited as long as this lives.
    pub(crate) fn begins(&self) -> InProgress {
        lock(&self.seat.state).phase = Phase::Body(Instant::now());
        InProgress(Arc::clone(&self.seat))
    }
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self {
            address: *stream.remote_addr(),
            seat: Arc::clone(&stream.io().seat),
        }
    }
}

/// A request that is being read or answered.
pub(crate) struct InProgress(Arc<Seat>);

impl InProgress {
    /// The request is whole: from here on its connection is not waited for.
    pub(crate) fn is_whole(&self) {
        lock(&self.0.state).phase = Phase::Answering;
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        lock(&self.0.state).phase = Phase::Answered {
            since: Instant::now(),
            wrote: false,
        };
    }
}

/// A connection that gives up when it is waited for too long.
pub(crate) struct Visit {
    stream: TcpStream,
    seat: Arc<Seat>,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    /// Whether the last write found no room.
    blocked: bool,
}

impl Drop for Visit {
    fn drop(&mut self) {
        lock(&self.seat.room.taken).1.remove(&self.seat.id);
        self.seat.room.changed.notify_one();
    }
}

impl Visit {
    fn leaves(&self) -> io::Result<()> {
        if lock(&self.seat.state).leaves {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Waits until the stream is ready, or until the time is over.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let deadline = {
            let mut state = lock(&self.seat.state);
            state.waker = Some(context.waker().clone());
            match state.phase {
                // Bodies end where they are read.
                Phase::Answering | Phase::Body(_) => return Poll::Pending,
                Phase::Head(since) => since + self.patience.head,
                Phase::Idle(since) | Phase::Answered { since, .. } => since + self.patience.idle,
            }
        };
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        std::task::ready!(self.timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn read_nothing(&mut self) {
        let mut state = lock(&self.seat.state);
        // It wants to read again, and nothing of the answer is left to write.
        if !self.blocked
            && let Phase::Answered { since, wrote: true } = state.phase
        {
            state.phase = Phase::Idle(since);
            self.seat.room.changed.notify_one();
        }
    }

    fn wrote(
        &mut self,
        result: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.blocked = result.is_pending();
        match result {
            Poll::Pending => self.wait(context),
            Poll::Ready(Ok(written)) => {
                if let Phase::Answered { since, wrote } = &mut lock(&self.seat.state).phase {
                    *since = Instant::now();
                    *wrote = true;
                }
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.leaves()?;
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Pending => {
                this.read_nothing();
                this.wait(context)
            }
            Poll::Ready(result) => {
                let mut state = lock(&this.seat.state);
                if buffer.filled().len() > before && matches!(state.phase, Phase::Idle(_)) {
                    state.phase = Phase::Head(Instant::now());
                }
                Poll::Ready(result)
            }
        }
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.wrote(result, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.wrote(result, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_what_the_documents_say() {
        let Patience {
            head,
            body,
            idle,
            connections,
        } = Patience::default();
        let seconds = [head, body, idle].map(|time| time.as_secs());
        assert_eq!((seconds, connections), ([10, 10, 60], 256));
    }
}
