use super::*;

fn head(state: NodeState) -> Head {
    Head {
        version: "0.1.0".to_owned(),
        state,
        reason: None,
        safe_mode: false,
        paused: false,
        announced_everywhere: true,
        ice_servers: vec![],
        identity: IdentityState::Ready {
            peer_id: "12D3KooW".to_owned(),
        },
        addresses: vec![],
        relays: vec![],
        peers: 0,
        connections: 0,
        sites: 0,
    }
}

fn said(head: &Head) -> Status {
    say(Phase::Live, Some(head), None, 0)
}

#[test]
fn each_state_is_named_in_its_sentence() {
    for (state, name, tone) in [
        (NodeState::Starting, "starting", Tone::Busy),
        (NodeState::Online, "online", Tone::Good),
        (NodeState::Offline, "offline", Tone::Warning),
        (NodeState::Failed, "failed", Tone::Bad),
    ] {
        let status = said(&head(state));
        assert_eq!(status.name, name);
        assert!(status.sentence.contains(name), "{}", status.sentence);
        assert_eq!(status.tone, tone);
    }
}

#[test]
fn a_failure_and_a_lost_network_say_why() {
    let mut failed = head(NodeState::Failed);
    failed.reason = Some("this browser has no WebRTC".to_owned());
    assert_eq!(
        said(&failed).sentence,
        "The node failed: this browser has no WebRTC."
    );
    let mut offline = head(NodeState::Offline);
    offline.reason = Some("No network!".to_owned());
    assert_eq!(said(&offline).sentence, "The node is offline: No network!");
    offline.paused = true;
    assert_eq!(
        said(&offline).sentence,
        "The node is offline: you paused it."
    );
    assert_eq!(said(&offline).tone, Tone::Paused);
}

#[test]
fn a_damaged_identity_goes_before_the_state() {
    let mut damaged = head(NodeState::Failed);
    damaged.identity = IdentityState::Damaged {
        detail: "checksum".to_owned(),
    };
    assert_eq!(said(&damaged).name, "damaged");
    assert_eq!(damaged.peer_id(), None);
}

#[test]
fn a_node_that_failed_does_not_say_that_there_are_no_sites() {
    let mut failed = head(NodeState::Failed);
    assert_eq!(failed.known_sites(), None);
    assert!(!failed.runs());
    failed.sites = 2;
    assert_eq!(failed.known_sites(), Some(2));
    let mut paused = head(NodeState::Offline);
    assert_eq!(paused.known_sites(), Some(0));
    assert!(paused.runs());
    paused.paused = true;
    assert!(!paused.runs());
}

#[test]
fn online_says_to_whom() {
    let mut online = head(NodeState::Online);
    assert_eq!(said(&online).more, "Not connected to anybody yet.");
    online.peers = 1;
    online.connections = 2;
    assert_eq!(said(&online).more, "Connected to 1 peer.");
}

#[test]
fn without_a_word_from_the_node_the_phase_speaks() {
    let online = head(NodeState::Online);
    let last = LastSeen {
        peer_id: None,
        state: NodeState::Online,
        at: 0,
    };
    let looking = say(Phase::Looking, None, Some(&last), 180_000);
    assert_eq!(looking.more, "Last seen 3 min ago: online.");
    assert_eq!(say(Phase::Looking, None, None, 0).more, "");
    for phase in [Phase::Restarting, Phase::Missing, Phase::Gone] {
        // What was said before does not count any more.
        let status = say(phase, Some(&online), None, 0);
        assert_ne!(status.tone, Tone::Good);
    }
    assert!(
        say(Phase::Missing, None, None, 0)
            .sentence
            .starts_with("The node is not running. Restarting")
    );
}

#[test]
fn a_snapshot_is_cleaned() {
    let head = Head::new(&Snapshot {
        product_version: "0.1.0".to_owned(),
        state: NodeState::Failed,
        reason: Some(" \u{202e} ".to_owned()),
        safe_mode: false,
        paused: false,
        announced_everywhere: true,
        ice_servers: vec![],
        identity: IdentityState::Loading,
        addresses: vec![],
        relays: vec![],
        connections: vec![],
        peers: 3,
        sites: vec![],
    });
    assert_eq!(head.reason, None);
    assert_eq!(head.peers, 3);
}
