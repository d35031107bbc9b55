//! `[directory]`: where users are that are not known here, and groups.

use std::path::PathBuf;
use std::time::Duration;

use schloss_directory::{
    Access, Base, DnTemplate, GroupFilter, GroupRules, LdapConfig, Protection, Server, Times, UserFilter,
    UserRules,
};
use schloss_identity::{MAX_GROUPS, Method, Password, SaslMechanism};
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::limits::MS_PER_HOUR;
use super::oauth::SYSTEM_CA_FILE;
use super::secret;
use super::source::Source;

/// What goes before the names of the directory's groups, if nothing else is said.
const PREFIX: &str = "ldap/";

/// An LDAP directory.
pub(crate) struct DirectorySection {
    /// All but the TLS.
    pub(crate) ldap: LdapConfig,
    /// Whom its servers are trusted by; none where no way to them is protected.
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDirectory {
    servers: Spanned<Vec<Spanned<String>>>,
    ca_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    insecure_plain: bool,
    bind_dn: Option<Spanned<String>>,
    bind_password_file: Option<Spanned<PathBuf>>,
    bind_password_env: Option<Spanned<String>>,
    max_connections: Option<Spanned<u64>>,
    timeout_ms: Option<Spanned<u64>>,
    user_base: Option<Spanned<String>>,
    user_filter: Option<Spanned<String>>,
    user_dn: Option<Spanned<String>>,
    user_name_attribute: Option<Spanned<String>>,
    group_base: Option<Spanned<String>>,
    group_filter: Option<Spanned<String>>,
    member_of_attribute: Option<Spanned<String>>,
    group_name_attribute: Option<Spanned<String>>,
    group_prefix: Option<String>,
    max_nesting: Option<Spanned<u64>>,
    groups_for: Option<Vec<Spanned<String>>>,
    refresh_ms: Option<Spanned<u64>>,
    max_stale_ms: Option<Spanned<u64>>,
    max_users: Option<Spanned<u64>>,
}

impl DirectorySection {
    /// Whether passwords go over the net for everybody to read.
    pub(crate) fn is_insecure(&self) -> bool {
        self.ldap.access.servers.iter().any(|server| server.protection() == Protection::InsecurePlain)
    }
}

pub(super) fn check(source: &Source<'_>, raw: &RawDirectory) -> Result<DirectorySection, ConfigError> {
    let servers = servers(source, raw)?;
    let needs_tls = servers.iter().any(|server| server.protection() != Protection::InsecurePlain);
    let ca_file = if needs_tls { Some(ca_file(source, raw)?) } else { None };
    let access = Access {
        servers,
        tls: None,
        service: service(source, raw)?,
        max_connections: source.count(
            raw.max_connections.as_ref(),
            "directory.max_connections",
            8,
            1..=256,
        )?,
        time_limit: source.millis(raw.timeout_ms.as_ref(), "directory.timeout_ms", 5_000, 100..=60_000)?,
    };
    let ldap = LdapConfig {
        access,
        users: users(source, raw)?,
        name_attribute: attribute(
            source,
            raw.user_name_attribute.as_ref(),
            "directory.user_name_attribute",
            "uid",
        )?,
        groups: groups(source, raw)?,
        times: times(source, raw)?,
        methods: methods(source, raw)?,
    };
    Ok(DirectorySection { ldap, ca_file })
}

fn servers(source: &Source<'_>, raw: &RawDirectory) -> Result<Vec<Server>, ConfigError> {
    const KEY: &str = "directory.servers";
    let server = |text: &Spanned<String>| {
        let server = text.get_ref().parse::<Server>();
        let server = server.map_err(|error| {
            let help = "use ldaps://host:636, or ldap://host:389 for StartTLS".to_owned();
            let message = format!("'{}' can't be used: {error}", text.get_ref());
            ConfigError { help: Some(help), ..source.error(text.span(), KEY, message) }
        })?;
        Ok(if raw.insecure_plain { server.insecure() } else { server })
    };
    if raw.servers.get_ref().is_empty() {
        return Err(source.error(
            raw.servers.span(),
            KEY,
            "is empty: name at least one, such as ldaps://dc1.example",
        ));
    }
    raw.servers.get_ref().iter().map(server).collect()
}

fn ca_file(source: &Source<'_>, raw: &RawDirectory) -> Result<PathBuf, ConfigError> {
    let path = match &raw.ca_file {
        Some(file) => source.resolve(file.get_ref()),
        None => PathBuf::from(SYSTEM_CA_FILE),
    };
    if path.is_file() {
        return Ok(path);
    }
    let span = raw.ca_file.as_ref().map_or(raw.servers.span(), Spanned::span);
    let message = format!("{} is no file: name the CA of the directory's servers", path.display());
    Err(source.error(span, "directory.ca_file", message))
}

fn service(source: &Source<'_>, raw: &RawDirectory) -> Result<Option<(String, Password)>, ConfigError> {
    const FILE: &str = "directory.bind_password_file";
    const ENV: &str = "directory.bind_password_env";
    let Some(dn) = &raw.bind_dn else {
        let stray = raw.bind_password_file.as_ref().map(|file| (file.span(), FILE));
        let stray = stray.or(raw.bind_password_env.as_ref().map(|name| (name.span(), ENV)));
        return match stray {
            Some((span, key)) => {
                Err(source.error(span, key, "stands without bind_dn: name whose password it is"))
            }
            None => Ok(None),
        };
    };
    let (password, span, key) = match (&raw.bind_password_file, &raw.bind_password_env) {
        (Some(file), None) => (secret::from_file(source, file, FILE)?, file.span(), FILE),
        (None, Some(name)) => (secret::from_env(source, name, ENV)?, name.span(), ENV),
        _ => {
            let message = "needs exactly one of bind_password_file and bind_password_env";
            return Err(source.error(dn.span(), "directory.bind_dn", message));
        }
    };
    // Servers take a name without a password for nobody, and say that all is well (RFC 4513, section 5.1.2).
    if password.is_empty() || dn.get_ref().is_empty() {
        return Err(source.error(span, key, "name and password of the log-in can't be empty"));
    }
    Ok(Some((dn.get_ref().clone(), Password::new((*password).clone()))))
}

fn users(source: &Source<'_>, raw: &RawDirectory) -> Result<UserRules, ConfigError> {
    const DN: &str = "directory.user_dn";
    match (&raw.user_base, &raw.user_dn) {
        (Some(base), None) => {
            let key = "directory.user_filter";
            let (text, span) = match &raw.user_filter {
                Some(filter) => (filter.get_ref().as_str(), filter.span()),
                None => ("(uid={user})", base.span()),
            };
            let filter = UserFilter::new(text).map_err(|error| source.error(span, key, error.to_string()))?;
            Ok(UserRules::Search { base: self::base(source, base, "directory.user_base")?, filter })
        }
        (None, Some(template)) => {
            if let Some(filter) = &raw.user_filter {
                let message = "stands beside user_dn, with which nothing is searched for: use user_base";
                return Err(source.error(filter.span(), "directory.user_filter", message));
            }
            let template = DnTemplate::new(template.get_ref())
                .map_err(|error| source.error(template.span(), DN, error.to_string()))?;
            Ok(UserRules::Template(template))
        }
        (None, None) => {
            let message = "needs user_base, or user_dn where users are found by their name alone";
            Err(source.error(raw.servers.span(), "directory", message))
        }
        (Some(_), Some(template)) => {
            Err(source.error(template.span(), DN, "stands beside user_base: set one of them"))
        }
    }
}

fn groups(source: &Source<'_>, raw: &RawDirectory) -> Result<Option<GroupRules>, ConfigError> {
    let Some(base) = &raw.group_base else {
        let stray = [
            raw.group_filter.as_ref().map(|value| (value.span(), "directory.group_filter")),
            raw.member_of_attribute.as_ref().map(|value| (value.span(), "directory.member_of_attribute")),
            raw.group_name_attribute.as_ref().map(|value| (value.span(), "directory.group_name_attribute")),
        ];
        return match stray.into_iter().flatten().next() {
            Some((span, key)) => {
                Err(source.error(span, key, "stands without group_base: name where groups are"))
            }
            None => Ok(None),
        };
    };
    if raw.group_filter.is_none() && raw.member_of_attribute.is_none() {
        let message =
            "needs group_filter, such as \"(member={dn})\", or member_of_attribute, such as \"memberOf\"";
        return Err(source.error(base.span(), "directory.group_base", message));
    }
    let filter = raw.group_filter.as_ref().map(|filter| {
        GroupFilter::new(filter.get_ref())
            .map_err(|error| source.error(filter.span(), "directory.group_filter", error.to_string()))
    });
    let member_of = raw.member_of_attribute.as_ref();
    let member_of = member_of.map(|name| attribute(source, Some(name), "directory.member_of_attribute", ""));
    Ok(Some(GroupRules {
        base: self::base(source, base, "directory.group_base")?,
        member_of: member_of.transpose()?,
        filter: filter.transpose()?,
        name_attribute: attribute(
            source,
            raw.group_name_attribute.as_ref(),
            "directory.group_name_attribute",
            "cn",
        )?,
        prefix: raw.group_prefix.clone().unwrap_or_else(|| PREFIX.to_owned()),
        max_nesting: source.count(
            raw.max_nesting.as_ref(),
            "directory.max_nesting",
            10,
            0..=MAX_GROUPS as u64,
        )?,
    }))
}

fn times(source: &Source<'_>, raw: &RawDirectory) -> Result<Times, ConfigError> {
    let refresh =
        source.millis(raw.refresh_ms.as_ref(), "directory.refresh_ms", 60_000, 100..=24 * MS_PER_HOUR)?;
    let least = u64::try_from(refresh.as_millis()).unwrap_or(u64::MAX);
    let usual = least.max(900_000);
    let max_stale = source.millis(
        raw.max_stale_ms.as_ref(),
        "directory.max_stale_ms",
        usual,
        least..=30 * 24 * MS_PER_HOUR,
    )?;
    let max_users = source.count(raw.max_users.as_ref(), "directory.max_users", 10_000, 1..=1_000_000)?;
    // A refresh is due before what was said is too old, or every answer would be gone for a moment.
    Ok(Times { refresh, max_stale: max_stale.max(refresh + Duration::from_secs(1)), max_users })
}

fn methods(source: &Source<'_>, raw: &RawDirectory) -> Result<Vec<Method>, ConfigError> {
    let method = |name: &Spanned<String>| {
        if name.get_ref() == Method::Certificate.name() {
            return Ok(Method::Certificate);
        }
        SaslMechanism::from_name(name.get_ref()).map(Method::Sasl).ok_or_else(|| {
            let message = format!("'{}' is no way to log in", name.get_ref());
            let known = SaslMechanism::ALL.map(SaslMechanism::name).join(", ");
            let help = Some(format!("known: TLS, {known}"));
            ConfigError { help, ..source.error(name.span(), "directory.groups_for", message) }
        })
    };
    raw.groups_for.iter().flatten().map(method).collect()
}

fn base(source: &Source<'_>, text: &Spanned<String>, key: &str) -> Result<Base, ConfigError> {
    Base::new(text.get_ref()).ok_or_else(|| {
        let message = format!("'{}' is no distinguished name, such as ou=people,dc=example", text.get_ref());
        source.error(text.span(), key, message)
    })
}

fn attribute(
    source: &Source<'_>,
    name: Option<&Spanned<String>>,
    key: &str,
    usual: &str,
) -> Result<String, ConfigError> {
    let Some(name) = name else { return Ok(usual.to_owned()) };
    let text = name.get_ref();
    let is_one = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_one {
        return Ok(text.clone());
    }
    Err(source.error(name.span(), key, format!("'{text}' is no name of an attribute, such as cn")))
}
