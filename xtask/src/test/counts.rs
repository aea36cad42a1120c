//! How many tests a runner ran, from the lines it closes with.

/// Tests that passed, and tests that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

/// Sums `cargo test`'s closing lines, one for each test binary:
/// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`
pub fn cargo(output: &str) -> Counts {
    let mut counts = Counts::default();
    for line in output.lines() {
        let Some((_, result)) = line.split_once("test result: ") else {
            continue;
        };
        let Some((_, numbers)) = result.split_once(". ") else {
            continue;
        };
        for part in numbers.split("; ") {
            match part.split_once(' ') {
                Some((number, "passed")) => counts.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => counts.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
    counts
}

/// Sums the closing lines of node's `spec` reporter: `ℹ pass 3`, `ℹ fail 1`, `ℹ cancelled 0`.
pub fn node(output: &str) -> Counts {
    let mut counts = Counts::default();
    for line in output.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if let ["ℹ" | "#", what, number] = words.as_slice() {
            let number: u64 = number.parse().unwrap_or(0);
            match *what {
                "pass" => counts.passed += number,
                // A cancelled test is one that did not come to its end.
                "fail" | "cancelled" => counts.failed += number,
                _ => {}
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_binaries_add_up() {
        let output = "running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 9 filtered out; finished in 1.20s\n";
        assert_eq!(
            cargo(output),
            Counts {
                passed: 5,
                failed: 4
            }
        );
    }

    #[test]
    fn node_counts_cancelled_tests_as_failed() {
        let output = "✔ pings (12ms)\nℹ tests 6\nℹ suites 0\nℹ pass 3\nℹ fail 1\nℹ cancelled 2\nℹ skipped 0\nℹ duration_ms 99\n";
        assert_eq!(
            node(output),
            Counts {
                passed: 3,
                failed: 3
            }
        );
        assert_eq!(
            node("# pass 2\n# fail 0\n"),
            Counts {
                passed: 2,
                failed: 0
            }
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(cargo("test result pending\n12 passed\n"), Counts::default());
        assert_eq!(node("pass 3\nℹ pass many\n"), Counts::default());
    }
}
