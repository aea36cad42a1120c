//! How streams and connections begin and end between two ends.

use super::*;
use crate::core::frame::{Decoder, Flag, Frame};
use crate::limits::{FIN_ACK_TIMEOUT, LINGER_TIMEOUT, MAX_PENDING_INBOUND, MAX_STREAMS};

impl Pair {
    fn close(&mut self, who: usize, key: Key) -> Poll<Result<(), Failure>> {
        let now = self.now;
        let closed = self.ends[who].entry(key).unwrap().stream.close(now);
        self.ends[who].touch(key);
        closed
    }

    fn drop_stream(&mut self, who: usize, key: Key) {
        let now = self.now;
        self.ends[who].abandon(key, now);
    }

    fn at_end(&mut self, who: usize, key: Key) -> bool {
        let now = self.now;
        let read = self.ends[who].read(key, &mut [0; 8], now).unwrap().0;
        read == Poll::Ready(Ok(0))
    }
}

#[test]
fn both_ends_open_streams_at_the_same_time() {
    let mut pair = Pair::new();
    let mut keys = [Vec::new(), Vec::new()];
    for n in 0..100_u8 {
        for (who, keys) in keys.iter_mut().enumerate() {
            let key = pair.ends[who].open(pair.now).unwrap();
            pair.write(who, key, &[n; 10]);
            keys.push(key);
        }
    }
    pair.run(Duration::from_millis(100));
    for who in [CLIENT, SERVER] {
        for n in 0..100_u8 {
            let key = pair.ends[who].accept().unwrap();
            assert_eq!(pair.read(who, key, 100), [n; 10]);
        }
        assert_eq!(pair.ends[who].accept(), None);
    }
}

#[test]
fn both_ends_close_at_the_same_time() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.open(CLIENT);
    assert!(pair.close(CLIENT, ours).is_pending() && pair.close(SERVER, theirs).is_pending());
    pair.run(Duration::from_millis(100));
    for (who, key) in [(CLIENT, ours), (SERVER, theirs)] {
        assert_eq!(pair.close(who, key), Poll::Ready(Ok(())));
        assert!(pair.at_end(who, key));
        pair.drop_stream(who, key);
    }
    pair.run(Duration::from_secs(3));
    for end in &pair.ends {
        assert_eq!(
            (end.entries.len(), end.channels.len()),
            (1, 1),
            "only Noise's is left"
        );
    }
}

#[test]
fn both_ends_end_the_connection_at_the_same_time() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.open(CLIENT);
    let now = pair.now;
    pair.ends.iter_mut().for_each(|end| end.close(now));
    pair.run(Duration::from_millis(100));
    for (who, key) in [(CLIENT, ours), (SERVER, theirs)] {
        assert_eq!(*pair.ends[who].phase(), Phase::Ended(Loss::ClosedHere));
        assert_eq!(pair.failure(who, key), Some(Failure::ConnectionLost));
    }
}

#[test]
fn each_end_of_a_connection_says_why() {
    let mut pair = Pair::new();
    let now = pair.now;
    pair.ends[CLIENT].close(now);
    pair.run(Duration::from_millis(100));
    assert_eq!(*pair.ends[CLIENT].phase(), Phase::Ended(Loss::ClosedHere));
    assert_eq!(
        *pair.ends[SERVER].phase(),
        Phase::Ended(Loss::ClosedByRemote)
    );
}

/// The remote is killed, or its cable pulled: nothing comes any more.
#[test]
fn a_silent_remote_is_given_up_in_time() {
    let mut pair = Pair::new();
    let (ours, _) = pair.open(CLIENT);
    let mut waited = Duration::ZERO;
    let mut effects = Effects::default();
    while *pair.ends[CLIENT].phase() == Phase::Connected {
        let next = pair.ends[CLIENT].advance(pair.now, &mut effects);
        let Some(next) = next else { break };
        let next = next.max(pair.now + Duration::from_millis(1));
        waited += next - pair.now;
        pair.now = next;
        assert!(waited <= limits::PEER_SILENCE + Duration::from_secs(1));
    }
    assert_eq!(*pair.ends[CLIENT].phase(), Phase::Ended(Loss::Silent));
    assert!(waited >= limits::PEER_SILENCE);
    assert_eq!(pair.failure(CLIENT, ours), Some(Failure::ConnectionLost));
}

