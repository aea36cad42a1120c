//! What the page sees.

use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};

use futures::{
    FutureExt as _, StreamExt as _,
    channel::{mpsc, oneshot},
};
use libp2p::{
    Multiaddr, PeerId, Swarm, identify,
    identity::Keypair,
    ping,
    swarm::{self, ConnectionId, NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::{echo, measure};

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    stream: libp2p_stream::Behaviour,
}

enum Command {
    Dial(Multiaddr, oneshot::Sender<Result<PeerId, String>>),
    Disconnect(PeerId),
}

/// What happened so far; the tests poll it.
#[derive(Serialize, Default, Clone)]
#[serde(rename_all = "camelCase")]
struct Seen {
    pings: Vec<f64>,
    ping_failures: Vec<String>,
    /// Agents that identified themselves to us.
    identified: Vec<String>,
    /// How often a remote asked who we are, on a stream of its own.
    asked: usize,
    connections: usize,
    closed: Vec<String>,
}

/// A node.
#[wasm_bindgen]
pub struct Probe {
    commands: mpsc::Sender<Command>,
    control: libp2p_stream::Control,
    seen: Rc<RefCell<Seen>>,
    held: RefCell<Vec<measure::Pinger>>,
}

/// Commands that may wait; the tests give them one by one.
const COMMANDS: usize = 16;

#[wasm_bindgen]
impl Probe {
    /// Starts a node with a new identity. `log` is a level for the console, or empty.
    #[wasm_bindgen(constructor)]
    pub fn new(log: &str) -> Result<Probe, JsError> {
        console_error_panic_hook::set_once();
        if let Ok(level) = log.parse() {
            let config = tracing_wasm::WASMLayerConfigBuilder::new()
                .set_max_level(level)
                .build();
            tracing_wasm::set_as_global_default_with_config(config);
        }
        let identity = Keypair::generate_ed25519();
        let config = libp2p_webrtc_websys::Config::new(&identity);
        let transport = libp2p_webrtc_websys::Transport::new(config).boxed();
        let stream = libp2p_stream::Behaviour::new();
        let control = stream.new_control();
        let behaviour = Behaviour {
            identify: identify::Behaviour::new(identify::Config::new(
                "/mooring-probe/1".into(),
                identity.public(),
            )),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(Duration::from_millis(200)),
            ),
            stream,
        };
        let swarm = Swarm::new(
            transport,
            behaviour,
            identity.public().to_peer_id(),
            swarm::Config::with_wasm_executor()
                .with_idle_connection_timeout(Duration::from_secs(600)),
        );
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let seen = Rc::<RefCell<Seen>>::default();
        spawn_local(run(swarm, inbox, seen.clone()));
        Ok(Self {
            commands,
            control,
            seen,
            held: RefCell::default(),
        })
    }

    /// Dials; resolves to the remote's peer id.
    pub async fn dial(&self, address: String) -> Result<String, JsError> {
        let address: Multiaddr = address.parse()?;
        let (answer, answered) = oneshot::channel();
        self.command(Command::Dial(address, answer))?;
        let peer = answered.await?.map_err(|error| JsError::new(&error))?;
        Ok(peer.to_string())
    }

    /// Closes all connections to a peer.
    pub fn disconnect(&self, peer: &str) -> Result<(), JsError> {
        self.command(Command::Disconnect(peer.parse()?))
    }

    /// What happened so far.
    pub fn seen(&self) -> Result<JsValue, JsError> {
        Ok(serde_wasm_bindgen::to_value(&*self.seen.borrow())?)
    }

    /// Echo streams; resolves to a report.
    pub async fn echo(
        &self,
        peer: String,
        count: usize,
        at_once: usize,
        bytes: usize,
    ) -> Result<JsValue, JsError> {
        let peer = peer.parse()?;
        let sizes = (1, bytes);
        let report = echo::streams(self.control.clone(), peer, count, at_once, sizes).await;
        Ok(serde_wasm_bindgen::to_value(&report)?)
    }

    /// Echo streams with payloads of the same size; resolves to a report.
    #[wasm_bindgen(js_name = shortStreams)]
    pub async fn short_streams(
        &self,
        peer: String,
        count: usize,
        at_once: usize,
        bytes: usize,
    ) -> Result<JsValue, JsError> {
        let peer = peer.parse()?;
        let sizes = (bytes, bytes);
        let report = echo::streams(self.control.clone(), peer, count, at_once, sizes).await;
        Ok(serde_wasm_bindgen::to_value(&report)?)
    }

    /// Small writes on one stream, answered and never flushed; resolves to the bytes that came back.
    pub async fn unflushed(&self, peer: String, rounds: usize) -> Result<usize, JsError> {
        echo::unflushed(self.control.clone(), peer.parse()?, rounds)
            .await
            .map_err(|error| JsError::new(&error))
    }

    /// Bytes up and down, `{ up, down, rateUp, rateDown }`; resolves to the time and both hashes.
    pub async fn bulk(&self, peer: String, order: JsValue) -> Result<JsValue, JsError> {
        let order = serde_wasm_bindgen::from_value(order)?;
        let transfer = measure::bulk(self.control.clone(), peer.parse()?, order).await;
        let transfer = transfer.map_err(|error| JsError::new(&error))?;
        Ok(serde_wasm_bindgen::to_value(&transfer)?)
    }

    /// Single bytes to and fro on one stream, with a pause of milliseconds between; resolves to milliseconds.
    #[wasm_bindgen(js_name = roundTrips)]
    pub async fn round_trips(
        &self,
        peer: String,
        count: usize,
        pause: u32,
    ) -> Result<Vec<f64>, JsError> {
        let pause = Duration::from_millis(pause.into());
        measure::round_trips(self.control.clone(), peer.parse()?, count, pause)
            .await
            .map_err(|error| JsError::new(&error))
    }

    /// The same for as long as a transfer takes.
    #[wasm_bindgen(js_name = roundTripsDuring)]
    pub async fn round_trips_during(
        &self,
        peer: String,
        order: JsValue,
        pause: u32,
    ) -> Result<Vec<f64>, JsError> {
        let order = serde_wasm_bindgen::from_value(order)?;
        let pause = Duration::from_millis(pause.into());
        measure::round_trips_during(self.control.clone(), peer.parse()?, order, pause)
            .await
            .map_err(|error| JsError::new(&error))
    }

    /// Opens this many streams and keeps them, idle.
    pub async fn hold(&self, peer: String, count: usize) -> Result<(), JsError> {
        let peer = peer.parse()?;
        for _ in 0..count {
            let held = measure::Pinger::open(self.control.clone(), peer)
                .await
                .map_err(|error| JsError::new(&error))?;
            self.held.borrow_mut().push(held);
        }
        Ok(())
    }

    /// Closes the streams that are kept.
    pub async fn release(&self) -> Result<(), JsError> {
        let held = self.held.take();
        for stream in held {
            stream.close().await.map_err(|error| JsError::new(&error))?;
        }
        Ok(())
    }

    fn command(&self, command: Command) -> Result<(), JsError> {
        Ok(self.commands.clone().try_send(command)?)
    }
}

