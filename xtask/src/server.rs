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
    progress::timed("server", || cargo.limit(BUILD_LIMIT).run())?;
    Ok(binary(workspace, profile))
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
