use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{
    ip::{is_global_v4, is_global_v6},
    *,
};

const BROWSER: &[TransportKind] = &[
    TransportKind::WebrtcDirect,
    TransportKind::Webtransport,
    TransportKind::Websocket,
    TransportKind::Relay,
];
const NATIVE: &[TransportKind] = &[
    TransportKind::WebrtcDirect,
    TransportKind::Tcp,
    TransportKind::Websocket,
    TransportKind::Relay,
];
const PEER: &str = "12D3KooWR7EfNv5SLtgjMRjUwR8AvNu3hP4fLrtSa9fmHHXKYWNG";
const HASH: &str = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g";

#[derive(Debug, PartialEq)]
enum Verdict {
    Fine,
    Refused,
    Bad,
}
use Verdict::{Bad, Fine, Refused};

mod transports;

fn verdict(address: &str, scope: Scope, supported: &[TransportKind]) -> Verdict {
    let address: Multiaddr = address
        .parse()
        .unwrap_or_else(|error| panic!("{address}: {error}"));
    match judge_with(&address, scope, supported) {
        Ok(()) => Fine,
        Err(Error::Refused { .. }) => Refused,
        Err(Error::BadAddress { .. }) => Bad,
        Err(error) => panic!("{address}: {error}"),
    }
}

/// The class of a host, seen through an address that a browser could dial.
fn host(host: &str) -> Verdict {
    verdict(&format!("{host}/tcp/443/wss"), Scope::GLOBAL, BROWSER)
}

#[test]
fn ipv4_classes() {
    for special in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.8",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.254",
        "255.255.255.255",
    ] {
        assert_eq!(host(&format!("/ip4/{special}")), Refused, "{special}");
        // The same, as a name.
        assert_eq!(host(&format!("/dns4/{special}")), Refused, "{special}");
        assert_eq!(host(&format!("/dns/{special}.")), Refused, "{special}.");
    }
    for global in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.0.9",
        "192.0.0.10",
        "192.0.1.0",
        "192.0.3.0",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "192.175.48.1",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
    ] {
        assert_eq!(host(&format!("/ip4/{global}")), Fine, "{global}");
    }
}

#[test]
fn ipv6_classes() {
    for special in [
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "64:ff9b:1::808:808",
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:0:808:808::f7f7:f7f7",
        "2001:1::1",
        "2001:2::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:10::1",
        "2001:20::1",
        "2001:30::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2620:4f:8000::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456:789a::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        // With a special IPv4 address inside.
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:0",
        "64:ff9b::127.0.0.1",
        "64:ff9b::192.168.1.1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "2002:a00:1::",
    ] {
        assert_eq!(host(&format!("/ip6/{special}")), Refused, "{special}");
    }
    for global in [
        "2000::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2001:db7::1",
        "2001:db9::1",
        "2003::1",
        "2606:4700:4700::1111",
        "2620:4f:7fff::1",
        "2620:4f:8001::1",
        "2a00::1",
        "3ffe::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ] {
        assert_eq!(host(&format!("/ip6/{global}")), Fine, "{global}");
    }
}

#[test]
fn zones() {
    // The address decides the class; a zone itself is nothing that can be dialed.
    assert_eq!(host("/ip6zone/eth0/ip6/fe80::1"), Refused);
    assert_eq!(host("/ip6zone/lo/ip6/::1"), Refused);
    assert_eq!(host("/ip6zone/eth0/ip6/2a00::1"), Bad);
}

