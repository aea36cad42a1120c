use std::future::{Ready, ready};

use futures::{FutureExt, executor::block_on};
use libp2p::core::{Endpoint, transport::PortUse};

use super::*;

const PEER: &str = "12D3KooWR7EfNv5SLtgjMRjUwR8AvNu3hP4fLrtSa9fmHHXKYWNG";

/// Where a dial may have led.
#[derive(Debug, PartialEq)]
struct Reached(Multiaddr);

/// Reaches everything.
struct Network;

/// Resolves every name to one address, when its dial is polled, and dials that.
struct Resolver {
    network: Arc<Mutex<GatedTransport<Network>>>,
    to: Multiaddr,
}

macro_rules! dials_only {
    () => {
        fn listen_on(
            &mut self,
            _: ListenerId,
            address: Multiaddr,
        ) -> Result<(), TransportError<Self::Error>> {
            Err(TransportError::MultiaddrNotSupported(address))
        }

        fn remove_listener(&mut self, _: ListenerId) -> bool {
            false
        }

        fn poll(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
            Poll::Pending
        }
    };
}

impl Transport for Network {
    type Output = Reached;
    type Error = std::io::Error;
    type ListenerUpgrade = Ready<Result<Reached, std::io::Error>>;
    type Dial = Ready<Result<Reached, std::io::Error>>;

    dials_only!();

    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        Ok(ready(Ok(Reached(address))))
    }
}

impl Transport for Resolver {
    type Output = Reached;
    type Error = GateError<std::io::Error>;
    type ListenerUpgrade = Ready<Result<Reached, Self::Error>>;
    type Dial = futures::future::BoxFuture<'static, Result<Reached, Self::Error>>;

    dials_only!();

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        let network = Arc::clone(&self.network);
        let is_ip = matches!(address.iter().next(), Some(Protocol::Ip4(_)));
        let to = if is_ip { address } else { self.to.clone() };
        Ok(async move {
            futures::future::ready(()).await;
            let dial = network.lock().unwrap().dial(to, options);
            match dial {
                Ok(dial) => dial.await,
                Err(TransportError::Other(error)) => Err(error),
                Err(TransportError::MultiaddrNotSupported(address)) => panic!("{address}"),
            }
        }
        .boxed())
    }
}

type Gated = GatedTransport<Resolver>;

/// As the native transports are put together, with a resolver that knows one address.
fn transport(gate: &Arc<Gate>, to: &str) -> Gated {
    let network = GatedTransport::resolved(Network, Arc::clone(gate));
    GatedTransport::new(
        Resolver {
            network: Arc::new(Mutex::new(network)),
            to: address(to),
        },
        Arc::clone(gate),
    )
}

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn begin(
    transport: &mut Gated,
    to: &str,
) -> Result<<Gated as Transport>::Dial, TransportError<<Gated as Transport>::Error>> {
    let options = DialOpts {
        role: Endpoint::Dialer,
        port_use: PortUse::Reuse,
    };
    transport.dial(address(to), options)
}

/// The address reached, or why there was none.
fn dial(transport: &mut Gated, to: &str) -> Result<String, Denied> {
    let error = match begin(transport, to) {
        Ok(dial) => match block_on(dial) {
            Ok(Reached(address)) => return Ok(address.to_string()),
            Err(error) => error,
        },
        Err(TransportError::Other(error)) => error,
        Err(TransportError::MultiaddrNotSupported(address)) => panic!("{address}"),
    };
    match error {
        GateError::Denied(denied) | GateError::Transport(GateError::Denied(denied)) => Err(denied),
        GateError::Transport(GateError::Transport(error)) => panic!("{error}"),
    }
}

const HOME: &str = "/ip4/192.168.0.9/tcp/9";
const PUBLIC: &str = "/ip4/1.1.1.1/tcp/9";

