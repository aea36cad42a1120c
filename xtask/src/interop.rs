//! The peers of other implementations that the interop tests and the benchmarks talk to.

use std::env;
use std::path::PathBuf;

use anyhow::Result;

use crate::process::{BUILD_LIMIT, Process, which};
use crate::workspace::Workspace;
use crate::{npm, progress};

/// Tells tests where the go-libp2p peer is.
pub const GO_PEER: &str = "MOORING_GO_PEER";

/// Builds the go-libp2p peer; None without Go.
pub fn go_peer(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let Some(go) = which("go") else {
        return Ok(None);
    };
    let peer = workspace
        .path("target/interop")
        .join(format!("go-peer{}", env::consts::EXE_SUFFIX));
    progress::timed("go-libp2p peer", || {
        Process::new(go)
            .args(["build", "-o"])
            .arg(&peer)
            .arg(".")
            .dir(&workspace.path("tests/interop/go"))
            .limit(BUILD_LIMIT)
            .hint("Go 1.26 or newer builds it, with modules from the Go module proxy")
            .read()
    })?;
    Ok(Some(peer))
}

/// Installs js-libp2p for its peer.
pub fn js_peer(workspace: &Workspace) -> Result<()> {
    npm::install(&workspace.path("tests/interop/js"))
}
