//! Windows: when one is told, who keeps to it, and what it does to memory.

use super::*;

/// A remote that keeps to windows, and sends so many bytes.
fn announce(fixture: &mut Fixture, data: usize) {
    fixture.receive(Frame {
        data: vec![1; data].into(),
        flag: None,
        window: Some(0),
    });
}

fn window(bytes: u64) -> Frame {
    Frame {
        window: Some(bytes),
        ..Frame::default()
    }
}

impl Fixture {
    /// Takes what was sent: the windows, and how many bytes of data.
    fn told(&mut self) -> Vec<u64> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter().filter_map(|frame| frame.window).collect()
    }

    fn receive_bytes(&mut self, mut count: usize) {
        while count > 0 {
            let some = count.min(MAX_SENT_PAYLOAD);
            self.receive_data(&vec![1; some]);
            count -= some;
        }
    }

    fn read_bytes(&mut self, mut count: usize) {
        let mut buffer = [0; 10_000];
        while count > 0 {
            let some = count.min(buffer.len());
            let Poll::Ready(Ok(read)) = self.stream.read(&mut buffer[..some]) else {
                panic!("{count} bytes are missing");
            };
            self.settle();
            count -= read;
        }
    }

    fn write_all(&mut self) -> usize {
        let mut total = 0;
        while let Poll::Ready(Ok(count)) = self.write(&[7; 5_000]) {
            total += count;
            self.stream.on_buffered_amount(0);
        }
        total
    }
}

const NONE: [u64; 0] = [];
const WINDOW: usize = MAX_WINDOW as usize;
const QUARTER: usize = WINDOW / 4;

#[test]
fn the_first_data_of_a_half_announces_windows() {
    let mut a = Fixture::open();
    assert!(a.write(b"one").is_ready() && a.write(b"two").is_ready());
    assert_eq!(a.close(), Poll::Pending);
    let windows: Vec<_> = a.sent.iter().map(|frame| frame.window).collect();
    assert_eq!(windows, [Some(0), None, None]);
    // Where there is no data there is nothing to be bounded.
    let mut b = Fixture::open();
    assert_eq!(b.close(), Poll::Pending);
    b.receive_flag(Flag::Fin);
    assert_eq!(b.told(), NONE);
    let mut old = Fixture::open_on(&Shared::default().without_windows());
    assert!(old.write(b"one").is_ready());
    assert_eq!(old.told(), NONE);
}

#[test]
fn a_reader_that_keeps_up_tells_nothing() {
    let mut a = Fixture::open();
    announce(&mut a, 10);
    a.read_bytes(10);
    for _ in 0..1_000 {
        a.receive_bytes(QUARTER / 2);
        a.read_bytes(QUARTER / 2);
    }
    assert_eq!(a.told(), NONE);
}

#[test]
fn a_slow_reader_tells_a_window_that_moves_with_what_it_reads() {
    let mut a = Fixture::open();
    announce(&mut a, 1);
    a.receive_bytes(QUARTER - 2);
    assert_eq!(a.told(), NONE);
    a.receive_bytes(1);
    assert_eq!(a.told(), [MAX_WINDOW]);
    assert!(a.stream.is_windowed());
    a.receive_bytes(WINDOW - QUARTER);
    assert_eq!(a.told(), NONE);
    a.read_bytes(QUARTER - 1);
    assert_eq!(a.told(), NONE);
    a.read_bytes(1);
    assert_eq!(a.told(), [MAX_WINDOW + QUARTER as u64]);
    // However little is read at a time.
    for _ in 0..2 * QUARTER {
        a.read_bytes(1);
    }
    assert_eq!(a.told().len(), 2);
    a.read_bytes(QUARTER);
    assert_eq!(a.told(), [2 * MAX_WINDOW]);
}

#[test]
fn nothing_is_told_to_a_remote_that_has_not_announced_windows() {
    let mut a = Fixture::open();
    a.receive_bytes(2 * WINDOW);
    a.read_bytes(WINDOW);
    assert_eq!(a.sent, []);
    // Its own window says as much as an announcement.
    a.receive(window(1 << 40));
    assert_eq!(a.told(), [2 * MAX_WINDOW]);
}

