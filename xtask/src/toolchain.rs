//! A Rust toolchain that can build wasm. Why this order: docs/adr/0004-wasm-toolchain.md.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::process::{Process, QUERY_LIMIT, which};
use crate::progress;
use crate::setup::Missing;
use crate::workspace::Workspace;

/// The target of everything that runs in the browser.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// rustup fetches some 20 MB; where its server cannot be reached it may hang instead of failing.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);
/// `rust-version` in Cargo.toml.
const OLDEST_RUST: (u32, u32) = (1, 89);
/// Debian's newer Rust, kept for its browsers. It has no std for wasm, but the sources to build one.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
const DEBIAN_CLIPPY: &str = "rust-web-clippy";
/// Its rustc asks for a `rust-lld` that no package has.
const DEBIAN_LINKER: &str = "/usr/lib/llvm-22/bin/wasm-ld";
const DEBIAN_BIN: &str = "/usr/bin";
const DEBIAN_SYSROOT: &str = "/usr/lib/rustlib";

/// Chooses the toolchain by hand: `native` or `debian`.
const OVERRIDE: &str = "MOORING_WASM_TOOLCHAIN";

/// A cargo that can build for [`TARGET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wasm {
    /// The toolchain that builds the native code has the target's std.
    Native,
    /// Debian's toolchain, which builds std as well.
    Debian,
}

impl Wasm {
    /// `cargo <subcommand> --target wasm32… --target-dir …`
    pub fn cargo(self, workspace: &Workspace, subcommand: &str) -> Result<Process> {
        let process = match self {
            Self::Native => cargo().arg(subcommand),
            Self::Debian => {
                // Its cargo must find its own rustc, and none of the settings of the one that runs this program.
                let path = env::var_os("PATH").unwrap_or_default();
                let mut paths = vec![PathBuf::from(DEBIAN_BIN)];
                paths.extend(env::split_paths(&path));
                let path: OsString = env::join_paths(paths).context("PATH")?;
                let mut process = outside(Process::new(Path::new(DEBIAN_BIN).join("cargo")))
                    .args(["-Z", "build-std=std,panic_abort", subcommand])
                    .env("PATH", path)
                    .env("RUSTC", Path::new(DEBIAN_BIN).join("rustc"))
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER)
                    // build-std is unstable, and this is how a stable compiler is let use it.
                    .env("RUSTC_BOOTSTRAP", "1");
                for unwanted in [
                    "CARGO",
                    "RUSTDOC",
                    "RUSTUP_HOME",
                    "RUSTUP_TOOLCHAIN",
                    "LD_LIBRARY_PATH",
                ] {
                    process = process.env_remove(unwanted);
                }
                process
            }
        };
        Ok(process
            .args(["--target", TARGET, "--target-dir"])
            .arg(workspace.wasm_target())
            .dir(workspace.root()))
    }

    /// Makes sure that `cargo clippy` can be run with it.
    pub fn with_clippy(self) -> Result<()> {
        match self {
            Self::Native => components(),
            Self::Debian if Path::new(DEBIAN_BIN).join("cargo-clippy").is_file() => Ok(()),
            Self::Debian => apt::install("clippy for wasm", &[DEBIAN_CLIPPY]),
        }
    }
}

/// The cargo that runs this program.
pub fn cargo() -> Process {
    outside(Process::new(
        env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
    ))
}

/// Takes away what `cargo run` told this program about itself. Build scripts look at these variables (ring's
/// does), and would build anew each time a person's `cargo test` follows a `cargo xtask test`.
fn outside(mut cargo: Process) -> Process {
    for (name, _) in env::vars_os() {
        if let Some(name) = name.to_str().filter(|name| is_of_this_package(name)) {
            cargo = cargo.env_remove(name);
        }
    }
    cargo
}

fn is_of_this_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// What is missing to build wasm, if anything.
pub fn missing() -> Result<Option<Missing>> {
    let there = match env::var(OVERRIDE).as_deref() {
        Ok("debian") => debian_is_whole(),
        Ok("native") => has_std(&sysroot()?),
        _ => has_std(&sysroot()?) || debian_is_whole(),
    };
    Ok((!there).then(|| Missing {
        what: format!("Rust for {TARGET}"),
        by_hand: (which("rustup").is_none() && !apt::possible()).then(|| {
            format!(
                "with rustup it is `rustup target add {TARGET}`; else take your system's Rust std for that target. On Debian as root: `{}`",
                apt::by_hand(&DEBIAN_PACKAGES)
            )
        }),
    }))
}

