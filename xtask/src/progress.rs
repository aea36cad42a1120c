//! What a person sees while things run. All of it on stderr: stdout is for results.

use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

/// A line that opens a step.
pub fn step(what: &str) {
    line("1;36", "==>", what);
}

/// A line within a step.
pub fn note(what: &str) {
    line("36", "  -", what);
}

/// Something that was left out or could be better.
pub fn warning(what: &str) {
    line("33", "  !", what);
}

/// The reason why this run ends badly.
pub fn failure(what: &str) {
    line("1;31", "error:", what);
}

fn line(colour: &str, mark: &str, what: &str) {
    let mut out = stderr().lock();
    // Nobody is left to tell when stderr is closed.
    let _ = if out.is_terminal() {
        writeln!(out, "\x1b[{colour}m{mark}\x1b[0m {what}")
    } else {
        writeln!(out, "{mark} {what}")
    };
}

/// Runs a step, and says how long it took when that was worth saying.
pub fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    const WORTH_SAYING: Duration = Duration::from_secs(2);
    step(what);
    let start = Instant::now();
    let result = work();
    if start.elapsed() >= WORTH_SAYING {
        note(&format!("took {}", duration(start.elapsed())));
    }
    result
}

/// Tells a newcomer why cargo goes on and on.
pub fn first_build(product: &Path) {
    if !product.exists() {
        note(
            "for the first time, with all of libp2p: this takes minutes; later builds take seconds",
        );
    }
}

/// `0.4 s`, `12 s`, `3 min 05 s`
pub fn duration(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        secs @ 10..60 => format!("{secs} s"),
        secs => format!("{} min {:02} s", secs / 60, secs % 60),
    }
}

/// `812 B`, `618 kB`, `1.66 MB` (powers of ten)
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", count / 1_000),
        _ => format!("{}.{:02} MB", count / 1_000_000, count / 10_000 % 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(Duration::from_millis(420)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(12)), "12 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(618_300), "618 kB");
        assert_eq!(bytes(1_665_000), "1.66 MB");
        assert_eq!(bytes(12_040_000), "12.04 MB");
    }
}