#[test]
fn a_writer_stops_where_the_window_ends_and_goes_on_when_it_moves() {
    let mut a = Fixture::open();
    assert_eq!(a.write(b"12345"), Poll::Ready(Ok(5)));
    a.receive(window(15_007));
    assert_eq!(a.write_all(), 15_002);
    a.woken = (0, 0);
    // Lower ones, the same, and none at all.
    for bytes in [15_007, 15_006, 5, 1, 0] {
        a.receive(window(bytes));
        assert_eq!((a.woken, a.write(b"x")), ((0, 0), Poll::Pending), "{bytes}");
    }
    // Room in the channel is not what is missing: a writer that this woke would ask again, and be woken again, for ever.
    for _ in 0..3 {
        a.stream.on_buffered_amount(0);
        assert_eq!((a.write(b"x"), a.woken), (Poll::Pending, (0, 0)));
    }
    a.receive(window(15_010));
    assert_eq!((a.woken.1, a.write_all()), (1, 3));
    a.receive(window(u64::MAX));
    for _ in 0..10_000 {
        assert_eq!(a.write(&[1; 9_000]), Poll::Ready(Ok(9_000)));
        a.stream.on_buffered_amount(0);
    }
    assert_eq!(a.close(), Poll::Pending);
    assert_eq!(a.sent_flags(), [Flag::Fin]);
}

#[test]
fn a_window_below_what_was_sent_stops_the_writer_and_nothing_else() {
    let mut a = Fixture::open();
    assert_eq!(a.write(&[1; 1_000]), Poll::Ready(Ok(1_000)));
    a.receive(window(1));
    assert_eq!(a.write(b"x"), Poll::Pending);
    assert_eq!(a.write(b""), Poll::Ready(Ok(0)));
    assert_eq!(a.stream.flush(), Ok(()));
    // FIN needs no window.
    assert_eq!(a.close(), Poll::Pending);
    assert_eq!(a.sent_flags(), [Flag::Fin]);
    a.receive_flag(Flag::FinAck);
    assert_eq!(a.close(), DONE);
}

#[test]
fn whoever_keeps_to_no_windows_does_not_stop() {
    let mut a = Fixture::open_on(&Shared::default().without_windows());
    a.receive(window(1));
    assert_eq!(a.write(b"12345"), Poll::Ready(Ok(5)));
    a.receive_bytes(WINDOW);
    assert_eq!(a.told(), NONE);
}

#[test]
fn a_writer_stopped_by_a_window_learns_that_nobody_reads_any_more() {
    type Ends = fn(&mut Fixture);
    let ends: [(Ends, Failure); 5] = [
        (
            |a| a.receive_flag(Flag::StopSending),
            Failure::StoppedByRemote,
        ),
        (|a| a.receive_flag(Flag::Reset), Failure::ResetByRemote),
        (
            |a| a.stream.on_closed(Failure::ConnectionLost),
            Failure::ConnectionLost,
        ),
        (
            |a| a.stream.on_closed(Failure::ChannelClosed),
            Failure::ChannelClosed,
        ),
        (|a| a.stream.on_stalled(), Failure::Overflow),
    ];
    for (end, failure) in ends {
        let mut a = Fixture::open();
        a.receive(window(1));
        assert_eq!(a.write(b"xy"), Poll::Ready(Ok(1)));
        assert_eq!(a.write(b"y"), Poll::Pending);
        a.woken = (0, 0);
        end(&mut a);
        a.settle();
        assert_eq!(a.woken.1, 1, "{failure}");
        assert_eq!(a.write(b"y"), Poll::Ready(Err(failure)));
    }
}

#[test]
fn windows_that_come_late_change_nothing() {
    // After our FIN.
    let mut a = Fixture::open();
    assert_eq!(a.close(), Poll::Pending);
    a.receive(window(7));
    assert_eq!(a.write(b"x"), Poll::Ready(Err(Failure::WriteAfterClose)));
    // After theirs: their half is over, ours goes on.
    let mut b = Fixture::open();
    b.receive_flag(Flag::Fin);
    b.receive(window(7));
    assert_eq!(b.write_all(), 7);
    b.receive(window(9));
    assert_eq!(b.write_all(), 2);
    // After STOP_SENDING in either direction.
    let mut c = Fixture::open();
    c.receive_flag(Flag::StopSending);
    c.receive(window(7));
    assert_eq!(c.write(b"x"), Poll::Ready(Err(Failure::StoppedByRemote)));
    let mut d = Fixture::open();
    announce(&mut d, 1);
    assert_eq!(d.close(), Poll::Pending);
    d.abandon();
    d.told();
    d.receive_bytes(2 * QUARTER);
    d.receive(window(7));
    assert_eq!(d.sent, [], "nobody reads, and nothing is granted");
    // After a reset there is no stream to receive it.
    let mut e = Fixture::open();
    e.receive_flag(Flag::Reset);
    e.receive(window(7));
    assert!(e.closed && e.sent.is_empty());
}

