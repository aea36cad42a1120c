//! Two streams joined by a pipe each way, under random interleavings of everything that can happen:
//! no byte is lost, none is invented, and every end is either the true end or a failure.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Open,
    /// Deliver up to this many bytes of what is in flight to this end.
    Deliver(usize),
    Write(usize),
    Read(usize),
    Close,
    Abandon,
    /// The channel reports an empty send queue.
    Drain,
    Wait(Duration),
    /// From now on the little that may wait does, or goes out.
    Hold(bool),
    /// The channel dies for both.
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Open),
        8 => (1usize..70_000).prop_map(Step::Deliver),
        6 => prop_oneof![0usize..20, 0usize..60_000].prop_map(Step::Write),
        6 => (0usize..40_000).prop_map(Step::Read),
        1 => Just(Step::Close),
        1 => Just(Step::Drain),
        2 => any::<bool>().prop_map(Step::Hold),
        1 => (0u64..12_000).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
        1 => prop_oneof![8 => Just(Step::Drain), 1 => Just(Step::Abandon), 1 => Just(Step::Cut)],
    ]
}

struct End {
    stream: Stream,
    /// On its way to this end.
    inbox: VecDeque<u8>,
    written: usize,
    closed: bool,
    read: usize,
    ended: Option<Result<(), Failure>>,
    /// What this end's channel has been told to close, or was cut.
    channel_closed: bool,
    holds: bool,
}

/// The n-th byte of a stream.
fn byte(index: usize) -> u8 {
    (index.wrapping_mul(31) ^ (index >> 8)) as u8
}

struct Model {
    ends: [End; 2],
    now: Instant,
}

impl Model {
    /// Ends that keep to windows of this size, or that know of none.
    fn new(windows: [Option<u64>; 2]) -> Self {
        let now = Instant::now();
        let shared = |window| match window {
            Some(bytes) => Shared::default().with_window(bytes),
            None => Shared::default().without_windows(),
        };
        let end = |window| End {
            stream: Stream::new(&shared(window), now),
            inbox: VecDeque::new(),
            written: 0,
            closed: false,
            read: 0,
            ended: None,
            channel_closed: false,
            holds: false,
        };
        let mut ends = windows.map(end);
        ends[0].stream = Stream::new(&shared(windows[0]), now).paced();
        Self { ends, now }
    }

    fn apply(&mut self, who: usize, step: Step) {
        let now = self.now;
        let end = &mut self.ends[who];
        match step {
            Step::Open => end.stream.on_open(now),
            Step::Deliver(count) => {
                let count = count.min(end.inbox.len());
                let bytes: Vec<u8> = end.inbox.drain(..count).collect();
                if !end.channel_closed {
                    end.stream.on_message(&bytes, now);
                }
                self.announce_close(who);
            }
            Step::Write(count) if !end.stream.is_abandoned() => {
                let bytes: Vec<u8> = (end.written..end.written + count).map(byte).collect();
                if let Poll::Ready(Ok(taken)) = end.stream.write(&bytes) {
                    assert!(!end.closed || taken == 0);
                    end.written += taken;
                }
            }
            // Reading nothing says nothing about the end.
            Step::Read(0) => {
                assert_eq!(end.stream.read(&mut []), Poll::Ready(Ok(0)));
            }
            Step::Read(count) if !end.stream.is_abandoned() => {
                let mut buffer = vec![0; count];
                match end.stream.read(&mut buffer) {
                    Poll::Ready(Ok(0)) => end.ended = Some(Ok(())),
                    Poll::Ready(Ok(read)) => {
                        for (offset, found) in buffer[..read].iter().enumerate() {
                            assert_eq!(*found, byte(end.read + offset));
                        }
                        end.read += read;
                        assert_eq!(end.ended, None, "data after the end");
                    }
                    Poll::Ready(Err(failure)) => end.ended = Some(Err(failure)),
                    Poll::Pending => assert_eq!(end.ended, None),
                }
            }
            Step::Close if !end.stream.is_abandoned() => {
                let _ = end.stream.close(now);
                end.closed = true;
            }
            Step::Abandon => end.stream.abandon(now),
            Step::Drain => end.stream.on_low_water(0, now),
            Step::Wait(time) => {
                self.now += time;
                for end in &mut self.ends {
                    end.stream.on_timer(self.now);
                }
            }
            Step::Cut => {
                for end in &mut self.ends {
                    end.channel_closed = true;
                    end.inbox.clear();
                    end.stream.on_closed(Failure::ConnectionLost);
                }
            }
            Step::Hold(holds) => end.holds = holds,
            Step::Write(_) | Step::Read(_) | Step::Close => {}
        }
        self.settle(0);
        self.settle(1);
    }

    fn settle(&mut self, who: usize) {
        let waits = self.ends[who].holds && self.ends[who].stream.may_wait();
        while let Some(output) = if waits {
            self.ends[who].stream.poll_wake()
        } else {
            self.ends[who].stream.poll_output()
        } {
            match output {
                Output::Send(bytes) => {
                    assert!(!self.ends[who].channel_closed);
                    self.ends[1 - who].inbox.extend(bytes);
                }
                Output::CloseChannel => {
                    self.ends[who].channel_closed = true;
                    self.announce_close(1 - who);
                }
                Output::WakeReader | Output::WakeWriter => {}
            }
        }
        let end = &self.ends[who];
        if end.stream.is_done() {
            assert_eq!(end.stream.deadline(), None);
        }
    }

