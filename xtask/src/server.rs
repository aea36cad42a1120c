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

/// Tells the interoperability tests and the benchmarks the folder that the latter is in.
pub const BENCH_VARIABLE: &str = "MOORING_BENCH_SERVERS";

/// Builds `mooring-server`, and answers where it is.
pub fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    build_package(workspace, SERVER, profile)?;
    Ok(binary(workspace, profile))
}

/// Builds those that the benchmarks talk to, optimised, and answers their folder.
pub fn build_for_bench(workspace: &Workspace) -> Result<PathBuf> {
    build_package(workspace, BENCH_SERVER, Profile::Release)?;
    Ok(folder(workspace, Profile::Release))
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

fn program(workspace: &Workspace, package: &str, profile: Profile) -> PathBuf {
    folder(workspace, profile).join(format!("{package}{}", std::env::consts::EXE_SUFFIX))
}

/// The folder of what cargo builds.
pub fn folder(workspace: &Workspace, profile: Profile) -> PathBuf {
    workspace.target().join(match profile {
        Profile::Debug => "debug",
        Profile::Release => "release",
    })
}