#[test]
fn names() {
    for special in [
        "localhost",
        "LOCALHOST",
        "LocalHost.",
        "foo.localhost",
        "foo.localhost.",
        "printer",
        "printer.",
        "printer.local",
        "Printer.LOCAL.",
        "a.b.local",
        "nas.lan",
        "db.internal",
        "router.home.arpa",
        "1.0.0.127.in-addr.arpa",
        "x.test",
        "x.example",
        "x.invalid",
        "x.onion",
        "x.alt",
        "test",
        "x.corp",
        "x.home",
        "x.intranet",
        "x.private",
        "localhost.localdomain",
    ] {
        for kind in ["dns", "dns4", "dns6"] {
            assert_eq!(host(&format!("/{kind}/{special}")), Refused, "{special}");
        }
        let dnsaddr = format!("/dnsaddr/{special}");
        assert_eq!(
            verdict(&dnsaddr, Scope::GLOBAL, BROWSER),
            Refused,
            "{dnsaddr}"
        );
    }
    for global in [
        "libp2p.io",
        "bootstrap.libp2p.io",
        "LIBP2P.IO.",
        "example.com",
        "local.example.com",
        "localhost.example.com",
        "my_host.example.com",
        "xn--bcher-kva.example.org",
        "a.b.c.d.e.net",
        "127.0.0.1.nip.io",
        "test.com",
        "lan.org",
        "0x.com",
        "1.2.3.4.com",
    ] {
        assert_eq!(host(&format!("/dns4/{global}")), Fine, "{global}");
    }
}

#[test]
fn names_that_a_url_parser_reads_as_addresses() {
    for special in [
        "2130706433",
        "0x7f000001",
        "0x7F000001",
        "017700000001",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f.0x0.0x0.0x1",
        "0177.0.0.1",
        "0177.0.0.01",
        "127.0.0.0x1",
        "0",
        "0x",
        "0x0",
        "00000000",
        "10.1",
        "0xa.1",
        "3232235521",
        "0xC0A80001",
        "192.168.257",
        "192.168.257.",
        "0xa9fea9fe",
        "2852039166",
        "169.254.43518",
    ] {
        assert_eq!(host(&format!("/dns4/{special}")), Refused, "{special}");
        let private = format!("/dns4/{special}/tcp/80/ws");
        assert_eq!(
            verdict(&private, Scope::PRIVATE, BROWSER),
            Fine,
            "{special}"
        );
    }
    for global in [
        "8.8.8.8",
        "134744072",
        "0x08080808",
        "8.8.2056",
        "010.8.8.8",
    ] {
        assert_eq!(host(&format!("/dns4/{global}")), Fine, "{global}");
    }
    for malformed in [
        "256.1",
        "1.2.3.4.5",
        "127.0.0.08",
        "4294967296",
        "1.2.3.256",
        "1..1",
        "a.1",
    ] {
        assert_eq!(host(&format!("/dns4/{malformed}")), Bad, "{malformed}");
    }
}

#[test]
fn names_that_are_none() {
    // These could be mapped to anything: refused, and where private networks are granted, bad.
    for unclear in [
        "127。0。0。1",
        "ⓛocalhost",
        "１２７.0.0.1",
        "local\u{ad}host",
        "%6cocalhost",
        "b\u{fc}cher.de",
    ] {
        let address = Multiaddr::empty()
            .with(Protocol::Dns4(unclear.into()))
            .with(Protocol::Tcp(443))
            .with(Protocol::Wss("/".into()));
        let refused = judge_with(&address, Scope::GLOBAL, BROWSER);
        assert!(
            matches!(refused, Err(Error::Refused { .. })),
            "{unclear}: {refused:?}"
        );
        let bad = judge_with(&address, Scope::PRIVATE, BROWSER);
        assert!(
            matches!(bad, Err(Error::BadAddress { .. })),
            "{unclear}: {bad:?}"
        );
    }
    for malformed in [
        "",
        ".",
        "..",
        "a..b",
        "exa mple.com",
        "user@example.com",
        "example.com:80",
        "example.com#",
        "example.com?x",
        "example.com\\x",
        "[2a00::1]",
        "2a00::1",
        "ex\tample.com",
    ] {
        let address = Multiaddr::empty()
            .with(Protocol::Dns4(malformed.into()))
            .with(Protocol::Tcp(443))
            .with(Protocol::Wss("/".into()));
        let bad = judge_with(&address, Scope::GLOBAL, BROWSER);
        assert!(
            matches!(bad, Err(Error::BadAddress { .. })),
            "{malformed:?}: {bad:?}"
        );
    }
    for literal in ["[::1]", "::1", "[fe80::1]"] {
        let address = Multiaddr::empty()
            .with(Protocol::Dns6(literal.into()))
            .with(Protocol::Tcp(443))
            .with(Protocol::Wss("/".into()));
        let refused = judge_with(&address, Scope::GLOBAL, BROWSER);
        assert!(
            matches!(refused, Err(Error::Refused { .. })),
            "{literal}: {refused:?}"
        );
    }
    let long = format!("{}.com", "a".repeat(64));
    assert_eq!(host(&format!("/dns4/{long}")), Bad);
    let longer = vec!["a".repeat(50); 6].join(".");
    assert_eq!(host(&format!("/dns4/{longer}")), Bad);
}

