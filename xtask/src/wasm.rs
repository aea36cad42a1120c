//! Rust to wasm: cargo, then wasm-bindgen (as a library: nothing to install), then wasm-opt for a release.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::process::BUILD_LIMIT;
use crate::toolchain::{self, TARGET};
use crate::workspace::{Profile, Workspace};
use crate::{npm, progress};

/// A crate that becomes a wasm module.
struct Module {
    package: &'static str,
    /// The file's and the JavaScript's name.
    name: &'static str,
    /// Its folder in [`Workspace::packages`].
    folder: &'static str,
}

/// What the extension is made of.
const EXTENSION: [Module; 2] = [
    Module {
        package: "mooring-host",
        name: "mooring_host",
        folder: "host",
    },
    Module {
        package: "mooring-popup",
        name: "mooring_popup",
        folder: "popup",
    },
];

/// Pages with a swarm of their own, for the interoperability tests and the benchmarks: with our transport,
/// and the same sources with upstream's.
const PAGES: [Module; 4] = [
    Module {
        package: "mooring-transport-probe",
        name: "mooring_transport_probe",
        folder: "transport-probe",
    },
    Module {
        package: "mooring-upstream-peer",
        name: "mooring_upstream_peer",
        folder: "upstream-peer",
    },
    Module {
        package: "browser-webrtc-example",
        name: "browser_webrtc_example",
        folder: "browser-webrtc",
    },
    Module {
        package: "mooring-upstream-peer",
        name: UPSTREAM_EXAMPLE,
        folder: "browser-webrtc-upstream",
    },
];

/// Pages that use the extension's node: `examples/home`, and the browser tests' own. They go with every debug build of the extension: their
/// dependencies are the popup's, so that they take seconds.
const CLIENTS: [Module; 2] = [
    Module {
        package: "home-app",
        name: "home_app",
        folder: "home",
    },
    Module {
        package: "mooring-client-probe",
        name: "mooring_client_probe",
        folder: "client-probe",
    },
];

/// It is an example of [`PAGES`]' second package.
const UPSTREAM_EXAMPLE: &str = "browser_webrtc_upstream";
const UPSTREAM_EXAMPLE_TARGET: [&str; 2] = ["--example", UPSTREAM_EXAMPLE];

/// What a release is built with beyond a debug build: crates/host/Cargo.toml says why.
const SHIPPED: [&str; 2] = ["--features", "mooring-host/shipped"];

/// What rustc's wasm32 target uses by itself; wasm-opt must be told to keep and accept it.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Builds the extension's modules, with the JavaScript and the types that go with them, into
/// [`Workspace::packages`].
pub fn build(workspace: &Workspace, profile: Profile) -> Result<()> {
    compile(workspace, profile)?;
    EXTENSION
        .iter()
        .chain(CLIENTS.iter().filter(|_| profile == Profile::Debug))
        .try_for_each(|module| bind(workspace, module, profile))
}

/// Builds the modules that the interoperability tests and the benchmarks load into pages.
pub fn build_pages(workspace: &Workspace, profile: Profile) -> Result<()> {
    match profile {
        Profile::Debug => compile_all(workspace)?,
        Profile::Release => cargo_build(workspace, profile, &PAGES, &UPSTREAM_EXAMPLE_TARGET)?,
    }
    PAGES
        .iter()
        .try_for_each(|module| bind(workspace, module, profile))
}

fn compile(workspace: &Workspace, profile: Profile) -> Result<()> {
    match profile {
        Profile::Debug => compile_all(workspace),
        Profile::Release => cargo_build(workspace, profile, &EXTENSION, &SHIPPED),
    }
}

/// The extension, the pages and the clients at once: built alone, any of them would have its dependencies compiled once more, with its
/// own choice of features.
fn compile_all(workspace: &Workspace) -> Result<()> {
    let modules = EXTENSION.iter().chain(&PAGES).chain(&CLIENTS);
    cargo_build(workspace, Profile::Debug, modules, &UPSTREAM_EXAMPLE_TARGET)
}

fn cargo_build<'a>(
    workspace: &Workspace,
    profile: Profile,
    modules: impl IntoIterator<Item = &'a Module>,
    further: &[&str],
) -> Result<()> {
    let mut cargo = toolchain::wasm(workspace)?
        .cargo(workspace, "build")?
        .arg("--lib")
        .args(further);
    for module in modules {
        cargo = cargo.args(["--package", module.package]);
    }
    if profile == Profile::Release {
        cargo = cargo.args(["--profile", "wasm"]).args(short_paths());
    }
    progress::timed("the node and the popup, to wasm", || {
        progress::first_build(&compiled(workspace, &EXTENSION[0], profile));
        cargo.limit(BUILD_LIMIT).run()
    })
}

