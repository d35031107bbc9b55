//! From the text of `schloss.toml` to a checked [`Config`].

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schloss_identity::{Mechanism, Password};
use schloss_log::Durability;
use schloss_wire::Principal;
use serde::Deserialize;
use toml::Spanned;
use zeroize::Zeroizing;

use super::error::{ConfigError, nearest};
use super::secret::require_private;
use super::{Audit, Bootstrap, Config, Limits, Listener, Log};

pub(super) fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| ConfigError {
        path: path.to_owned(),
        line: None,
        key: None,
        message: format!("can't be read: {error}"),
        help: Some("'schloss quickstart' writes a configuration to start from".to_owned()),
    })?;
    parse(path, &text)
}

/// Checks `text` as if it stood in `path`; relative paths in it start at the directory of `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let source = Source { path, text };
    let raw: RawConfig = toml::from_str(text).map_err(|error| source.syntax_error(&error))?;
    let base = path.parent().unwrap_or(Path::new("."));
    let data_dir = base.join(raw.data_dir.get_ref());

    let super_users = raw
        .super_users
        .iter()
        .map(|text| {
            text.get_ref()
                .parse::<Principal>()
                .map_err(|error| source.error(text.span(), "super_users", error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    if !(0..=MAX_NODE_ID).contains(raw.node_id.get_ref()) {
        return Err(source.error(raw.node_id.span(), "node_id", format!("must be 0 to {MAX_NODE_ID}")));
    }
    if raw.listener.is_empty() {
        return Err(source.missing("listener", "add a [[listener]] section with name, bind and TLS files"));
    }
    let listeners =
        raw.listener.iter().map(|raw| listener(&source, base, raw)).collect::<Result<Vec<_>, _>>()?;
    for (index, one) in listeners.iter().enumerate() {
        if listeners[..index].iter().any(|other| other.name == one.name) {
            let span = raw.listener[index].name.span();
            return Err(source.error(span, "listener.name", format!("'{}' is used twice", one.name)));
        }
    }
    Ok(Config {
        path: path.to_owned(),
        node_id: *raw.node_id.get_ref(),
        super_users,
        listeners,
        bootstrap: raw.bootstrap.map(|raw| bootstrap(&source, base, raw)).transpose()?,
        limits: limits(&source, &raw.limits)?,
        log: log(&source, &raw.log)?,
        audit: audit(&source, &data_dir, &raw.audit)?,
        data_dir,
    })
}

const MAX_NODE_ID: i32 = i32::MAX;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    data_dir: Spanned<PathBuf>,
    #[serde(default = "default_node_id")]
    node_id: Spanned<i32>,
    #[serde(default)]
    super_users: Vec<Spanned<String>>,
    #[serde(default)]
    listener: Vec<RawListener>,
    bootstrap: Option<RawBootstrap>,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    audit: RawAudit,
}

fn default_node_id() -> Spanned<i32> {
    Spanned::new(0..0, 1)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawListener {
    name: Spanned<String>,
    bind: Vec<Spanned<String>>,
    advertised_host: Spanned<String>,
    advertised_port: Option<Spanned<u16>>,
    tls_certificate: Spanned<PathBuf>,
    tls_key: Spanned<PathBuf>,
    mechanisms: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBootstrap {
    user: Spanned<String>,
    password: Option<Spanned<Zeroizing<String>>>,
    password_file: Option<Spanned<PathBuf>>,
    password_env: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    max_request_bytes: Option<Spanned<u64>>,
    max_connections: Option<Spanned<u64>>,
    max_connections_per_address: Option<Spanned<u64>>,
    handshake_timeout_ms: Option<Spanned<u64>>,
    authentication_timeout_ms: Option<Spanned<u64>>,
    idle_timeout_ms: Option<Spanned<u64>>,
    failed_authentication_delay_ms: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    durability: Option<Spanned<String>>,
    segment_bytes: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAudit {
    directory: Option<Spanned<PathBuf>>,
    max_file_bytes: Option<Spanned<u64>>,
    max_files: Option<Spanned<u64>>,
    summary_interval_ms: Option<Spanned<u64>>,
}

/// The text under check, to find lines in.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn error(&self, span: Range<usize>, key: &str, message: String) -> ConfigError {
        ConfigError {
            path: self.path.to_owned(),
            line: Some(self.line(span.start)),
            key: Some(key.to_owned()),
            message,
            help: None,
        }
    }

    fn missing(&self, key: &str, help: &str) -> ConfigError {
        ConfigError {
            path: self.path.to_owned(),
            line: None,
            key: Some(key.to_owned()),
            message: "is missing".to_owned(),
            help: Some(help.to_owned()),
        }
    }

    fn syntax_error(&self, error: &toml::de::Error) -> ConfigError {
        let message = error.message();
        let line = error.span().map(|span| self.line(span.start));
        let key = line.and_then(|line| self.key_on(line));
        // serde words it "unknown field `x`, expected one of `a`, `b`"; only that wording gives the candidates.
        let mut quoted = message.split('`').skip(1).step_by(2);
        let (message, help) = match quoted.next() {
            Some(word) if message.starts_with("unknown field") => {
                let known: Vec<&str> = quoted.collect();
                let help = match nearest(word, known.iter().copied()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                (format!("unknown key '{word}'"), Some(help))
            }
            // serde repeats the value that it did not expect, and here that is the secret.
            _ if key.as_deref().is_some_and(|key| key.ends_with("password")) => {
                ("is not readable as a string in quotes".to_owned(), None)
            }
            _ => (message.to_owned(), None),
        };
        ConfigError { path: self.path.to_owned(), line, key, message, help }
    }

    /// The key that stands on a line, with its section.
    fn key_on(&self, line: usize) -> Option<String> {
        let lines: Vec<&str> = self.text.lines().take(line).collect();
        let (key, value) = lines.last()?.split_once('=').unzip();
        let section = lines
            .iter()
            .rev()
            .find_map(|line| line.trim().strip_prefix('['))
            .map(|rest| rest.trim_start_matches('[').split(']').next().unwrap_or_default().trim());
        value?;
        Some(match (section, key?.trim()) {
            (Some(section), key) => format!("{section}.{key}"),
            (None, key) => key.to_owned(),
        })
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or(self.text).matches('\n').count() + 1
    }

    /// The number under `value`, or `default`, within `range`.
    fn number(
        &self,
        value: Option<&Spanned<u64>>,
        key: &str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let Some(value) = value else { return Ok(default) };
        if range.contains(value.get_ref()) {
            return Ok(*value.get_ref());
        }
        Err(self.error(
            value.span(),
            key,
            format!("{} is impossible: must be {} to {}", value.get_ref(), range.start(), range.end()),
        ))
    }

    fn millis(
        &self,
        value: Option<&Spanned<u64>>,
        key: &str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Duration, ConfigError> {
        self.number(value, key, default, range).map(Duration::from_millis)
    }

    fn count(
        &self,
        value: Option<&Spanned<u64>>,
        key: &str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<usize, ConfigError> {
        let number = self.number(value, key, default, range)?;
        usize::try_from(number).map_err(|_| self.missing(key, "use a smaller number on this machine"))
    }
}

fn listener(source: &Source<'_>, base: &Path, raw: &RawListener) -> Result<Listener, ConfigError> {
    let bind = raw
        .bind
        .iter()
        .map(|text| {
            text.get_ref().parse::<SocketAddr>().map_err(|_| {
                let message =
                    format!("'{}' is not an address and port, such as 127.0.0.1:9092", text.get_ref());
                source.error(text.span(), "listener.bind", message)
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let Some(first) = bind.first() else {
        return Err(source.error(raw.name.span(), "listener.bind", "has no address".to_owned()));
    };
    if let Some((address, text)) = bind.iter().zip(&raw.bind).find(|(address, _)| address.port() == 0) {
        let message = format!("{address} has port 0, but clients have to be told a port");
        return Err(source.error(text.span(), "listener.bind", message));
    }
    if raw.advertised_host.get_ref().trim().is_empty() {
        let message = "is empty: name the host that clients connect to".to_owned();
        return Err(source.error(raw.advertised_host.span(), "listener.advertised_host", message));
    }
    let certificate = base.join(raw.tls_certificate.get_ref());
    if !certificate.is_file() {
        let message = format!("{} is no file: 'schloss quickstart' makes one", certificate.display());
        return Err(source.error(raw.tls_certificate.span(), "listener.tls_certificate", message));
    }
    let key = base.join(raw.tls_key.get_ref());
    require_private(&key).map_err(|message| source.error(raw.tls_key.span(), "listener.tls_key", message))?;
    let mechanisms = match &raw.mechanisms {
        None => Mechanism::ALL.to_vec(),
        Some(names) if names.is_empty() => {
            return Err(source.error(
                raw.name.span(),
                "listener.mechanisms",
                "is empty: nobody could log in".to_owned(),
            ));
        }
        Some(names) => names.iter().map(|name| mechanism(source, name)).collect::<Result<_, _>>()?,
    };
    Ok(Listener {
        name: raw.name.get_ref().clone(),
        advertised_host: raw.advertised_host.get_ref().clone(),
        advertised_port: raw.advertised_port.as_ref().map_or(first.port(), |port| *port.get_ref()),
        bind,
        certificate,
        key,
        mechanisms,
    })
}

fn mechanism(source: &Source<'_>, name: &Spanned<String>) -> Result<Mechanism, ConfigError> {
    Mechanism::from_name(name.get_ref()).ok_or_else(|| {
        let known: Vec<&str> = Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect();
        let mut error = source.error(
            name.span(),
            "listener.mechanisms",
            format!("'{}' is not a mechanism that this version has", name.get_ref()),
        );
        error.help = Some(format!("known: {}", known.join(", ")));
        error
    })
}

fn bootstrap(source: &Source<'_>, base: &Path, raw: RawBootstrap) -> Result<Bootstrap, ConfigError> {
    let fail = |span: Range<usize>, key: &str, message: String| source.error(span, key, message);
    let password = match (raw.password, raw.password_file, raw.password_env) {
        (Some(clear), None, None) => {
            require_private(source.path).map_err(|message| {
                fail(
                    clear.span(),
                    "bootstrap.password",
                    format!("a password stands here in clear, but {message}"),
                )
            })?;
            clear.into_inner()
        }
        (None, Some(file), None) => {
            let path = base.join(file.get_ref());
            let key = "bootstrap.password_file";
            require_private(&path).map_err(|message| fail(file.span(), key, message))?;
            let text = std::fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| {
                fail(file.span(), key, format!("{} can't be read: {error}", path.display()))
            })?;
            Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        (None, None, Some(name)) => std::env::var(name.get_ref()).map(Zeroizing::new).map_err(|_| {
            let message = format!("environment variable {} is not set", name.get_ref());
            fail(name.span(), "bootstrap.password_env", message)
        })?,
        _ => {
            let message = "needs exactly one of password_file, password_env and password".to_owned();
            return Err(fail(raw.user.span(), "bootstrap", message));
        }
    };
    if password.is_empty() {
        return Err(fail(raw.user.span(), "bootstrap", "the password is empty".to_owned()));
    }
    Ok(Bootstrap { user: raw.user.into_inner(), password: Password::new(String::clone(&password)) })
}

const MS_PER_HOUR: u64 = 3_600_000;

fn limits(source: &Source<'_>, raw: &RawLimits) -> Result<Limits, ConfigError> {
    Ok(Limits {
        max_request_bytes: source.count(
            raw.max_request_bytes.as_ref(),
            "limits.max_request_bytes",
            100 << 20,
            1024..=(1 << 30),
        )?,
        max_connections: source.count(
            raw.max_connections.as_ref(),
            "limits.max_connections",
            10_000,
            1..=1_000_000,
        )?,
        max_connections_per_address: source.count(
            raw.max_connections_per_address.as_ref(),
            "limits.max_connections_per_address",
            1_000,
            1..=1_000_000,
        )?,
        handshake_timeout: source.millis(
            raw.handshake_timeout_ms.as_ref(),
            "limits.handshake_timeout_ms",
            10_000,
            100..=MS_PER_HOUR,
        )?,
        authentication_timeout: source.millis(
            raw.authentication_timeout_ms.as_ref(),
            "limits.authentication_timeout_ms",
            10_000,
            100..=MS_PER_HOUR,
        )?,
        idle_timeout: source.millis(
            raw.idle_timeout_ms.as_ref(),
            "limits.idle_timeout_ms",
            600_000,
            1_000..=24 * MS_PER_HOUR,
        )?,
        failed_authentication_delay: source.millis(
            raw.failed_authentication_delay_ms.as_ref(),
            "limits.failed_authentication_delay_ms",
            100,
            0..=10_000,
        )?,
    })
}

fn log(source: &Source<'_>, raw: &RawLog) -> Result<Log, ConfigError> {
    let durability = match raw.durability.as_ref() {
        None => Durability::Fsync,
        Some(text) => match text.get_ref().as_str() {
            "fsync" => Durability::Fsync,
            "os" => Durability::Os,
            other => {
                let message = format!("'{other}' is neither \"fsync\" nor \"os\"");
                return Err(source.error(text.span(), "log.durability", message));
            }
        },
    };
    let segment_bytes =
        source.number(raw.segment_bytes.as_ref(), "log.segment_bytes", 1 << 30, (1 << 20)..=(2 << 30) - 1)?;
    Ok(Log { durability, segment_bytes })
}

fn audit(source: &Source<'_>, data_dir: &Path, raw: &RawAudit) -> Result<Audit, ConfigError> {
    Ok(Audit {
        directory: data_dir.join(raw.directory.as_ref().map_or(Path::new("audit"), |path| path.get_ref())),
        max_file_bytes: source.number(
            raw.max_file_bytes.as_ref(),
            "audit.max_file_bytes",
            64 << 20,
            (64 << 10)..=(16 << 30),
        )?,
        max_files: source.count(raw.max_files.as_ref(), "audit.max_files", 100, 2..=100_000)?,
        summary_interval: source.millis(
            raw.summary_interval_ms.as_ref(),
            "audit.summary_interval_ms",
            60_000,
            100..=MS_PER_HOUR,
        )?,
    })
}
