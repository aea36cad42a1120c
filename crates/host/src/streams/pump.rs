//! Moves bytes between a stream and the rules of its port.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};

use super::{
    StreamPort,
    credit::{RESET_REMOTE, Tell},
    gather::Gather,
};
use crate::{
    Value,
    limits::{PUMP_STEPS, READ_CHUNK},
};

/// Runs until the stream is over and the page has been told. Dropping `stream` at the end resets what is still open.
pub(super) async fn run(
    port: &StreamPort,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    mut gather: Gather,
    post: impl Fn(Value),
) {
    let mut buffer = Vec::new();
    let mut unflushed = false;
    poll_fn(|cx| {
        *port.pump.borrow_mut() = Some(cx.waker().clone());
        let mut more = true;
        let mut steps = 0..PUMP_STEPS;
        while more && steps.next().is_some() {
            let wrote = write(port, Pin::new(&mut stream), cx, &mut unflushed);
            let read = read(port, Pin::new(&mut stream), cx, &mut buffer);
            more = (wrote || read) && !port.machine.borrow().is_over();
        }
        // Only now, so that what came in pieces goes on as one message.
        let gathered = port.machine.borrow().gathered();
        if !gather.waits(cx, gathered) {
            tell(port, &mut gather, &post);
        }
        if port.machine.borrow().is_over() {
            return Poll::Ready(());
        }
        if more {
            // There is more, and others have their turn first.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
}

/// Posts what is to be said. No borrow is held meanwhile.
fn tell(port: &StreamPort, gather: &mut Gather, post: &impl Fn(Value)) {
    loop {
        let Some(tell) = port.machine.borrow_mut().next_tell() else {
            return;
        };
        if matches!(tell, Tell::Data(_)) {
            gather.told();
        }
        post(tell.into_value());
    }
}

/// One step of writing; whether there was progress.
fn write(
    port: &StreamPort,
    mut stream: Pin<&mut (impl AsyncWrite + ?Sized)>,
    cx: &mut Context<'_>,
    unflushed: &mut bool,
) -> bool {
    let mut machine = port.machine.borrow_mut();
    if machine.is_over() {
        return false;
    }
    let (result, closing) = match machine.to_write() {
        Some(bytes) => (stream.as_mut().poll_write(cx, bytes), false),
        None if machine.wants_close() => (stream.as_mut().poll_close(cx).map_ok(|()| 0), true),
        None if *unflushed => match stream.as_mut().poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                *unflushed = false;
                return false;
            }
            other => (other.map_ok(|()| 0), false),
        },
        None => return false,
    };
    match result {
        Poll::Pending => false,
        Poll::Ready(Ok(_)) if closing => {
            machine.write_closed();
            true
        }
        Poll::Ready(Ok(0)) => {
            machine.write_stopped();
            true
        }
        Poll::Ready(Ok(count)) => {
            *unflushed = true;
            machine.wrote(count);
            true
        }
        Poll::Ready(Err(error)) => {
            // A broken pipe is a remote that stopped reading: what it sends still comes.
            if error.kind() == io::ErrorKind::BrokenPipe {
                machine.write_stopped();
            } else {
                machine.reset(RESET_REMOTE);
            }
            true
        }
    }
}

/// One step of reading; whether there was progress.
fn read(
    port: &StreamPort,
    stream: Pin<&mut (impl AsyncRead + ?Sized)>,
    cx: &mut Context<'_>,
    buffer: &mut Vec<u8>,
) -> bool {
    let mut machine = port.machine.borrow_mut();
    let Some(room) = machine.may_read().filter(|_| !machine.is_over()) else {
        return false;
    };
    buffer.resize(room.min(READ_CHUNK), 0);
    match stream.poll_read(cx, buffer) {
        Poll::Pending => {
            // Idle streams hold no buffer: there may be thousands.
            *buffer = Vec::new();
            false
        }
        Poll::Ready(Ok(count)) => {
            machine.read(buffer.get(..count).unwrap_or_default());
            true
        }
        Poll::Ready(Err(_)) => {
            machine.reset(RESET_REMOTE);
            true
        }
    }
}
