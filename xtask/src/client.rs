//! The npm client, client/dist: webpack makes the scripts, tsc the declarations.

use std::time::Duration;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{npm, progress};

const LIMIT: Duration = Duration::from_secs(2 * 60);

/// Builds the client alone.
pub fn build(workspace: &Workspace) -> Result<()> {
    progress::timed("npm client", || {
        npm::tool(workspace, "webpack-cli/bin/cli.js")?
            .args([
                "--config-name",
                "client-module",
                "--config-name",
                "client-script",
            ])
            .limit(LIMIT)
            .run()
    })?;
    declarations(workspace)
}

/// Checks its types and writes the declarations beside the scripts, which webpack has made.
pub fn declarations(workspace: &Workspace) -> Result<()> {
    progress::timed("declarations of the npm client", || {
        npm::tool(workspace, "typescript/bin/tsc")?
            .args(["--project", "client", "--pretty", "false"])
            .limit(LIMIT)
            .read()
            .map(drop)
    })
}
