//! Flags and configuration file put together and checked.

use std::{fmt, net::SocketAddr, path::PathBuf};

use mooring_server::{
    BOUNDS, Config, address,
    address::{Problem, Role},
    default_data_dir,
    node::{Limits, Services},
};
use toml::Spanned;
use tracing_subscriber::EnvFilter;

use crate::{
    args::{self, Args},
    file,
};

/// Takes the limit of this name, one of [`BOUNDS`], out of a struct that has a field for each.
macro_rules! take_limit {
    ($from:expr, $name:expr) => {
        match $name {
            "relay-reservations" => $from.relay_reservations.take(),
            "relay-reservations-per-peer" => $from.relay_reservations_per_peer.take(),
            "relay-reservations-per-ip" => $from.relay_reservations_per_ip.take(),
            "relay-reservations-per-hour" => $from.relay_reservations_per_hour.take(),
            "relay-reservation-seconds" => $from.relay_reservation_seconds.take(),
            "relay-circuits" => $from.relay_circuits.take(),
            "relay-circuits-per-peer" => $from.relay_circuits_per_peer.take(),
            "relay-circuits-per-hour" => $from.relay_circuits_per_hour.take(),
            "relay-circuit-bytes" => $from.relay_circuit_bytes.take(),
            "relay-circuit-seconds" => $from.relay_circuit_seconds.take(),
            "webrtc-connections-per-host" => $from.webrtc_connections_per_host.take(),
            _ => None,
        }
    };
}
pub(crate) use take_limit;

/// Logged unless something else is asked for: what an operator can act on.
const DEFAULT_LOG: &str = "warn,mooring_server=info,mooring_node=info,mooring_webrtc=info";

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Everything that was decided.
pub(crate) struct Settings {
    pub(crate) server: Config,
    pub(crate) log_format: LogFormat,
    pub(crate) log: EnvFilter,
}

/// A value, and where a person has to look to change it.
struct Setting {
    value: String,
    origin: Origin,
}

enum Origin {
    Flag(&'static str),
    File {
        path: String,
        line: usize,
        key: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::File { path, line, key } => write!(f, "{path}:{line}: {key}"),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] file::Error),
    #[error(transparent)]
    Server(#[from] mooring_server::Error),
    #[error(
        "{origin}: {value:?} is not a multiaddr ({cause}); write one like /ip4/0.0.0.0/udp/4815/webrtc-direct"
    )]
    NoMultiaddr {
        origin: String,
        value: String,
        cause: String,
    },
    #[error("{origin}: {value:?} cannot be used: {problem}")]
    Address {
        origin: String,
        value: String,
        problem: Problem,
    },
    #[error("{origin}: {value:?} is not one of {allowed}")]
    NoneOf {
        origin: String,
        value: String,
        allowed: &'static str,
    },
    #[error("{origin}: {value:?} is not a log filter ({cause}); write a level such as info")]
    LogFilter {
        origin: String,
        value: String,
        cause: String,
    },
    #[error("{origin}: {value:?} is not a whole number from {least} to {most}")]
    Number {
        origin: String,
        value: String,
        least: u64,
        most: u64,
    },
    #[error("{origin}: {value:?} is not an IP address with a port; write one like 127.0.0.1:9464")]
    NoSocket { origin: String, value: String },
    #[error("{origin} is empty; name a directory, or leave it out")]
    EmptyDataDir { origin: String },
    #[error("{origin} names no address to listen on; name one, or leave it out")]
    EmptyListen { origin: String },
}

/// # Errors
/// [`Error`]; nothing has been touched then but the configuration file, which was read.
pub(crate) fn resolve(mut args: Args) -> Result<Settings, Error> {
    let (mut content, text) = match &args.config {
        Some(path) => file::read(path)?,
        None => Default::default(),
    };
    let source = Source {
        path: args
            .config
            .as_ref()
            .map(|path| path.display().to_string())
            .unwrap_or_default(),
        text,
    };
    let no_listeners = args.listen.is_empty() && content.listen.as_ref().is_some_and(Vec::is_empty);
    if no_listeners {
        return Err(Error::EmptyListen {
            origin: format!("{}: listen", source.path),
        });
    }

    let limits = limits(&source, &mut args.limits, &mut content)?;
    let listen = source.list("listen", args.listen, content.listen);
    let external = source.list("external", args.external, content.external);
    let bootstrap = source.list("bootstrap", args.bootstrap, content.bootstrap);
    let enable = source.list("enable", args.enable, content.enable);
    let metrics = source.one("metrics", args.metrics, content.metrics);
    let log_format = source.one("log-format", args.log_format, content.log_format);
    let log = source.one("log", args.log, content.log);

    let mut server = Config::in_memory();
    server.limits = limits;
    if !listen.is_empty() {
        server.listen = addresses(&listen, Role::Listen)?;
    }
    server.external = addresses(&external, Role::External)?;
    server.bootstrap = addresses(&bootstrap, Role::Bootstrap)?;
    server.metrics = metrics.map(socket).transpose()?;
    server.services = services(&enable, server.services)?;
    let log_format = match &log_format {
        None => LogFormat::Text,
        Some(setting) => match setting.value.as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => return Err(setting.none_of("text, json")),
        },
    };
    let log = log_filter(log)?;
    // Last: of all settings only this one may need the environment.
    server.data_dir = Some(data_dir(
        &source,
        args.data_dir,
        content.data_dir,
        args.config.as_ref(),
    )?);
    Ok(Settings {
        server,
        log_format,
        log,
    })
}

