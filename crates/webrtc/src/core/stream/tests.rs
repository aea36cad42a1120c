use std::time::Duration;

use super::*;
use crate::limits::*;

mod model;
mod windows;

/// A stream with its channel, as a backend would keep them.
struct Fixture {
    stream: Stream,
    now: Instant,
    sent: Vec<Frame>,
    /// That `sent` came in.
    messages: usize,
    woken: (usize, usize),
    closed: bool,
}

impl Fixture {
    fn opening(shared: &Shared) -> Self {
        let now = Instant::now();
        Self {
            stream: Stream::new(shared, now),
            now,
            sent: Vec::new(),
            messages: 0,
            woken: (0, 0),
            closed: false,
        }
    }

    fn open() -> Self {
        Self::open_on(&Shared::default())
    }

    fn open_on(shared: &Shared) -> Self {
        let mut fixture = Self::opening(shared);
        fixture.stream.on_open(fixture.now);
        fixture.settle();
        fixture.woken = (0, 0);
        fixture
    }

    fn settle(&mut self) {
        while let Some(output) = self.stream.poll_output() {
            assert!(!self.closed, "{output:?} after CloseChannel");
            match output {
                Output::Send(bytes) => {
                    let mut decoder = Decoder::default();
                    decoder.push(&bytes);
                    while let Some(frame) = decoder.next_frame().unwrap() {
                        self.sent.push(frame);
                    }
                    assert_eq!(decoder.buffered(), 0);
                    self.messages += 1;
                }
                Output::WakeReader => self.woken.0 += 1,
                Output::WakeWriter => self.woken.1 += 1,
                Output::CloseChannel => self.closed = true,
            }
        }
    }

    fn receive(&mut self, frame: Frame) {
        let bytes = frame.encode().unwrap();
        self.stream.on_message(&bytes, self.now);
        self.settle();
    }

    fn receive_flag(&mut self, flag: Flag) {
        self.receive(Frame::flag(flag));
    }

    fn receive_data(&mut self, data: &[u8]) {
        self.receive(Frame::data(Bytes::copy_from_slice(data)));
    }

    fn sent_flags(&self) -> Vec<Flag> {
        self.sent.iter().filter_map(|frame| frame.flag).collect()
    }

    fn read(&mut self) -> Poll<Result<Vec<u8>, Failure>> {
        let mut buffer = [0; 100];
        let read = self.stream.read(&mut buffer);
        self.settle();
        read.map_ok(|count| buffer[..count].to_vec())
    }

    fn write(&mut self, bytes: &[u8]) -> Poll<Result<usize, Failure>> {
        let written = self.stream.write(bytes);
        self.settle();
        written
    }

    fn close(&mut self) -> Poll<Result<(), Failure>> {
        let closed = self.stream.close(self.now);
        self.settle();
        closed
    }

    fn abandon(&mut self) {
        self.stream.abandon(self.now);
        self.settle();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.stream.on_timer(self.now);
        self.settle();
    }
}

const DONE: Poll<Result<(), Failure>> = Poll::Ready(Ok(()));
const EOF: Poll<Result<Vec<u8>, Failure>> = Poll::Ready(Ok(Vec::new()));

#[test]
fn both_close_and_the_channel_is_closed_after_the_last_flag() {
    let mut a = Fixture::open();
    assert_eq!(a.write(b"hello"), Poll::Ready(Ok(5)));
    assert_eq!(&a.sent[0].data[..], b"hello");
    assert_eq!(a.close(), Poll::Pending);
    a.receive_flag(Flag::FinAck);
    assert_eq!(a.woken.1, 1);
    assert_eq!(a.close(), DONE);
    assert!(!a.closed, "the remote may still send");
    assert_eq!(a.stream.deadline(), None);
    a.receive_data(b"world");
    a.receive_flag(Flag::Fin);
    assert_eq!(a.sent_flags(), [Flag::Fin, Flag::FinAck]);
    assert!(a.closed);
    assert_eq!(a.read(), Poll::Ready(Ok(b"world".to_vec())));
    assert_eq!(a.read(), EOF);
}

