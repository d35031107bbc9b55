//! What the keys of a Java or librdkafka file mean to this client.
//!
//! A key that would change security and that we can't follow is an error, never ignored: everything under
//! `security.`, `ssl.` and `sasl.` that is not listed here. Other unknown keys are tuning and are ignored.

use std::sync::Arc;

use schloss_identity::{Password, check_user_name};
use schloss_pki::PkiError;

use super::source::{Dialect, Entry, Source};
use super::tls_settings::TlsSettings;
use super::{ClientConfig, Insecure, MAX_BOOTSTRAP, Sasl, SaslMechanism, Security, jaas};
use crate::error::ConfigError;

/// Keys under a guarded prefix that change no protection here: they time or tune what we do our own way, or
/// belong to mechanisms that are refused by name.
const HARMLESS: &[&str] = &["sasl.kerberos.", "sasl.login.refresh.", "sasl.login.retry.", "ssl.provider"];
/// Prefixes whose unknown keys are errors.
const GUARDED: &[&str] = &["security.", "ssl.", "sasl.", "enable.sasl.", "enable.ssl.", "config.providers"];

#[derive(Default)]
struct Settings<'a> {
    bootstrap: Option<&'a Entry>,
    protocol: Option<&'a Entry>,
    mechanism: Option<&'a Entry>,
    jaas: Option<&'a Entry>,
    user: Option<&'a Entry>,
    password: Option<&'a Entry>,
    client_id: Option<&'a Entry>,
    tls: TlsSettings<'a>,
}

/// Turns the entries of a file into a configuration.
pub(super) fn interpret(
    entries: &[Entry],
    source: &Source,
    insecure: Insecure,
    bootstrap: Option<Vec<String>>,
) -> Result<ClientConfig, ConfigError> {
    let settings = sort(entries, source.dialect, insecure)?;
    let servers = bootstrap.map_or_else(|| settings.servers(), Ok)?;
    let (tls, with_sasl) = protocol(settings.protocol, insecure)?;
    let security = if tls { Security::Tls(settings.tls.build(source)?) } else { Security::Plaintext };
    let mut config = ClientConfig::new(servers, security);
    if let Some(id) = settings.client_id {
        config.client_id.clone_from(&id.value);
    }
    if with_sasl {
        let sasl = settings.sasl(source.dialect)?;
        if sasl.mechanism == SaslMechanism::Plain && !tls && insecure == Insecure::Refuse {
            let problem = "PLAIN without TLS sends the password readable; use SASL_SSL, or SCRAM".to_owned();
            return Err(settings.protocol.map_or_else(ConfigError::default, |entry| wrong(entry, problem)));
        }
        config.sasl = Some(sasl);
    }
    Ok(config)
}

/// Puts every entry in its place; the last of two equal keys counts, as in Java and librdkafka.
fn sort(entries: &[Entry], dialect: Dialect, insecure: Insecure) -> Result<Settings<'_>, ConfigError> {
    let mut settings = Settings::default();
    for entry in entries {
        let place = match entry.key.as_str() {
            "bootstrap.servers" => &mut settings.bootstrap,
            "metadata.broker.list" if dialect == Dialect::Librdkafka => &mut settings.bootstrap,
            "security.protocol" => &mut settings.protocol,
            "sasl.mechanism" => &mut settings.mechanism,
            "sasl.mechanisms" if dialect == Dialect::Librdkafka => &mut settings.mechanism,
            "sasl.jaas.config" if dialect == Dialect::Java => &mut settings.jaas,
            "sasl.username" if dialect == Dialect::Librdkafka => &mut settings.user,
            "sasl.password" if dialect == Dialect::Librdkafka => &mut settings.password,
            "sasl.username" | "sasl.password" => {
                return Err(wrong(
                    entry,
                    "is a key of librdkafka; name the file .conf, or use sasl.jaas.config".to_owned(),
                ));
            }
            "client.id" => &mut settings.client_id,
            key => match settings.tls.place(key, dialect) {
                Some(place) => place,
                None => {
                    check_other(entry, dialect, insecure)?;
                    continue;
                }
            },
        };
        *place = Some(entry);
    }
    Ok(settings)
}