/// Panics and log events name their source file. What ships has the crate and the file in it, and not the home of
/// whoever built it, some five hundred times.
fn short_paths() -> Vec<String> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".cargo")));
    let Some(sources) = home.map(|home| home.join("registry").join("src")) else {
        return Vec::new();
    };
    // A list given here is joined to the one in .cargo/config.toml.
    let flag = format!("--remap-path-prefix={}=crates", sources.display());
    let setting = format!("target.{TARGET}.rustflags=[{flag:?}]");
    vec!["--config".to_owned(), setting]
}

/// Where cargo leaves a module.
fn compiled(workspace: &Workspace, module: &Module, profile: Profile) -> PathBuf {
    let folder = match profile {
        Profile::Debug => "debug",
        Profile::Release => "wasm",
    };
    let mut folder = workspace.wasm_target().join(TARGET).join(folder);
    if module.name == UPSTREAM_EXAMPLE {
        folder.push("examples");
    }
    folder.join(module.name).with_extension("wasm")
}

fn bind(workspace: &Workspace, module: &Module, profile: Profile) -> Result<()> {
    let wasm = &compiled(workspace, module, profile);
    let folder = workspace.packages().join(module.folder);
    let stamp = folder.join(".made-from");
    let state = state(wasm, profile)?;
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == state) {
        return Ok(());
    }
    progress::timed(
        &format!("wasm-bindgen {}", module.name),
        || -> Result<()> {
            if folder.exists() {
                fs::remove_dir_all(&folder)
                    .with_context(|| format!("emptying {}", folder.display()))?;
            }
            let mut bindgen = Bindgen::new();
            bindgen
                .input_path(wasm)
                .out_name(module.name)
                .web(true)?
                .typescript(true)
                // webpack finds the wasm by the module's own `new URL(…, import.meta.url)`.
                .omit_default_module_path(false)
                .remove_producers_section(true)
                .remove_name_section(profile == Profile::Release);
            bindgen
                .generate(&folder)
                .with_context(|| format!("wasm-bindgen of {}", wasm.display()))?;
            if profile == Profile::Release {
                optimise(workspace, &folder, module)?;
                refuse_test_helpers(&folder)?;
            }
            Ok(())
        },
    )?;
    fs::write(&stamp, state).with_context(|| format!("writing {}", stamp.display()))
}

fn optimise(workspace: &Workspace, folder: &Path, module: &Module) -> Result<()> {
    let plain = folder.join(format!("{}_bg.wasm", module.name));
    let small = folder.join("optimised.wasm");
    // Debian's binaryen is years older than rustc's wasm; the npm package is current, and runs everywhere.
    npm::tool(workspace, "binaryen/bin/wasm-opt")?
        .args(FEATURES)
        .arg("-Oz")
        .arg(&plain)
        .arg("-o")
        .arg(&small)
        .limit(BUILD_LIMIT)
        .read()?;
    fs::rename(&small, &plain).with_context(|| format!("replacing {}", plain.display()))
}

/// What only a build for tests may hold: crates/host/src/web/trap.rs.
const TEST_HELPER: &[u8] = b"mooringTrap";

/// Fails when what is to be shipped can be told to trap.
fn refuse_test_helpers(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        if file.is_dir() {
            refuse_test_helpers(&file)?;
        } else if holds_test_helper(&fs::read(&file)?) {
            bail!(
                "{} was built with what only tests may use: are debug assertions on in the profile `wasm`?",
                file.display()
            );
        }
    }
    Ok(())
}

fn holds_test_helper(bytes: &[u8]) -> bool {
    bytes
        .windows(TEST_HELPER.len())
        .any(|window| window == TEST_HELPER)
}

/// Changes when the file does.
fn state(wasm: &Path, profile: Profile) -> Result<String> {
    let metadata =
        fs::metadata(wasm).with_context(|| format!("{} was not built", wasm.display()))?;
    Ok(format!(
        "{} {:?} {} {profile:?}",
        wasm.display(),
        metadata.modified()?,
        metadata.len()
    ))
}
