//! Measures; a table out, no pass or fail.

use anyhow::{Result, bail};

use crate::workspace::Workspace;

pub fn run(_workspace: &Workspace) -> Result<()> {
    bail!("todo")
}
