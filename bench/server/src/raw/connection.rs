//! One peer: its session, and what is done on its channels.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::channel::Channel;
use super::native::session::{Bounds, ChannelId, End, Event, Role, Session};
use super::native::{certificate::Certificate, limits, socket};

/// Runs until the peer goes, or says nothing for long.
pub async fn run(
    certificate: Certificate,
    socket: Arc<UdpSocket>,
    peer: SocketAddr,
    mut datagrams: mpsc::Receiver<Bytes>,
) -> Result<()> {
    let Ok(mut session) = Session::new(Role::Server, &certificate, None, Instant::now()) else {
        bail!("no session");
    };
    let mut channels = HashMap::new();
    let mut batch: Vec<Bytes> = Vec::with_capacity(limits::DATAGRAM_BATCH);
    let mut seen = Instant::now();
    loop {
        let now = Instant::now();
        if !batch.is_empty() {
            seen = now;
        }
        for datagram in batch.drain(..) {
            session.handle_datagram(now, &datagram);
        }
        session.handle_timeout(now);
        session.process(now);
        while let Some(event) = session.poll_event() {
            if !on_event(event, &mut session, &mut channels)? {
                return Ok(());
            }
        }
        for (&id, channel) in &mut channels {
            channel.advance(id, &mut session);
        }
        session.process(now);
        while let Some(datagram) = session.poll_transmit() {
            socket::send(&socket, &datagram, peer).await;
        }
        let silence = seen.checked_add(limits::PEER_SILENCE).unwrap_or(now);
        if silence <= now {
            bail!("silent");
        }
        let next = session.poll_timeout().map_or(silence, |at| at.min(silence));
        tokio::select! {
            count = datagrams.recv_many(&mut batch, limits::DATAGRAM_BATCH) => {
                if count == 0 {
                    return Ok(());
                }
            }
            () = tokio::time::sleep_until(next.into()) => {}
        }
    }
}

fn on_event(
    event: Event,
    session: &mut Session,
    channels: &mut HashMap<ChannelId, Channel>,
) -> Result<bool> {
    match event {
        // Nobody authenticates here. What strangers may have waiting is too little for a transfer.
        Event::Connected => session.bound(Bounds::PEER),
        Event::Opened(id) => {
            channels.insert(id, Channel::default());
        }
        Event::Readable(id) => {
            let channel = channels.entry(id).or_default();
            while let Some(message) = session.read(id) {
                channel.receive(message);
            }
        }
        Event::Closed(id) => {
            channels.remove(&id);
        }
        Event::Ended(End::Closed) => return Ok(false),
        Event::Ended(end) => bail!("{end:?}"),
    }
    Ok(true)
}
