//! `[[listener]]`: where clients may knock. How they are told the way is the business of the file's own kind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schloss_identity::{Mechanism, SaslMechanism};
use schloss_pki::TlsVersions;
use serde::Deserialize;
use toml::Spanned;

use super::client_certificates::{self, ClientCertificates, RawClientCertificates};
use super::error::ConfigError;
use super::limits::MS_PER_HOUR;
use super::secret::require_private;
use super::source::Source;

/// One place where clients may knock.
pub(crate) struct Listener {
    pub(crate) name: String,
    /// Sockets to bind, at least one; port 0 is refused, since clients are told the port.
    pub(crate) bind: Vec<SocketAddr>,
    pub(crate) advertised_host: String,
    pub(crate) tls: ListenerTls,
    /// None where the certificate alone says who a client is.
    pub(crate) mechanisms: Vec<SaslMechanism>,
    /// How long a session lasts without authenticating again.
    pub(crate) max_reauth: Option<Duration>,
}

/// What a listener shows of itself.
pub(crate) struct ListenerTls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) versions: TlsVersions,
    /// What clients have to show, if anything.
    pub(crate) clients: Option<ClientCertificates>,
}

/// The keys of all kinds of files; each kind refuses those of another one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListener {
    name: Spanned<String>,
    bind: Vec<Spanned<String>>,
    pub(super) advertised_host: Spanned<String>,
    pub(super) advertised_port: Option<Spanned<u16>>,
    pub(super) broker_port_base: Option<Spanned<u16>>,
    pub(super) broker_names: Option<Spanned<String>>,
    tls_certificate: Spanned<PathBuf>,
    tls_key: Spanned<PathBuf>,
    tls_versions: Option<Vec<Spanned<String>>>,
    mechanisms: Option<Vec<Spanned<String>>>,
    max_reauth_ms: Option<Spanned<u64>>,
    client_certificates: Option<Spanned<String>>,
    client_ca_files: Option<Spanned<Vec<PathBuf>>>,
    client_crl_files: Option<Spanned<Vec<PathBuf>>>,
    principal_from: Option<Spanned<String>>,
    principal_mapping_rules: Option<Spanned<String>>,
}

/// Which sections are there that mechanisms need.
#[derive(Clone, Copy)]
pub(super) struct Sections {
    pub(super) oauth: bool,
    pub(super) kerberos: bool,
}

/// All listeners, each with what `own` makes of the keys that only one kind of file has.
pub(super) fn check_all<T>(
    source: &Source<'_>,
    raw: &[RawListener],
    sections: Sections,
    mut own: impl FnMut(Listener, &RawListener) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    if raw.is_empty() {
        return Err(source.missing("listener", "add a [[listener]] section with name, bind and TLS files"));
    }
    for (index, one) in raw.iter().enumerate() {
        let name = one.name.get_ref();
        if raw[..index].iter().any(|other| other.name.get_ref() == name) {
            return Err(source.error(one.name.span(), "listener.name", format!("'{name}' is used twice")));
        }
    }
    let checked = |raw: &RawListener| {
        let listener = check(source, raw)?;
        for (mechanism, is_there, message) in [
            (
                SaslMechanism::OAuthBearer,
                sections.oauth,
                "OAUTHBEARER needs an [oauth] section that says whose tokens are good",
            ),
            (
                SaslMechanism::Gssapi,
                sections.kerberos,
                "GSSAPI needs a [kerberos] section with realm and keytab",
            ),
        ] {
            if listener.mechanisms.contains(&mechanism) && !is_there {
                return Err(source.error(raw.name.span(), "listener.mechanisms", message));
            }
        }
        Ok(listener)
    };
    raw.iter().map(|raw| own(checked(raw)?, raw)).collect()
}

/// Refuses a key that another kind of file has.
pub(super) fn refuse<T>(
    source: &Source<'_>,
    value: Option<&Spanned<T>>,
    key: &str,
    message: &str,
) -> Result<(), ConfigError> {
    value.map_or(Ok(()), |value| Err(source.error(value.span(), key, message)))
}

