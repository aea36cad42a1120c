use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite, FutureExt, future::LocalBoxFuture};
use mooring_api::limits::{MAX_CREDIT_FROM_NODE, MAX_CREDIT_FROM_PAGE, MAX_STREAM_CHUNK};
use proptest::prelude::*;

use super::{
    credit::{Machine, Said, Tell},
    gather::Clock,
    *,
};
use crate::limits::{GATHER, GATHER_PAUSE_MIN, READ_CHUNK};

fn tells(machine: &mut Machine) -> Vec<Tell> {
    std::iter::from_fn(|| machine.next_tell()).collect()
}

fn port(window: u64) -> StreamPort {
    StreamPort {
        id: "s1".into(),
        protocol: "/test/1".into(),
        peer: PeerId::random(),
        path: Path::Direct,
        machine: RefCell::new(Machine::new(window)),
        pump: RefCell::default(),
    }
}

fn data(length: usize) -> Said {
    Said::Data(vec![7; length])
}

#[test]
fn messages_are_read_strictly() {
    let message = |kind: &str, bytes: Value| {
        Said::read(Value::object([
            ("type", Value::text(kind)),
            ("bytes", bytes),
        ]))
    };
    assert_eq!(message("data", Value::Bytes(vec![1])), Said::Data(vec![1]));
    assert_eq!(message("credit", Value::Number(5.0)), Said::Credit(5));
    assert_eq!(message("closeWrite", Value::Null), Said::CloseWrite);
    assert_eq!(message("stopReading", Value::Null), Said::StopReading);
    assert_eq!(message("reset", Value::Null), Said::Reset);
    for nonsense in [
        message("data", Value::Bytes(vec![])),
        message("data", Value::Bytes(vec![0; MAX_STREAM_CHUNK + 1])),
        message("data", Value::text("x")),
        message("data", Value::List(vec![Value::Number(1.0)])),
        message("data", Value::Null),
        message("credit", Value::Number(-1.0)),
        message("credit", Value::Number(0.5)),
        message("credit", Value::Number(f64::NAN)),
        message("credit", Value::Number(f64::INFINITY)),
        message("credit", Value::Number(1e300)),
        message("credit", Value::text("5")),
        message("closed", Value::Null),
        message("open", Value::Null),
        message("", Value::Null),
        Said::read(Value::Null),
        Said::read(Value::text("data")),
        Said::read(Value::List(vec![])),
        Said::read(Value::object([])),
        Said::read(Value::object([(
            "type",
            Value::Opaque(crate::Opaque::Kind),
        )])),
        Said::read(Value::object([("type", Value::Number(1.0))])),
        Said::read(Value::object([
            ("type", Value::text("data")),
            ("bytes", Value::Opaque(crate::Opaque::TooLarge)),
        ])),
    ] {
        assert_eq!(nonsense, Said::Nonsense);
    }
}

#[test]
fn broken_rules_reset_once() {
    let broken: [&dyn Fn(&mut Machine); 6] = [
        &|m| m.page_says(Said::Nonsense),
        &|m| m.page_says(data(1001)),
        &|m| {
            m.page_says(data(600));
            m.page_says(data(401));
        },
        &|m| m.page_says(Said::Credit(MAX_CREDIT_FROM_PAGE + 1)),
        &|m| {
            m.page_says(Said::Credit(MAX_CREDIT_FROM_PAGE));
            m.page_says(Said::Credit(1));
        },
        &|m| {
            m.page_says(Said::CloseWrite);
            m.page_says(data(1));
        },
    ];
    for (n, break_rules) in broken.iter().enumerate() {
        let mut machine = Machine::new(1000);
        break_rules(&mut machine);
        machine.page_says(Said::Nonsense);
        machine.page_says(data(5));
        assert!(machine.is_over());
        assert_eq!(
            tells(&mut machine),
            [Tell::Credit(1000), Tell::Reset("protocol"), Tell::Closed],
            "{n}"
        );
        assert_eq!(machine.to_write(), None);
        assert_eq!(machine.may_read(), None);
    }
}

