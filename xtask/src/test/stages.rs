//! What `cargo xtask test` runs, in this order.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use super::counts::{self, Counts};
use super::{Group, Outcome, Stage, deny, directions};
use crate::extension::{self, Browser};
use crate::interop::{self, GO_PEER};
use crate::process::{BUILD_LIMIT, Process, which};
use crate::toolchain::{self, cargo};
use crate::workspace::{Profile, Workspace};
use crate::{apt, browsers, client, fuzz, generate, npm, progress, server};

/// Checks that read and do not build.
const CHECK_LIMIT: Duration = Duration::from_secs(5 * 60);
/// All browser tests, one after another.
const E2E_LIMIT: Duration = Duration::from_secs(30 * 60);
/// All interop tests.
const INTEROP_LIMIT: Duration = Duration::from_secs(20 * 60);
/// How long each fuzz harness runs, all of them at the same time.
const FUZZ_SECONDS: u64 = 10;
/// Beside dist/, in the work tree.
const RELEASE_DIST: &str = "target/dist-release";
/// A single test of a node runner, so that a hung one fails by name.
const ONE_TEST_MS: &str = "--test-timeout=240000";
/// What also compiles to wasm.
const WASM_CRATES: [&str; 12] = [
    "mooring-api",
    "mooring-webrtc",
    "mooring-websocket",
    "mooring-node",
    "mooring-host",
    "mooring-client",
    "mooring-popup",
    "mooring-transport-probe",
    "mooring-upstream-peer",
    "browser-webrtc-example",
    "home-app",
    "mooring-client-probe",
];

/// Every stage: cheap ones first, so that a slip shows early.
pub fn all() -> Vec<Stage> {
    let stage = |name, group, work| Stage { name, group, work };
    vec![
        stage("formatting", Group::Lint, formatting),
        stage("dependency directions", Group::Lint, |workspace| {
            directions::check(workspace).map(fine)
        }),
        stage("licences and advisories", Group::Lint, |workspace| {
            deny::check(workspace).map(fine)
        }),
        stage("clippy, native", Group::Lint, clippy_native),
        stage("clippy, wasm", Group::Lint, clippy_wasm),
        stage("unit tests", Group::Unit, unit_tests),
        stage("fuzz harnesses", Group::Unit, fuzz_harnesses),
        stage("generated types", Group::Lint, |workspace| {
            generate::run(workspace, true).map(fine)
        }),
        stage("build", Group::Lint, build),
        stage("npm client", Group::Unit, client_tests),
        stage("types of TypeScript", Group::Lint, tsc),
        stage("eslint", Group::Lint, eslint),
        stage("web-ext lint", Group::Lint, web_ext),
        stage("browser tests", Group::E2e, browser_tests),
        stage("interop", Group::Interop, against_others),
        // Last: the stages above share the debug build's wasm packages.
        stage("release in Chromium", Group::Release, release_tests),
    ]
}

/// What all of them need.
pub fn set_up(workspace: &Workspace) -> Result<()> {
    progress::timed("set-up", || {
        toolchain::components()?;
        toolchain::wasm(workspace)?.with_clippy()?;
        npm::packages(workspace)
    })
}

fn fine((): ()) -> Outcome {
    Outcome::Fine
}

fn formatting(workspace: &Workspace) -> Result<Outcome> {
    let check = cargo()
        .args(["fmt", "--all", "--check"])
        .dir(workspace.root())
        .limit(CHECK_LIMIT);
    check.hint("`cargo fmt --all` puts it right").read()?;
    Ok(Outcome::Fine)
}

