//! `cargo xtask test`: stages in order of price, every one run, a summary, and the sum alone on the last line.

#[cfg(test)]
mod conformance;
mod counts;
mod deny;
mod directions;
mod stages;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;

use crate::progress;
use crate::workspace::Workspace;
use counts::Counts;

/// What `--only` picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Tests of single crates
    Unit,
    /// The packaged extension in real browsers
    E2e,
    /// Against other libp2p implementations
    Interop,
    /// What ships, small and optimised, in Chromium
    Release,
}

/// What a stage belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Lint,
    Unit,
    E2e,
    Interop,
    Release,
}

/// How a stage went that came to its end.
enum Outcome {
    /// A check without tests of its own.
    Fine,
    /// A test runner's word.
    Tested { counts: Counts, success: bool },
    /// It could not be done here; the reason, on one line.
    Skipped(String),
}

/// One thing to run.
struct Stage {
    name: &'static str,
    group: Group,
    work: fn(&Workspace) -> Result<Outcome>,
}

struct Report {
    name: &'static str,
    result: Result<Outcome>,
    time: Duration,
}

/// All of it, or the part that was asked for.
pub fn run(workspace: &Workspace, only: Option<Part>) -> Result<ExitCode> {
    let group = only.map(|part| match part {
        Part::Unit => Group::Unit,
        Part::E2e => Group::E2e,
        Part::Interop => Group::Interop,
        Part::Release => Group::Release,
    });
    run_stages(
        workspace,
        stages::all()
            .into_iter()
            .filter(|stage| group.is_none_or(|group| stage.group == group)),
    )
}

/// One group of stages.
pub fn run_group(workspace: &Workspace, group: Group) -> Result<ExitCode> {
    run_stages(
        workspace,
        stages::all()
            .into_iter()
            .filter(|stage| stage.group == group),
    )
}

fn run_stages(workspace: &Workspace, stages: impl Iterator<Item = Stage>) -> Result<ExitCode> {
    stages::set_up(workspace)?;
    let reports: Vec<Report> = stages
        .map(|stage| {
            progress::step(stage.name);
            let start = Instant::now();
            let result = (stage.work)(workspace);
            if let Err(error) = &result {
                progress::failure(&format!("{error:#}"));
            }
            Report {
                name: stage.name,
                result,
                time: start.elapsed(),
            }
        })
        .collect();

    progress::step("summary");
    for report in &reports {
        progress::note(&line(report));
    }
    let total = total(&reports);
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn line(report: &Report) -> String {
    let word = match &report.result {
        Ok(Outcome::Fine) => "ok".to_owned(),
        Ok(Outcome::Tested {
            counts,
            success: true,
        }) => format!("ok, {} passed", counts.passed),
        Ok(Outcome::Tested {
            counts,
            success: false,
        }) => format!("FAILED, {} passed, {} failed", counts.passed, counts.failed),
        Ok(Outcome::Skipped(why)) => format!("skipped: {why}"),
        Err(_) => "FAILED".to_owned(),
    };
    format!(
        "{:<28} {:>13}  {word}",
        report.name,
        progress::duration(report.time)
    )
}

/// Tests as their runners counted them. A stage that failed without a failed test counts as one, so that
/// the sum never looks better than the run was.
fn total(reports: &[Report]) -> Counts {
    let mut total = Counts::default();
    for report in reports {
        match &report.result {
            Ok(Outcome::Fine | Outcome::Skipped(_)) => {}
            Ok(Outcome::Tested { counts, success }) => {
                total.passed += counts.passed;
                total.failed += if *success {
                    counts.failed
                } else {
                    counts.failed.max(1)
                };
            }
            Err(_) => total.failed += 1,
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    fn report(result: Result<Outcome>) -> Report {
        Report {
            name: "stage",
            result,
            time: Duration::ZERO,
        }
    }

    #[test]
    fn a_failure_without_a_count_counts() {
        let counts = Counts {
            passed: 7,
            failed: 0,
        };
        let reports = [
            report(Ok(Outcome::Fine)),
            report(Ok(Outcome::Skipped("no Go".into()))),
            report(Ok(Outcome::Tested {
                counts,
                success: false,
            })),
            report(Err(anyhow!("clippy"))),
        ];
        assert_eq!(
            total(&reports),
            Counts {
                passed: 7,
                failed: 2
            }
        );
    }

    #[test]
    fn counted_failures_are_not_counted_twice() {
        let counts = Counts {
            passed: 1,
            failed: 3,
        };
        assert_eq!(
            total(&[report(Ok(Outcome::Tested {
                counts,
                success: false
            }))]),
            counts
        );
    }
}
