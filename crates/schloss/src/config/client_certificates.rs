//! The keys of a `[[listener]]` that are about certificates of clients.

use std::ops::Range;
use std::path::PathBuf;

use schloss_identity::{CertificateIdentity, MappingRules, NameSource};
use schloss_pki::ClientCertificates as Expected;
use toml::Spanned;

use super::error::ConfigError;
use super::source::Source;

/// What clients have to show.
pub(crate) struct ClientCertificates {
    pub(crate) expected: Expected,
    /// PEM files, at least one.
    pub(crate) ca_files: Vec<PathBuf>,
    /// PEM files of revocation lists.
    pub(crate) crl_files: Vec<PathBuf>,
    pub(crate) identity: CertificateIdentity,
}

pub(super) struct RawClientCertificates<'a> {
    pub(super) asked_for: Option<&'a Spanned<String>>,
    pub(super) ca_files: Option<&'a Spanned<Vec<PathBuf>>>,
    pub(super) crl_files: Option<&'a Spanned<Vec<PathBuf>>>,
    pub(super) principal_from: Option<&'a Spanned<String>>,
    pub(super) mapping_rules: Option<&'a Spanned<String>>,
    /// Where the listener's name stands.
    pub(super) listener: Range<usize>,
    /// Whether nothing else says who a client is.
    pub(super) alone: bool,
}

const ASKED_FOR: &str = "listener.client_certificates";
const CA_FILES: &str = "listener.client_ca_files";
const CRL_FILES: &str = "listener.client_crl_files";
const FROM: &str = "listener.principal_from";
const RULES: &str = "listener.principal_mapping_rules";

pub(super) fn check(
    source: &Source<'_>,
    raw: &RawClientCertificates<'_>,
) -> Result<Option<ClientCertificates>, ConfigError> {
    let expected = expected(source, raw)?;
    if raw.alone && expected != Some(Expected::Required) {
        let message = "is empty, so only a certificate can say who a client is";
        let help = "set client_certificates = \"required\", or name mechanisms";
        let error = source.error(raw.listener.clone(), "listener.mechanisms", message);
        return Err(ConfigError { help: Some(help.to_owned()), ..error });
    }
    refuse_idle(source, raw, expected)?;
    let Some(expected) = expected else { return Ok(None) };
    let Some(ca_files) = raw.ca_files.filter(|files| !files.get_ref().is_empty()) else {
        let message = "is missing: name the CAs whose certificates are good";
        return Err(source.error(raw.listener.clone(), CA_FILES, message));
    };
    Ok(Some(ClientCertificates {
        expected,
        ca_files: files(source, ca_files, CA_FILES)?,
        crl_files: raw.crl_files.map_or_else(|| Ok(Vec::new()), |lists| files(source, lists, CRL_FILES))?,
        identity: CertificateIdentity { source: name_source(source, raw)?, rules: rules(source, raw)? },
    }))
}

fn expected(source: &Source<'_>, raw: &RawClientCertificates<'_>) -> Result<Option<Expected>, ConfigError> {
    let Some(text) = raw.asked_for else { return Ok(None) };
    match text.get_ref().as_str() {
        "none" => Ok(None),
        "requested" => Ok(Some(Expected::Requested)),
        "required" => Ok(Some(Expected::Required)),
        other => {
            let message = format!("'{other}' is none of \"none\", \"requested\" and \"required\"");
            Err(source.error(text.span(), ASKED_FOR, message))
        }
    }
}

/// Refuses keys that would change nothing: who wrote them believes something else.
fn refuse_idle(
    source: &Source<'_>,
    raw: &RawClientCertificates<'_>,
    expected: Option<Expected>,
) -> Result<(), ConfigError> {
    let paths = [(CA_FILES, raw.ca_files), (CRL_FILES, raw.crl_files)];
    let names = [(FROM, raw.principal_from), (RULES, raw.mapping_rules)];
    let mut idle: Vec<(&str, Range<usize>, &str)> = Vec::new();
    if expected.is_none() {
        let why = "has no effect: set client_certificates = \"required\" or \"requested\" too";
        idle.extend(paths.iter().filter_map(|(key, files)| Some((*key, (*files)?.span(), why))));
    }
    if !raw.alone {
        let why = "has no effect: with SASL mechanisms the principal is theirs; set mechanisms = [] to take it from \
                   the certificate";
        idle.extend(names.iter().filter_map(|(key, text)| Some((*key, (*text)?.span(), why))));
    }
    match idle.into_iter().next() {
        Some((key, span, why)) => Err(source.error(span, key, why)),
        None => Ok(()),
    }
}

fn files(source: &Source<'_>, files: &Spanned<Vec<PathBuf>>, key: &str) -> Result<Vec<PathBuf>, ConfigError> {
    let file = |path: &PathBuf| {
        let path = source.resolve(path);
        if path.is_file() {
            return Ok(path);
        }
        Err(source.error(files.span(), key, format!("{} is no file", path.display())))
    };
    files.get_ref().iter().map(file).collect()
}

fn name_source(source: &Source<'_>, raw: &RawClientCertificates<'_>) -> Result<NameSource, ConfigError> {
    let Some(text) = raw.principal_from else { return Ok(NameSource::default()) };
    match text.get_ref().as_str() {
        "subject" => Ok(NameSource::Subject),
        "dns" => Ok(NameSource::DnsName),
        "uri" => Ok(NameSource::Uri),
        "email" => Ok(NameSource::Email),
        other => {
            let message = format!("'{other}' is none of \"subject\", \"dns\", \"uri\" and \"email\"");
            Err(source.error(text.span(), FROM, message))
        }
    }
}

fn rules(source: &Source<'_>, raw: &RawClientCertificates<'_>) -> Result<MappingRules, ConfigError> {
    let Some(text) = raw.mapping_rules else { return Ok(MappingRules::default()) };
    text.get_ref().parse().map_err(|error| source.error(text.span(), RULES, format!("{error}")))
}
