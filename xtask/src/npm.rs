//! Node and the npm packages that bundle and check the extension.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{DOWNLOAD_LIMIT, Process, QUERY_LIMIT, which};
use crate::progress;
use crate::setup::Missing;
use crate::workspace::Workspace;

/// What eslint 10 asks for; the others are content with less.
const OLDEST_NODE: (u32, u32) = (20, 19);
const NPM: &str = "npm is not in PATH. It comes with Node, or as your system's package `npm`";
/// The lock file that node_modules was made from, kept inside it.
const STAMP: &str = "node_modules/.mooring-lock.json";

/// Node, or why it won't do.
pub fn node() -> Result<Process> {
    const GET: &str = "Node 20.19 or newer with npm builds the extension: get it from nodejs.org or your system's packages";
    let Some(node) = which("node") else {
        bail!("node is not in PATH. {GET}")
    };
    let said = Process::new(&node)
        .arg("--version")
        .limit(QUERY_LIMIT)
        .read()?;
    let version =
        parse_version(&said).with_context(|| format!("`node --version` says {said:?}"))?;
    if version < OLDEST_NODE {
        bail!("node is {}, too old. {GET}", said.trim());
    }
    Ok(Process::new(node))
}

/// The project's packages, as the lock file has them.
pub fn packages(workspace: &Workspace) -> Result<()> {
    node()?;
    install(workspace.root())
}

/// What is missing for the packages of this folder to be there, if anything.
pub fn missing(folder: &Path) -> Option<Missing> {
    let lock = fs::read(folder.join("package-lock.json")).ok()?;
    (!installed(folder, &lock)).then(|| Missing {
        what: "npm packages".to_owned(),
        by_hand: which("npm").is_none().then(|| NPM.to_owned()),
    })
}

fn installed(folder: &Path, lock: &[u8]) -> bool {
    fs::read(folder.join(STAMP)).is_ok_and(|installed| installed == lock)
}

/// `npm ci` in a folder with a lock file, unless that has been done for this very file.
pub fn install(folder: &Path) -> Result<()> {
    let lock = fs::read(folder.join("package-lock.json"))
        .with_context(|| format!("{}: no package-lock.json", folder.display()))?;
    if installed(folder, &lock) {
        return Ok(());
    }
    let Some(npm) = which("npm") else { bail!(NPM) };
    progress::timed("npm packages", || {
        let ci = |extra: &[&str]| {
            Process::new(&npm)
                // No package's own install script is needed, so none is let run.
                .args([
                    "ci",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--loglevel=error",
                ])
                .args(extra)
                .dir(folder)
                .limit(DOWNLOAD_LIMIT)
                .read()
        };
        let Err(out_of_reach) = registry(&npm, folder) else {
            return ci(&["--prefer-offline"]);
        };
        progress::note("npm's registry is out of reach; what npm kept from earlier may do");
        ci(&["--offline"]).map_err(|_| out_of_reach)
    })?;
    fs::write(folder.join(STAMP), lock).with_context(|| format!("writing {STAMP}"))
}

/// Can packages be fetched? One question without a second try: `npm ci` tries each of hundreds of packages again and
/// again, and takes minutes to say that there is no network.
fn registry(npm: &Path, folder: &Path) -> Result<()> {
    Process::new(npm)
        .args(["view", "webpack", "version", "--fetch-retries=0", "--loglevel=error"])
        .dir(folder)
        .limit(QUERY_LIMIT)
        .hint("npm fetches the packages of package-lock.json from its registry: is the network there?")
        .read()
        .map(drop)
}

/// A tool from the project's packages: `tool(workspace, "webpack-cli/bin/cli.js")`.
pub fn tool(workspace: &Workspace, script: &str) -> Result<Process> {
    Ok(node()?
        .arg(workspace.path("node_modules").join(script))
        .dir(workspace.root()))
}

fn parse_version(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.trim().strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(parse_version("v20.20.2\n"), Some((20, 20)));
        assert!(parse_version("v20.9.0") < Some(OLDEST_NODE));
        assert!(parse_version("v104.0.0") > Some(OLDEST_NODE));
        assert_eq!(parse_version("20"), None);
    }
}
