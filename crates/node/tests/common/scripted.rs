//! A peer that listens and says who it is, and leaves its streams to the test.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, identify,
    identity::Keypair,
    multiaddr::Protocol,
    swarm::{self, SwarmEvent},
};
use tokio::{sync::oneshot, task::JoinSet};

use super::{WEBRTC, soon};

#[derive(swarm::NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    streams: libp2p_stream::Behaviour,
}

pub struct Scripted {
    pub peer: PeerId,
    /// Where it is dialed.
    pub address: Multiaddr,
    pub control: libp2p_stream::Control,
    /// How often it has said what it speaks.
    pub told: Arc<AtomicUsize>,
    /// They end with it.
    tasks: JoinSet<()>,
}

impl Scripted {
    pub async fn start() -> Self {
        let keypair = Keypair::generate_ed25519();
        let peer = keypair.public().to_peer_id();
        let streams = libp2p_stream::Behaviour::new();
        let control = streams.new_control();
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
                .with_idle_connection_timeout(Duration::from_secs(300)),
        );
        swarm.listen_on(WEBRTC.parse().unwrap()).unwrap();
        let (found, address) = oneshot::channel();
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut found = Some(found);
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::NewListenAddr { address, .. } => {
                        if let Some(found) = found.take() {
                            let _ = found.send(address);
                        }
                    }
                    SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Sent {
                        ..
                    })) => {
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    _ => {}
                }
            }
        });
        let address = soon("listening", address).await.unwrap();
        Self {
            peer,
            address: address.with(Protocol::P2p(peer)),
            control,
            told,
            tasks,
        }
    }

    /// Speaks a protocol, with whoever connects from now on.
    pub fn accept(&mut self, protocol: StreamProtocol) -> libp2p_stream::IncomingStreams {
        self.control.accept(protocol).unwrap()
    }

    /// Does this as long as it is there.
    pub fn run(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Is there no more, without a word.
    pub fn vanish(&mut self) {
        self.tasks.abort_all();
    }
}