#[test]
fn what_is_written_in_one_turn_goes_together() {
    let mut a = Fixture::open();
    let sends = |a: &mut Fixture| std::iter::from_fn(|| a.stream.poll_wake()).count();
    assert!(!a.stream.may_wait(), "there is nothing");
    assert_eq!(a.stream.write(b"negotiation"), Poll::Ready(Ok(11)));
    assert!(a.stream.may_wait());
    assert_eq!(sends(&mut a), 0);
    assert_eq!(a.stream.write(b"request"), Poll::Ready(Ok(7)));
    assert_eq!(a.stream.close(a.now), Poll::Pending);
    assert_eq!((sends(&mut a), a.sent.len()), (0, 0));
    a.settle();
    assert_eq!((a.messages, a.sent.len()), (1, 3));
    assert_eq!(&a.sent[0].data[..], b"negotiation");
    assert_eq!(&a.sent[1].data[..], b"request");
    assert_eq!(a.sent_flags(), [Flag::Fin]);
    assert!(!a.stream.may_wait());

    // What fills a message does not wait, nor does the last one of a channel, nor anything before it is open.
    let mut b = Fixture::open();
    assert!(b.stream.write(&[0; MAX_JOINED_FRAME]).is_ready());
    assert!(!b.stream.may_wait());
    let mut c = Fixture::open();
    c.stream.on_malformed();
    assert!(!c.stream.may_wait());
    c.settle();
    assert_eq!(c.sent_flags(), [Flag::Reset]);
    let mut d = Fixture::opening(&Shared::default());
    assert!(d.stream.write(b"early").is_ready());
    assert!(!d.stream.may_wait());
}

#[test]
fn only_what_both_closed_has_ended_in_order() {
    let mut a = Fixture::open();
    assert_eq!(a.close(), Poll::Pending);
    a.receive_flag(Flag::FinAck);
    assert!(!a.stream.ended_in_order());
    a.receive_flag(Flag::Fin);
    assert!(a.closed && a.stream.ended_in_order());
    let mut b = Fixture::open();
    assert_eq!(b.close(), Poll::Pending);
    b.receive_flag(Flag::Reset);
    assert!(b.closed && !b.stream.ended_in_order());
    let mut c = Fixture::open();
    c.receive_flag(Flag::Fin);
    c.abandon();
    assert!(c.closed && !c.stream.ended_in_order());
}

#[test]
fn fin_with_data_delivers_the_data() {
    let mut a = Fixture::open();
    a.receive(Frame {
        data: Bytes::from_static(b"last"),
        flag: Some(Flag::Fin),
        window: None,
    });
    assert_eq!(a.read(), Poll::Ready(Ok(b"last".to_vec())));
    assert_eq!(a.read(), EOF);
    assert_eq!(a.sent_flags(), [Flag::FinAck]);
    // Ours stays open, and a repeated FIN is not answered again.
    a.receive_flag(Flag::Fin);
    assert_eq!(a.write(b"x"), Poll::Ready(Ok(1)));
    assert_eq!(a.sent_flags(), [Flag::FinAck]);
}

#[test]
fn reset_with_data_delivers_the_data_and_then_the_failure() {
    let mut a = Fixture::open();
    a.receive(Frame {
        data: Bytes::from_static(b"last"),
        flag: Some(Flag::Reset),
        window: None,
    });
    assert!(a.closed);
    assert_eq!(a.read(), Poll::Ready(Ok(b"last".to_vec())));
    assert_eq!(a.read(), Poll::Ready(Err(Failure::ResetByRemote)));
    assert_eq!(a.write(b"x"), Poll::Ready(Err(Failure::ResetByRemote)));
    assert_eq!(a.close(), Poll::Ready(Err(Failure::ResetByRemote)));
    assert_eq!(a.sent, []);
}

#[test]
fn a_remote_that_drops_the_stream_after_our_fin_does_not_fail_our_close() {
    let mut a = Fixture::open();
    assert_eq!(a.write(b"all there is"), Poll::Ready(Ok(12)));
    assert_eq!(a.close(), Poll::Pending);
    a.receive_flag(Flag::Reset);
    assert_eq!(a.woken.1, 1);
    assert_eq!(a.close(), DONE);
    assert_eq!(a.read(), Poll::Ready(Err(Failure::ResetByRemote)));
    assert!(a.closed);
}

