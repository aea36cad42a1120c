//! Harnesses that throw made-up and damaged input at everything a remote's bytes reach.
//!
//! Each target makes inputs from a seed, mostly valid ones with something broken, and checks what has to hold for any
//! input. `cargo test` gives each a second, `cargo xtask test` ten, `cargo xtask fuzz --hours N` as long as it is told
//! (`MOORING_FUZZ_SECONDS`). Targets of the native backend are beside what they test, in `fuzz` modules too.
//! A failure names its seed, and `MOORING_FUZZ_SEED` with that seed runs this one input again.

mod addresses;
mod credentials;
mod frames;
mod sdp;
mod streams;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use rand::{Rng as _, RngCore as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

/// How long a target runs unless it is told otherwise.
const DEFAULT_SECONDS: u64 = 1;
/// No single input takes this long, also on a machine that is busy with others; one that does is an attack.
const SLOW: Duration = Duration::from_secs(20);

/// What an input is made from.
pub(crate) struct Source(StdRng);

impl Source {
    /// The same numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }
}

impl Source {
    /// Less than `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.random()
    }

    pub(crate) fn number(&mut self) -> u32 {
        // Edges are where things break.
        match self.below(4) {
            0 => *self.pick(&[
                0,
                1,
                0x7f,
                0x80,
                0xff,
                0xffff,
                0x7fff_ffff,
                0x8000_0000,
                u32::MAX,
            ]),
            _ => self.0.random(),
        }
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.below(most + 1)];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        from.choose(&mut self.0).unwrap()
    }

    /// Breaks something, in up to `most` places.
    pub(crate) fn damage(&mut self, bytes: &mut Vec<u8>, most: usize) {
        for _ in 0..self.below(most + 1) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] = self.byte(),
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                3 => bytes.insert(at, self.byte()),
                4 => bytes.truncate(at),
                _ => {
                    let end = (at + self.below(32)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, piece);
                }
            }
        }
    }

    /// Text with something broken in it.
    pub(crate) fn damaged_text(&mut self, text: &str, most: usize) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.damage(&mut bytes, most);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Runs a target for its time: makes inputs and checks them.
pub(crate) fn run<I: std::fmt::Debug>(
    name: &str,
    make: impl Fn(&mut Source) -> I,
    check: impl Fn(&I),
) {
    let number = |variable| env::var(variable).ok().and_then(|text| text.parse().ok());
    let only: Option<u64> = number("MOORING_FUZZ_SEED");
    let time = Duration::from_secs(number("MOORING_FUZZ_SECONDS").unwrap_or(DEFAULT_SECONDS));
    let first = only.unwrap_or_else(rand::random);
    let start = Instant::now();
    let mut count = 0_u64;
    while count == 0 || (only.is_none() && start.elapsed() < time) {
        let seed = first.wrapping_add(count);
        let input = make(&mut Source::new(seed));
        let began = Instant::now();
        let checked = catch_unwind(AssertUnwindSafe(|| check(&input)));
        let took = began.elapsed();
        if checked.is_err() || took > SLOW {
            let mut shown = format!("{input:?}");
            shown.truncate(shown.floor_char_boundary(20_000));
            panic!("{name}: MOORING_FUZZ_SEED={seed} fails after {took:?} with {shown}");
        }
        count += 1;
    }
    println!("{name}: {count} inputs, seeds from {first}");
}