#[test]
fn a_remote_that_stops_reading_stops_the_page_and_still_sends() {
    let mut machine = Machine::new(1000);
    machine.page_says(Said::Credit(10));
    machine.page_says(data(100));
    machine.write_stopped();
    machine.page_says(data(100)); // it crossed with our stopReading
    machine.read(b"still");
    machine.read(b"");
    assert_eq!(
        tells(&mut machine),
        [
            Tell::Credit(1000),
            Tell::StopReading,
            Tell::Data(b"still".to_vec()),
            Tell::CloseWrite,
            Tell::Closed
        ]
    );
}

#[test]
fn a_page_that_stops_reading_still_sends() {
    let mut machine = Machine::new(1000);
    machine.page_says(Said::StopReading);
    assert_eq!(machine.may_read(), None);
    machine.page_says(data(3));
    machine.page_says(Said::CloseWrite);
    assert!(!machine.wants_close());
    machine.wrote(3);
    assert!(machine.wants_close());
    machine.write_closed();
    assert_eq!(tells(&mut machine), [Tell::Credit(1000), Tell::Closed]);
}

#[test]
fn a_reset_by_the_page_is_closed_without_another() {
    let mut machine = Machine::new(1000);
    machine.page_says(data(3));
    machine.page_says(Said::Reset);
    assert_eq!(tells(&mut machine), [Tell::Credit(1000), Tell::Closed]);
    assert!(machine.is_over());
}

#[test]
fn small_messages_do_not_cost_more_than_they_hold() {
    let mut machine = Machine::new(CREDIT_FEW);
    for _ in 0..CREDIT_FEW {
        machine.page_says(Said::Data(vec![1]));
    }
    assert!(!machine.is_over());
    let mut pieces = 0;
    while let Some(length) = machine.to_write().map(<[u8]>::len) {
        machine.wrote(length);
        pieces += 1;
    }
    assert!(pieces <= 17, "{pieces}");
}

#[test]
fn all_streams_of_an_origin_together_are_bounded() {
    let total: u64 = (1..=MAX_STREAMS_PER_ORIGIN).map(window).sum();
    assert!(total <= 256 * 1024 * 1024, "{total}");
    assert!((1..=MAX_STREAMS_PER_ORIGIN).all(|n| window(n) <= MAX_CREDIT_FROM_NODE));
}

/// What the stream did stays to be looked at.
struct Shared<'a>(&'a std::cell::RefCell<Scripted>);

/// A stream whose two directions move as a script says, and end at `end`.
struct Scripted {
    /// Bytes that come from the remote.
    incoming: VecDeque<u8>,
    /// Bytes that reached the remote.
    outgoing: Vec<u8>,
    closed: bool,
    /// How much each next call moves; 0 is "not now".
    steps: VecDeque<usize>,
}

impl Scripted {
    fn step(&mut self, cx: &Context<'_>) -> Option<usize> {
        match self.steps.pop_front() {
            Some(0) => {
                cx.waker().wake_by_ref();
                None
            }
            Some(step) => Some(step),
            None => Some(usize::MAX),
        }
    }
}

