//! `cargo xtask bench`: paired measurements; a table out, no pass or fail.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::interop::{self, GO_PEER};
use crate::workspace::{Profile, Workspace};
use crate::{npm, progress, server};

const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Measures our server beside go-libp2p's, both with go-libp2p as the client.
pub fn run(workspace: &Workspace) -> Result<()> {
    let peer = interop::go_peer(workspace)?.context(
        "the benchmarks compare with go-libp2p, and Go is not in PATH: get it from go.dev",
    )?;
    let server = server::build(workspace, Profile::Release)?;
    progress::step("bench");
    let content = npm::node()?
        .arg(workspace.path("bench/server.mjs"))
        .env("MOORING_SERVER", server)
        .env(GO_PEER, peer)
        .dir(workspace.root())
        .limit(LIMIT)
        .pass_through()?;
    if !content {
        bail!("the benchmark did not come to its end");
    }
    Ok(())
}
