//! Certificate fingerprints and the addresses that name them.

use libp2p_core::{Multiaddr, multihash::Multihash};

use super::{Source, run};
use crate::core::{
    address::{DialAddress, Host},
    certhash::Fingerprint,
};

fn fingerprint(source: &mut Source) -> (String, Vec<u8>) {
    let mut digest = [0; 32];
    digest.fill_with(|| source.byte());
    let fingerprint = Fingerprint::from_digest(digest);
    let mut hash = fingerprint.to_multihash().to_bytes();
    source.damage(&mut hash, 2);
    let text = fingerprint.to_string();
    let text = match source.below(3) {
        0 => text,
        1 => text.to_lowercase(),
        _ => source.damaged_text(&text, 2),
    };
    (text, hash)
}

#[test]
fn a_fingerprint_has_one_meaning() {
    run("certhash", fingerprint, |(text, hash)| {
        if let Ok(found) = Fingerprint::from_sdp(text) {
            assert!(
                found
                    .to_string()
                    .eq_ignore_ascii_case(&text.split_whitespace().collect::<Vec<_>>().join(" "))
            );
            assert_eq!(
                Fingerprint::from_multihash(&found.to_multihash()).unwrap(),
                found
            );
        }
        if let Ok(multihash) = Multihash::<64>::from_bytes(hash)
            && let Ok(found) = Fingerprint::from_multihash(&multihash)
        {
            assert_eq!(found.to_multihash(), multihash);
            assert_eq!(Fingerprint::from_sdp(&found.to_string()).unwrap(), found);
        }
    });
}

const HASH: &str = "/certhash/uEiAwtr7G7d4WcW9Lu9Oa_LhAE60VB5z4sA4HQ1n7vr4tmQ";
const PEER: &str = "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

fn address(source: &mut Source) -> Option<Multiaddr> {
    let parts = [
        "/ip4/1.2.3.4",
        "/ip6/::1",
        "/dns4/a.example",
        "/dns/x",
        "/udp/9",
        "/udp/0",
        "/tcp/9",
        "/webrtc-direct",
        HASH,
        PEER,
        "/p2p-circuit",
        "/quic-v1",
    ];
    let mut text = match source.below(4) {
        0 => (0..source.below(7)).map(|_| *source.pick(&parts)).collect(),
        1 => format!("/ip6/::1/udp/9/webrtc-direct{HASH}{PEER}"),
        2 => format!("/dns4/a.example/udp/4001/webrtc-direct{HASH}{HASH}"),
        _ => format!(
            "/ip4/1.2.3.4/udp/9/webrtc-direct{HASH}{}",
            source.pick(&parts)
        ),
    };
    if source.once_in(2) {
        text = source.damaged_text(&text, 2);
    }
    if source.once_in(3) {
        let mut bytes = text.parse::<Multiaddr>().ok()?.to_vec();
        source.damage(&mut bytes, 2);
        return Multiaddr::try_from(bytes).ok();
    }
    text.parse().ok()
}

#[test]
fn an_address_that_can_be_dialed_is_whole() {
    run("addresses", address, |address| {
        let Some(address) = address else { return };
        let Ok(Some(found)) = DialAddress::parse(address) else {
            return;
        };
        assert!(found.port > 0);
        let hash = found.fingerprint.to_multihash();
        let named = |part| matches!(part, libp2p_core::multiaddr::Protocol::Certhash(named) if named == hash);
        assert!(address.iter().any(named));
        if let Host::Dns(name) = &found.host {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            assert!(!name.is_empty() && name.len() < 256 && name.bytes().all(allowed));
        }
    });
}