#[test]
fn closing_does_not_wait_for_a_remote_that_is_gone() {
    let mut pair = Pair::new();
    let (ours, _) = pair.open(CLIENT);
    pair.write(CLIENT, ours, &[1; 10_000]);
    let start = pair.now;
    pair.ends[CLIENT].close(start);
    let mut effects = Effects::default();
    while let Some(next) = pair.ends[CLIENT].advance(pair.now, &mut effects) {
        pair.now = next.max(pair.now + Duration::from_millis(1));
    }
    let took = pair.now - start;
    assert!(
        took >= limits::CLOSE_TIMEOUT,
        "what is written gets its chance"
    );
    assert!(
        took <= limits::CLOSE_TIMEOUT + Duration::from_millis(100),
        "{took:?}"
    );
    assert_eq!(*pair.ends[CLIENT].phase(), Phase::Ended(Loss::ClosedHere));
}

/// As some applications on go-libp2p do: FIN, and then nothing, not even an answer to ours.
#[test]
fn a_remote_that_half_closes_and_never_closes_costs_its_own_stream() {
    let mut pair = Pair::new();
    let other = pair.open(CLIENT);
    let fin = |data: &'static [u8]| {
        let frame = Frame {
            data: Bytes::from_static(data),
            flag: Some(Flag::Fin),
            window: None,
        };
        frame.encode().unwrap()
    };
    for round in 0..4 {
        let mut streams = Vec::new();
        for _ in 0..100 {
            // The channels are nobody's at the client: nothing is answered on them.
            let channel = pair.ends[CLIENT].session.open().unwrap();
            assert!(pair.ends[CLIENT].session.write(channel, fin(b"request")));
            streams.push(channel);
        }
        pair.run(Duration::from_millis(100));
        let mut held = Vec::new();
        while let Some(key) = pair.ends[SERVER].accept() {
            assert_eq!(pair.read(SERVER, key, 100), b"request");
            assert!(pair.at_end(SERVER, key));
            pair.write(SERVER, key, b"answer");
            if held.len() < 10 {
                held.push(key);
            } else {
                let _ = pair.close(SERVER, key);
                pair.drop_stream(SERVER, key);
            }
        }
        assert_eq!(held.len(), 10);
        pair.ping(CLIENT, other, Duration::from_millis(100));
        pair.run(FIN_ACK_TIMEOUT + LINGER_TIMEOUT + Duration::from_secs(5));
        // Noise's, the other one, and those that the application has not let go of.
        assert_eq!(pair.ends[SERVER].entries.len(), 2 + 10, "round {round}");
        assert!(pair.ends[SERVER].intake.budget().used() < 1_000);
        // These can be written to as long as the application likes.
        for key in held {
            assert_eq!(pair.write(SERVER, key, b"more"), 4);
            let _ = pair.close(SERVER, key);
            pair.drop_stream(SERVER, key);
        }
        pair.run(FIN_ACK_TIMEOUT + LINGER_TIMEOUT + Duration::from_secs(5));
        assert_eq!(pair.ends[SERVER].entries.len(), 2);
        pair.ping(CLIENT, other, Duration::from_millis(100));
    }
}

#[test]
fn streams_that_come_before_noise_has_ended_are_kept() {
    let process = Budget::new(1 << 30);
    let mut pair = Pair::within(&process, false);
    let early = pair.ends[CLIENT].open(pair.now).unwrap();
    pair.write(CLIENT, early, b"early");
    pair.run(Duration::from_secs(1));
    pair.ends.iter_mut().for_each(State::authenticated);
    let theirs = pair.ends[SERVER].accept().unwrap();
    assert_eq!(pair.read(SERVER, theirs, 100), b"early");
    pair.write(SERVER, theirs, b"answer");
    pair.run(Duration::from_millis(100));
    assert_eq!(pair.read(CLIENT, early, 100), b"answer");
}