/// A key without a place: harmless, switching a protection off, or one that we can't follow.
fn check_other(entry: &Entry, dialect: Dialect, insecure: Insecure) -> Result<(), ConfigError> {
    let value = entry.value.trim();
    match entry.key.as_str() {
        "ssl.endpoint.identification.algorithm" if value.eq_ignore_ascii_case("https") => Ok(()),
        "ssl.endpoint.identification.algorithm" if insecure == Insecure::Allow => Ok(()),
        "ssl.endpoint.identification.algorithm" => Err(wrong(
            entry,
            "turns the check of the server's name off; remove the line, and issue a certificate that holds the name"
                .to_owned(),
        )),
        "enable.ssl.certificate.verification" if value.eq_ignore_ascii_case("true") => Ok(()),
        "enable.ssl.certificate.verification" => Err(wrong(
            entry,
            "turns the check of the server's certificate off; remove the line and set ssl.ca.location".to_owned(),
        )),
        "ssl.protocol" if ["TLS", "TLSv1.2", "TLSv1.3"].contains(&value) => Ok(()),
        "ssl.truststore.password" => Ok(()),
        "sasl.jaas.config" => {
            Err(wrong(entry, "is a key of Java clients; use sasl.username and sasl.password".to_owned()))
        }
        "ssl.key.password" | "ssl.keystore.password" | "ssl.keystore.key.password" => {
            Err(wrong(entry, PkiError::EncryptedKey.to_string()))
        }
        key if key.starts_with("ssl.keystore.") && dialect == Dialect::Librdkafka => Err(wrong(
            entry,
            "names no PEM file here; set ssl.certificate.location and ssl.key.location".to_owned(),
        )),
        key if key.starts_with("ssl.certificate.") || key.starts_with("ssl.key.") => Err(wrong(
            entry,
            "is a key of librdkafka; name the file .conf, or use ssl.keystore.location".to_owned(),
        )),
        key if HARMLESS.iter().any(|prefix| key.starts_with(prefix)) => Ok(()),
        key if GUARDED.iter().any(|prefix| key.starts_with(prefix)) => {
            Err(wrong(entry, "can't be followed by this client; remove it if you can do without it".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Whether the protocol has TLS, and whether it has SASL.
fn protocol(entry: Option<&Entry>, insecure: Insecure) -> Result<(bool, bool), ConfigError> {
    let Some(entry) = entry else {
        if insecure == Insecure::Allow {
            return Ok((false, false));
        }
        return Err(ConfigError {
            key: Some("security.protocol".to_owned()),
            problem:
                "missing, which means plain text; add security.protocol=SASL_SSL, or say PLAINTEXT in words"
                    .to_owned(),
            ..ConfigError::default()
        });
    };
    match entry.value.trim().to_ascii_uppercase().as_str() {
        "SASL_SSL" => Ok((true, true)),
        "SSL" => Ok((true, false)),
        "SASL_PLAINTEXT" => Ok((false, true)),
        "PLAINTEXT" => Ok((false, false)),
        _ => {
            Err(wrong(entry, "is none of SASL_SSL, SSL, SASL_PLAINTEXT, PLAINTEXT; use SASL_SSL".to_owned()))
        }
    }
}

impl Settings<'_> {
    fn servers(&self) -> Result<Vec<String>, ConfigError> {
        let entry = self.bootstrap.ok_or_else(|| ConfigError {
            key: Some("bootstrap.servers".to_owned()),
            problem: "missing; add bootstrap.servers=host:port".to_owned(),
            ..ConfigError::default()
        })?;
        addresses(&entry.value).map_err(|problem| wrong(entry, problem))
    }

    fn sasl(&self, dialect: Dialect) -> Result<Sasl, ConfigError> {
        // Java's default is GSSAPI, which is not here: the mechanism has to be named.
        let Some(entry) = self.mechanism else {
            return Err(missing("sasl.mechanism", &unknown_mechanism()));
        };
        let mechanism =
            SaslMechanism::from_name(entry.value.trim()).ok_or_else(|| wrong(entry, unknown_mechanism()))?;
        match dialect {
            Dialect::Java => {
                let entry = self.jaas.ok_or_else(|| {
                    missing("sasl.jaas.config", "add the login module with username and password")
                })?;
                let login = jaas::parse(&entry.value).map_err(|problem| wrong(entry, problem))?;
                let fits = match mechanism {
                    SaslMechanism::Scram(_) => login.module == jaas::LoginModule::Scram,
                    SaslMechanism::Plain => login.module == jaas::LoginModule::Plain,
                };
                if !fits {
                    let problem =
                        format!("the login module is not that of sasl.mechanism {}", mechanism.name());
                    return Err(wrong(entry, problem));
                }
                let sasl = sasl(mechanism, login.user, Password::new(login.password.to_string()))
                    .map_err(|problem| wrong(entry, problem))?;
                Ok(Sasl { token: login.token, ..sasl })
            }
            Dialect::Librdkafka | Dialect::Json => {
                let user = self.user.ok_or_else(|| missing("sasl.username", "add the user name"))?;
                let password = self.password.ok_or_else(|| missing("sasl.password", "add the password"))?;
                sasl(mechanism, user.value.to_string(), Password::new(password.value.to_string()))
                    .map_err(|problem| wrong(user, problem))
            }
        }
    }
}

/// `host:port` addresses separated by commas.
pub(super) fn addresses(list: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for address in list.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        // Java accepts a protocol before the address, librdkafka too.
        let bare = address.rsplit_once("://").map_or(address, |(_, bare)| bare);
        crate::connection::split_address(bare)?;
        found.push(bare.to_owned());
    }
    match found.len() {
        0 => Err("holds no address; give host:port".to_owned()),
        count if count > MAX_BOOTSTRAP => {
            Err(format!("holds {count} addresses; give at most {MAX_BOOTSTRAP}"))
        }
        _ => Ok(found),
    }
}

pub(super) fn sasl(mechanism: SaslMechanism, user: String, password: Password) -> Result<Sasl, String> {
    check_user_name(&user).map_err(|error| format!("the user name is not usable: {error}"))?;
    if password.expose().is_empty() {
        return Err("the password is empty".to_owned());
    }
    Ok(Sasl { mechanism, user, password: Arc::new(password), token: false, salted: Arc::default() })
}

pub(super) fn unknown_mechanism() -> String {
    "use SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN".to_owned()
}

fn missing(key: &str, what: &str) -> ConfigError {
    ConfigError {
        key: Some(key.to_owned()),
        problem: format!("missing with a SASL protocol; {what}"),
        ..ConfigError::default()
    }
}

pub(super) fn wrong(entry: &Entry, problem: String) -> ConfigError {
    ConfigError { file: None, line: Some(entry.line), key: Some(entry.key.clone()), problem }
}