    /// A closed channel's last bytes arrive before its close does.
    fn announce_close(&mut self, who: usize) {
        if self.ends[1 - who].channel_closed && self.ends[who].inbox.is_empty() {
            self.ends[who].stream.on_closed(Failure::ChannelClosed);
            self.ends[who].channel_closed = true;
        }
    }

    fn check(&self) {
        for who in [0, 1] {
            let (reader, writer) = (&self.ends[who], &self.ends[1 - who]);
            assert!(reader.read <= writer.written);
            if reader.ended == Some(Ok(())) {
                assert!(writer.closed, "an end nobody declared");
                assert_eq!(reader.read, writer.written, "truncated");
            }
        }
    }
}

/// Small ones, which are soon used up, the usual, and a peer that knows of none.
fn windows() -> impl Strategy<Value = [Option<u64>; 2]> {
    let one = || {
        prop_oneof![
            4 => (1_000u64..100_000).prop_map(Some),
            1 => Just(Some(MAX_WINDOW)),
            1 => Just(None),
        ]
    };
    [one(), one()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_byte_is_lost(
        windows in windows(),
        steps in proptest::collection::vec((0usize..2, step()), 0..120),
    ) {
        let mut model = Model::new(windows);
        for (who, step) in steps {
            model.apply(who, step);
            model.check();
        }
    }

    #[test]
    fn whatever_happens_it_ends(
        windows in windows(),
        steps in proptest::collection::vec((0usize..2, step()), 0..60),
    ) {
        let mut model = Model::new(windows);
        for (who, step) in steps {
            model.apply(who, step);
        }
        for who in [0, 1] {
            model.apply(who, Step::Hold(false));
        }
        // Both close, read to the end and let go; the channels work.
        let cut = model.ends.iter().any(|end| end.channel_closed || end.stream.is_done() || end.stream.is_abandoned());
        for _ in 0..400 {
            for who in [0, 1] {
                for step in [Step::Open, Step::Drain, Step::Close, Step::Deliver(1 << 20), Step::Read(1 << 16)] {
                    model.apply(who, step);
                }
            }
            model.check();
            if model.ends.iter().all(|end| end.stream.is_done() && end.ended.is_some()) {
                break;
            }
        }
        let timed_out = model.ends.iter_mut().any(|end| end.stream.close(model.now).is_pending());
        if !cut {
            for end in &model.ends {
                prop_assert_eq!(end.ended, Some(Ok(())));
                prop_assert!(!timed_out);
            }
        }
        for who in [0, 1] {
            model.apply(who, Step::Abandon);
        }
        model.apply(0, Step::Wait(LINGER_TIMEOUT));
        model.apply(0, Step::Wait(LINGER_TIMEOUT));
        for end in &model.ends {
            prop_assert!(end.stream.is_done());
            prop_assert_eq!(end.stream.deadline(), None);
        }
    }
}

proptest! {
    // Each moves far more bytes.
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever was written and read in whatever order, a writer goes on once all was read, and all arrives.
    #[test]
    fn no_window_stays_shut(
        windows in windows(),
        steps in proptest::collection::vec((0usize..2, step()), 0..80),
    ) {
        let mut model = Model::new(windows);
        for (who, step) in steps {
            if !matches!(step, Step::Close | Step::Abandon | Step::Cut | Step::Wait(_)) {
                model.apply(who, step);
            }
        }
        for who in [0, 1] {
            model.apply(who, Step::Hold(false));
        }
        let goal = model.ends.each_ref().map(|end| end.written + 50_000);
        for _ in 0..2_000 {
            for who in [0, 1] {
                let left = goal[who] - model.ends[who].written;
                for step in [Step::Open, Step::Drain, Step::Write(left), Step::Deliver(1 << 20), Step::Read(1 << 16)] {
                    model.apply(who, step);
                }
            }
            if [0, 1].iter().all(|&who| model.ends[who].read == goal[1 - who]) {
                return Ok(());
            }
        }
        let at = model.ends.each_ref().map(|end| (end.written, end.read));
        prop_assert!(false, "stands still at {:?} of {:?}", at, goal);
    }

    /// With nothing on its way, a remote that knows windows fills its own and no more.
    #[test]
    fn unread_bytes_stay_within_the_window(
        size in 100u64..200_000,
        steps in proptest::collection::vec(prop_oneof![
            3 => (1usize..60_000).prop_map(Step::Write),
            1 => (1usize..40_000).prop_map(Step::Read),
        ], 0..60),
    ) {
        let mut model = Model::new([Some(MAX_WINDOW), Some(size)]);
        for step in steps {
            let who = usize::from(matches!(step, Step::Read(_)));
            model.apply(who, step);
            for who in [0, 1, 0] {
                for step in [Step::Open, Step::Drain, Step::Deliver(usize::MAX)] {
                    model.apply(who, step);
                }
            }
            // The frame that went over the threshold was sent without a bound.
            let most = usize::try_from(size).unwrap() + MAX_SENT_PAYLOAD;
            prop_assert!(model.ends[1].stream.readable() <= most);
        }
    }
}
