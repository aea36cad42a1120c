//! Debian's packages, for what a fresh Debian machine lacks. Only as root, only when asked.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};

use crate::process::{DOWNLOAD_LIMIT, Process, QUERY_LIMIT, which};
use crate::progress;

static UPDATED: AtomicBool = AtomicBool::new(false);

/// Can this machine install Debian's packages, now, without asking anybody?
pub fn possible() -> bool {
    is_debian() && is_root()
}

/// Why it cannot.
pub fn why_not() -> &'static str {
    if !is_debian() {
        "it is not Debian"
    } else if !is_root() {
        "you are not root"
    } else {
        "it is no package"
    }
}

fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists() && which("apt-get").is_some()
}

fn is_root() -> bool {
    Process::new("id")
        .arg("-u")
        .limit(QUERY_LIMIT)
        .read()
        .is_ok_and(|uid| uid.trim() == "0")
}

/// What a person types to get these packages.
pub fn by_hand(packages: &[&str]) -> String {
    format!(
        "apt-get install --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Installs packages, or says how a person gets the thing.
pub fn install(what_for: &str, packages: &[&str]) -> Result<()> {
    let by_hand = by_hand(packages);
    if !possible() {
        bail!(
            "{what_for}: missing, and not to be installed from here ({}). On Debian as root: `{by_hand}`",
            why_not()
        );
    }
    progress::timed(what_for, || fetch(packages, &by_hand))
}

fn fetch(packages: &[&str], by_hand: &str) -> Result<()> {
    progress::note(by_hand);
    if !UPDATED.load(Ordering::Relaxed) {
        // A mirror that cannot be reached is only warned of by default, and the old list then misleads.
        apt(&["update", "-qq", "--error-on=any"])
            .hint("Debian's package lists could not be fetched: is the network there?")
            .read()?;
        UPDATED.store(true, Ordering::Relaxed);
    }
    apt(&["install", "-qq", "-y", "--no-install-recommends"])
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
