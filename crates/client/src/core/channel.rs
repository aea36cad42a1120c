//! A stream's port as `AsyncRead` and `AsyncWrite`: the contract's rules for both directions.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use mooring_api::{
    ErrorCode,
    limits::MAX_STREAM_CHUNK,
    params::Bytes,
    stream_port::{RESET_PROTOCOL, StreamMessage},
};

use crate::{
    Error,
    core::credit::{ReceiveWindow, SendCredit},
};

/// The way out. What comes in is given to [`Channel::receive`].
pub trait Port {
    /// Sends a message.
    fn send(&self, message: StreamMessage);
    /// Nothing is sent or heard any more.
    fn close(&self);
}

/// One end of a stream. The other is the node.
pub struct Channel {
    port: Box<dyn Port>,
    state: RefCell<State>,
}

struct State {
    credit: SendCredit,
    window: ReceiveWindow,
    /// Came and was not read; of the first, `offset` bytes were.
    queue: VecDeque<Bytes>,
    offset: usize,
    /// The remote's data is at its end.
    ended: bool,
    /// Its end was read.
    end_read: bool,
    /// This side's data is at its end.
    write_closed: bool,
    /// The remote reads no more.
    unread: bool,
    /// Why it was reset, by either side.
    reset: Option<String>,
    /// The node says no more.
    closed: bool,
    /// Nobody has the stream any more.
    forgotten: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    watchers: Vec<Waker>,
}

impl State {
    fn failure(&self) -> Option<Error> {
        let reason = self.reset.as_ref()?;
        let detail = Some(reason.clone()).filter(|reason| !reason.is_empty());
        Some(Error::node(ErrorCode::StreamReset, "The stream was reset").with_detail(detail))
    }

    /// Everybody who waits looks again.
    fn wake_all(&mut self) -> Vec<Waker> {
        let waiting = self.reader.take().into_iter().chain(self.writer.take());
        waiting.chain(self.watchers.drain(..)).collect()
    }

    fn end(&mut self, reason: String) {
        self.reset.get_or_insert(reason);
        self.queue.clear();
        self.offset = 0;
    }
}

impl Channel {
    /// Begins with the grant of the window.
    pub fn new(port: impl Port + 'static, window: u32) -> Rc<Channel> {
        port.send(StreamMessage::Credit {
            bytes: u64::from(window),
        });
        Rc::new(Channel {
            port: Box::new(port),
            state: RefCell::new(State {
                credit: SendCredit::default(),
                window: ReceiveWindow::new(window),
                queue: VecDeque::new(),
                offset: 0,
                ended: false,
                end_read: false,
                write_closed: false,
                unread: false,
                reset: None,
                closed: false,
                forgotten: false,
                reader: None,
                writer: None,
                watchers: Vec::new(),
            }),
        })
    }

    /// Takes a message of the node.
    pub fn receive(&self, message: StreamMessage) {
        let mut state = self.state.borrow_mut();
        if state.closed || (state.reset.is_some() && message != StreamMessage::Closed) {
            return;
        }
        let woken = match message {
            StreamMessage::Data { bytes } => {
                let within = !state.ended && state.window.received(bytes.len());
                if !within {
                    drop(state);
                    self.reset(RESET_PROTOCOL);
                    return;
                }
                if !bytes.is_empty() {
                    state.queue.push_back(bytes);
                }
                state.reader.take().into_iter().collect()
            }
            StreamMessage::Credit { bytes } => {
                state.credit.add(bytes);
                state.writer.take().into_iter().collect()
            }
            StreamMessage::CloseWrite => {
                state.ended = true;
                state.reader.take().into_iter().collect()
            }
            StreamMessage::StopReading => {
                state.unread = true;
                state.writer.take().into_iter().collect()
            }
            StreamMessage::Reset { reason } => {
                state.end(reason);
                state.wake_all()
            }
            StreamMessage::Closed => {
                // Data that came before the end may still be read; an end that never came is none.
                if !state.ended {
                    state.end("the stream was closed".to_owned());
                }
                state.closed = true;
                self.port.close();
                state.wake_all()
            }
        };
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Reads what there is, at most as much as `into` holds.
    pub fn poll_read(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state.borrow_mut();
        if into.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if let Some(error) = state.failure() {
            return Poll::Ready(Err(error.into()));
        }
        let offset = state.offset;
        let Some(chunk) = state.queue.front() else {
            if state.ended {
                state.end_read = true;
                return Poll::Ready(Ok(0));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let rest = chunk.get(offset..).unwrap_or_default();
        let count = rest.len().min(into.len());
        if let (Some(into), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
            into.copy_from_slice(from);
        }
        if count == rest.len() {
            state.queue.pop_front();
            state.offset = 0;
        } else {
            state.offset = offset.saturating_add(count);
        }
        let bytes = state.window.read(count);
        // Who sends no more needs no room.
        if bytes > 0 && !state.ended && !state.closed {
            self.port.send(StreamMessage::Credit { bytes });
        }
        Poll::Ready(Ok(count))
    }

    /// Sends what the remote has room for.
    pub fn poll_write(&self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state.borrow_mut();
        if let Some(error) = state.failure() {
            return Poll::Ready(Err(error.into()));
        }
        if state.write_closed || state.unread || state.closed {
            let why = if state.write_closed {
                "this side of the stream was closed"
            } else {
                "the remote reads no more"
            };
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, why)));
        }
        if from.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let count = state.credit.take(from.len().min(MAX_STREAM_CHUNK));
        if count == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let bytes = Bytes::from(from.get(..count).unwrap_or_default().to_vec());
        self.port.send(StreamMessage::Data { bytes });
        Poll::Ready(Ok(count))
    }

    /// Ends this side's data; the other direction stays open.
    pub fn close_write(&self) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        if state.write_closed {
            return Ok(());
        }
        if let Some(error) = state.failure() {
            return Err(error.into());
        }
        state.write_closed = true;
        if !state.closed {
            self.port.send(StreamMessage::CloseWrite);
        }
        Ok(())
    }

    /// Ends both directions at once.
    pub fn reset(&self, reason: &str) {
        let mut state = self.state.borrow_mut();
        if state.closed || state.reset.is_some() {
            return;
        }
        state.end(reason.to_owned());
        self.port.send(StreamMessage::Reset {
            reason: reason.to_owned(),
        });
        if state.forgotten {
            state.closed = true;
            self.port.close();
        }
        let woken = state.wake_all();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Waits until nothing will happen any more; why it was reset, if it was.
    pub async fn closed(&self) -> Option<String> {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if state.closed {
                return Poll::Ready(state.reset.clone());
            }
            if !state
                .watchers
                .iter()
                .any(|waker| waker.will_wake(cx.waker()))
            {
                state.watchers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// Nobody has the stream any more: one that is not at its end in both directions is reset, and one that is goes on until the
    /// node has sent the rest.
    pub fn forget(&self) {
        let mut state = self.state.borrow_mut();
        state.forgotten = true;
        let complete =
            state.write_closed && (state.end_read || state.ended && state.queue.is_empty());
        let open = !state.closed;
        let over = state.reset.is_some();
        if open && over {
            state.closed = true;
            self.port.close();
        }
        drop(state);
        if open && !over && !complete {
            self.reset("nobody has the stream any more");
        }
    }
}

#[cfg(test)]
mod tests;
