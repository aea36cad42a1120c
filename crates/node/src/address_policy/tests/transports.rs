//! Which shapes of addresses each platform's transports can dial.

use super::*;

#[test]
fn transports_of_a_browser() {
    let cases = [
        (
            format!("/udp/9/webrtc-direct/certhash/{HASH}/p2p/{PEER}"),
            Fine,
        ),
        (format!("/udp/9/webrtc-direct/certhash/{HASH}"), Fine),
        (
            format!("/udp/9/webrtc-direct/certhash/{HASH}/certhash/{HASH}"),
            Fine,
        ),
        (format!("/udp/9/webrtc-direct/p2p/{PEER}"), Bad),
        (format!("/udp/0/webrtc-direct/certhash/{HASH}"), Bad),
        (
            format!("/udp/9/quic-v1/webtransport/certhash/{HASH}/p2p/{PEER}"),
            Fine,
        ),
        ("/udp/9/quic-v1/webtransport".into(), Fine),
        ("/udp/9/quic-v1".into(), Bad),
        ("/udp/9".into(), Bad),
        ("/tcp/9".into(), Bad),
        (format!("/tcp/9/p2p/{PEER}"), Bad),
        ("/tcp/9/ws".into(), Fine),
        ("/tcp/9/wss".into(), Fine),
        ("/tcp/9/tls/ws".into(), Fine),
        ("/tcp/0/ws".into(), Bad),
        // What follows host and port in the URL could be another host.
        ("/tcp/80/x-parity-ws/%2F".into(), Fine),
        ("/tcp/80/x-parity-ws/%40127.0.0.1%3A8080%2F".into(), Bad),
        ("/tcp/80/x-parity-wss/%40127.0.0.1%3A8080%2F".into(), Bad),
        ("/tcp/8/x-parity-ws/80%2F".into(), Bad),
        ("/tcp/80/x-parity-ws/%2Fpath".into(), Bad),
        ("/tcp/9/http".into(), Bad),
        (String::new(), Bad),
        (format!("/p2p/{PEER}"), Bad),
        ("/tcp/9/ws/tcp/9".into(), Bad),
        (format!("/tcp/9/ws/p2p/{PEER}/p2p/{PEER}"), Bad),
        (format!("/tcp/9/ws/p2p/{PEER}/p2p-circuit/p2p/{PEER}"), Fine),
        (format!("/tcp/9/ws/p2p/{PEER}/p2p-circuit"), Fine),
        (format!("/tcp/9/ws/p2p-circuit/p2p/{PEER}"), Bad),
        (format!("/tcp/9/p2p/{PEER}/p2p-circuit/p2p/{PEER}"), Bad),
        (
            format!("/tcp/9/ws/p2p/{PEER}/p2p-circuit/webrtc/p2p/{PEER}"),
            Bad,
        ),
        (
            format!("/tcp/9/ws/p2p/{PEER}/p2p-circuit/p2p/{PEER}/p2p-circuit"),
            Bad,
        ),
    ];
    for (rest, expected) in cases {
        // The class comes first: with a private host, what is bad elsewhere is refused.
        let private = format!("/ip4/192.168.1.1{rest}");
        assert_eq!(
            verdict(&private, Scope::GLOBAL, BROWSER),
            Refused,
            "{private}"
        );
        let global = format!("/ip4/1.1.1.1{rest}");
        assert_eq!(
            verdict(&global, Scope::GLOBAL, BROWSER),
            expected,
            "{global}"
        );
        assert_eq!(
            verdict(&private, Scope::PRIVATE, BROWSER),
            expected,
            "{private}"
        );
    }
    for bad in [
        String::new(),
        format!("/p2p/{PEER}"),
        format!("/p2p/{PEER}/p2p-circuit"),
        "/p2p-circuit".into(),
        "/memory/7".into(),
        "/tcp/9/ws".into(),
        "/unix/stdio".into(),
        "/dnsaddr/bootstrap.libp2p.io".into(),
        format!("/dns4/libp2p.io/udp/9/webrtc-direct/certhash/{HASH}"),
    ] {
        for scope in [Scope::GLOBAL, Scope::PRIVATE] {
            assert_eq!(verdict(&bad, scope, BROWSER), Bad, "{bad}");
        }
    }
}

#[test]
fn transports_of_a_server() {
    for fine in [
        "/ip4/1.1.1.1/tcp/9",
        "/dns4/libp2p.io/tcp/9/ws",
        "/dnsaddr/bootstrap.libp2p.io",
    ] {
        assert_eq!(verdict(fine, Scope::GLOBAL, NATIVE), Fine, "{fine}");
    }
    assert_eq!(
        verdict(
            "/ip4/1.1.1.1/udp/9/quic-v1/webtransport",
            Scope::GLOBAL,
            NATIVE
        ),
        Bad
    );
}

#[test]
fn every_host_counts_also_behind_a_relay() {
    for address in [
        format!("/ip4/127.0.0.1/tcp/9/ws/p2p/{PEER}/p2p-circuit/p2p/{PEER}"),
        format!("/dns4/relay.local/tcp/9/wss/p2p/{PEER}/p2p-circuit/p2p/{PEER}"),
        format!("/ip4/1.1.1.1/tcp/9/ws/p2p/{PEER}/p2p-circuit/ip4/10.0.0.1/tcp/1"),
    ] {
        assert_eq!(
            verdict(&address, Scope::GLOBAL, BROWSER),
            Refused,
            "{address}"
        );
    }
}
