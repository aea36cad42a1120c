//! UDP sockets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Protocol, Type};
use tokio::net::UdpSocket;

use super::limits;

/// Binds a socket. Must run inside a tokio runtime.
pub(crate) fn bind(address: SocketAddr) -> io::Result<Arc<UdpSocket>> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(io::Error::other(
            "the WebRTC transport needs a tokio runtime",
        ));
    }
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        // An /ip4 and an /ip6 listener may have the same port.
        socket.set_only_v6(true)?;
    }
    // The kernel may grant less, which is fine.
    let _ = socket.set_recv_buffer_size(limits::SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(limits::SOCKET_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(Arc::new(UdpSocket::from_std(socket.into())?))
}

/// Binds a socket that can reach `remote`, and no more than it: loopback does not leave the machine.
pub(crate) fn bind_for(remote: SocketAddr) -> io::Result<Arc<UdpSocket>> {
    let ip: IpAddr = match (remote.ip(), remote.ip().is_loopback()) {
        (IpAddr::V4(_), true) => Ipv4Addr::LOCALHOST.into(),
        (IpAddr::V4(_), false) => Ipv4Addr::UNSPECIFIED.into(),
        (IpAddr::V6(_), true) => Ipv6Addr::LOCALHOST.into(),
        (IpAddr::V6(_), false) => Ipv6Addr::UNSPECIFIED.into(),
    };
    bind(SocketAddr::new(ip, 0))
}

/// Sends a datagram, waiting for room in the kernel's buffer. What cannot be sent is lost, like any datagram: an
/// unreachable host shows itself by its silence.
pub(crate) async fn send(socket: &UdpSocket, datagram: &[u8], to: SocketAddr) {
    if let Err(error) = socket.send_to(datagram, to).await {
        tracing::trace!(%to, %error, "cannot send a datagram");
    }
}
