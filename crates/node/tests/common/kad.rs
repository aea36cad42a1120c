//! A peer of the DHT that answers as it is told, in the bytes of `/ipfs/kad/1.0.0`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, identify,
    identity::Keypair,
    multiaddr::Protocol,
    swarm::{self, SwarmEvent},
};
use tokio::sync::mpsc;

use super::{WEBRTC, soon};

const KAD: StreamProtocol = StreamProtocol::new("/ipfs/kad/1.0.0");

pub const PUT_VALUE: u64 = 0;
pub const GET_VALUE: u64 = 1;
pub const ADD_PROVIDER: u64 = 2;
pub const GET_PROVIDERS: u64 = 3;
pub const FIND_NODE: u64 = 4;

#[derive(swarm::NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    streams: libp2p_stream::Behaviour,
}

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
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FakeDht {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeDht {
    pub async fn start(answer: Answer) -> Self {
        let keypair = Keypair::generate_ed25519();
        let peer = keypair.public().to_peer_id();
        let streams = libp2p_stream::Behaviour::new();
        let mut incoming = streams.new_control().accept(KAD).unwrap();
        let mut swarm = Swarm::new(
            mooring_webrtc::Transport::new(mooring_webrtc::Config::new(&keypair)).boxed(),
            Behaviour {
                identify: identify::Behaviour::new(identify::Config::new(
                    "ipfs/0.1.0".into(),
                    keypair.public(),
                )),
                streams,
            },
            peer,
            swarm::Config::with_tokio_executor()
                .with_idle_connection_timeout(Duration::from_secs(60)),
        );
        swarm.listen_on(WEBRTC.parse().unwrap()).unwrap();
        let (found, mut addresses) = mpsc::channel(8);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            let serve = async {
                while let Some((_, stream)) = incoming.next().await {
                    count.fetch_add(1, Ordering::SeqCst);
                    let answer = Arc::clone(&answer);
                    tokio::spawn(async move {
                        let _ = reply(stream, &answer).await;
                    });
                }
            };
            let drive = async {
                loop {
                    if let SwarmEvent::NewListenAddr { address, .. } =
                        swarm.select_next_some().await
                    {
                        let _ = found.send(address).await;
                    }
                }
            };
            futures::join!(serve, drive);
        });
        let address = soon("listening", addresses.recv()).await.unwrap();
        Self {
            address: address.with(Protocol::P2p(peer)),
            asked,
            task,
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

pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

pub fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

pub fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [
        varint((field << 3) | 2),
        varint(value.len() as u64),
        value.to_vec(),
    ]
    .concat()
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
