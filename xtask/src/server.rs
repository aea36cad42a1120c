//! The native server.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::BUILD_LIMIT;
use crate::workspace::{Profile, Workspace};
use crate::{progress, toolchain};

/// Builds `mooring-server`, and answers where it is.
pub fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    let mut cargo = toolchain::cargo()
        .args(["build", "--package", "mooring-server"])
        .dir(workspace.root());
    if profile == Profile::Release {
        cargo = cargo.arg("--release");
    }
    let binary = binary(workspace, profile);
    progress::timed("the server", || {
        progress::first_build(&binary);
        cargo.limit(BUILD_LIMIT).run()
    })?;
    Ok(binary)
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
    let folder = match profile {
        Profile::Debug => "debug",
        Profile::Release => "release",
    };
    workspace
        .target()
        .join(folder)
        .join(format!("mooring-server{}", std::env::consts::EXE_SUFFIX))
}
