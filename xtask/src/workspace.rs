//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Quick to make, or good to ship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Debug,
    Release,
}

/// Where extensions are built, in the work tree.
pub const DIST: &str = "dist";

/// The work tree and its output folders.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the work tree that this program belongs to.
    pub fn find() -> Result<Self> {
        // Cargo sets it for `cargo run`; a binary run by hand starts from where it was built.
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest
            .parent()
            .context("xtask has no parent folder")?
            .to_owned();
        ensure!(
            root.join("manifest.json").is_file(),
            "{} is not the project's work tree",
            root.display()
        );
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// The top of the work tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the work tree.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Cargo's output folder for native code.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Cargo's output folder for wasm. Apart from the native one, so that neither build waits for the
    /// other's lock, and because another toolchain may fill it.
    pub fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// The JavaScript and wasm that webpack and tsc find as `host-wasm` and `popup-wasm`. In the work
    /// tree even when cargo's output is elsewhere: their configurations name it.
    pub fn packages(&self) -> PathBuf {
        self.path("target/pkg")
    }

    /// A built extension.
    pub fn dist(&self, browser: &str) -> PathBuf {
        self.root.join(DIST).join(browser)
    }
}
