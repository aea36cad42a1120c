//! The native server.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::BUILD_LIMIT;
use crate::workspace::{Profile, Workspace};
use crate::{progress, toolchain};

/// What ships.
const SERVER: &str = "mooring-server";
/// The same with the benchmarks' protocol.
const BENCH_SERVER: &str = "mooring-bench-server";

/// Tells the interoperability tests and the benchmarks where the latter is.
pub const BENCH_VARIABLE: &str = "MOORING_BENCH_SERVER";

/// Builds `mooring-server`, and answers where it is.
pub fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    build_package(workspace, SERVER, profile)?;
    Ok(binary(workspace, profile))
}

fn build_package(workspace: &Workspace, package: &str, profile: Profile) -> Result<()> {
    let mut cargo = toolchain::cargo()
        .args(["build", "--package", package])
        .dir(workspace.root());
    if profile == Profile::Release {
        cargo = cargo.arg("--release");
    }
    let binary = program(workspace, package, profile);
    progress::timed("the server", || {
        progress::first_build(&binary);
        cargo.limit(BUILD_LIMIT).run()
    })
}

/// The debug server as `cargo test --workspace` builds it: alone it would get its dependencies compiled once
/// more, with the features that it alone asks for. Minutes from cold, nothing after the unit tests.
pub fn build_with_tests(workspace: &Workspace) -> Result<()> {
    let cargo = toolchain::cargo()
        .args(["test", "--workspace", "--no-run"])
        .dir(workspace.root());
    progress::timed("server", || cargo.limit(BUILD_LIMIT).read().map(drop))
}

/// Where the server is once built.
pub fn binary(workspace: &Workspace, profile: Profile) -> PathBuf {
    program(workspace, SERVER, profile)
}

/// Where the benchmarks' server is once built.
pub fn bench_binary(workspace: &Workspace, profile: Profile) -> PathBuf {
    program(workspace, BENCH_SERVER, profile)
}

fn program(workspace: &Workspace, name: &str, profile: Profile) -> PathBuf {
    let folder = match profile {
        Profile::Debug => "debug",
        Profile::Release => "release",
    };
    workspace
        .target()
        .join(folder)
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
