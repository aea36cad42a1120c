//! Peers that know windows: a reader of theirs that is slow or stands still costs nobody else anything.

use super::*;

impl Pair {
    /// What the server's streams hold unread.
    fn held(&self) -> usize {
        self.ends[SERVER].intake.budget().used()
    }

    /// Writes until nothing is taken for a second.
    fn until_stopped(&mut self, key: Key) -> usize {
        let (mut written, mut since) = (0, self.now);
        self.until("stopped", |pair| {
            let before = written;
            pair.fill(CLIENT, key, &mut written, 16_000, usize::MAX);
            if before != written {
                since = pair.now;
            }
            pair.now - since >= Duration::from_secs(1)
        });
        written
    }
}

#[test]
fn a_reader_that_stands_still_holds_back_its_own_stream_alone() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.open(CLIENT);
    let other = pair.open(CLIENT);
    let written = pair.until_stopped(ours);
    // What the other streams hold is not there for this one, and what was on its way came on top.
    let window = usize::try_from(limits::WINDOW).unwrap();
    assert!(
        (window / 10 * 9..2 * window).contains(&written),
        "{written}"
    );
    assert!(pair.held() <= written + 1_000);
    // SCTP has nothing of it: others are as quick as ever, for as long as it lasts, and it lasts.
    assert_eq!(pair.ends[SERVER].session.unread(), 0);
    for _ in 0..10 {
        pair.run(limits::STALL_TIMEOUT);
        pair.ping(CLIENT, other, Duration::from_millis(50));
    }
    let mut got = Vec::new();
    pair.until("read", |pair| {
        got.extend(pair.read(SERVER, theirs, 100_000));
        got.len() == written
    });
    assert_eq!(got, bytes(0, written));
    assert!(pair.write(CLIENT, ours, b"more") > 0);
}

#[test]
fn a_slow_reader_over_a_long_way_slows_its_own_writer_alone() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.open(CLIENT);
    let other = pair.open(CLIENT);
    pair.delay = Duration::from_millis(50);
    let (mut written, mut read, mut most) = (0, 0, 0);
    for n in 0..2_000 {
        pair.fill(CLIENT, ours, &mut written, 16_000, usize::MAX);
        pair.run(Duration::from_millis(10));
        let got = pair.read(SERVER, theirs, 5_000);
        assert_eq!(got, bytes(read, got.len()));
        read += got.len();
        most = most.max(pair.held());
        if n % 200 == 100 {
            // A round trip, and the turns of a clock that goes in steps.
            pair.ping(CLIENT, other, Duration::from_millis(150));
        }
    }
    assert!(read >= 9_500_000, "{read} bytes at 500 KB/s for 20 s");
    assert!(most <= limits::STREAM_RECEIVE_LIMIT, "{most} were held");
    assert_eq!(pair.failure(SERVER, theirs), None);
}

#[test]
fn a_reader_that_catches_up_is_not_held_back() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.open(CLIENT);
    pair.until_stopped(ours);
    let (mut written, mut read) = (0, 0);
    // All of this crosses in a step or two where no window is in the way.
    let start = pair.now;
    while read < 20_000_000 {
        pair.fill(CLIENT, ours, &mut written, 16_000, usize::MAX);
        pair.run(STEP);
        read += pair.read(SERVER, theirs, 4 << 20).len();
    }
    let took = pair.now - start;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// Each writes all the time and reads nothing, then one of them reads. Windows come through a full stream.
#[test]
fn both_directions_full_go_on_as_soon_as_one_is_read() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.open(CLIENT);
    pair.write(SERVER, theirs, b"!");
    pair.run(STEP);
    let mut written = [0, 0];
    pair.until("stopped", |pair| {
        let before = written;
        pair.fill(CLIENT, ours, &mut written[CLIENT], 16_000, usize::MAX);
        pair.fill(SERVER, theirs, &mut written[SERVER], 16_000, usize::MAX);
        before == written
    });
    pair.run(limits::STALL_TIMEOUT * 3);
    // The client reads on and on, and writes no more: the server's writer must go on.
    let (mut read, goal) = (0, written[SERVER] + 10_000_000);
    pair.until("read", |pair| {
        pair.fill(SERVER, theirs, &mut written[SERVER], 16_000, goal);
        read += pair.read(CLIENT, ours, 300_000).len();
        read > goal
    });
    // And the other way round.
    let (mut read, goal) = (0, written[CLIENT] + 10_000_000);
    pair.until("read the other way", |pair| {
        pair.fill(CLIENT, ours, &mut written[CLIENT], 16_000, goal);
        read += pair.read(SERVER, theirs, 300_000).len();
        read == goal
    });
}

#[test]
fn a_writer_that_a_window_has_stopped_learns_when_the_reader_goes() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.open(CLIENT);
    pair.until_stopped(ours);
    let waker = std::sync::Arc::new(Woken::default());
    pair.ends[CLIENT].entry(ours).unwrap().writer = Some(waker.clone().into());
    let now = pair.now;
    pair.ends[SERVER].abandon(theirs, now);
    let mut effects = Effects::default();
    pair.ends[SERVER].advance(now, &mut effects);
    for datagram in effects.datagrams {
        pair.ends[CLIENT].handle_datagram(&datagram, now);
    }
    let mut effects = Effects::default();
    pair.ends[CLIENT].advance(now, &mut effects);
    effects.wakers.into_iter().for_each(Waker::wake);
    assert!(waker.0.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!(pair.failure(CLIENT, ours), Some(Failure::ResetByRemote));
    assert!(pair.held() < 1_000);
}

#[derive(Default)]
struct Woken(std::sync::atomic::AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// The memory of all connections together is nearly used up by one whose peer knows no windows.
#[test]
fn windows_are_smaller_when_memory_is_short() {
    let process = Budget::with_overdraft(3 << 20, 1 << 20);
    let mut greedy = Pair::within(&process, true);
    greedy.ends[CLIENT].forget_windows();
    let (flooding, _) = greedy.open(CLIENT);
    let mut modest = Pair::within(&process, true);
    let (ours, theirs) = modest.open(CLIENT);
    let mut written = 0;
    while process.room() > 1 << 20 {
        greedy.fill(CLIENT, flooding, &mut written, 16_000, usize::MAX);
        greedy.run(STEP);
    }
    let written = modest.until_stopped(ours);
    // The first window, a sixteenth of what was left, and the queue of the peer when it came.
    assert!(written < 600_000, "{written}");
    assert_eq!(modest.read(SERVER, theirs, written).len(), written);
    assert!(modest.until_stopped(ours) > 0);
}