#[test]
fn nothing_is_granted_once_the_remote_has_ended_its_half() {
    let mut a = Fixture::open();
    announce(&mut a, 1);
    a.receive_bytes(QUARTER);
    assert_eq!(a.told().len(), 1);
    a.receive_bytes(QUARTER);
    a.receive_flag(Flag::Fin);
    a.read_bytes(2 * QUARTER + 1);
    assert_eq!(a.told(), NONE);
    assert_eq!(a.read(), EOF);
}

#[test]
fn a_flood_of_windows_costs_nothing() {
    let mut a = Fixture::open();
    for n in 0..100_000 {
        a.receive(window(n));
        a.receive(window(u64::MAX - n));
    }
    assert_eq!((a.sent.len(), a.woken), (0, (0, 0)));
    assert_eq!((a.stream.unread(), a.stream.queued()), (0, 0));
}

/// A remote that sends, reads nothing and acknowledges nothing cannot have us queue windows without end.
#[test]
fn windows_wait_beside_a_full_queue_and_the_last_one_says_all() {
    let mut a = Fixture::open();
    announce(&mut a, 1);
    while a.write(&[0; 5_000]).is_ready() {}
    let mut windows = 0;
    let mut total = 1;
    for _ in 0..1_000 {
        a.receive_bytes(QUARTER);
        a.read_bytes(QUARTER);
        total += QUARTER;
        windows += a.told().len();
        assert!(a.stream.queued() < SEND_HIGH_WATER + WINDOW_QUEUE + MAX_SENT_FRAME);
    }
    assert!(windows < 200 && a.stream.awaits_report());
    a.stream.on_buffered_amount(0);
    a.settle();
    assert!(!a.stream.awaits_report());
    let read = total - a.stream.readable();
    assert_eq!(a.told(), [(read + WINDOW) as u64]);
}

#[test]
fn a_window_waits_for_the_channel_to_open() {
    let mut a = Fixture::opening(&Shared::default());
    announce(&mut a, 1);
    a.receive_bytes(QUARTER);
    assert_eq!(a.told(), NONE);
    a.stream.on_open(a.now);
    a.settle();
    assert_eq!(a.told(), [MAX_WINDOW]);
}

#[test]
fn many_slow_readers_share_what_the_connection_can_hold() {
    let shared = Shared::default();
    let mut streams: Vec<_> = (0..90).map(|_| Fixture::open_on(&shared)).collect();
    let mut windows = Vec::new();
    for fixture in &mut streams {
        announce(fixture, 1);
        // Each remote sends as much as it may.
        let mut sent = 1;
        let mut window = None;
        while window.is_none_or(|window| sent < window) {
            let some = MAX_SENT_PAYLOAD.min(window.unwrap_or(usize::MAX) - sent);
            fixture.receive_bytes(some);
            sent += some;
            assert!(!fixture.closed, "after {sent} bytes of {windows:?}");
            if let Some(told) = fixture.told().last() {
                window = usize::try_from(*told).ok();
            }
        }
        windows.push(sent);
    }
    assert_eq!(windows[0], WINDOW);
    assert_eq!(windows[89], usize::try_from(MIN_WINDOW).unwrap());
    assert!(shared.received() <= MAX_RECEIVE_BUFFER_CONNECTION);
    // They are read one after another, and each goes on with what the others leave.
    for fixture in &mut streams {
        let unread = fixture.stream.readable();
        fixture.read_bytes(unread);
        assert!(!fixture.told().is_empty());
    }
}

/// Two streams a long way apart. SCTP sends on a connection what its remote's window lets it have under way, in order.
struct Path {
    sender: Stream,
    reader: Stream,
    now: Instant,
    /// What the channel has taken and SCTP has not.
    queue: VecDeque<Bytes>,
    /// Under way: when it arrives, when its acknowledgement is back, and what.
    flight: VecDeque<(u64, u64, Bytes)>,
    back: VecDeque<(u64, Bytes)>,
    under_way: usize,
    acknowledged: VecDeque<(u64, usize)>,
    at: u64,
}

