//! `mooring-server`: see `--help`.
//!
//! stdout has the addresses it is told to announce and those it listens on, a line each, and nothing else; logs go to stderr. Ends
//! with 0 on SIGINT and SIGTERM, with 1 when it breaks while running, and with 2 when it cannot
//! be started as asked, after one line on stderr that says what to do.

mod args;
mod file;
mod log;
mod run;
mod settings;

use std::process::ExitCode;

use args::Parsed;

/// Started in a way that cannot work: flags, configuration, data directory, addresses.
const CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os()) {
        Ok(Parsed::Run(args)) => args,
        Ok(Parsed::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(line) => return cannot_start(&line),
    };
    let settings = match settings::resolve(*args) {
        Ok(settings) => settings,
        Err(error) => return cannot_start(&error),
    };
    log::start(settings.log_format, settings.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(&error),
    };
    match runtime.block_on(run::run(settings.server)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(run::Error::Start(error)) => cannot_start(&error),
        Err(run::Error::Ended) => {
            eprintln!("mooring-server: the node ended by itself; the log says why");
            ExitCode::FAILURE
        }
    }
}

fn cannot_start(why: &dyn std::fmt::Display) -> ExitCode {
    // One line, also when a file name or an address has a line break in it.
    let mut line = String::new();
    for character in why.to_string().chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    eprintln!("mooring-server: {line}");
    ExitCode::from(CANNOT_START)
}
