//! `[kerberos]`: whose tickets are good, and which users they make.

use std::path::PathBuf;

use schloss_identity::{KerberosRules, check_realm};
use schloss_kerberos::{IS_BUILT_IN, KerberosError, Service};
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::secret::require_private;
use super::source::Source;

/// The service that Kafka's clients ask for a ticket for (`sasl.kerberos.service.name`).
const SERVICE_NAME: &str = "kafka";

/// Whose tickets are good, and which users they make.
pub(crate) struct Kerberos {
    pub(crate) keytab: PathBuf,
    pub(crate) service: Service,
    pub(crate) rules: KerberosRules,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKerberos {
    realm: Spanned<String>,
    keytab: Spanned<PathBuf>,
    service_name: Option<Spanned<String>>,
    principal: Option<Spanned<String>>,
    #[serde(default)]
    rules: Vec<Spanned<String>>,
}

pub(super) fn check(source: &Source<'_>, raw: &RawKerberos) -> Result<Kerberos, ConfigError> {
    check_realm(raw.realm.get_ref())
        .map_err(|message| source.error(raw.realm.span(), "kerberos.realm", message))?;
    let keytab = source.resolve(raw.keytab.get_ref());
    require_private(&keytab)
        .map_err(|message| source.error(raw.keytab.span(), "kerberos.keytab", message))?;
    let kerberos = Kerberos { keytab, service: service(source, raw)?, rules: rules(source, raw)? };
    if !IS_BUILT_IN {
        return Err(source.error(raw.realm.span(), "kerberos", KerberosError::NotBuiltIn.to_string()));
    }
    Ok(kerberos)
}

fn service(source: &Source<'_>, raw: &RawKerberos) -> Result<Service, ConfigError> {
    let is_plain = |text: &str| !text.is_empty() && !text.contains(['/', '@', '\\']) && is_printable(text);
    match (&raw.service_name, &raw.principal) {
        (None, None) => Ok(Service::Name(SERVICE_NAME.to_owned())),
        (Some(name), None) if is_plain(name.get_ref()) => Ok(Service::Name(name.get_ref().clone())),
        (Some(name), None) => {
            let message = format!("'{}' is no name of a service, such as {SERVICE_NAME}", name.get_ref());
            Err(source.error(name.span(), "kerberos.service_name", message))
        }
        (None, Some(principal)) => {
            let text = principal.get_ref();
            let is_whole = text
                .split_once('@')
                .is_some_and(|(name, realm)| !name.is_empty() && is_plain(realm) && is_printable(name));
            if is_whole {
                return Ok(Service::Principal(text.clone()));
            }
            let message =
                format!("'{text}' is no principal, such as {SERVICE_NAME}/host.example.com@EXAMPLE.COM");
            Err(source.error(principal.span(), "kerberos.principal", message))
        }
        (Some(_), Some(principal)) => {
            let message = "stands beside service_name: set one of them";
            Err(source.error(principal.span(), "kerberos.principal", message))
        }
    }
}

fn is_printable(text: &str) -> bool {
    !text.contains(char::is_control)
}

fn rules(source: &Source<'_>, raw: &RawKerberos) -> Result<KerberosRules, ConfigError> {
    let rules: Vec<&String> = raw.rules.iter().map(Spanned::get_ref).collect();
    KerberosRules::read(raw.realm.get_ref(), &rules).map_err(|error| {
        let wrong = raw.rules.get(error.number - 1).unwrap_or(&raw.realm);
        source.error(wrong.span(), "kerberos.rules", error.to_string())
    })
}
