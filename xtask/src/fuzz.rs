//! `cargo xtask fuzz`: the transport's harnesses for as long as one likes.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::process::{BUILD_LIMIT, Process};
use crate::progress;
use crate::toolchain;
use crate::workspace::Workspace;

/// Where the harnesses are: tests whose path says `fuzz`.
const PACKAGE: &str = "mooring-webrtc";
/// All at once: each has its own time, and none waits for another.
const THREADS: &str = "--test-threads=16";

#[derive(Args)]
pub struct Arguments {
    /// How long each harness runs, all of them at the same time
    #[arg(long, default_value_t = 1.0)]
    hours: f64,
}

/// The harnesses, each for so many seconds.
pub fn harnesses(workspace: &Workspace, seconds: u64) -> Process {
    toolchain::cargo()
        .args(["test", "--package", PACKAGE, "--lib", "fuzz", "--", THREADS])
        .arg("--nocapture")
        .env("MOORING_FUZZ_SECONDS", seconds.to_string())
        .dir(workspace.root())
        .limit(BUILD_LIMIT.saturating_add(Duration::from_secs(seconds)))
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let time = Duration::try_from_secs_f64(arguments.hours * 3600.0)?;
    progress::step("fuzz");
    let content = harnesses(workspace, time.as_secs()).pass_through()?;
    Ok(if content {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
