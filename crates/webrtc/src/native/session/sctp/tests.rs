use std::time::Duration;

use super::*;

mod fuzz;
mod hostile;

/// Two associations with a perfect wire between them.
struct Pair {
    now: Instant,
    client: Sctp,
    server: Sctp,
    at_client: Vec<Event>,
    at_server: Vec<Event>,
}

fn packets(from: &mut Sctp, now: Instant) -> Vec<Bytes> {
    std::iter::from_fn(|| from.poll_transmit(now))
        .flatten()
        .collect()
}

impl Pair {
    fn new() -> Self {
        let mut pair = Self {
            now: Instant::now(),
            client: Sctp::new(Role::Client, true),
            server: Sctp::new(Role::Server, true),
            at_client: Vec::new(),
            at_server: Vec::new(),
        };
        pair.client.connect();
        pair
    }

    /// Moves packets until there are none.
    fn settle(&mut self) {
        self.run(1_000);
    }

    /// Moves packets for so many milliseconds.
    fn run(&mut self, time: u32) {
        for _ in 0..time {
            self.now += Duration::from_millis(1);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.at_client
                .extend(std::iter::from_fn(|| self.client.poll_event()));
            self.at_server
                .extend(std::iter::from_fn(|| self.server.poll_event()));
            for packet in packets(&mut self.client, self.now) {
                self.server.handle_packet(self.now, packet);
            }
            for packet in packets(&mut self.server, self.now) {
                self.client.handle_packet(self.now, packet);
            }
        }
    }
}

#[test]
fn a_crossing_or_repeated_init_is_ignored() {
    let mut pair = Pair::new();
    let mut stranger = Sctp::new(Role::Client, true);
    stranger.connect();
    let init = packets(&mut stranger, pair.now).remove(0);
    // As pion sends its own before it answers ours.
    pair.client.handle_packet(pair.now, init);
    pair.settle();
    assert!(
        pair.at_client.contains(&Event::Connected) && pair.at_server.contains(&Event::Connected)
    );
    for _ in 0..100 {
        let mut stranger = Sctp::new(Role::Client, true);
        stranger.connect();
        for packet in packets(&mut stranger, pair.now) {
            pair.server.handle_packet(pair.now, packet);
        }
    }
    let id = pair.client.open().unwrap();
    assert!(
        pair.client
            .write(id, Bytes::from_static(b"still connected"))
    );
    pair.settle();
    assert_eq!(pair.server.read(id).unwrap(), b"still connected".as_slice());
}

#[test]
fn a_channel_left_to_its_owner_is_reset_by_it_once() {
    let mut pair = Pair::new();
    pair.settle();
    let id = pair.client.open().unwrap();
    pair.settle();
    assert!(pair.at_server.contains(&Event::Opened(id)));
    pair.server.close(id);
    pair.settle();
    assert_eq!(
        pair.client.channels.get(&id),
        Some(&State::Open),
        "the acceptor waits"
    );
    pair.client.close(id);
    pair.settle();
    assert!(!pair.client.channels.contains_key(&id) && !pair.server.channels.contains_key(&id));
}

#[test]
fn a_channel_its_owner_never_closes_is_closed_after_a_while() {
    let mut pair = Pair::new();
    pair.settle();
    let id = pair.client.open().unwrap();
    pair.settle();
    pair.server.close(id);
    // What comes meanwhile is discarded rather than kept from the window.
    assert!(pair.client.write(id, Bytes::from(vec![1; 10_000])));
    pair.settle();
    assert_eq!(pair.client.buffered(id), 0);
    pair.now += limits::LEFT_CHANNEL_TIMEOUT;
    pair.settle();
    // The end comes after the last message, here the ACK of the channel.
    assert_eq!(pair.client.read(id), None);
    pair.settle();
    assert!(pair.at_client.contains(&Event::Closed(id)));
    assert!(!pair.server.channels.contains_key(&id));
}

#[test]
fn the_handshake_channel_is_announced_by_nobody() {
    let mut pair = Pair::new();
    pair.settle();
    let noise = Bytes::from_static(b"noise");
    assert!(pair.server.write(HANDSHAKE_CHANNEL, noise.clone()));
    assert!(pair.client.write(HANDSHAKE_CHANNEL, noise.clone()));
    pair.settle();
    for (end, events) in [
        (&mut pair.client, &pair.at_client),
        (&mut pair.server, &pair.at_server),
    ] {
        assert_eq!(end.read(HANDSHAKE_CHANNEL), Some(noise.clone()));
        assert_eq!(end.read(HANDSHAKE_CHANNEL), None);
        assert_eq!(
            events,
            &[Event::Connected, Event::Readable(HANDSHAKE_CHANNEL)]
        );
    }
}

