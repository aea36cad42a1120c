//! What a peer could have SCTP keep by packets that no honest stack sends.

use super::super::super::packet::{Chunk as Found, chunks, sign};
use super::*;

/// Writes packets as the client of a pair would.
pub(super) struct Forger {
    pub(super) pair: Pair,
    header: Vec<u8>,
    /// The latest TSN and sequence number in the stream of channel 2.
    pub(super) tsn: u32,
    pub(super) ssn: u16,
    /// The client's first TSN, which is its first request's number too.
    pub(super) first: u32,
    /// A TSN of the server's.
    pub(super) theirs: u32,
}

const WHOLE: u8 = 3;
const BEGINNING: u8 = 2;
const DATA: u8 = 0;

impl Forger {
    pub(super) fn new(bounds: Bounds) -> Self {
        let mut pair = Pair::new();
        pair.run(20);
        assert!(pair.at_server.contains(&Event::Connected));
        pair.server.bound(bounds);
        // An honest packet shows the verification tag and where the client's TSNs are.
        let id = pair.client.open().unwrap();
        let packet = packets(&mut pair.client, pair.now).remove(0);
        let tsn = chunks(&packet)
            .find_map(|chunk| match chunk {
                Found::Data { tsn, .. } => Some(tsn),
                _ => None,
            })
            .unwrap();
        pair.server.handle_packet(pair.now, packet.clone());
        assert_eq!(id, 2);
        let mut forger = Self {
            pair,
            header: packet[..12].to_vec(),
            tsn,
            ssn: 0,
            first: tsn,
            theirs: 0,
        };
        forger.process();
        // Until it is acknowledged, nothing is known to be near or far.
        forger.pair.now += Duration::from_millis(300);
        forger.process();
        let Pair { server, now, .. } = &mut forger.pair;
        assert!(server.write(HANDSHAKE_CHANNEL, Bytes::from_static(b"hello")));
        forger.theirs = packets(server, *now)
            .iter()
            .flat_map(|packet| chunks(packet).collect::<Vec<_>>())
            .find_map(|chunk| match chunk {
                Found::Data { tsn, .. } => Some(tsn),
                _ => None,
            })
            .unwrap();
        forger
    }

    pub(super) fn chunk(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + 4).unwrap().to_be_bytes();
        let mut chunk = vec![kind, flags, length[0], length[1]];
        chunk.extend_from_slice(body);
        chunk.resize(chunk.len().next_multiple_of(4), 0);
        chunk
    }

    pub(super) fn data_at(tsn: u32, stream: u16, ssn: u16, flags: u8, user: &[u8]) -> Vec<u8> {
        let body = [
            &tsn.to_be_bytes()[..],
            &stream.to_be_bytes(),
            &ssn.to_be_bytes(),
            &53_u32.to_be_bytes(),
            user,
        ];
        Self::chunk(DATA, flags, &body.concat())
    }

    /// The next message of channel 2.
    fn data(&mut self, user: &[u8]) -> Vec<u8> {
        self.tsn = self.tsn.wrapping_add(1);
        self.ssn = self.ssn.wrapping_add(1);
        Self::data_at(self.tsn, 2, self.ssn, WHOLE, user)
    }

    pub(super) fn send(&mut self, chunks: &[Vec<u8>]) {
        let mut packet = [self.header.clone(), chunks.concat()].concat();
        sign(&mut packet);
        self.pair.server.handle_packet(self.pair.now, packet.into());
    }

    /// What a connection's task does after a batch of datagrams, but for reading.
    pub(super) fn process(&mut self) {
        self.pair.now += Duration::from_millis(1);
        self.pair.server.handle_timeout(self.pair.now);
        let events = std::iter::from_fn(|| self.pair.server.poll_event());
        self.pair.at_server.extend(events);
        drop(packets(&mut self.pair.server, self.pair.now));
    }

    fn seen(&self) -> u64 {
        self.pair.server.data_seen()
    }

    pub(super) fn lost(&self) -> bool {
        let lost = |event: &Event| matches!(event, Event::Lost(_));
        self.pair.at_server.iter().any(lost)
    }
}

