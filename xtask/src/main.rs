//! The project's only task runner: `cargo xtask <command>`.
//!
//! Everything it says goes to stderr; stdout carries results only (the demo's round trips, the tests' output).
#![allow(
    clippy::arithmetic_side_effects,
    reason = "it counts lines and seconds of its own tools; nothing comes from a network"
)]

mod apt;
mod bench;
mod browsers;
mod client;
mod demo;
mod extension;
mod faults;
mod fuzz;
mod generate;
mod interop;
mod lint;
mod looks;
mod npm;
mod process;
mod progress;
mod server;
mod setup;
mod sizes;
mod soak;
mod test;
mod toolchain;
mod wasm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::extension::Browser;
use crate::workspace::{Profile, Workspace};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Set-up, build, demo, test, bench, generate"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Finds or installs what building needs: the wasm target and the npm packages (the others imply it)
    Setup {
        /// Chromium and Firefox as well
        #[arg(long)]
        browsers: bool,
    },
    /// Builds the server and the extension into dist/chrome and dist/firefox
    Build {
        /// Small and fast: LTO and wasm-opt; prints the sizes
        #[arg(long)]
        release: bool,
        /// Only this browser's folder
        #[arg(long, value_enum)]
        browser: Option<Browser>,
        /// Only the pages of the interoperability tests and the benchmarks, without the extension and the server
        #[arg(long, conflicts_with = "browser")]
        pages: bool,
    },
    /// Starts a server and a browser with the extension, on a page that pings it
    Demo(demo::Arguments),
    /// Formatting, lints, licences, unit tests, browser tests, interop; ends with `N passed, N failed`
    Test {
        /// Only this part
        #[arg(long, value_enum)]
        only: Option<test::Part>,
    },
    /// Measures, with tables out and no pass or fail
    Bench(bench::Arguments),
    /// Throws made-up input at everything a remote's bytes reach, for hours
    Fuzz(fuzz::Arguments),
    /// Takes the pictures in docs/images anew, from a real run in Chromium
    Screenshots,
    /// Measures how soon a release's popup is there, in Chromium
    PopupTiming(looks::Timing),
    /// Endures: many transfers, streams or dials, or a slow reader; fails if anything is lost or left behind
    Soak(soak::Arguments),
    /// Breaks: the service worker, the node, the browser and what is stored, over and over; fails if anything is lost
    Faults(faults::Arguments),
    /// Writes the TypeScript types made from the Rust messages
    Gen {
        /// Writes nothing, and fails if what is there differs
        #[arg(long)]
        check: bool,
    },
    /// Formatting, clippy (native and wasm), licences, tsc, eslint, dependency directions, generated types
    Lint,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            progress::failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match command {
        Command::Setup { browsers } => {
            let both = [Browser::Chrome, Browser::Firefox];
            setup::prepare(&workspace, if browsers { &both } else { &[] })?;
            progress::note("everything is there");
        }
        Command::Build {
            release,
            browser,
            pages,
        } => {
            let profile = if release {
                Profile::Release
            } else {
                Profile::Debug
            };
            if pages {
                interop::pages(&workspace, profile)?;
            } else {
                extension::build(&workspace, profile, browser)?;
                server::build(&workspace, profile)?;
            }
        }
        Command::Demo(arguments) => return demo::run(&workspace, &arguments),
        Command::Test { only } => return test::run(&workspace, only),
        Command::Bench(arguments) => bench::run(&workspace, &arguments)?,
        Command::Fuzz(arguments) => return fuzz::run(&workspace, &arguments),
        Command::Screenshots => looks::pictures(&workspace)?,
        Command::PopupTiming(arguments) => looks::timing(&workspace, &arguments)?,
        Command::Faults(arguments) => return faults::run(&workspace, &arguments),
        Command::Soak(arguments) => return soak::run(&workspace, &arguments),
        Command::Gen { check } => generate::run(&workspace, check)?,
        Command::Lint => return lint::run(&workspace),
    }
    Ok(ExitCode::SUCCESS)
}
