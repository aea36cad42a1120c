//! Dependencies point one way: `api` ← `webrtc`, `websocket` ← `node` ← `host`, `server`; and only what runs in a page
//! touches web-sys.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::QUERY_LIMIT;
use crate::toolchain;
use crate::workspace::Workspace;

/// A crate, the project's own crates that it may use, and whether it may use web-sys.
const RULES: [(&str, &[&str], bool); 18] = [
    ("mooring-api", &[], false),
    ("mooring-webrtc", &["mooring-api"], true),
    ("mooring-websocket", &[], true),
    (
        "mooring-node",
        &["mooring-api", "mooring-webrtc", "mooring-websocket"],
        false,
    ),
    (
        "mooring-host",
        &["mooring-api", "mooring-node", "mooring-webrtc"],
        true,
    ),
    (
        "mooring-server",
        &["mooring-api", "mooring-node", "mooring-webrtc"],
        false,
    ),
    // The dashboard never links libp2p.
    ("mooring-popup", &["mooring-api"], true),
    // Apps choose web-sys' features themselves: the client has what it needs of the window without.
    ("mooring-client", &["mooring-api"], false),
    // The transport alone, in a page, for the interoperability tests.
    ("mooring-transport-probe", &["mooring-webrtc"], true),
    // The same with upstream's transport: nothing of ours.
    ("mooring-upstream-peer", &[], true),
    ("browser-webrtc-example", &["mooring-webrtc"], true),
    ("embedded-signalling-example", &["mooring-server"], false),
    ("home-shared", &[], false),
    ("home-server", &["home-shared", "mooring-server"], false),
    ("mooring-client-probe", &["mooring-client"], false),
    ("home-app", &["home-shared", "mooring-client"], true),
    (
        "mooring-bench-server",
        &[
            "mooring-server",
            "mooring-transport-probe",
            "mooring-webrtc",
        ],
        false,
    ),
    ("xtask", &[], false),
];
const WEB: &str = "web-sys";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Set for a crate of this work tree.
    path: Option<String>,
}

/// Fails with every dependency that points the wrong way.
pub fn check(workspace: &Workspace) -> Result<()> {
    let said = toolchain::cargo()
        .args(["metadata", "--no-deps", "--format-version", "1", "--quiet"])
        .dir(workspace.root())
        .limit(QUERY_LIMIT)
        .read()?;
    let metadata: Metadata = serde_json::from_str(said.trim()).context("cargo metadata")?;
    let wrong = wrong(&metadata);
    if wrong.is_empty() {
        Ok(())
    } else {
        bail!(
            "dependencies point the wrong way:\n    {}",
            wrong.join("\n    ")
        )
    }
}

fn wrong(metadata: &Metadata) -> Vec<String> {
    let rules: BTreeMap<_, _> = RULES
        .iter()
        .map(|(name, own, web)| (*name, (*own, *web)))
        .collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let Some((own, web)) = rules.get(package.name.as_str()) else {
            wrong.push(format!(
                "{} has no rule: give it one in {}",
                package.name,
                file!()
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let allowed = if dependency.path.is_some() {
                own.contains(&name)
            } else {
                name != WEB || *web
            };
            if !allowed {
                wrong.push(format!("{} must not use {name}", package.name));
            }
        }
    }
    wrong
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn judge(package: &str, dependency: &str, own: bool) -> Vec<String> {
        let path = if own { r#""crates/x""# } else { "null" };
        let json = format!(
            r#"{{ "packages": [{{ "name": "{package}", "dependencies": [{{ "name": "{dependency}", "path": {path}, "kind": null }}] }}] }}"#
        );
        wrong(&serde_json::from_str(&json).unwrap())
    }

    #[test]
    fn downwards_is_right_and_upwards_is_wrong() {
        assert!(judge("mooring-host", "mooring-node", true).is_empty());
        assert_eq!(
            judge("mooring-node", "mooring-host", true),
            ["mooring-node must not use mooring-host"]
        );
        assert_eq!(judge("mooring-popup", "mooring-node", true).len(), 1);
    }

    #[test]
    fn only_the_browsers_crates_use_web_sys() {
        assert!(judge("mooring-popup", "web-sys", false).is_empty());
        assert_eq!(
            judge("mooring-server", "web-sys", false),
            ["mooring-server must not use web-sys"]
        );
        assert!(judge("mooring-server", "tokio", false).is_empty());
    }

    #[test]
    fn a_new_crate_needs_a_rule() {
        assert_eq!(judge("mooring-new", "serde", false).len(), 1);
    }
}