#[test]
fn data_without_user_data_ends_the_session() {
    for bounds in [Bounds::STRANGER, Bounds::PEER] {
        let mut forger = Forger::new(bounds);
        let fine = forger.data(b"x");
        forger.send(&[fine]);
        forger.process();
        assert!(!forger.lost());
        let before = forger.seen();
        let (good, empty) = (forger.data(b"y"), forger.data(b""));
        forger.send(&[good, empty]);
        forger.process();
        assert!(forger.lost());
        assert_eq!(forger.seen(), before);
    }
}

#[test]
fn tiny_messages_that_nobody_reads_are_bounded_by_number() {
    for bounds in [Bounds::STRANGER, Bounds::PEER] {
        let mut forger = Forger::new(bounds);
        for _ in 0..1_000 {
            let flood: Vec<_> = (0..50).map(|_| forger.data(b"x")).collect();
            forger.send(&flood);
            forger.process();
        }
        assert!(!forger.lost());
        let seen = forger.seen();
        assert!(
            seen <= u64::from(bounds.chunks) + 1,
            "{seen} chunks are kept"
        );
        assert!(seen > u64::from(bounds.chunks) - 60, "no more than {seen}");
        assert!(forger.pair.server.is_tight());
        // What was read makes room for as many.
        let mut read = 0;
        while forger.pair.server.read(2).is_some() {
            read += 1;
        }
        assert!(read + 1 >= seen, "{read} of {seen}");
        forger.tsn = forger
            .tsn
            .wrapping_sub(50_000 - u32::try_from(read).unwrap());
        forger.ssn = forger.ssn.wrapping_sub((50_000 - read) as u16);
        let more = forger.data(b"more");
        forger.send(&[more]);
        forger.process();
        assert_eq!(forger.pair.server.read(2).unwrap(), b"more".as_slice());
    }
}

#[test]
fn a_message_that_never_ends_is_bounded_by_number() {
    let mut forger = Forger::new(Bounds::PEER);
    for n in 0..10_000 {
        forger.tsn = forger.tsn.wrapping_add(1);
        let flags = if n == 0 { BEGINNING } else { 0 };
        let piece = Forger::data_at(forger.tsn, 2, 1, flags, b"x");
        forger.send(&[piece]);
        if n % 32 == 0 {
            forger.process();
        }
    }
    assert!(forger.seen() <= u64::from(limits::MAX_WAITING_CHUNKS) + 1);
}

#[test]
fn a_message_over_the_limit_ends_the_session() {
    let mut forger = Forger::new(Bounds::PEER);
    let user = vec![7; 1_100];
    let pieces = limits::MAX_RECEIVED_MESSAGE as usize / user.len() + 1;
    for n in 0..pieces {
        forger.tsn = forger.tsn.wrapping_add(1);
        let flags = if n == 0 { BEGINNING } else { 0 };
        let piece = Forger::data_at(forger.tsn, 2, 1, flags, &user);
        forger.send(&[piece]);
        forger.process();
        assert_eq!(forger.lost(), n + 1 >= pieces, "piece {n} of {pieces}");
    }
}

#[test]
fn what_waits_behind_a_gap_is_bounded_and_the_gap_can_be_filled() {
    let mut forger = Forger::new(Bounds::PEER);
    let missing = forger.data(b"first");
    for _ in 0..1_000 {
        let flood: Vec<_> = (0..50).map(|_| forger.data(b"x")).collect();
        forger.send(&flood);
        forger.process();
    }
    let seen = forger.seen();
    assert!(seen <= u64::from(limits::MAX_WAITING_CHUNKS) + 1);
    assert_eq!(forger.pair.server.read(2), None);
    forger.send(&[missing]);
    forger.process();
    assert_eq!(forger.pair.server.read(2).unwrap(), b"first".as_slice());
    assert_eq!(forger.pair.server.read(2).unwrap(), b"x".as_slice());
}

