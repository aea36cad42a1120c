use super::*;

const PEER: &str = "12D3KooWF8Q5xmdSjSkUtJC2KCE5dvNPnKqvHv4cR2MTTG13EYug";
const CERTHASH: &str = "uEiDSnCzxBUkWy2SOPlKHtk4Tml7WtCCNFmBS16DqpK0pcQ";

fn address(text: &str) -> Multiaddr {
    text.replace("PEER", PEER)
        .replace("HASH", CERTHASH)
        .parse()
        .unwrap()
}

#[test]
fn listens_on_the_three_shapes() {
    for good in [
        "/ip4/127.0.0.1/udp/0/webrtc-direct",
        "/ip6/::/udp/4815/webrtc-direct",
        "/ip4/0.0.0.0/tcp/4816/ws",
        "/ip6/::1/tcp/0",
    ] {
        assert_eq!(check_listen(&address(good), &[]), Ok(()), "{good}");
    }
}

#[test]
fn says_why_it_does_not_listen() {
    for (bad, problem) in [
        ("", Problem::ListenShape),
        ("/ip4/127.0.0.1", Problem::ListenShape),
        ("/ip4/127.0.0.1/udp/4815", Problem::ListenShape),
        ("/ip4/127.0.0.1/tcp/1/webrtc-direct", Problem::ListenShape),
        ("/dns4/localhost/tcp/1", Problem::ListenShape),
        ("/ip4/127.0.0.1/tcp/1/ws/ws", Problem::ListenShape),
        ("/memory/7", Problem::ListenShape),
        (
            "/ip4/127.0.0.1/udp/1/webrtc-direct/certhash/HASH",
            Problem::ListenIdentity,
        ),
        ("/ip4/127.0.0.1/tcp/1/p2p/PEER", Problem::ListenIdentity),
        ("/p2p/PEER/p2p-circuit", Problem::ListenIdentity),
        ("/ip4/127.0.0.1/tcp/1/wss", Problem::ListenTls),
        ("/ip4/127.0.0.1/tcp/1/tls/ws", Problem::ListenTls),
        ("/ip4/127.0.0.1/udp/1/quic-v1", Problem::ListenQuic),
        (
            "/ip4/127.0.0.1/udp/1/quic-v1/webtransport",
            Problem::ListenQuic,
        ),
    ] {
        assert_eq!(check_listen(&address(bad), &[]), Err(problem), "{bad}");
    }
}

#[test]
fn a_port_is_used_once() {
    for (one, other, clash) in [
        ("/ip4/0.0.0.0/tcp/1", "/ip4/127.0.0.1/tcp/1/ws", true),
        ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1", true),
        ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.2/tcp/1", false),
        (
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/127.0.0.1/udp/1/webrtc-direct",
            false,
        ),
        ("/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/1", false),
        ("/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/tcp/0/ws", false),
    ] {
        let found = check_listen(&address(other), &[address(one)]);
        assert_eq!(found == Err(Problem::PortTwice), clash, "{one} {other}");
    }
}

#[test]
fn announces_what_can_be_dialed() {
    for (text, expected) in [
        ("/ip4/192.0.2.1/udp/4815/webrtc-direct", Ok(())),
        ("/dns4/example.org/tcp/443/wss", Ok(())),
        ("/dns/example.org/tcp/443/tls/ws", Ok(())),
        ("/ip4/0.0.0.0/tcp/1", Err(Problem::Unspecified)),
        ("/ip6/::/tcp/1", Err(Problem::Unspecified)),
        ("/ip4/192.0.2.1/tcp/0", Err(Problem::PortZero)),
        (
            "/ip4/192.0.2.1/tcp/1/p2p/PEER",
            Err(Problem::ExternalPeerId),
        ),
        ("/ip4/192.0.2.1/udp/1", Err(Problem::NotDialable)),
        ("/ip4/192.0.2.1", Err(Problem::NotDialable)),
        ("", Err(Problem::NotDialable)),
    ] {
        assert_eq!(check_external(&address(text)), expected, "{text}");
    }
}

#[test]
fn bootstraps_from_peers_it_can_dial() {
    for (text, expected) in [
        ("/ip4/192.0.2.1/tcp/4815/p2p/PEER", Ok(())),
        ("/dns4/example.org/tcp/443/wss/p2p/PEER", Ok(())),
        (
            "/ip4/192.0.2.1/udp/1/webrtc-direct/certhash/HASH/p2p/PEER",
            Ok(()),
        ),
        (
            "/ip4/192.0.2.1/udp/1/webrtc-direct/p2p/PEER",
            Err(Problem::NoCerthash),
        ),
        ("/ip4/192.0.2.1/tcp/1", Err(Problem::NoPeerId)),
        (
            "/ip4/192.0.2.1/udp/1/quic-v1/p2p/PEER",
            Err(Problem::BootstrapTransport),
        ),
        ("/ip4/0.0.0.0/tcp/1/p2p/PEER", Err(Problem::Unspecified)),
        ("/p2p/PEER", Err(Problem::NotDialable)),
        ("", Err(Problem::NoPeerId)),
    ] {
        assert_eq!(check_bootstrap(&address(text)), expected, "{text}");
    }
}

#[test]
fn tells_private_networks() {
    for (text, private) in [
        ("/ip4/127.0.0.1/tcp/1", true),
        ("/ip4/192.168.1.1/tcp/1", true),
        ("/ip6/fd00::1/tcp/1", true),
        ("/ip6/fe80::1/tcp/1", true),
        ("/ip4/192.0.2.1/tcp/1", false),
        ("/dns4/example.org/tcp/1", false),
    ] {
        assert_eq!(is_private(&address(text)), private, "{text}");
    }
}