#[test]
fn old_peers_cost_the_time_limit_only_once() {
    let shared = Shared::default();
    let mut a = Fixture::open_on(&shared);
    assert_eq!(a.close(), Poll::Pending);
    a.receive_flag(Flag::Fin);
    a.wait(FIN_ACK_TIMEOUT - Duration::from_millis(1));
    assert_eq!(a.close(), Poll::Pending);
    a.wait(Duration::from_millis(1));
    assert_eq!(a.close(), DONE);
    assert!(a.closed);

    let mut b = Fixture::open_on(&shared);
    assert_eq!(b.close(), Poll::Pending);
    b.wait(FIN_ACK_TIMEOUT_OLD_PEER);
    assert_eq!(b.close(), DONE);
    assert!(!b.closed, "the remote's half is still open");
    // It does know FIN_ACK after all: back to patience.
    b.receive_flag(Flag::FinAck);
    let mut c = Fixture::open_on(&shared);
    assert_eq!(c.close(), Poll::Pending);
    c.wait(FIN_ACK_TIMEOUT_OLD_PEER);
    assert_eq!(c.close(), Poll::Pending);
}

#[test]
fn a_slow_link_is_not_an_old_peer() {
    let mut a = Fixture::open();
    while a.write(&[0; MAX_SENT_PAYLOAD]).is_ready() {}
    assert_eq!(a.close(), Poll::Pending);
    for left in [100_000, 50_000, 10] {
        a.stream.on_buffered_amount(left);
        a.wait(FIN_ACK_TIMEOUT);
        assert_eq!(a.close(), Poll::Pending, "{left} left");
    }
    a.stream.on_buffered_amount(0);
    a.wait(FIN_ACK_TIMEOUT);
    assert_eq!(a.close(), DONE);
}

#[test]
fn stop_sending_ends_our_half_without_fin_ack() {
    let mut a = Fixture::open();
    a.receive_flag(Flag::StopSending);
    assert_eq!(a.write(b"x"), Poll::Ready(Err(Failure::StoppedByRemote)));
    assert_eq!(a.close(), DONE);
    assert_eq!(a.sent_flags(), [Flag::Fin]);

    let mut b = Fixture::open();
    assert_eq!(b.close(), Poll::Pending);
    b.receive_flag(Flag::StopSending);
    assert_eq!(b.close(), DONE);
    b.receive_flag(Flag::Fin);
    assert!(b.closed);
}

#[test]
fn dropped_unclosed_is_a_reset() {
    let mut a = Fixture::open();
    assert_eq!(a.write(b"half a request"), Poll::Ready(Ok(14)));
    a.abandon();
    assert_eq!(a.sent_flags(), [Flag::Reset]);
    assert!(a.closed);
    assert_eq!(a.stream.deadline(), None);
}

#[test]
fn dropped_after_close_ends_in_order() {
    let mut a = Fixture::open();
    assert_eq!(a.close(), Poll::Pending);
    a.abandon();
    assert_eq!(a.sent_flags(), [Flag::Fin, Flag::StopSending]);
    assert!(!a.closed);
    a.receive_data(b"ignored");
    a.receive_flag(Flag::FinAck);
    assert!(!a.closed);
    a.receive_flag(Flag::Fin);
    assert_eq!(a.sent_flags(), [Flag::Fin, Flag::StopSending, Flag::FinAck]);
    assert!(a.closed);
}

#[test]
fn dropped_after_close_does_not_linger_for_ever() {
    let shared = Shared::default();
    let mut a = Fixture::open_on(&shared);
    assert_eq!(a.close(), Poll::Pending);
    a.receive_flag(Flag::FinAck);
    a.abandon();
    a.wait(LINGER_TIMEOUT);
    assert!(a.closed);
    assert_eq!(shared.received(), 0);
}