impl Path {
    fn new(shared: &Shared) -> Self {
        let now = Instant::now();
        let [sender, reader] = [(); 2].map(|()| {
            let mut stream = Stream::new(shared, now);
            stream.on_open(now);
            stream
        });
        Self {
            sender,
            reader,
            now,
            queue: VecDeque::new(),
            flight: VecDeque::new(),
            back: VecDeque::new(),
            under_way: 0,
            acknowledged: VecDeque::new(),
            at: 0,
        }
    }

    /// A millisecond, in which so many bytes leave. `late`: how much longer a window takes than anything else.
    fn tick(&mut self, rate: usize, delay: u64, sctp: usize, late: u64) {
        self.at += 1;
        while self
            .acknowledged
            .front()
            .is_some_and(|(at, _)| *at <= self.at)
        {
            let (_, bytes) = self.acknowledged.pop_front().unwrap();
            self.under_way -= bytes;
        }
        let mut left = rate;
        while self.under_way < sctp
            && left > 0
            && let Some(frame) = self.queue.pop_front()
        {
            left = left.saturating_sub(frame.len());
            self.under_way += frame.len();
            self.flight
                .push_back((self.at + delay, self.at + 2 * delay, frame));
        }
        let queued = self.queue.iter().map(Bytes::len).sum();
        self.sender.on_buffered_amount(queued);
        while self.sender.write(&[9; 50_000]).is_ready() {}
        while let Some(output) = self.sender.poll_output() {
            if let Output::Send(frame) = output {
                self.queue.push_back(frame);
            }
        }
        while self.flight.front().is_some_and(|(at, ..)| *at <= self.at) {
            let (_, back, frame) = self.flight.pop_front().unwrap();
            self.acknowledged.push_back((back, frame.len()));
            self.reader.on_owned_message(frame, self.now);
        }
        while let Some(output) = self.reader.poll_output() {
            if let Output::Send(frame) = output {
                self.back.push_back((self.at + delay + late, frame));
            }
        }
        while self.back.front().is_some_and(|(at, _)| *at <= self.at) {
            let (_, frame) = self.back.pop_front().unwrap();
            self.sender.on_owned_message(frame, self.now);
        }
    }
}

#[test]
fn a_fast_and_far_sender_of_ours_stays_far_below_the_bound() {
    const SCTP: usize = 5 << 20;
    // A millisecond: bytes sent, one way, the first window's delay on top (it was lost once).
    for (rate, delay, late) in [
        (5_000, 1, 0),
        (50_000, 50, 0),
        (50_000, 50, 100),
        (500_000, 150, 300),
    ] {
        let mut path = Path::new(&Shared::default());
        let mut buffer = [0; 1_000];
        let (mut most, mut read, mut starved) = (0, 0, 0);
        for n in 0..20_000 {
            path.tick(rate, delay, SCTP, late);
            match path.reader.read(&mut buffer) {
                Poll::Ready(Ok(count)) => read += count,
                Poll::Ready(Err(failure)) => panic!("{failure} at {n} ms"),
                // Also a slow reader has something to read at any time, once it has begun.
                Poll::Pending => starved += u64::from(n > 1_000),
            }
            most = most.max(path.reader.unread());
        }
        let bound = QUARTER + 2 * SCTP + SEND_HIGH_WATER + 2 * MAX_SENT_FRAME;
        assert!(
            most <= bound,
            "{most} bytes were unread at {rate}, {delay}, {late}"
        );
        assert!(most < MAX_RECEIVE_BUFFER_STREAM * 3 / 4);
        assert!(
            read > 19_000_000 && starved == 0,
            "{read} read, {starved} ms without"
        );
    }
}

/// A reader that fell behind and then keeps up is not held back by its window.
#[test]
fn a_reader_that_catches_up_has_all_that_the_path_carries() {
    let mut path = Path::new(&Shared::default());
    let mut buffer = vec![0; 200_000];
    let mut read = 0;
    for n in 0..6_000 {
        path.tick(30_000, 50, 5 << 20, 0);
        if n < 1_000 {
            continue; // it stands still
        }
        if let Poll::Ready(Ok(count)) = path.reader.read(&mut buffer)
            && n >= 2_000
        {
            read += count;
        }
    }
    assert!(path.reader.is_windowed());
    assert!(read > 4_000 * 30_000 * 97 / 100, "{read}");
}
