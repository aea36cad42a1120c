//! Inbound streams.

use std::{
    cell::RefCell,
    fmt,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll},
};

use futures::Stream;
use mooring_api::results::Incoming;

use crate::{
    MooringStream,
    core::mailbox::Mailbox,
    hub::Want,
    limits::MAX_WAITING_STREAMS,
    web::port::{MessagePort, Unclaimed},
};

/// Inbound streams of some protocols as they come. Dropping it gives the protocols back; streams that were taken go on. Of those that the
/// app does not take in time 16 wait; beyond, the oldest is reset.
pub struct IncomingStreams {
    mailbox: Rc<Mailbox<MooringStream>>,
    _wants: Vec<Want>,
}

impl IncomingStreams {
    pub(crate) fn new(mailbox: Rc<Mailbox<MooringStream>>, wants: Vec<Want>) -> Self {
        IncomingStreams {
            mailbox,
            _wants: wants,
        }
    }

    /// Streams that were reset because the app did not take them in time, or no tab was there.
    pub fn dropped(&self) -> u64 {
        self.mailbox.dropped()
    }
}

impl Stream for IncomingStreams {
    type Item = MooringStream;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<MooringStream>> {
        self.mailbox.poll_take(cx).map(Some)
    }
}

impl fmt::Debug for IncomingStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingStreams").finish_non_exhaustive()
    }
}

struct Reader {
    protocols: Vec<String>,
    window: u32,
    mailbox: Weak<Mailbox<MooringStream>>,
}

/// Who takes which; of several the last one.
#[derive(Default)]
pub struct Readers(RefCell<Vec<Reader>>);

impl Readers {
    pub fn add(&self, protocols: &[&str], window: u32) -> Rc<Mailbox<MooringStream>> {
        let mailbox = Rc::new(Mailbox::new(MAX_WAITING_STREAMS, usize::MAX));
        let mut readers = self.0.borrow_mut();
        readers.retain(|reader| reader.mailbox.strong_count() > 0);
        readers.push(Reader {
            protocols: protocols
                .iter()
                .map(|&protocol| protocol.to_owned())
                .collect(),
            window,
            mailbox: Rc::downgrade(&mailbox),
        });
        mailbox
    }

    /// Hands a stream on. One whose protocol was only just given back is refused; others may be another client's in this document.
    pub fn deliver(
        &self,
        incoming: Incoming,
        port: MessagePort,
        is_leaving: impl FnOnce(&str) -> bool,
    ) {
        let found = self.0.borrow().iter().rev().find_map(|reader| {
            let takes = reader.protocols.contains(&incoming.protocol);
            let mailbox = takes.then(|| Weak::upgrade(&reader.mailbox)).flatten()?;
            Some((mailbox, reader.window))
        });
        match found {
            Some((mailbox, window)) => {
                let stream = MooringStream::new(
                    Some(Unclaimed::new(port)),
                    incoming.protocol,
                    incoming.peer,
                    window,
                );
                if let Ok(stream) = stream {
                    mailbox.put(stream, 0, incoming.dropped.unwrap_or_default());
                }
            }
            None if is_leaving(&incoming.protocol) => drop(Unclaimed::new(port)),
            None => {}
        }
    }
}