async fn run(
    mut swarm: Swarm<Behaviour>,
    mut inbox: mpsc::Receiver<Command>,
    seen: Rc<RefCell<Seen>>,
) {
    let mut dials: HashMap<ConnectionId, oneshot::Sender<Result<PeerId, String>>> = HashMap::new();
    loop {
        futures::select! {
            command = inbox.next() => match command {
                Some(Command::Dial(address, answer)) => {
                    let options = DialOpts::unknown_peer_id().address(address).build();
                    let id = options.connection_id();
                    match swarm.dial(options) {
                        Ok(()) => { dials.insert(id, answer); }
                        Err(error) => { let _ = answer.send(Err(describe(&error))); }
                    }
                }
                Some(Command::Disconnect(peer)) => { let _ = swarm.disconnect_peer_id(peer); }
                None => return,
            },
            event = swarm.next().fuse() => {
                let Some(event) = event else { return };
                on_event(event, &mut dials, &mut seen.borrow_mut());
            }
        }
    }
}

fn on_event(
    event: SwarmEvent<BehaviourEvent>,
    dials: &mut HashMap<ConnectionId, oneshot::Sender<Result<PeerId, String>>>,
    seen: &mut Seen,
) {
    match event {
        SwarmEvent::ConnectionEstablished {
            peer_id,
            connection_id,
            ..
        } => {
            seen.connections = seen.connections.saturating_add(1);
            if let Some(answer) = dials.remove(&connection_id) {
                let _ = answer.send(Ok(peer_id));
            }
        }
        SwarmEvent::OutgoingConnectionError {
            connection_id,
            error,
            ..
        } => {
            if let Some(answer) = dials.remove(&connection_id) {
                let _ = answer.send(Err(describe(&error)));
            }
        }
        SwarmEvent::ConnectionClosed { cause, .. } => {
            seen.connections = seen.connections.saturating_sub(1);
            seen.closed
                .push(cause.map_or_else(|| "closed here".to_owned(), |cause| describe(&cause)));
        }
        SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => match event.result {
            Ok(time) => seen.pings.push(time.as_secs_f64() * 1000.0),
            Err(error) => seen.ping_failures.push(describe(&error)),
        },
        SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => match event {
            identify::Event::Received { info, .. } => seen.identified.push(info.agent_version),
            identify::Event::Sent { .. } => seen.asked = seen.asked.saturating_add(1),
            _ => {}
        },
        _ => {}
    }
}

/// An error with all its causes.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