#[test]
fn writes_wait_for_the_channel_and_for_room() {
    let mut a = Fixture::opening(&Shared::default());
    let mut written = 0;
    while let Poll::Ready(count) = a.write(&[1; 100_000]) {
        assert!(count.unwrap() <= MAX_SENT_PAYLOAD);
        written += count.unwrap();
    }
    assert!(written <= SEND_HIGH_WATER && written > SEND_HIGH_WATER - MAX_SENT_FRAME);
    assert_eq!(a.sent, []);
    assert_eq!(a.write(&[]), Poll::Ready(Ok(0)));
    a.stream.on_open(a.now);
    a.settle();
    assert_eq!(
        a.sent.iter().map(|frame| frame.data.len()).sum::<usize>(),
        written
    );
    assert_eq!(a.write(&[1; 100_000]), Poll::Pending);
    a.woken = (0, 0);
    a.stream.on_buffered_amount(SEND_HIGH_WATER / 2 + 1);
    a.settle();
    assert_eq!(a.woken, (0, 0));
    a.stream.on_buffered_amount(SEND_HIGH_WATER / 2);
    a.settle();
    assert_eq!(a.woken, (0, 1));
    assert!(a.write(&[1]).is_ready());
}

#[test]
fn a_paced_writer_goes_on_whatever_the_channel_makes_of_it() {
    let mut a = Fixture::open();
    a.stream = Stream::new(&Shared::default(), a.now).paced();
    a.stream.on_open(a.now);
    for lasted in [0, 0, 0, 2, 2, 9, 9, 9, 9] {
        while a.write(&[1; 100_000]).is_ready() {}
        a.woken = (0, 0);
        a.now += Duration::from_millis(lasted);
        // A backend that comes late finds less than the mark, and looks again when that has changed.
        let low = a.stream.low_water();
        a.stream.on_low_water(low, a.now);
        let changed = a.stream.low_water();
        a.stream.on_buffered_amount(low.min(changed));
        a.settle();
        assert_eq!(a.woken, (0, 1));
    }
    assert_eq!(a.stream.low_water(), SEND_HIGH_WATER_LEAST / 2);
}

#[test]
fn what_waits_for_the_end_of_the_turn_stops_no_writer() {
    let mut a = Fixture::open();
    assert!(a.stream.write(b"a little").is_ready());
    a.stream.on_buffered_amount(SEND_HIGH_WATER);
    assert!(a.stream.write(b"more").is_pending());
    assert!(a.stream.may_wait());
    a.stream.on_buffered_amount(SEND_HIGH_WATER / 2);
    let wakes: Vec<_> = std::iter::from_fn(|| a.stream.poll_wake()).collect();
    assert_eq!(wakes, [Output::WakeWriter]);
}

#[test]
fn a_stream_closed_while_opening_sends_everything() {
    let mut a = Fixture::opening(&Shared::default());
    assert_eq!(a.write(b"fire and forget"), Poll::Ready(Ok(15)));
    assert_eq!(a.close(), Poll::Pending);
    a.abandon();
    assert_eq!(a.sent, []);
    a.stream.on_open(a.now);
    a.settle();
    assert_eq!(&a.sent[0].data[..], b"fire and forget");
    assert_eq!(a.sent_flags(), [Flag::Fin, Flag::StopSending]);
    assert!(!a.closed);
    a.wait(FIN_ACK_TIMEOUT);
    assert!(a.closed);
}

#[test]
fn a_channel_that_never_opens_fails() {
    let mut a = Fixture::opening(&Shared::default());
    assert_eq!(a.write(b"x"), Poll::Ready(Ok(1)));
    a.wait(OPEN_TIMEOUT);
    assert_eq!(a.read(), Poll::Ready(Err(Failure::OpenTimeout)));
    assert_eq!(a.stream.flush(), Err(Failure::OpenTimeout));
    assert!(a.closed);
}

#[test]
fn a_channel_that_closes_early_is_a_failure_and_not_an_end() {
    let mut a = Fixture::open();
    a.receive_data(b"some");
    a.stream.on_closed(Failure::ChannelClosed);
    a.settle();
    assert_eq!(a.woken, (2, 1));
    assert_eq!(a.read(), Poll::Ready(Ok(b"some".to_vec())));
    assert_eq!(a.read(), Poll::Ready(Err(Failure::ChannelClosed)));
    assert_eq!(a.close(), Poll::Ready(Err(Failure::ChannelClosed)));
    assert!(!a.closed, "there is nothing left to close");

    // Unless both have finished, and only the FIN_ACK is missing.
    let mut b = Fixture::open();
    assert_eq!(b.close(), Poll::Pending);
    b.receive_flag(Flag::Fin);
    b.stream.on_closed(Failure::ChannelClosed);
    b.settle();
    assert_eq!(b.close(), DONE);
    assert_eq!(b.read(), EOF);
}

