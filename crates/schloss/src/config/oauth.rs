//! `[oauth]`: whose tokens are good.

use std::path::PathBuf;
use std::time::Duration;

use schloss_identity::{TokenAlgorithm, TokenRules};
use schloss_jwks::Url;
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::limits::MS_PER_HOUR;
use super::source::Source;

/// The CAs of the system, where Debian, Alpine and their like keep them.
pub(super) const SYSTEM_CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Whose tokens are good, and where the keys are that verify them.
pub(crate) struct Oauth {
    pub(crate) rules: TokenRules,
    pub(crate) keys: Keys,
    pub(crate) refresh: Duration,
    pub(crate) max_age: Duration,
}

/// Where the issuer's keys are.
pub(crate) enum Keys {
    File(PathBuf),
    /// With a PEM file of the CAs that it is trusted by.
    Url(Url, PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOauth {
    issuer: Spanned<String>,
    audiences: Spanned<Vec<String>>,
    jwks_url: Option<Spanned<String>>,
    jwks_file: Option<Spanned<PathBuf>>,
    jwks_ca_file: Option<Spanned<PathBuf>>,
    jwks_refresh_ms: Option<Spanned<u64>>,
    jwks_max_age_ms: Option<Spanned<u64>>,
    algorithms: Option<Vec<Spanned<String>>>,
    clock_skew_ms: Option<Spanned<u64>>,
    principal_claim: Option<Spanned<String>>,
    groups_claim: Option<Spanned<String>>,
}

pub(super) fn check(source: &Source<'_>, raw: &RawOauth) -> Result<Oauth, ConfigError> {
    let fail = |span, key: &str, message: String| Err(source.error(span, key, message));
    for (empty, span, key) in [
        (raw.issuer.get_ref().is_empty(), raw.issuer.span(), "oauth.issuer"),
        (
            raw.audiences.get_ref().is_empty() || raw.audiences.get_ref().iter().any(String::is_empty),
            raw.audiences.span(),
            "oauth.audiences",
        ),
    ] {
        if empty {
            return fail(span, key, "is empty: a token for anybody would be good here".to_owned());
        }
    }
    let keys = match (&raw.jwks_url, &raw.jwks_file) {
        (Some(url), None) => {
            let ca_file = match &raw.jwks_ca_file {
                Some(file) => source.resolve(file.get_ref()),
                None => PathBuf::from(SYSTEM_CA_FILE),
            };
            if !ca_file.is_file() {
                let span = raw.jwks_ca_file.as_ref().map_or(url.span(), Spanned::span);
                let message = format!("{} is no file: name the CA of the issuer's server", ca_file.display());
                return fail(span, "oauth.jwks_ca_file", message);
            }
            match url.get_ref().parse() {
                Ok(parsed) => Keys::Url(parsed, ca_file),
                Err(error) => return fail(url.span(), "oauth.jwks_url", format!("can't be used: {error}")),
            }
        }
        (None, Some(file)) => Keys::File(source.resolve(file.get_ref())),
        _ => {
            let message = "needs exactly one of jwks_url and jwks_file".to_owned();
            return fail(raw.issuer.span(), "oauth", message);
        }
    };
    let claim = |claim: &Option<Spanned<String>>| claim.as_ref().map(|claim| claim.get_ref().clone());
    let skew = source.millis(raw.clock_skew_ms.as_ref(), "oauth.clock_skew_ms", 30_000, 0..=600_000)?;
    Ok(Oauth {
        rules: TokenRules {
            issuer: raw.issuer.get_ref().clone(),
            audiences: raw.audiences.get_ref().clone(),
            algorithms: algorithms(source, raw)?,
            skew,
            principal_claim: claim(&raw.principal_claim).unwrap_or_else(|| "sub".to_owned()),
            groups_claim: claim(&raw.groups_claim),
        },
        keys,
        refresh: source.millis(
            raw.jwks_refresh_ms.as_ref(),
            "oauth.jwks_refresh_ms",
            300_000,
            1_000..=24 * MS_PER_HOUR,
        )?,
        max_age: source.millis(
            raw.jwks_max_age_ms.as_ref(),
            "oauth.jwks_max_age_ms",
            24 * MS_PER_HOUR,
            1_000..=30 * 24 * MS_PER_HOUR,
        )?,
    })
}

fn algorithms(source: &Source<'_>, raw: &RawOauth) -> Result<Vec<TokenAlgorithm>, ConfigError> {
    const KEY: &str = "oauth.algorithms";
    let Some(names) = &raw.algorithms else { return Ok(TokenAlgorithm::ALL.to_vec()) };
    if names.is_empty() {
        return Err(source.error(raw.issuer.span(), KEY, "is empty: no token would be good"));
    }
    let algorithm = |name: &Spanned<String>| {
        TokenAlgorithm::from_name(name.get_ref()).ok_or_else(|| {
            let message = format!("'{}' is no algorithm that tokens can be trusted by", name.get_ref());
            let known = TokenAlgorithm::ALL.map(TokenAlgorithm::name).join(", ");
            ConfigError { help: Some(format!("known: {known}")), ..source.error(name.span(), KEY, message) }
        })
    };
    names.iter().map(algorithm).collect()
}
