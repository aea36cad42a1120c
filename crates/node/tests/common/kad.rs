//! A peer of the DHT that answers as it is told, in the bytes of `/ipfs/kad/1.0.0`.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::{
    protobuf::{bytes, number, varint},
    scripted::Scripted,
};

const KAD: StreamProtocol = StreamProtocol::new("/ipfs/kad/1.0.0");

pub const PUT_VALUE: u64 = 0;
pub const GET_VALUE: u64 = 1;
pub const ADD_PROVIDER: u64 = 2;
pub const GET_PROVIDERS: u64 = 3;
pub const FIND_NODE: u64 = 4;

/// What it was asked, by kind and key.
pub struct Question {
    pub kind: u64,
    pub key: Vec<u8>,
}

/// A message to send, or nothing at all.
pub type Answer = Box<dyn Fn(&Question) -> Option<Vec<u8>> + Send + Sync>;

pub struct FakeDht {
    pub address: Multiaddr,
    /// How often it was asked.
    pub asked: Arc<AtomicUsize>,
    _peer: Scripted,
}

impl FakeDht {
    pub async fn start(answer: Answer) -> Self {
        let mut peer = Scripted::start().await;
        let mut incoming = peer.accept(KAD);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let answer = Arc::new(answer);
        peer.run(async move {
            while let Some((_, stream)) = incoming.next().await {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    let _ = reply(stream, &answer).await;
                });
            }
        });
        Self {
            address: peer.address.clone(),
            asked,
            _peer: peer,
        }
    }
}

async fn reply(mut stream: libp2p::swarm::Stream, answer: &Answer) -> std::io::Result<()> {
    let mut length = 0_usize;
    for shift in (0..28).step_by(7) {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    if let Some(answer) = answer(&question(&message)) {
        stream.write_all(&varint(answer.len() as u64)).await?;
        stream.write_all(&answer).await?;
    }
    stream.close().await
}

fn question(mut message: &[u8]) -> Question {
    let mut question = Question {
        kind: PUT_VALUE,
        key: Vec::new(),
    };
    while !message.is_empty() {
        let tag = take_varint(&mut message);
        let value = take_varint(&mut message);
        match tag & 7 {
            0 if tag >> 3 == 1 => question.kind = value,
            2 => {
                let (bytes, rest) = message.split_at(value as usize);
                if tag >> 3 == 2 {
                    question.key = bytes.to_vec();
                }
                message = rest;
            }
            _ => {}
        }
    }
    question
}

fn take_varint(from: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = from[0];
        *from = &from[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// A peer, as an entry of `closerPeers` or `providerPeers`.
pub fn peer(id: PeerId, addresses: &[Multiaddr]) -> Vec<u8> {
    let mut message = bytes(1, &id.to_bytes());
    for address in addresses {
        message.extend(bytes(2, &address.to_vec()));
    }
    message
}

pub fn closer(peer: &[u8]) -> Vec<u8> {
    bytes(8, peer)
}

pub fn provider(peer: &[u8]) -> Vec<u8> {
    bytes(9, peer)
}

pub fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let record = [bytes(1, key), bytes(2, value)].concat();
    bytes(3, &record)
}

/// An answer to that question with these fields.
pub fn answer(question: &Question, fields: &[Vec<u8>]) -> Option<Vec<u8>> {
    Some([number(1, question.kind), fields.concat()].concat())
}