#[test]
fn ids_go_by_role_and_data_follows_the_announcement_at_once() {
    let mut pair = Pair::new();
    pair.settle();
    let (even, odd) = (pair.client.open().unwrap(), pair.server.open().unwrap());
    assert_eq!((even, odd), (2, 1));
    assert!(
        pair.client
            .write(even, Bytes::from_static(b"from the client"))
    );
    assert!(
        pair.server
            .write(odd, Bytes::from_static(b"from the server"))
    );
    // One flight: nothing came back yet.
    let flight = packets(&mut pair.client, pair.now);
    for packet in flight {
        pair.server.handle_packet(pair.now, packet);
    }
    let events: Vec<Event> = std::iter::from_fn(|| pair.server.poll_event()).collect();
    assert!(events.contains(&Event::Opened(even)));
    assert_eq!(
        pair.server.read(even).unwrap(),
        b"from the client".as_slice()
    );
    pair.settle();
    assert!(pair.at_client.contains(&Event::Opened(odd)));
    assert_eq!(
        pair.client.read(odd).unwrap(),
        b"from the server".as_slice()
    );
}

#[test]
fn empty_messages_arrive_as_such() {
    let mut pair = Pair::new();
    pair.settle();
    let id = pair.client.open().unwrap();
    for message in [&b""[..], b"between", b""] {
        assert!(pair.client.write(id, Bytes::copy_from_slice(message)));
    }
    pair.settle();
    let got: Vec<Bytes> = std::iter::from_fn(|| pair.server.read(id)).collect();
    assert_eq!(got, [&b""[..], b"between", b""]);
}

#[test]
fn the_largest_message_arrives_and_a_larger_one_is_not_sent() {
    let mut pair = Pair::new();
    pair.settle();
    let id = pair.client.open().unwrap();
    let largest = Bytes::from(vec![7; limits::MAX_RECEIVED_MESSAGE as usize]);
    assert!(pair.client.write(id, largest.clone()));
    pair.settle();
    // More than a stranger may have waiting.
    pair.server.bound(Bounds::PEER);
    pair.settle();
    pair.settle();
    assert!(pair.server.read(id) == Some(largest));
    let larger = Bytes::from(vec![7; limits::MAX_RECEIVED_MESSAGE as usize + 1]);
    assert!(!pair.client.write(id, larger));
}

#[test]
fn channels_left_to_the_peer_are_bounded() {
    let mut left = Left::default();
    let now = Instant::now();
    let most = u16::try_from(limits::MAX_LEFT_CHANNELS).unwrap();
    for id in 0..most {
        left.insert(id, now + Duration::from_secs(1));
        assert_eq!(left.take(None), None);
    }
    left.insert(most, now + Duration::from_secs(1));
    assert_eq!(left.take(None), Some(0), "the oldest goes");
    assert_eq!(left.take(None), None);
    assert_eq!(left.take(Some(now)), None);
    assert!(left.take(Some(now + Duration::from_secs(1))).is_some());
}

#[test]
fn an_unannounced_channel_is_closed() {
    let mut pair = Pair::new();
    pair.settle();
    let id = 10;
    let association = pair.client.association.as_mut().unwrap();
    let mut stream = association
        .open_stream(id, PayloadProtocolIdentifier::Binary)
        .unwrap();
    stream
        .write_with_ppi(b"no OPEN before", PayloadProtocolIdentifier::Binary)
        .unwrap();
    pair.settle();
    assert!(!pair.at_server.contains(&Event::Opened(id)));
    assert!(!pair.server.channels.contains_key(&id));
    assert!(
        !pair
            .at_server
            .iter()
            .any(|event| matches!(event, Event::Lost(_)))
    );
}

#[test]
fn used_ids_rest_before_they_are_used_again() {
    let mut free = VecDeque::new();
    let mut fresh = 2;
    for round in 0..limits::RESTING_CHANNEL_IDS {
        let id = next_id(&mut free, &mut fresh).unwrap();
        assert_eq!(usize::from(id), 2 + 2 * round);
        free.push_back(id);
    }
    let id = next_id(&mut free, &mut fresh).unwrap();
    free.push_back(id);
    assert_eq!(next_id(&mut free, &mut fresh), Some(2));
    fresh = u32::from(limits::MAX_CHANNEL_ID) + 1;
    let mut left = free.len();
    while next_id(&mut free, &mut fresh).is_some() {
        left -= 1;
    }
    assert_eq!(left, 0);
}
