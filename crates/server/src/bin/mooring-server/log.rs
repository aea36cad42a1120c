//! Logs go to stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::settings::LogFormat;

pub(crate) fn start(format: LogFormat, filter: EnvFilter) {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
}