/// Finds or installs a toolchain for wasm.
pub fn wasm(workspace: &Workspace) -> Result<Wasm> {
    let wanted = env::var(OVERRIDE).unwrap_or_default();
    match wanted.as_str() {
        "" => {}
        "native" if has_std(&sysroot()?) => return Ok(Wasm::Native),
        "native" => bail!("{OVERRIDE}=native, but that toolchain has no {TARGET}"),
        "debian" => return debian().map(|()| Wasm::Debian),
        other => bail!("{OVERRIDE}={other}: native or debian"),
    }
    let sysroot = sysroot()?;
    if has_std(&sysroot) {
        return Ok(Wasm::Native);
    }
    // Before rustup is asked: where it cannot reach its server, it would be asked in vain in every run.
    if debian_is_whole() {
        return Ok(Wasm::Debian);
    }
    let rustup = progress::timed(&format!("Rust for {TARGET}"), || add_with_rustup(workspace));
    let rustup = match rustup {
        Ok(()) if has_std(&sysroot) => return Ok(Wasm::Native),
        Ok(()) => "rustup added it to another toolchain than the one in use".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    progress::note(&format!("rustup could not add it: {}", reason(&rustup)));
    debian().map(|()| Wasm::Debian).with_context(|| {
        format!("no Rust for {TARGET}.\nWith rustup: `rustup target add {TARGET}` ({})\nOtherwise install your system's Rust std for that target", reason(&rustup))
    })
}

fn sysroot() -> Result<PathBuf> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Process::new(rustc)
        .args(["--print", "sysroot"])
        .limit(QUERY_LIMIT)
        .read()?;
    Ok(PathBuf::from(said.trim()))
}

fn has_std(sysroot: &Path) -> bool {
    let folder = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
}

/// The first and the last part of rustup's error: it names what it tried five times over, with the address each time.
fn reason(said: &str) -> String {
    let error = error_line(said);
    match error.split(": ").collect::<Vec<_>>().as_slice() {
        [what, _, .., why] => format!("{what}: … {why}"),
        _ => error.to_owned(),
    }
}

fn error_line(said: &str) -> &str {
    let mut lines = said.lines().map(str::trim);
    lines
        .clone()
        .find_map(|line| line.strip_prefix("error: "))
        .or_else(|| lines.rfind(|line| !line.is_empty()))
        .unwrap_or(said)
}

fn add_with_rustup(workspace: &Workspace) -> Result<()> {
    let Some(rustup) = which("rustup") else {
        bail!("there is no rustup")
    };
    progress::note(&format!("rustup target add {TARGET}"));
    Process::new(rustup)
        .args(["target", "add", TARGET])
        .dir(workspace.root())
        .limit(RUSTUP_LIMIT)
        .read()?;
    Ok(())
}

/// Debian's toolchain, whole.
fn debian() -> Result<()> {
    if debian_is_whole() {
        return Ok(());
    }
    apt::install(&format!("Debian's Rust for {TARGET}"), &DEBIAN_PACKAGES)?;
    if !debian_is_whole() {
        bail!(
            "{} are installed, but too old (older than Rust {}.{}) or not whole",
            DEBIAN_PACKAGES.join(" "),
            OLDEST_RUST.0,
            OLDEST_RUST.1
        );
    }
    Ok(())
}

fn debian_is_whole() -> bool {
    let bin = Path::new(DEBIAN_BIN);
    let sysroot = Path::new(DEBIAN_SYSROOT);
    Path::new(DEBIAN_LINKER).exists()
        && bin.join("cargo").is_file()
        && sysroot.join("src/rust/library/std/Cargo.toml").is_file()
        && Process::new(bin.join("rustc"))
            .arg("--version")
            .env_remove("LD_LIBRARY_PATH")
            .limit(QUERY_LIMIT)
            .read()
            .is_ok_and(|said| rust_version(&said) >= Some(OLDEST_RUST))
}

/// rustfmt and clippy for the native toolchain; rustup's minimal profile comes without them.
pub fn components() -> Result<()> {
    let there = |tool: &str| {
        cargo()
            .args([tool, "--version"])
            .limit(QUERY_LIMIT)
            .read()
            .is_ok()
    };
    let missing: Vec<_> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(tool, _)| !there(tool))
        .map(|(_, name)| name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("rustup component add {}", missing.join(" "));
    let Some(rustup) = which("rustup") else {
        bail!(
            "{} missing: `{by_hand}`, or your system's packages",
            missing.join(" and ")
        )
    };
    progress::note(&by_hand);
    Process::new(rustup)
        .args(["component", "add"])
        .args(&missing)
        .limit(RUSTUP_LIMIT)
        .hint(by_hand)
        .read()?;
    Ok(())
}

/// `rustc 1.96.0 (…)` → (1, 96)
fn rust_version(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.split_whitespace().nth(1)?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_describes_this_package_is_kept_from_cargo() {
        assert!(is_of_this_package("CARGO_MANIFEST_DIR") && is_of_this_package("CARGO_PKG_NAME"));
        assert!(!is_of_this_package("CARGO_HOME") && !is_of_this_package("CARGO_TARGET_DIR"));
    }

    #[test]
    fn what_rustup_says_is_told_by_its_error() {
        let said = "failed: rustup target add x\n    info: syncing\n    error: download failed for x: could not download \
                    file from y: dns error: no such name\n    warning: retry";
        assert_eq!(reason(said), "download failed for x: … no such name");
        assert_eq!(reason("there is no rustup"), "there is no rustup");
    }

    #[test]
    fn rustc_tells_its_version() {
        assert_eq!(
            rust_version("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"),
            Some((1, 96))
        );
        assert!(rust_version("rustc 1.63.0") < Some(OLDEST_RUST));
        assert_eq!(rust_version("gcc"), None);
    }
}
