use futures::{executor::block_on, future::join};

use super::*;
use crate::core::pipe::pipe;

fn fingerprints(client: u8, server: u8) -> Fingerprints {
    Fingerprints {
        client: Fingerprint::from_digest([client; 32]),
        server: Fingerprint::from_digest([server; 32]),
    }
}

/// What both sides conclude: the client's view of the server, the server's of the client.
fn handshake(
    at_client: Fingerprints,
    at_server: Fingerprints,
    expected: impl FnOnce(PeerId) -> Option<PeerId>,
) -> (Result<bool, Error>, Result<bool, Error>) {
    let (client_keys, server_keys) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
    let (client_id, server_id) = (
        client_keys.public().to_peer_id(),
        server_keys.public().to_peer_id(),
    );
    let (a, b) = pipe();
    let (at_client, at_server) = block_on(join(
        client(&client_keys, a, at_client, expected(server_id)),
        server(&server_keys, b, at_server),
    ));
    (
        at_client.map(|(found, _)| found == server_id),
        at_server.map(|(found, _)| found == client_id),
    )
}

#[test]
fn both_learn_who_the_other_is() {
    let prints = fingerprints(1, 2);
    let (at_client, at_server) = handshake(prints, prints, Some);
    assert!(at_client.unwrap() && at_server.unwrap());
}

#[test]
fn another_certificate_fails_the_handshake() {
    for other in [fingerprints(1, 3), fingerprints(3, 2), fingerprints(2, 1)] {
        let (at_client, at_server) = handshake(fingerprints(1, 2), other, Some);
        assert!(matches!(at_client, Err(Error::Noise(_))));
        assert!(matches!(at_server, Err(Error::Noise(_))));
    }
}

#[test]
fn another_identity_is_refused() {
    let prints = fingerprints(1, 2);
    let other = Keypair::generate_ed25519().public().to_peer_id();
    let (at_client, _) = handshake(prints, prints, |_| Some(other));
    assert!(matches!(at_client, Err(Error::WrongPeer { .. })));
    let (at_client, _) = handshake(prints, prints, |_| None);
    assert!(at_client.unwrap());
}

#[test]
fn prologue_is_the_specs_test_vector() {
    let digest = |hex: &str| {
        let bytes = hex::decode(hex).unwrap();
        Fingerprint::from_digest(bytes.try_into().unwrap())
    };
    let prints = Fingerprints {
        client: digest("3e79af40d6059617a0d83b83a52ce73b0c1f37a72c6043ad2969e2351bdca870"),
        server: digest("30fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99"),
    };
    assert_eq!(
        hex::encode(prints.prologue()),
        "6c69627032702d7765627274632d6e6f6973653a\
         12203e79af40d6059617a0d83b83a52ce73b0c1f37a72c6043ad2969e2351bdca870\
         122030fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99"
    );
}