#[test]
fn a_name_is_judged_again_by_what_it_resolves_to() {
    let gate = Gate::new(Scope::GLOBAL);
    let name = "/dns4/name.net/tcp/9";
    assert_eq!(dial(&mut transport(&gate, PUBLIC), name).unwrap(), PUBLIC);
    assert_eq!(dial(&mut transport(&gate, HOME), name), Err(Denied::Policy));
}

#[test]
fn an_approval_is_for_its_own_name() {
    let gate = Gate::new(Scope::GLOBAL);
    let mut transport = transport(&gate, HOME);
    let approval = gate.approve(&[address("/dns4/home.net/tcp/9")]);
    assert_eq!(dial(&mut transport, "/dns4/home.net/tcp/9").unwrap(), HOME);
    // Another one that resolves to the same, and one on another port.
    for other in ["/dns4/rebinding.net/tcp/9", "/dns4/home.net/tcp/10"] {
        assert_eq!(dial(&mut transport, other), Err(Denied::Policy), "{other}");
    }
    drop(approval);
    assert_eq!(
        dial(&mut transport, "/dns4/home.net/tcp/9"),
        Err(Denied::Policy)
    );
}

#[test]
fn an_approved_address_is_not_for_names_that_resolve_to_it() {
    let gate = Gate::new(Scope::GLOBAL);
    let mut transport = transport(&gate, HOME);
    let _approval = gate.approve(&[address(HOME)]);
    assert_eq!(dial(&mut transport, HOME).unwrap(), HOME);
    assert_eq!(
        dial(&mut transport, "/dns4/rebinding.net/tcp/9"),
        Err(Denied::Policy)
    );
}

#[test]
fn dials_under_way_do_not_lend_each_other_their_approval() {
    let gate = Gate::new(Scope::GLOBAL);
    let mut transport = transport(&gate, HOME);
    let _approval = gate.approve(&[address("/dns4/home.net/tcp/9")]);
    let approved = begin(&mut transport, "/dns4/home.net/tcp/9").unwrap();
    let other = begin(&mut transport, "/dns4/rebinding.net/tcp/9").unwrap();
    let (approved, other) = block_on(futures::future::join(approved, other));
    assert_eq!(approved.unwrap(), Reached(address(HOME)));
    assert!(matches!(
        other.unwrap_err(),
        GateError::Transport(GateError::Denied(Denied::Policy))
    ));
    assert_eq!(DIALING.get(), None);
}

#[test]
fn a_pause_reaches_a_dial_that_resolves() {
    let gate = Gate::new(Scope::PRIVATE);
    let dial = begin(&mut transport(&gate, HOME), "/dns4/home.net/tcp/9").unwrap();
    gate.set_paused(true);
    assert!(matches!(
        block_on(dial).unwrap_err(),
        GateError::Transport(GateError::Denied(Denied::Paused))
    ));
}

#[test]
fn approvals_end_with_their_request() {
    let gate = Gate::new(Scope::GLOBAL);
    let circuit: Multiaddr = format!("/ip4/127.0.0.1/tcp/9/p2p/{PEER}/p2p-circuit/p2p/{PEER}")
        .parse()
        .unwrap();
    let relay: Multiaddr = format!("/ip4/127.0.0.1/tcp/9/p2p/{PEER}").parse().unwrap();
    let other: Multiaddr = format!("/ip4/127.0.0.1/tcp/10/p2p/{PEER}").parse().unwrap();
    assert!(gate.check(&relay).is_err());
    let first = gate.approve(std::slice::from_ref(&circuit));
    let second = gate.approve(std::slice::from_ref(&circuit));
    drop(first);
    assert!(gate.check(&circuit).is_ok());
    assert!(gate.check(&relay).is_ok());
    assert!(gate.check(&other).is_err());
    gate.set_paused(true);
    assert!(gate.check(&circuit).is_err());
    gate.set_paused(false);
    drop(second);
    assert!(gate.check(&circuit).is_err());
    assert!(gate.check(&relay).is_err());
}
