//! The command line. Values are kept as text here, so that flags and configuration file are
//! checked by the same code and get the same errors.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::settings::take_limit;

/// A libp2p server for browsers: webrtc-direct, WebSocket and TCP, with relay, DHT and gossipsub.
///
/// Without flags it serves this machine and its local network. It prints the external addresses and those
/// it listens on, one a line, and logs to stderr.
#[derive(Debug, Default, Parser)]
#[command(name = "mooring-server", version)]
pub(crate) struct Args {
    /// Listen here instead of the defaults (repeatable), for example
    /// /ip4/0.0.0.0/udp/4815/webrtc-direct, /ip4/0.0.0.0/tcp/4816/ws or /ip4/0.0.0.0/tcp/4815;
    /// port 0 is any free one
    #[arg(long, value_name = "MULTIADDR")]
    pub(crate) listen: Vec<String>,

    /// Announce this address instead of those listened on (repeatable)
    #[arg(long, value_name = "MULTIADDR")]
    pub(crate) external: Vec<String>,

    /// Keep identity and certificate in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Read settings from this TOML file; flags win over it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Connect to this peer at start and stay connected (repeatable); ends in /p2p/<peer id>
    #[arg(long, value_name = "MULTIADDR")]
    pub(crate) bootstrap: Vec<String>,

    /// Offer more services, separated by commas: echo, perf
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    pub(crate) enable: Vec<String>,

    /// Answer Prometheus at this address, for example 127.0.0.1:9464, with GET /metrics
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<String>,

    /// How log lines are written: text or json
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,

    /// What is logged: a level (error, warn, info, debug, trace), or targets and levels as in
    /// mooring_node=debug,warn
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,

    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// The numbers of [`mooring_server::BOUNDS`].
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Limits {
    /// Hold at most so many reservations at once [default: 1024]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) relay_reservations: Option<String>,

    /// Hold at most so many reservations of one peer [default: 4]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) relay_reservations_per_peer: Option<String>,

    /// Hold at most so many reservations from one IPv4 address or IPv6 /64 [default: 64]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) relay_reservations_per_ip: Option<String>,

    /// Take so many requests for a reservation an hour from one IPv4 address or IPv6 /64
    /// [default: 240]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) relay_reservations_per_hour: Option<String>,

    /// A reservation holds for so long, unless it is renewed [default: 3600]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    pub(crate) relay_reservation_seconds: Option<String>,

    /// Relay at most so many circuits at once [default: 256]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) relay_circuits: Option<String>,

    /// Relay at most so many circuits of one peer at once [default: 16]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) relay_circuits_per_peer: Option<String>,

    /// Take so many requests for a circuit an hour from one IPv4 address or IPv6 /64
    /// [default: 600]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) relay_circuits_per_hour: Option<String>,

    /// Cut a circuit after so many bytes, both ways together [default: 1048576]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    pub(crate) relay_circuit_bytes: Option<String>,

    /// Cut a circuit after so long [default: 120]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    pub(crate) relay_circuit_seconds: Option<String>,

    /// Take at most so many WebRTC connections from one IPv4 address or IPv6 /64 [default: 256]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) webrtc_connections_per_host: Option<String>,
}

impl Limits {
    /// What was given for a name.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        take_limit!(self, name)
    }
}

/// What the command line asks for.
pub(crate) enum Parsed {
    Run(Box<Args>),
    /// Help or version.
    Print(String),
}

/// # Errors
/// One line.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, String> {
    match Args::try_parse_from(args) {
        Ok(args) => Ok(Parsed::Run(Box::new(args))),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) =>
        {
            Ok(Parsed::Print(error.render().to_string()))
        }
        Err(error) => Err(one_line(&error)),
    }
}

/// clap's own text is several lines with usage; a log has room for one.
fn one_line(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::UnknownArgument => match context(ContextKind::SuggestedArg) {
            Some(suggested) => format!("unknown argument {argument}; did you mean {suggested}?"),
            None => format!("unknown argument {argument}"),
        },
        // A flag without its value is, to clap, an invalid value that is empty.
        ErrorKind::InvalidValue => format!("{argument} needs a value"),
        ErrorKind::ArgumentConflict => format!("{argument} can be given only once"),
        ErrorKind::TooManyValues => format!("{argument} takes no value"),
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".into(),
        kind => kind.as_str().unwrap_or("bad arguments").to_owned(),
    };
    format!("{what}; see mooring-server --help")
}
