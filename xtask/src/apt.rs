//! Debian's packages, for what a fresh Debian machine lacks. Only as root, only when asked.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};

use crate::process::{DOWNLOAD_LIMIT, Process, QUERY_LIMIT, which};
use crate::progress;

static UPDATED: AtomicBool = AtomicBool::new(false);

/// Can this machine install Debian's packages, now, without asking anybody?
fn possible() -> bool {
    Path::new("/etc/debian_version").exists() && which("apt-get").is_some() && is_root()
}

fn is_root() -> bool {
    Process::new("id")
        .arg("-u")
        .limit(QUERY_LIMIT)
        .read()
        .is_ok_and(|uid| uid.trim() == "0")
}

/// Installs packages, or says how a person gets the thing.
pub fn install(what_for: &str, packages: &[&str]) -> Result<()> {
    let by_hand = format!(
        "apt-get install --no-install-recommends {}",
        packages.join(" ")
    );
    if !possible() {
        bail!(
            "{what_for}: missing, and only root on Debian can have it installed here. There it is `{by_hand}`"
        );
    }
    progress::note(&format!("installing {} for {what_for}", packages.join(" ")));
    if !UPDATED.swap(true, Ordering::Relaxed) {
        apt(&["update"]).hint("is the network there?").read()?;
    }
    apt(&["install", "-y", "--no-install-recommends"])
        .args(packages)
        .hint(format!("try it by hand: `apt-get update && {by_hand}`"))
        .read()?;
    Ok(())
}

fn apt(arguments: &[&str]) -> Process {
    Process::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .limit(DOWNLOAD_LIMIT)
}