impl AsyncRead for Shared<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut this = self.0.borrow_mut();
        let Some(step) = this.step(cx) else {
            return Poll::Pending;
        };
        let count = step.min(buffer.len()).min(this.incoming.len());
        for (to, from) in buffer.iter_mut().zip(this.incoming.drain(..count)) {
            *to = from;
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Shared<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut this = self.0.borrow_mut();
        assert!(!this.closed, "written after the end");
        let Some(step) = this.step(cx) else {
            return Poll::Pending;
        };
        let count = step.min(bytes.len());
        this.outgoing.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().closed = true;
        Poll::Ready(Ok(()))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A page and a remote that both keep the rules, in any interleaving, with a slow page and a slow stream.
    #[test]
    fn no_byte_is_lost_and_no_window_exceeded(
        up in prop::collection::vec(1..5000_usize, 0..40),
        down in 0..100_000_usize,
        window in 1..20_000_u64,
        grants in prop::collection::vec(1..9000_u64, 1..20),
        steps in prop::collection::vec(0..3000_usize, 0..300),
    ) {
        let pattern = |length: usize| (0..length).map(|n| u8::try_from(n % 253).unwrap());
        let stream = std::cell::RefCell::new(Scripted {
            incoming: pattern(down).collect(),
            outgoing: Vec::new(),
            closed: false,
            steps: steps.into(),
        });
        let port = port(window);
        let total: usize = up.iter().sum();
        let bytes: Vec<u8> = pattern(total).collect();
        let inbox = RefCell::new(VecDeque::new());
        let mut pump = Box::pin(super::pump::run(&port, Shared(&stream), gather(&Ticking::default()), |m| inbox.borrow_mut().push_back(m)));
        // The page.
        let (mut credit, mut sent, mut got) = (0_u64, 0, Vec::new());
        let (mut outstanding, mut done, mut ended, mut closed) = (0_u64, false, false, false);
        let mut grants = grants.into_iter().cycle();
        let mut chunks = up.into_iter().cycle();
        for _ in 0..100_000 {
            let finished = (&mut pump).now_or_never().is_some();
            let heard: Vec<Value> = inbox.borrow_mut().drain(..).collect();
            for message in heard {
                prop_assert!(!closed, "something after closed");
                match (message.get("type").and_then(Value::as_text), message.get("bytes")) {
                    (Some("credit"), Some(Value::Number(more))) => {
                        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                        let more = *more as u64;
                        credit += more;
                        prop_assert!(credit <= window);
                    }
                    (Some("data"), Some(Value::Bytes(some))) => {
                        prop_assert!(!ended && !some.is_empty() && some.len() <= MAX_STREAM_CHUNK);
                        outstanding = outstanding.checked_sub(some.len() as u64).expect("within credit");
                        got.extend_from_slice(some);
                    }
                    (Some("closeWrite"), _) => ended = true,
                    (Some("closed"), _) => closed = true,
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            if finished {
                break;
            }
            if sent < total {
                let chunk = chunks.next().unwrap().min(total - sent).min(usize::try_from(credit).unwrap());
                if chunk > 0 {
                    port.receive(Tell::Data(bytes[sent..sent + chunk].to_vec()).into_value());
                    sent += chunk;
                    credit -= chunk as u64;
                }
            } else if !done {
                port.receive(Tell::CloseWrite.into_value());
                done = true;
            }
            if outstanding == 0 {
                let more = grants.next().unwrap();
                outstanding += more;
                port.receive(Tell::Credit(more).into_value());
            }
        }
        prop_assert!(closed && ended);
        prop_assert_eq!(got, pattern(down).collect::<Vec<_>>());
        drop(pump);
        let stream = stream.into_inner();
        prop_assert_eq!(stream.outgoing, bytes);
        prop_assert!(stream.closed);
    }
}

/// A stream that fails.
struct Failing {
    read: io::ErrorKind,
    write: io::ErrorKind,
}

impl AsyncRead for Failing {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.read {
            io::ErrorKind::WouldBlock => Poll::Pending,
            io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(0)),
            kind => Poll::Ready(Err(kind.into())),
        }
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(self.write.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.write.into()))
    }
}

#[test]
fn failures_of_the_stream_reach_the_page() {
    use io::ErrorKind as K;
    for (read, write, expected) in [
        (
            K::ConnectionReset,
            K::WouldBlock,
            vec!["credit", "reset", "closed"],
        ),
        (
            K::WouldBlock,
            K::ConnectionReset,
            vec!["credit", "reset", "closed"],
        ),
        (
            K::UnexpectedEof,
            K::BrokenPipe,
            vec!["credit", "stopReading", "closeWrite", "closed"],
        ),
    ] {
        let port = port(1000);
        port.receive(Tell::Data(vec![1]).into_value());
        port.receive(Tell::Credit(10).into_value());
        let heard = RefCell::new(Vec::new());
        let pump = super::pump::run(
            &port,
            Failing { read, write },
            gather(&Ticking::default()),
            |m| {
                heard
                    .borrow_mut()
                    .push(m.get("type").and_then(Value::as_text).unwrap().to_owned());
            },
        );
        assert!(pump.now_or_never().is_some(), "{read:?} {write:?}");
        assert_eq!(heard.into_inner(), expected, "{read:?} {write:?}");
    }
}

