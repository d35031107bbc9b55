//! What is known of those who log in, by whatever way.

use std::collections::{BTreeMap, BTreeSet};

use schloss_identity::check_user_name;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Who stands behind an account.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A person.
    #[default]
    User,
    /// A program.
    Service,
}

/// What is known of the user of a name, whether it comes with a password, a certificate or a token. Who has none is
/// neither disabled nor ever over.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Who stands behind it.
    #[serde(default)]
    pub kind: AccountKind,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// From when on it is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub expires: Option<OffsetDateTime>,
    /// API keys that log in as it, by password: each is a user of its own name, `<account>:key:<id>`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub keys: BTreeSet<String>,
    /// Whether it is of no use now.
    #[serde(default)]
    pub disabled: bool,
}

/// Most API keys of one account: some to rotate.
pub const MAX_KEYS: usize = 100;

/// Accounts by name.
pub type Accounts = BTreeMap<String, Account>;

impl Account {
    /// Why nobody is served by this account at this moment, if so.
    #[must_use]
    pub fn objection(&self, now: OffsetDateTime) -> Option<&'static str> {
        if self.disabled {
            Some("the account is disabled")
        } else if self.expires.is_some_and(|end| end <= now) {
            Some("the account has expired")
        } else {
            None
        }
    }
}

/// What is between the name of an account and the id of one of its keys.
pub const KEY_MARK: &str = ":key:";

/// The account whose API key a name is, if it is one.
#[must_use]
pub fn key_owner<'a>(accounts: &Accounts, name: &'a str) -> Option<&'a str> {
    let (owner, _) = name.rsplit_once(KEY_MARK)?;
    accounts.get(owner)?.keys.contains(name).then_some(owner)
}

/// Whether there can be an account of this name, with what is said of it.
pub(crate) fn check_account(name: &str, account: &Account) -> Result<(), String> {
    if account.keys.len() > MAX_KEYS {
        return Err(format!("account {name}: there can be no more than {MAX_KEYS} API keys"));
    }
    let is_its_own = |key: &&String| key.rsplit_once(KEY_MARK).is_some_and(|(owner, _)| owner == name);
    if let Some(key) = account.keys.iter().find(|key| !is_its_own(key)) {
        return Err(format!("account {name}: the API key {key} does not begin with {name}{KEY_MARK}"));
    }
    let keys = account.keys.iter().map(String::as_str);
    let names = std::iter::once(name).chain(account.owner.as_deref()).chain(keys);
    names.into_iter().try_for_each(check_user_name).map_err(|error| format!("account {name}: {error}"))
}
