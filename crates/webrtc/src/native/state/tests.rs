//! Two connections with a perfect wire and a clock of their own.

use std::task::Poll;
use std::time::Duration;

use super::*;
use crate::limits::MAX_RECEIVED_FRAME;
use crate::native::certificate::Certificate;
use crate::native::session::Role;

mod ends;
mod windows;

struct Pair {
    now: Instant,
    ends: [State; 2],
    /// Datagrams that are lost: one of so many.
    loss: Option<u64>,
    sent: u64,
    /// How long a datagram is on its way, and those that are: to whom.
    delay: Duration,
    under_way: VecDeque<(Instant, usize, Bytes)>,
}

const CLIENT: usize = 0;
const SERVER: usize = 1;
const STEP: Duration = Duration::from_millis(5);

impl Pair {
    /// Connected, and each knows who the other is.
    fn new() -> Self {
        let process = Budget::with_overdraft(64 << 20, 1 << 20);
        Self::within(&process, true)
    }

    fn within(process: &Budget, authenticated: bool) -> Self {
        let now = Instant::now();
        let end = |role| {
            let certificate = Certificate::generate().unwrap();
            let session = Session::new(role, &certificate, None, now).unwrap();
            State::new(session, process, now)
        };
        let mut pair = Self {
            now,
            ends: [end(Role::Client), end(Role::Server)],
            loss: None,
            sent: 0,
            delay: Duration::ZERO,
            under_way: VecDeque::new(),
        };
        pair.until("connected", |pair| {
            let connected = |state: &State| *state.phase() == Phase::Connected;
            pair.ends.iter().all(connected)
        });
        if authenticated {
            pair.ends.iter_mut().for_each(State::authenticated);
        }
        pair
    }

    /// The same whose client knows no windows, like other implementations: SCTP's own is all that holds it back.
    fn without_windows() -> Self {
        let mut pair = Self::new();
        pair.ends[CLIENT].forget_windows();
        pair
    }

    /// Moves datagrams and timers for a while.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            self.turn();
        }
    }

    fn turn(&mut self) {
        // Datagrams cross within a step until there are none.
        for _ in 0..1_000 {
            let mut moved = false;
            while self
                .under_way
                .front()
                .is_some_and(|(at, ..)| *at <= self.now)
            {
                let (_, to, datagram) = self.under_way.pop_front().unwrap();
                moved = true;
                self.ends[to].handle_datagram(&datagram, self.now);
            }
            for who in [CLIENT, SERVER] {
                let mut effects = Effects::default();
                self.ends[who].advance(self.now, &mut effects);
                // As STUN does, which is not part of this.
                self.ends[who].seen(self.now);
                for datagram in effects.datagrams {
                    moved |= self.delay.is_zero();
                    self.sent += 1;
                    if self.loss.is_some_and(|of| self.sent.is_multiple_of(of)) {
                        continue;
                    }
                    if self.delay.is_zero() {
                        self.ends[1 - who].handle_datagram(&datagram, self.now);
                    } else {
                        let at = self.now + self.delay;
                        self.under_way.push_back((at, 1 - who, datagram));
                    }
                }
            }
            if !moved {
                return;
            }
        }
        panic!("never quiet");
    }

    fn until(&mut self, what: &str, mut reached: impl FnMut(&mut Self) -> bool) {
        for _ in 0..10_000 {
            if reached(self) {
                return;
            }
            self.run(STEP);
        }
        panic!("never {what}");
    }

    /// A stream from one end to the other, which both have.
    fn open(&mut self, from: usize) -> (Key, Key) {
        let ours = self.ends[from].open(self.now).unwrap();
        assert_eq!(self.write(from, ours, b"!"), 1);
        let mut theirs = None;
        self.until("accepted", |pair| {
            theirs = pair.ends[1 - from].accept();
            theirs.is_some()
        });
        let theirs = theirs.unwrap();
        assert_eq!(self.read(1 - from, theirs, 1), b"!");
        (ours, theirs)
    }

    /// How many of the bytes were taken.
    fn write(&mut self, who: usize, key: Key, bytes: &[u8]) -> usize {
        let entry = self.ends[who].entry(key).unwrap();
        let written = entry.stream.write(bytes);
        self.ends[who].touch(key);
        match written {
            Poll::Ready(Ok(count)) => count,
            Poll::Ready(Err(failure)) => panic!("{failure}"),
            Poll::Pending => 0,
        }
    }

    /// Writes the next bytes of a stream while there is room, `size` at a time.
    fn fill(&mut self, who: usize, key: Key, written: &mut usize, size: usize, most: usize) {
        while *written < most {
            let size = size.min(most - *written);
            match self.write(who, key, &bytes(*written, size)) {
                0 => return,
                count => *written += count,
            }
        }
    }

    /// Writes until no more fits, and nobody reads.
    fn flood(&mut self, key: Key) -> usize {
        let mut written = 0;
        self.until("filled", |pair| {
            let before = written;
            pair.fill(CLIENT, key, &mut written, 16_000, usize::MAX);
            before == written && pair.ends[SERVER].session.is_tight()
        });
        written
    }

    /// What there is, at most `most` bytes.
    fn read(&mut self, who: usize, key: Key, most: usize) -> Vec<u8> {
        let mut got = vec![0; most];
        let mut length = 0;
        while length < most {
            let now = self.now;
            match self.ends[who].read(key, &mut got[length..], now).unwrap().0 {
                Poll::Ready(Ok(0)) | Poll::Pending => break,
                Poll::Ready(Ok(count)) => length += count,
                Poll::Ready(Err(failure)) => panic!("{failure}"),
            }
        }
        got.truncate(length);
        got
    }

    fn failure(&mut self, who: usize, key: Key) -> Option<Failure> {
        let mut state = [0; 65_536];
        loop {
            let now = self.now;
            match self.ends[who].read(key, &mut state, now)?.0 {
                Poll::Ready(Err(failure)) => return Some(failure),
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(Ok(_)) | Poll::Pending => return None,
            }
        }
    }

    /// A second stream carries something there and back in time.
    fn ping(&mut self, from: usize, (ours, theirs): (Key, Key), limit: Duration) {
        let start = self.now;
        assert_eq!(self.write(from, ours, b"ping"), 4);
        let mut there = Vec::new();
        self.until("pinged", |pair| {
            there.extend(pair.read(1 - from, theirs, 4));
            there == b"ping"
        });
        assert_eq!(self.write(1 - from, theirs, b"pong"), 4);
        let mut back = Vec::new();
        self.until("ponged", |pair| {
            back.extend(pair.read(from, ours, 4));
            back == b"pong"
        });
        let took = self.now - start;
        assert!(took <= limit, "a ping took {took:?}");
    }
}