fn check(source: &Source<'_>, raw: &RawListener) -> Result<Listener, ConfigError> {
    if raw.advertised_host.get_ref().trim().is_empty() {
        let message = "is empty: name the host that clients connect to";
        return Err(source.error(raw.advertised_host.span(), "listener.advertised_host", message));
    }
    let certificate = source.resolve(raw.tls_certificate.get_ref());
    let key = source.resolve(raw.tls_key.get_ref());
    let bind = bind(source, raw)?;
    if !certificate.is_file() {
        let message = format!("{} is no file: 'schloss quickstart' makes one", certificate.display());
        return Err(source.error(raw.tls_certificate.span(), "listener.tls_certificate", message));
    }
    require_private(&key).map_err(|message| source.error(raw.tls_key.span(), "listener.tls_key", message))?;
    let mechanisms = mechanisms(source, raw)?;
    let clients = client_certificates::check(
        source,
        &RawClientCertificates {
            asked_for: raw.client_certificates.as_ref(),
            ca_files: raw.client_ca_files.as_ref(),
            crl_files: raw.client_crl_files.as_ref(),
            principal_from: raw.principal_from.as_ref(),
            mapping_rules: raw.principal_mapping_rules.as_ref(),
            listener: raw.name.span(),
            alone: mechanisms.is_empty(),
        },
    )?;
    if mechanisms.is_empty() {
        let message =
            "there is no way to authenticate again with a certificate: its own end is the session's";
        refuse(source, raw.max_reauth_ms.as_ref(), "listener.max_reauth_ms", message)?;
    }
    let max_reauth = raw
        .max_reauth_ms
        .as_ref()
        .map(|given| source.millis(Some(given), "listener.max_reauth_ms", 0, 1_000..=365 * 24 * MS_PER_HOUR));
    Ok(Listener {
        name: raw.name.get_ref().clone(),
        advertised_host: raw.advertised_host.get_ref().clone(),
        bind,
        tls: ListenerTls { certificate, key, versions: versions(source, raw)?, clients },
        mechanisms,
        max_reauth: max_reauth.transpose()?,
    })
}

fn bind(source: &Source<'_>, raw: &RawListener) -> Result<Vec<SocketAddr>, ConfigError> {
    const KEY: &str = "listener.bind";
    if raw.bind.is_empty() {
        return Err(source.error(raw.name.span(), KEY, "has no address"));
    }
    let address = |text: &Spanned<String>| {
        let given = text.get_ref();
        let problem = match given.parse::<SocketAddr>() {
            Err(_) => format!("'{given}' is not an address and port, such as 127.0.0.1:9092"),
            Ok(address) if address.port() == 0 => {
                format!("{address} has port 0, but clients have to be told a port")
            }
            Ok(address) => return Ok(address),
        };
        Err(source.error(text.span(), KEY, problem))
    };
    raw.bind.iter().map(address).collect()
}

fn versions(source: &Source<'_>, raw: &RawListener) -> Result<TlsVersions, ConfigError> {
    const KEY: &str = "listener.tls_versions";
    let Some(names) = &raw.tls_versions else { return Ok(TlsVersions::default()) };
    let (mut with_13, mut with_12) = (false, false);
    for name in names {
        match name.get_ref().as_str() {
            "1.3" => with_13 = true,
            "1.2" => with_12 = true,
            other => {
                let message = format!("'{other}' is not offered: use \"1.3\", \"1.2\" or both");
                return Err(source.error(name.span(), KEY, message));
            }
        }
    }
    match (with_13, with_12) {
        (true, true) => Ok(TlsVersions::Both),
        (true, false) => Ok(TlsVersions::Only13),
        (false, true) => Ok(TlsVersions::Only12),
        (false, false) => Err(source.error(raw.name.span(), KEY, "is empty: nobody could connect")),
    }
}

fn mechanisms(source: &Source<'_>, raw: &RawListener) -> Result<Vec<SaslMechanism>, ConfigError> {
    const KEY: &str = "listener.mechanisms";
    let Some(names) = &raw.mechanisms else { return Ok(Mechanism::ALL.map(SaslMechanism::from).to_vec()) };
    let mechanism = |name: &Spanned<String>| {
        SaslMechanism::from_name(name.get_ref()).ok_or_else(|| {
            let message = format!("'{}' is not a mechanism that this version has", name.get_ref());
            let known = SaslMechanism::ALL.map(SaslMechanism::name).join(", ");
            ConfigError { help: Some(format!("known: {known}")), ..source.error(name.span(), KEY, message) }
        })
    };
    names.iter().map(mechanism).collect()
}
