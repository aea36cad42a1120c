//! A relay that does with the bytes of its circuits what it likes. It speaks circuit relay v2 as far as two nodes need it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::{
    protobuf::{bytes, number},
    scripted::Scripted,
};

const HOP: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/hop");
const STOP: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/stop");
const RESERVE: u8 = 0;

/// What it does with the bytes of one direction of a circuit, from the `n`th on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// One bit of that byte is another.
    Alter(u64),
    /// What came with that byte is carried twice.
    Replay(u64),
    /// What came with that byte is left out.
    Drop(u64),
    /// Bytes of its own stand before it.
    Insert(u64),
    /// Nothing more is carried from there on.
    Hold(u64),
    /// Every piece is carried that much later.
    Late(Duration),
}

/// Which way the fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToListener,
    ToDialer,
}

/// How the next circuits go.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub fault: Fault,
    pub way: Way,
    /// Circuits lead to this peer, whomever they are asked for.
    pub astray: Option<PeerId>,
}

impl Plan {
    pub const HONEST: Self = Self {
        fault: Fault::None,
        way: Way::ToListener,
        astray: None,
    };
}

/// Carried to the listener, and to the dialer.
type Carried = Arc<[AtomicU64; 2]>;

pub struct Relay {
    pub address: Multiaddr,
    plan: Arc<Mutex<Plan>>,
    carried: Carried,
    _peer: Scripted,
}

impl Relay {
    pub async fn start() -> Self {
        let mut peer = Scripted::start().await;
        let mut incoming = peer.accept(HOP);
        let control = peer.control.clone();
        let plan = Arc::new(Mutex::new(Plan::HONEST));
        let carried = Carried::default();
        let (plans, count) = (Arc::clone(&plan), Arc::clone(&carried));
        peer.run(async move {
            while let Some((from, stream)) = incoming.next().await {
                let plan = *plans.lock().unwrap();
                // What fails ends its circuit; that is what the tests look at.
                tokio::spawn(serve(stream, from, control.clone(), plan, count.clone()));
            }
        });
        Self {
            address: peer.address.clone(),
            plan,
            carried,
            _peer: peer,
        }
    }

    /// From the next circuit on.
    pub fn set(&self, plan: Plan) {
        *self.plan.lock().unwrap() = plan;
    }

    /// What circuits brought it to carry since it was asked last, by direction.
    pub fn carried(&self, way: Way) -> u64 {
        self.carried[way as usize].swap(0, Ordering::SeqCst)
    }

    /// The same, and it counts on.
    pub fn peek(&self, way: Way) -> u64 {
        self.carried[way as usize].load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: libp2p::Stream,
    from: PeerId,
    mut control: libp2p_stream::Control,
    plan: Plan,
    carried: Carried,
) -> Option<()> {
    let request = message(&mut stream).await?;
    // `type` is the first field of all messages.
    if request.get(1) == Some(&RESERVE) {
        return tell(&mut stream, &granted(3600)).await;
    }
    // `type = CONNECT`, then the peer: a message of its id.
    let asked = PeerId::from_bytes(request.get(6..)?).ok()?;
    let target = plan.astray.unwrap_or(asked);
    let mut stop = control.open_stream(target, STOP).await.ok()?;
    let id = from.to_bytes();
    let length = u8::try_from(id.len()).unwrap();
    let mut connect = vec![0x08, 0, 0x12, length + 2, 0x0a, length];
    connect.extend(id);
    tell(&mut stop, &connect).await?;
    message(&mut stop).await?;
    // `type = STATUS`, `status = OK`.
    tell(&mut stream, &[0x08, 2, 0x28, 100]).await?;
    let (near, far) = (stream.split(), stop.split());
    let fault = |way| {
        if plan.way == way {
            plan.fault
        } else {
            Fault::None
        }
    };
    let [up, down] = &*carried;
    futures::join!(
        carry(near.0, far.1, fault(Way::ToListener), up),
        carry(far.0, near.1, fault(Way::ToDialer), down),
    );
    Some(())
}

async fn message(stream: &mut libp2p::Stream) -> Option<Vec<u8>> {
    let mut length = [0];
    stream.read_exact(&mut length).await.ok()?;
    let mut message = vec![0; length[0].into()];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

async fn tell(stream: &mut libp2p::Stream, message: &[u8]) -> Option<()> {
    let mut framed = vec![u8::try_from(message.len()).unwrap()];
    framed.extend(message);
    stream.write_all(&framed).await.ok()?;
    stream.flush().await.ok()
}

/// A `HopMessage` that grants a reservation for so many seconds.
pub fn granted(seconds: u64) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let reservation = [
        number(1, now.as_secs().saturating_add(seconds)),
        bytes(2, &address.to_vec()),
    ];
    // `type = STATUS`, `status = OK`.
    [
        number(1, 2),
        bytes(3, &reservation.concat()),
        number(5, 100),
    ]
    .concat()
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    fault: Fault,
    carried: &AtomicU64,
) {
    let (mut buffer, mut done) = (vec![0; 4096], 0);
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut piece = buffer[..count].to_vec();
        let end = done + count as u64;
        let at = |n: u64| (done..end).contains(&n).then(|| (n - done) as usize);
        match fault {
            Fault::None => {}
            Fault::Alter(n) => {
                if let Some(at) = at(n) {
                    piece[at] ^= 0x10;
                }
            }
            Fault::Replay(n) if at(n).is_some() => piece.extend(piece.clone()),
            Fault::Drop(n) if at(n).is_some() => piece.clear(),
            Fault::Insert(n) => {
                if let Some(at) = at(n) {
                    piece.splice(at..at, [0, 3, 1, 2, 3]);
                }
            }
            Fault::Hold(n) if n < end => {
                piece.truncate(n.saturating_sub(done) as usize);
            }
            Fault::Late(delay) => tokio::time::sleep(delay).await,
            Fault::Replay(_) | Fault::Drop(_) | Fault::Hold(_) => {}
        }
        done = end;
        carried.fetch_add(count as u64, Ordering::SeqCst);
        if to.write_all(&piece).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    let _ = to.close().await;
}
