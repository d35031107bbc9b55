//! What every kind of configuration says.

use std::path::PathBuf;

use schloss_gate::TokenConfig;
use schloss_wire::Principal;
use toml::Spanned;

use super::audit::{self, Audit, RawAudit};
use super::bootstrap::{self, Bootstrap, RawBootstrap};
use super::delegation_tokens::{self, RawDelegationTokens};
use super::directory::{self, DirectorySection, RawDirectory};
use super::error::ConfigError;
use super::kerberos::{self, Kerberos, RawKerberos};
use super::limits::{self, Limits, RawLimits};
use super::oauth::{self, Oauth, RawOauth};
use super::source::Source;

/// What every kind of configuration says; paths are absolute or relative to the working directory.
pub(crate) struct Common {
    /// The file it was read from.
    pub(crate) path: PathBuf,
    /// Where everything is kept.
    pub(crate) data_dir: PathBuf,
    /// Principals that every request of is allowed.
    pub(crate) super_users: Vec<Principal>,
    /// The account made at the first start, if any.
    pub(crate) bootstrap: Option<Bootstrap>,
    pub(crate) limits: Limits,
    /// Whose tokens are good.
    pub(crate) oauth: Option<Oauth>,
    /// Where users are that are not known here, and groups.
    pub(crate) directory: Option<DirectorySection>,
    pub(crate) delegation_tokens: TokenConfig,
    /// Whose tickets are good.
    pub(crate) kerberos: Option<Kerberos>,
    pub(crate) audit: Audit,
}

/// The same, still unchecked. No `Deserialize`: serde can't refuse unknown keys of a flattened structure.
pub(super) struct RawCommon {
    pub(super) data_dir: PathBuf,
    pub(super) super_users: Vec<Spanned<String>>,
    pub(super) bootstrap: Option<RawBootstrap>,
    pub(super) limits: RawLimits,
    pub(super) oauth: Option<RawOauth>,
    pub(super) directory: Option<RawDirectory>,
    pub(super) delegation_tokens: RawDelegationTokens,
    pub(super) kerberos: Option<RawKerberos>,
    pub(super) audit: RawAudit,
}

pub(super) fn check(source: &Source<'_>, raw: RawCommon) -> Result<Common, ConfigError> {
    let data_dir = source.resolve(&raw.data_dir);
    let super_user = |text: &Spanned<String>| {
        let principal = text.get_ref().parse::<Principal>();
        principal.map_err(|error| source.error(text.span(), "super_users", error.to_string()))
    };
    Ok(Common {
        path: source.path.to_owned(),
        super_users: raw.super_users.iter().map(super_user).collect::<Result<_, _>>()?,
        bootstrap: raw.bootstrap.map(|raw| bootstrap::check(source, raw)).transpose()?,
        limits: limits::check(source, &raw.limits)?,
        oauth: raw.oauth.as_ref().map(|raw| oauth::check(source, raw)).transpose()?,
        directory: raw.directory.as_ref().map(|raw| directory::check(source, raw)).transpose()?,
        delegation_tokens: delegation_tokens::check(source, &raw.delegation_tokens)?,
        kerberos: raw.kerberos.as_ref().map(|raw| kerberos::check(source, raw)).transpose()?,
        audit: audit::check(source, &data_dir, &raw.audit)?,
        data_dir,
    })
}