#[test]
fn data_out_of_reach_is_not_taken() {
    let mut forger = Forger::new(Bounds::PEER);
    let before = forger.seen();
    for distance in [limits::MAX_WAITING_CHUNKS + 2, 1 << 16, 1 << 20, 1 << 30] {
        for n in 0..100 {
            let tsn = forger.tsn.wrapping_add(distance).wrapping_add(2 * n);
            let far = Forger::data_at(tsn, 2, 1, WHOLE, b"x");
            forger.send(&[far]);
        }
        forger.process();
    }
    assert_eq!(forger.seen(), before);
    let near = forger.data(b"still here");
    forger.send(&[near]);
    forger.process();
    assert_eq!(
        forger.pair.server.read(2).unwrap(),
        b"still here".as_slice()
    );
}

#[test]
fn a_stranger_cannot_fill_a_window() {
    let mut forger = Forger::new(Bounds::STRANGER);
    let user = vec![7; 1_100];
    for _ in 0..2_000 {
        let big = forger.data(&user);
        forger.send(&[big]);
        forger.process();
    }
    let kept = forger.seen() * 1_100;
    assert!(
        kept <= limits::STRANGER_WINDOW as u64 + 1_100,
        "{kept} bytes"
    );
    assert!(!forger.lost());
}

#[test]
fn channels_that_are_begun_and_never_announced_are_bounded() {
    for bounds in [Bounds::STRANGER, Bounds::PEER] {
        let mut forger = Forger::new(bounds);
        for stream in (4..u16::MAX).step_by(2) {
            // A fragment: nothing to be read, thus nothing to be judged by.
            forger.tsn = forger.tsn.wrapping_add(1);
            let piece = Forger::data_at(forger.tsn, stream, 0, BEGINNING, b"x");
            forger.send(&[piece]);
            if stream % 64 == 0 {
                forger.process();
            }
        }
        let begun = forger.pair.server.channels.len();
        assert!(begun > 200 && begun <= bounds.channels + 32, "{begun}");
    }
}

#[test]
fn too_many_channels_end_the_session() {
    let mut forger = Forger::new(Bounds::STRANGER);
    for stream in (4..6_000).step_by(2) {
        forger.tsn = forger.tsn.wrapping_add(1);
        let body = [
            &forger.tsn.to_be_bytes()[..],
            &u16::to_be_bytes(stream),
            &[0, 0],
            &50_u32.to_be_bytes(),
            &Message::Open.encode(),
        ];
        let open = Forger::chunk(DATA, WHOLE, &body.concat());
        forger.send(&[open]);
        forger.process();
        if forger.lost() {
            break;
        }
    }
    let channels = forger.pair.server.channels.len();
    assert!(channels > Bounds::STRANGER.channels, "{channels}");
    assert!(forger.lost());
}

/// A chunk that says it is longer than its content: sctp-proto goes on reading where the content ends.
#[test]
fn data_hidden_in_another_chunk_ends_the_session() {
    let mut forger = Forger::new(Bounds::PEER);
    let hidden = forger.data(b"x");
    let sack = [
        &1_u32.to_be_bytes()[..],
        &1_000_000_u32.to_be_bytes(),
        &[0; 4],
        &hidden,
    ];
    let sack = Forger::chunk(3, 0, &sack.concat());
    forger.send(&[sack]);
    forger.process();
    assert!(forger.lost());
}

#[test]
fn what_comes_with_data_that_is_not_taken_is_still_heard() {
    let mut forger = Forger::new(Bounds::STRANGER);
    // The server has something in flight.
    let (tsn, server) = (forger.theirs, &mut forger.pair.server);
    assert!(server.buffered(HANDSHAKE_CHANNEL) > 0);
    let before = forger.seen();
    let sack = [
        &tsn.to_be_bytes()[..],
        &1_000_000_u32.to_be_bytes(),
        &[0; 4],
    ];
    let sack = Forger::chunk(3, 0, &sack.concat());
    let far = Forger::data_at(forger.tsn.wrapping_add(100_000), 2, 9, WHOLE, b"x");
    forger.send(&[sack, far]);
    forger.process();
    assert_eq!(forger.seen(), before);
    assert_eq!(forger.pair.server.buffered(HANDSHAKE_CHANNEL), 0);
}