/// A clock that is set by hand; it goes on by a millisecond with each look, so that nothing waits for ever.
#[derive(Clone, Default)]
struct Ticking(Rc<Cell<Duration>>);

impl Ticking {
    fn pass(&self, time: Duration) {
        self.0.set(self.0.get() + time);
    }
}

impl Clock for Ticking {
    fn now(&self) -> Duration {
        self.0.get()
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        let (clock, end) = (self.clone(), self.now() + duration);
        Box::pin(poll_fn(move |_| {
            clock.pass(Duration::from_millis(1));
            if clock.now() < end {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        }))
    }
}

fn gather(clock: &Ticking) -> Gather {
    Gather::new(Rc::new(clock.clone()))
}

/// Hands over what a data channel does: frames, one at a time, when they are there.
struct Frames(Rc<RefCell<VecDeque<Vec<u8>>>>);

impl AsyncRead for Frames {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(frame) = self.0.borrow_mut().pop_front() else {
            return Poll::Pending;
        };
        buffer[..frame.len()].copy_from_slice(&frame);
        Poll::Ready(Ok(frame.len()))
    }
}

impl AsyncWrite for Frames {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const FRAME: usize = 16 * 1024;

/// The lengths of the data messages that a page gets while `play` runs: it is given what brings a frame, and what lets time pass.
fn told(credit: u64, play: impl FnOnce(&mut dyn FnMut(usize, Duration) -> Vec<usize>)) {
    let (port, clock) = (port(1000), Ticking::default());
    let frames = Rc::new(RefCell::new(VecDeque::new()));
    let heard = RefCell::new(Vec::new());
    port.receive(Tell::Credit(credit).into_value());
    let mut pump = Box::pin(super::pump::run(
        &port,
        Frames(frames.clone()),
        gather(&clock),
        |message| {
            if let Some(Value::Bytes(bytes)) = message.get("bytes") {
                heard.borrow_mut().push(bytes.len());
            }
        },
    ));
    play(&mut |length, time| {
        if length > 0 {
            frames.borrow_mut().push_back(vec![7; length]);
        }
        clock.pass(time);
        assert!((&mut pump).now_or_never().is_none());
        heard.borrow_mut().drain(..).collect()
    });
}

#[test]
fn a_transfer_reaches_the_page_in_few_messages() {
    told(1 << 20, |frame| {
        let mut heard = Vec::new();
        for _ in 0..41 {
            heard.extend(frame(FRAME, Duration::ZERO));
        }
        // The first at once.
        assert_eq!(heard[0], FRAME);
        assert_eq!(heard[1..], vec![READ_CHUNK; 10]);
        // What comes last does not wait for what does not come.
        assert!(frame(FRAME, Duration::ZERO).is_empty());
        assert_eq!(frame(0, GATHER), [FRAME]);
    });
}

#[test]
fn what_is_said_bit_by_bit_and_what_is_answered_does_not_wait() {
    told(1 << 20, |frame| {
        for length in [1, 100, FRAME / 2 - 1] {
            assert_eq!(frame(length, Duration::ZERO), [length]);
        }
        // Frames of which each comes because the one before was answered: one waits in vain, and the next ones not.
        assert!(frame(FRAME, Duration::ZERO).is_empty());
        assert_eq!(frame(0, GATHER), [FRAME]);
        for _ in 1..GATHER_PAUSE_MIN {
            assert_eq!(frame(FRAME, Duration::from_millis(1)), [FRAME]);
        }
        // Now and then it is tried again, and less and less.
        assert!(frame(FRAME, Duration::from_millis(1)).is_empty());
        assert_eq!(frame(0, GATHER), [FRAME]);
        for _ in 1..2 * GATHER_PAUSE_MIN {
            assert_eq!(frame(FRAME, Duration::from_millis(1)), [FRAME]);
        }
    });
}

#[test]
fn nothing_waits_for_what_there_is_no_credit_for() {
    told(READ_CHUNK as u64, |frame| {
        for _ in 0..4 {
            assert_eq!(frame(FRAME, Duration::ZERO), [FRAME]);
        }
    });
}