impl State {
    fn forget_windows(&mut self) {
        self.shared = self.shared.clone().without_windows();
    }
}

/// The n-th byte of a stream.
fn byte(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

fn bytes(from: usize, count: usize) -> Vec<u8> {
    (from..from + count).map(byte).collect()
}

#[test]
fn a_reader_that_stands_still_costs_its_own_stream_and_no_other() {
    let mut pair = Pair::without_windows();
    let (flooding, unread) = pair.open(CLIENT);
    let other = pair.open(CLIENT);
    let written = pair.flood(flooding);
    let most = limits::STREAM_RECEIVE_LIMIT + (1 << 20) + (1 << 19);
    assert!(
        written > limits::STREAM_RECEIVE_LIMIT && written < most,
        "{written}"
    );
    let held = pair.ends[SERVER].intake.budget().used();
    assert!(held < most, "{held} bytes are held");
    // What one connection holds is below what libp2p's ping waits for.
    pair.ping(CLIENT, other, Duration::from_secs(16));
    assert_eq!(pair.failure(SERVER, unread), Some(Failure::Overflow));
    // And from then on everything is as it was.
    pair.run(Duration::from_secs(1));
    assert!(pair.ends[SERVER].intake.budget().used() < 1_000);
    pair.ping(CLIENT, other, Duration::from_millis(100));
    let _ = pair.open(SERVER);
}

#[test]
fn a_slow_reader_is_waited_for_and_loses_nothing() {
    let mut pair = Pair::without_windows();
    let (ours, theirs) = pair.open(CLIENT);
    let (mut written, mut read) = (0, 0);
    let mut most = 0;
    // 100 KB a second for a minute: far more is sent than is held.
    let end = pair.now + Duration::from_secs(60);
    while pair.now < end {
        pair.fill(CLIENT, ours, &mut written, 16_000, usize::MAX);
        pair.run(Duration::from_millis(100));
        let got = pair.read(SERVER, theirs, 10_000);
        assert_eq!(got, bytes(read, got.len()));
        read += got.len();
        most = most.max(pair.ends[SERVER].intake.budget().used());
    }
    assert!(read >= 5_900_000, "{read}");
    assert!(most <= 4 << 20, "{most} bytes were held");
    pair.until("read", |pair| {
        let got = pair.read(SERVER, theirs, 100_000);
        assert_eq!(got, bytes(read, got.len()));
        read += got.len();
        read == written
    });
    assert_eq!(pair.failure(SERVER, theirs), None);
}

#[test]
fn a_paused_reader_goes_on_where_it_stopped_if_nobody_needs_the_room() {
    let mut pair = Pair::without_windows();
    let (ours, theirs) = pair.open(CLIENT);
    let other = pair.open(CLIENT);
    let mut written = 0;
    while written < 600_000 {
        pair.fill(CLIENT, ours, &mut written, 12_000, 600_000);
        pair.run(STEP);
    }
    pair.run(Duration::from_secs(120));
    pair.ping(CLIENT, other, Duration::from_millis(100));
    let mut got = Vec::new();
    pair.until("read", |pair| {
        got.extend(pair.read(SERVER, theirs, 100_000));
        got.len() == written
    });
    assert_eq!(got, bytes(0, written));
}

/// The peer learns at once that there is room again, and does not wait for its timer, which has doubled and doubled.
#[test]
fn a_window_that_opens_is_announced() {
    let mut pair = Pair::without_windows();
    let (ours, theirs) = pair.open(CLIENT);
    let written = pair.flood(ours);
    // Below the time after which it would be reset.
    pair.run(Duration::from_secs(9));
    let mut got = pair.read(SERVER, theirs, written).len();
    let start = pair.now;
    pair.until("read", |pair| {
        got += pair.read(SERVER, theirs, written).len();
        got == written
    });
    let took = pair.now - start;
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn tiny_messages_are_held_back_and_lose_nothing() {
    let mut pair = Pair::without_windows();
    let (ours, theirs) = pair.open(CLIENT);
    let (mut written, mut read) = (0, 0);
    let mut most = 0;
    for _ in 0..300 {
        pair.fill(CLIENT, ours, &mut written, 7, 400_000);
        pair.run(Duration::from_millis(20));
        let got = pair.read(SERVER, theirs, 200);
        assert_eq!(got, bytes(read, got.len()));
        read += got.len();
        most = most.max(pair.ends[SERVER].intake.budget().used());
    }
    pair.until("read", |pair| {
        pair.fill(CLIENT, ours, &mut written, 7, 400_000);
        let got = pair.read(SERVER, theirs, 1 << 20);
        assert_eq!(got, bytes(read, got.len()));
        read += got.len();
        read >= 400_000
    });
    assert!(most <= 3 << 20);
}

#[test]
fn loss_and_a_full_window_together_lose_nothing() {
    for mut pair in [Pair::new(), Pair::without_windows()] {
        lose_nothing(&mut pair);
    }
}

fn lose_nothing(pair: &mut Pair) {
    let (ours, theirs) = pair.open(CLIENT);
    pair.loss = Some(50);
    let (mut written, mut read) = (0, 0);
    while read < 8_000_000 {
        pair.fill(CLIENT, ours, &mut written, 16_000, 8_000_000);
        pair.run(Duration::from_millis(50));
        let got = pair.read(SERVER, theirs, 150_000);
        assert_eq!(got, bytes(read, got.len()));
        read += got.len();
    }
    assert_eq!(read, written);
}

#[test]
fn when_memory_runs_out_those_who_stand_still_pay() {
    let process = Budget::with_overdraft(1 << 20, 1 << 20);
    let mut greedy = Pair::within(&process, true);
    greedy.ends[CLIENT].forget_windows();
    let mut modest = Pair::within(&process, true);
    let (flooding, unread) = greedy.open(CLIENT);
    let ping = modest.open(CLIENT);
    let mut written = 0;
    for _ in 0..200 {
        greedy.fill(CLIENT, flooding, &mut written, 16_000, usize::MAX);
        greedy.run(STEP);
    }
    assert!(process.room() == 0, "{} left", process.room());
    assert!(process.used() <= 2 << 20);
    // The other connection has its own.
    modest.now = greedy.now;
    modest.ping(CLIENT, ping, Duration::from_millis(100));
    greedy.run(limits::STALL_TIMEOUT + Duration::from_secs(1));
    assert_eq!(greedy.failure(SERVER, unread), Some(Failure::Overflow));
    greedy.run(Duration::from_secs(1));
    assert!(process.used() < 1_000, "{} bytes remain", process.used());
}

#[test]
fn a_stranger_holds_little() {
    let process = Budget::with_overdraft(64 << 20, 1 << 20);
    let mut pair = Pair::within(&process, false);
    let mut streams = Vec::new();
    for _ in 0..20 {
        let key = pair.ends[CLIENT].open(pair.now).unwrap();
        streams.push(key);
    }
    for _ in 0..400 {
        for key in &streams {
            while pair.write(CLIENT, *key, &[1; 16_000]) > 0 {}
        }
        pair.run(STEP);
        let held = pair.ends[SERVER].intake.budget().used();
        let most = limits::STRANGER_RECEIVE_BUFFER + MAX_RECEIVED_FRAME;
        assert!(held <= most, "{held} bytes are held");
        assert!(pair.ends[SERVER].session.unread() <= limits::STRANGER_WINDOW + 100_000);
    }
    assert_eq!(*pair.ends[SERVER].phase(), Phase::Connected);
    // Once known, all of it arrives.
    pair.ends[SERVER].authenticated();
    let mut got = 0;
    while let Some(key) = pair.ends[SERVER].accept() {
        got += pair.read(SERVER, key, 1 << 20).len();
    }
    assert!(got > 500_000, "{got}");
}