/// The configuration file, to say where a value of it stands.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn setting<T: ToString>(&self, key: &'static str, value: Spanned<T>) -> Setting {
        Setting {
            origin: Origin::File {
                path: self.path.clone(),
                line: file::line_of(&self.text, value.span().start),
                key,
            },
            value: value.into_inner().to_string(),
        }
    }

    fn list(
        &self,
        key: &'static str,
        flags: Vec<String>,
        file: Option<Vec<Spanned<String>>>,
    ) -> Vec<Setting> {
        if flags.is_empty() {
            file.unwrap_or_default()
                .into_iter()
                .map(|value| self.setting(key, value))
                .collect()
        } else {
            flags.into_iter().map(|value| flag(key, value)).collect()
        }
    }

    fn one<T: ToString>(
        &self,
        key: &'static str,
        given: Option<String>,
        file: Option<Spanned<T>>,
    ) -> Option<Setting> {
        given
            .map(|value| flag(key, value))
            .or_else(|| file.map(|value| self.setting(key, value)))
    }
}

fn flag(key: &'static str, value: String) -> Setting {
    Setting {
        value,
        origin: Origin::Flag(key),
    }
}

impl Setting {
    fn none_of(&self, allowed: &'static str) -> Error {
        Error::NoneOf {
            origin: self.origin.to_string(),
            value: self.value.clone(),
            allowed,
        }
    }
}

fn addresses(settings: &[Setting], role: Role) -> Result<Vec<libp2p::Multiaddr>, Error> {
    let mut addresses = Vec::new();
    for setting in settings {
        let parsed: libp2p::Multiaddr =
            setting.value.parse().map_err(|cause| Error::NoMultiaddr {
                origin: setting.origin.to_string(),
                value: setting.value.clone(),
                cause: libp2p::multiaddr::Error::to_string(&cause),
            })?;
        let checked = match role {
            Role::Listen => address::check_listen(&parsed, &addresses),
            Role::External => address::check_external(&parsed),
            Role::Bootstrap => address::check_bootstrap(&parsed),
        };
        checked.map_err(|problem| Error::Address {
            origin: setting.origin.to_string(),
            value: setting.value.clone(),
            problem,
        })?;
        addresses.push(parsed);
    }
    Ok(addresses)
}

fn socket(setting: Setting) -> Result<SocketAddr, Error> {
    setting.value.parse().map_err(|_| Error::NoSocket {
        origin: setting.origin.to_string(),
        value: setting.value,
    })
}

fn limits(
    source: &Source,
    flags: &mut args::Limits,
    file: &mut file::Content,
) -> Result<Limits, Error> {
    let mut limits = Config::in_memory().limits;
    for bound in BOUNDS {
        let (flag, number) = (flags.take(bound.name), file.take_limit(bound.name));
        let Some(setting) = source.one(bound.name, flag, number) else {
            continue;
        };
        let taken = setting
            .value
            .parse()
            .is_ok_and(|value| bound.set(&mut limits, value));
        if !taken {
            return Err(Error::Number {
                origin: setting.origin.to_string(),
                value: setting.value,
                least: *bound.range.start(),
                most: *bound.range.end(),
            });
        }
    }
    Ok(limits)
}

fn services(settings: &[Setting], mut services: Services) -> Result<Services, Error> {
    for setting in settings {
        match setting.value.as_str() {
            "echo" => services.echo = true,
            "perf" => services.perf = true,
            _ => return Err(setting.none_of("echo, perf")),
        }
    }
    Ok(services)
}

fn log_filter(setting: Option<Setting>) -> Result<EnvFilter, Error> {
    let Some(setting) = setting else {
        return Ok(EnvFilter::new(DEFAULT_LOG));
    };
    EnvFilter::builder()
        .parse(&setting.value)
        .map_err(|cause| Error::LogFilter {
            origin: setting.origin.to_string(),
            value: setting.value,
            cause: cause.to_string(),
        })
}

fn data_dir(
    source: &Source,
    flag: Option<PathBuf>,
    file: Option<Spanned<String>>,
    config: Option<&PathBuf>,
) -> Result<PathBuf, Error> {
    if let Some(path) = flag {
        if path.as_os_str().is_empty() {
            return Err(Error::EmptyDataDir {
                origin: Origin::Flag("data-dir").to_string(),
            });
        }
        return Ok(path);
    }
    let Some(setting) = file.map(|value| source.setting("data-dir", value)) else {
        return Ok(default_data_dir()?);
    };
    if setting.value.is_empty() {
        return Err(Error::EmptyDataDir {
            origin: setting.origin.to_string(),
        });
    }
    // From the file's own folder: what a file means must not change with where one stands.
    let folder = config.and_then(|path| path.parent());
    Ok(folder.map_or_else(
        || PathBuf::from(&setting.value),
        |folder| folder.join(&setting.value),
    ))
}
