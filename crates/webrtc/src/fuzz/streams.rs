//! The state machine of a stream, against a remote and an application that do anything.

use std::{task::Poll, time::Duration};

use bytes::Bytes;
use web_time::Instant;

use super::{Source, run};
use crate::core::{
    budget::Budget,
    frame::{Flag, Frame},
    stream::{Failure, Output, Shared, Stream},
};
use crate::limits::{MAX_RECEIVE_BUFFER_STREAM, SEND_HIGH_WATER, WINDOW_QUEUE};

#[derive(Debug)]
enum Step {
    Open,
    Message(Vec<u8>),
    Buffered(usize),
    Closed(Failure),
    Malformed,
    Stalled,
    Wait(u64),
    Read(usize),
    Write(usize),
    Close,
    Abandon,
}

fn steps(source: &mut Source) -> Vec<Step> {
    (0..source.below(60))
        .map(|_| match source.below(24) {
            0 | 1 => Step::Open,
            2..=9 => {
                let flags = [Flag::Fin, Flag::StopSending, Flag::Reset, Flag::FinAck];
                let flag = source.once_in(3).then(|| *source.pick(&flags));
                let most = *source.pick(&[0, 10, 16_000]);
                let data: Bytes = source.bytes(most).into();
                let window = source.once_in(3).then(|| super::frames::window(source));
                let frame = Frame { data, flag, window };
                let mut bytes = frame.encode().unwrap().to_vec();
                if source.once_in(4) {
                    source.damage(&mut bytes, 2);
                }
                Step::Message(bytes)
            }
            10 => Step::Buffered(source.below(2 * SEND_HIGH_WATER)),
            11 if source.once_in(6) => {
                Step::Closed(*source.pick(&[Failure::ChannelClosed, Failure::ConnectionLost]))
            }
            11 if source.once_in(6) => Step::Malformed,
            11 if source.once_in(6) => Step::Stalled,
            12 | 13 => Step::Wait(source.below(12_000) as u64),
            14..=17 => Step::Read(source.below(40_000)),
            18..=21 => Step::Write(source.below(40_000)),
            22 => Step::Close,
            23 if source.once_in(4) => Step::Abandon,
            _ => Step::Read(1),
        })
        .collect()
}

fn check(steps: &[Step]) {
    let budget = Budget::new(100_000);
    let shared = Shared::new(budget.clone());
    let mut now = Instant::now();
    let mut stream = Stream::new(&shared, now);
    let (mut closed, mut abandoned, mut ended) = (false, false, None);
    let mut unacknowledged = 0_usize;
    for step in steps {
        match step {
            Step::Open => stream.on_open(now),
            Step::Message(bytes) if bytes.len() % 2 == 0 => stream.on_message(bytes, now),
            Step::Message(bytes) => stream.on_owned_message(bytes.clone().into(), now),
            Step::Buffered(bytes) => {
                unacknowledged = unacknowledged.min(*bytes);
                stream.on_buffered_amount(unacknowledged);
            }
            Step::Closed(failure) => {
                stream.on_closed(*failure);
                closed = true;
            }
            Step::Malformed => stream.on_malformed(),
            Step::Stalled => stream.on_stalled(),
            Step::Wait(ms) => {
                now += Duration::from_millis(*ms);
                stream.on_timer(now);
            }
            Step::Read(most) if !abandoned => match stream.read(&mut vec![0; *most]) {
                Poll::Ready(Ok(0)) if *most > 0 => {
                    assert!(ended.is_none_or(|before| before == Ok(())));
                    ended = Some(Ok(()));
                }
                Poll::Ready(Ok(0)) => {}
                Poll::Ready(Ok(_)) => assert_eq!(ended, None, "data after the end"),
                Poll::Ready(Err(failure)) => {
                    assert!(ended.is_none_or(|before| before == Err(failure)));
                    ended = Some(Err(failure));
                }
                Poll::Pending => assert_eq!(ended, None, "the end is over"),
            },
            Step::Write(count) if !abandoned => {
                if let Poll::Ready(Ok(taken)) = stream.write(&vec![7; *count]) {
                    assert!(taken <= *count);
                }
            }
            Step::Close if !abandoned => drop(stream.close(now)),
            Step::Abandon => {
                stream.abandon(now);
                abandoned = true;
            }
            Step::Read(_) | Step::Write(_) | Step::Close => {}
        }
        while let Some(output) = stream.poll_output() {
            match output {
                Output::Send(frame) => {
                    assert!(!closed, "a frame on a closed channel");
                    unacknowledged += frame.len();
                }
                Output::CloseChannel => {
                    assert!(!closed, "closed twice");
                    closed = true;
                }
                Output::WakeReader | Output::WakeWriter => {}
            }
        }
        assert!(stream.unread() <= MAX_RECEIVE_BUFFER_STREAM);
        assert!(stream.readable() <= stream.unread() && stream.unread() <= 100_000);
        assert_eq!(
            budget.used(),
            stream.unread(),
            "memory that nobody pays for"
        );
        // Windows, FIN, FIN_ACK, STOP_SENDING and RESET besides the data: a remote cannot have us queue more.
        assert!(
            unacknowledged <= SEND_HIGH_WATER + WINDOW_QUEUE + 64,
            "{unacknowledged} are queued"
        );
        if closed {
            assert!(stream.is_done() && stream.deadline().is_none());
        }
    }
    drop(stream);
    assert_eq!(budget.used(), 0);
}

#[test]
fn streams_do_not_break() {
    run("streams", steps, |steps| check(steps));
}
