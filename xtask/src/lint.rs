//! Everything that reads the code without running it.

use std::process::ExitCode;

use anyhow::Result;

use crate::test;
use crate::workspace::Workspace;

/// Runs the lint stages of `cargo xtask test` alone.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    test::run_group(workspace, test::Group::Lint)
}