#[test]
fn text_that_is_no_address() {
    for text in [
        "",
        "hello",
        "/",
        "//",
        "/ip4",
        "/ip4/1.2.3",
        "/ip4/1.2.3.4/tcp",
        "/ip4/1.2.3.4/tcp/70000",
        "/nope/1",
        "ip4/1.1.1.1",
        "http://x",
        "/ip4/1.1.1.1/tcp/1/p2p/abc",
    ] {
        assert!(
            matches!(parse(text, Scope::PRIVATE), Err(Error::BadAddress { .. })),
            "{text}"
        );
    }
    let long = format!("/dns4/{}/tcp/1/ws", "a".repeat(10_000));
    let Err(Error::BadAddress { address, .. }) = parse(&long, Scope::GLOBAL) else {
        panic!("parsed")
    };
    assert!(address.len() < 300);
}

proptest! {
    /// Every spelling of an IPv4 address is judged as that address.
    #[test]
    fn spellings_agree(bits: u32) {
        let address = Ipv4Addr::from_bits(bits);
        let [a, b, c, d] = address.octets();
        let expected = if is_global_v4(address) { Class::Global } else { Class::NonGlobal };
        for name in [
            address.to_string(), format!("{address}."), bits.to_string(), format!("0x{bits:x}"),
            format!("0X{bits:X}"), format!("0{bits:o}"), format!("{a}.{}", bits & 0xff_ffff),
            format!("{a}.{b}.{}", bits & 0xffff), format!("0x{a:x}.0{b:o}.{c}.0x{d:X}"),
        ] {
            prop_assert_eq!(name::class_of_name(&name), expected, "{}", name);
        }
        let (high, low) = (u16::try_from(bits >> 16).unwrap(), u16::try_from(bits & 0xffff).unwrap());
        for embedded in [
            address.to_ipv6_mapped(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ] {
            prop_assert_eq!(is_global_v6(embedded), is_global_v4(address), "{}", embedded);
        }
    }

    /// Outside 2000::/3, only what embeds an IPv4 address can be global.
    #[test]
    fn only_global_unicast(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        if is_global_v6(address) {
            let embeds = address.to_ipv4_mapped().is_some() || bits >> 32 == 0x64_ff9b_u128 << 64;
            prop_assert!(bits >> 125 == 1 || embeds, "{}", address);
        }
    }

    /// No text makes it panic, and what is fine without a scope is fine with one.
    #[test]
    fn any_text(text in "(/(ip4|ip6|dns4|dnsaddr|tcp|udp|ws|p2p|p2p-circuit|webrtc-direct|[a-z0-9.:%]{0,12})){0,8}") {
        if parse(&text, Scope::GLOBAL).is_ok() {
            prop_assert!(parse(&text, Scope::PRIVATE).is_ok());
        }
    }

    /// Any name at all is judged, and never called global when a part of it is odd.
    #[test]
    fn any_name(name in "\\PC{0,40}") {
        let class = name::class_of_name(&name);
        if class == Class::Global {
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
        }
    }
}