#[test]
fn streams_that_nobody_accepts_are_refused_beyond_a_number() {
    let mut pair = Pair::new();
    let mut keys = Vec::new();
    for n in 0..MAX_PENDING_INBOUND + 50 {
        let key = pair.ends[CLIENT].open(pair.now).unwrap();
        pair.write(CLIENT, key, b"x");
        keys.push(key);
        if n % 50 == 0 {
            pair.run(STEP);
        }
    }
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.ends[SERVER].inbound.len(), MAX_PENDING_INBOUND);
    let refused = keys
        .iter()
        .filter(|key| pair.failure(CLIENT, **key).is_some())
        .count();
    assert_eq!(refused, 50);
    assert_eq!(*pair.ends[SERVER].phase(), Phase::Connected);
}

#[test]
fn streams_beyond_the_most_a_connection_has_are_refused() {
    let mut pair = Pair::new();
    // 511 channels a side are all there are: two clients' worth are needed to get there.
    let mut open = 0;
    for who in [CLIENT, SERVER] {
        while let Some(key) = pair.ends[who].open(pair.now) {
            pair.write(who, key, b"x");
            open += 1;
            if open % 20 == 0 {
                pair.run(STEP);
                while pair.ends[1 - who].accept().is_some() {}
            }
        }
    }
    pair.run(Duration::from_millis(100));
    for end in &pair.ends {
        assert!(end.entries.len() <= MAX_STREAMS, "{}", end.entries.len());
        assert!(end.entries.len() > 1_000);
    }
    // One goes, and there is room for one.
    let key = *pair.ends[CLIENT].entries.keys().max().unwrap();
    pair.drop_stream(CLIENT, key);
    pair.run(limits::LEFT_CHANNEL_TIMEOUT + Duration::from_secs(1));
    assert!(pair.ends[CLIENT].has_room() || pair.ends[SERVER].has_room());
}

#[test]
fn a_connection_holds_no_more_than_its_part() {
    let process = Budget::new(1 << 30);
    let mut pair = Pair::within(&process, true);
    pair.ends[CLIENT].forget_windows();
    let streams: Vec<_> = (0..12).map(|_| pair.open(CLIENT)).collect();
    let mut written = vec![0; streams.len()];
    let most = limits::CONNECTION_RECEIVE_BUFFER + MAX_RECEIVED_FRAME;
    let mut held = 0;
    for _ in 0..1_000 {
        for ((ours, _), written) in streams.iter().zip(&mut written) {
            pair.fill(CLIENT, *ours, written, 16_000, usize::MAX);
        }
        pair.run(STEP);
        let used = pair.ends[SERVER].intake.budget().used();
        assert!(used <= most, "{used} bytes are held");
        held = held.max(used);
    }
    assert!(held > 4 << 20, "{held}");
}

#[test]
fn frames_are_whole_messages_or_prefix_and_body() {
    let mut pair = Pair::new();
    let (ours, _) = pair.open(CLIENT);
    let theirs = pair.ends[CLIENT].entries[&ours].channel.unwrap();
    for size in [1, 4_000, 5_000, 16_000] {
        pair.write(CLIENT, ours, &vec![7; size]);
        let mut messages: Vec<Bytes> = Vec::new();
        for _ in 0..10 {
            pair.now += STEP;
            let mut effects = Effects::default();
            pair.ends[CLIENT].advance(pair.now, &mut effects);
            // Below the streams, which would take them apart.
            let session = &mut pair.ends[SERVER].session;
            for datagram in effects.datagrams {
                session.handle_datagram(pair.now, &datagram);
            }
            session.process(pair.now);
            messages.extend(std::iter::from_fn(|| session.read(theirs)));
            while let Some(datagram) = pair.ends[SERVER].session.poll_transmit() {
                pair.ends[CLIENT].handle_datagram(&datagram, pair.now);
            }
        }
        assert_eq!(messages.len(), if size < 4_096 { 1 } else { 2 });
        let mut decoder = Decoder::default();
        messages.iter().for_each(|message| decoder.push(message));
        assert_eq!(decoder.next_frame().unwrap().unwrap().data.len(), size);
        assert_eq!(decoder.buffered(), 0);
        pair.run(STEP);
    }
}