fn clippy_native(workspace: &Workspace) -> Result<Outcome> {
    let clippy = cargo().args([
        "clippy",
        "--quiet",
        "--keep-going",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    clippy.dir(workspace.root()).limit(BUILD_LIMIT).run()?;
    Ok(Outcome::Fine)
}

fn clippy_wasm(workspace: &Workspace) -> Result<Outcome> {
    let mut clippy = toolchain::wasm(workspace)?
        .cargo(workspace, "clippy")?
        .args(["--quiet", "--keep-going"]);
    for package in WASM_CRATES {
        clippy = clippy.args(["--package", package]);
    }
    clippy
        .args(["--", "-D", "warnings"])
        .limit(BUILD_LIMIT)
        .run()?;
    Ok(Outcome::Fine)
}

fn unit_tests(workspace: &Workspace) -> Result<Outcome> {
    let finished = cargo()
        .args(["test", "--workspace", "--no-fail-fast"])
        .dir(workspace.root())
        .limit(BUILD_LIMIT)
        .tee()?;
    Ok(Outcome::Tested {
        counts: counts::cargo(&finished.output),
        success: finished.success,
    })
}

fn fuzz_harnesses(workspace: &Workspace) -> Result<Outcome> {
    let finished = fuzz::harnesses(workspace, FUZZ_SECONDS).tee()?;
    Ok(Outcome::Tested {
        counts: counts::cargo(&finished.output),
        success: finished.success,
    })
}

fn build(workspace: &Workspace) -> Result<Outcome> {
    extension::build(workspace, Profile::Debug, None)?;
    server::build_with_tests(workspace)?;
    Ok(Outcome::Fine)
}

fn client_tests(workspace: &Workspace) -> Result<Outcome> {
    client::build(workspace)?;
    finish(node_tests(workspace, "client/test", CHECK_LIMIT)?)
}

fn tsc(workspace: &Workspace) -> Result<Outcome> {
    npm::tool(workspace, "typescript/bin/tsc")?
        .args(["--noEmit", "--pretty", "false"])
        .limit(CHECK_LIMIT)
        .read()?;
    Ok(Outcome::Fine)
}

fn eslint(workspace: &Workspace) -> Result<Outcome> {
    npm::tool(workspace, "eslint/bin/eslint.js")?
        .args(["--max-warnings", "0", "."])
        .limit(CHECK_LIMIT)
        .read()?;
    Ok(Outcome::Fine)
}

fn web_ext(workspace: &Workspace) -> Result<Outcome> {
    let said = npm::tool(workspace, "web-ext/bin/web-ext.js")?
        .args(["lint", "--no-config-discovery", "--source-dir"])
        .arg(workspace.dist(Browser::Firefox.name()))
        .limit(CHECK_LIMIT)
        .read()?;
    for line in said.lines().filter(|line| !line.trim().is_empty()) {
        progress::note(line);
    }
    Ok(Outcome::Fine)
}

fn browser_tests(workspace: &Workspace) -> Result<Outcome> {
    let chromium = browsers::find_or_install(Browser::Chrome)?;
    let firefox = browsers::find_or_install(Browser::Firefox)?;
    if cfg!(target_os = "linux") && which("ip").is_none() && !Path::new("/sbin/ip").exists() {
        apt::install("network namespaces in tests", &["iproute2"])?;
    }
    build(workspace)?;
    let node = node_tests(workspace, "tests/e2e", E2E_LIMIT)?
        .env(browsers::variable(Browser::Chrome), chromium)
        .env(browsers::variable(Browser::Firefox), firefox);
    finish(node)
}

/// What ships, in a folder of its own: whoever runs a browser test by hand afterwards finds the debug build in dist/.
fn release_tests(workspace: &Workspace) -> Result<Outcome> {
    let chromium = browsers::find_or_install(Browser::Chrome)?;
    let only = Some(Browser::Chrome);
    extension::build_into(workspace, RELEASE_DIST, Profile::Release, only)?;
    server::build_with_tests(workspace)?;
    let node = node_tests(workspace, "tests/release", CHECK_LIMIT)?
        .env("MOORING_DIST", RELEASE_DIST)
        .env(browsers::variable(Browser::Chrome), chromium);
    finish(node)
}

fn against_others(workspace: &Workspace) -> Result<Outcome> {
    let Some(peer) = interop::go_peer(workspace)? else {
        return Ok(Outcome::Skipped(
            "Go is not in PATH, and the go-libp2p peer needs it".into(),
        ));
    };
    build(workspace)?;
    interop::pages(workspace, Profile::Debug)?;
    let node = node_tests(workspace, "tests/interop", INTEROP_LIMIT)?
        .env(GO_PEER, peer)
        .env(
            server::BENCH_VARIABLE,
            server::folder(workspace, Profile::Debug),
        )
        .env(
            browsers::variable(Browser::Chrome),
            browsers::find_or_install(Browser::Chrome)?,
        )
        .env(
            browsers::variable(Browser::Firefox),
            browsers::find_or_install(Browser::Firefox)?,
        );
    finish(node)
}

/// `node --test` over the `*.test.mjs` of a folder, told where the things under test are.
fn node_tests(workspace: &Workspace, folder: &str, limit: Duration) -> Result<Process> {
    let files = test_files(&workspace.path(folder))?;
    if files.is_empty() {
        bail!("no *.test.mjs in {folder}");
    }
    Ok(npm::node()?
        // One file at a time: the tests measure time, and two cores do not carry several browsers.
        .args([
            "--test",
            "--test-concurrency=1",
            "--test-reporter=spec",
            ONE_TEST_MS,
        ])
        .args(files)
        .env("MOORING_SERVER", server::binary(workspace, Profile::Debug))
        .dir(workspace.root())
        .limit(limit))
}

fn test_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    Ok(files)
}

fn finish(process: Process) -> Result<Outcome> {
    let finished = process.tee()?;
    let counts = counts::node(&finished.output);
    if finished.success && counts == Counts::default() {
        bail!("the runner ended well and ran no test");
    }
    Ok(Outcome::Tested {
        counts,
        success: finished.success,
    })
}