#[test]
fn garbage_resets_the_stream() {
    let mut a = Fixture::open();
    a.receive_data(b"good");
    a.stream.on_message(&[0xff; 5], a.now);
    a.settle();
    assert_eq!(a.sent_flags(), [Flag::Reset]);
    assert!(a.closed);
    assert_eq!(a.read(), Poll::Ready(Ok(b"good".to_vec())));
    assert_eq!(a.read(), Poll::Ready(Err(Failure::Protocol)));

    let mut b = Fixture::open();
    b.receive_flag(Flag::Fin);
    b.receive_data(b"after the end");
    assert_eq!(b.sent_flags(), [Flag::FinAck, Flag::Reset]);
    assert_eq!(b.write(b"x"), Poll::Ready(Err(Failure::Protocol)));
}

#[test]
fn overflow_resets_that_stream_only_and_memory_comes_back() {
    let shared = Shared::default();
    let payload = vec![1; MAX_SENT_PAYLOAD];
    let mut streams: Vec<_> = (0..5).map(|_| Fixture::open_on(&shared)).collect();
    for fixture in &mut streams {
        while !fixture.closed && shared.received() + payload.len() <= MAX_RECEIVE_BUFFER_CONNECTION
        {
            fixture.receive_data(&payload);
        }
        assert!(shared.received() <= MAX_RECEIVE_BUFFER_CONNECTION);
    }
    for fixture in &streams[..4] {
        assert_eq!(fixture.sent_flags(), [Flag::Reset]);
    }
    // The last one meets the connection's bound.
    let last = &mut streams[4];
    assert!(!last.closed);
    while !last.closed {
        last.receive_data(&payload);
    }
    // What was taken is delivered, then the failure.
    let first = &mut streams[0];
    let mut total = 0;
    let failure = loop {
        match first.read() {
            Poll::Ready(Ok(bytes)) => total += bytes.len(),
            Poll::Ready(Err(failure)) => break failure,
            Poll::Pending => unreachable!(),
        }
    };
    assert_eq!(failure, Failure::Overflow);
    assert!(total <= MAX_RECEIVE_BUFFER_STREAM && total > MAX_RECEIVE_BUFFER_STREAM - 20_000);
    drop(streams);
    assert_eq!(shared.received(), 0);
}

#[test]
fn an_unfinished_frame_is_paid_for() {
    let shared = Shared::default();
    let mut a = Fixture::open_on(&shared);
    // A frame of 100,000 bytes of which the last never comes.
    a.stream.on_message(&[0xa0, 0x8d, 0x06], a.now);
    a.stream.on_message(&vec![0; 99_999], a.now);
    assert_eq!(shared.received(), 100_002);
    a.abandon();
    assert_eq!(shared.received(), 0);
}

#[test]
fn what_follows_the_end_is_not_kept() {
    for last in [Flag::Fin, Flag::Reset] {
        let shared = Shared::default();
        let mut a = Fixture::open_on(&shared);
        assert_eq!(a.close(), Poll::Pending);
        a.receive_flag(Flag::FinAck);
        // The last flag, and the beginning of another frame.
        let mut bytes = Frame::flag(last).encode().unwrap().to_vec();
        bytes.extend([0xa0, 0x8d, 0x06]);
        bytes.extend([0; 50_000]);
        a.stream.on_message(&bytes, a.now);
        a.settle();
        assert!(a.closed);
        assert_eq!((a.stream.unread(), shared.received()), (0, 0), "{last:?}");
    }
}

#[test]
fn tiny_payloads_are_joined() {
    let mut buffer = ReceiveBuffer::default();
    for byte in 0..200u8 {
        buffer.push(Bytes::copy_from_slice(&[byte]));
    }
    buffer.push(vec![7; RECEIVE_CHUNK].into());
    let mut first = [0; 3];
    assert_eq!(buffer.read(&mut first), 3);
    assert_eq!(first, [0, 1, 2]);
    buffer.forget_last(RECEIVE_CHUNK);
    buffer.forget_last(1);
    assert_eq!(buffer.len(), 196);
    let mut rest = [0; 500];
    assert_eq!(buffer.read(&mut rest), 196);
    assert_eq!(rest[195], 198);
    assert_eq!(buffer.len(), 0);
}
