//! The peers of other implementations that the interop tests and the benchmarks talk to.

use std::env;
use std::path::PathBuf;

use anyhow::Result;

use crate::process::{BUILD_LIMIT, Process, which};
use crate::workspace::{Profile, Workspace};
use crate::{npm, progress, wasm};

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
            .hint("Go 1.26.6 or newer builds it, with modules from the Go module proxy")
            .read()
    })?;
    Ok(Some(peer))
}

/// Builds the pages that have a swarm of their own: the wasm ones, and js-libp2p, which is installed for its native
/// peer as well.
pub fn pages(workspace: &Workspace, profile: Profile) -> Result<()> {
    npm::packages(workspace)?;
    npm::install(&workspace.path("tests/interop/js"))?;
    progress::timed("js-libp2p pages", || {
        npm::tool(workspace, "esbuild/bin/esbuild")?
            .arg(workspace.path("tests/interop/js/page.mjs"))
            .arg(workspace.path("tests/interop/js/webrtc-page.mjs"))
            .args([
                "--bundle",
                "--minify",
                "--format=esm",
                "--target=chrome120,firefox128",
                // Node's global, which some packages still ask for.
                "--define:global=globalThis",
                "--log-level=warning",
            ])
            .arg(format!(
                "--outdir={}",
                workspace.packages().join("js-libp2p").display()
            ))
            .limit(BUILD_LIMIT)
            .read()
    })?;
    wasm::build_pages(workspace, profile)
}
