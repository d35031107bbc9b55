//! What is known of those who log in, by whatever way.

use std::collections::BTreeMap;

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
    /// Whether it is of no use now.
    #[serde(default)]
    pub disabled: bool,
}

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

/// Whether there can be an account of this name, with what is said of it.
pub(crate) fn check_account(name: &str, account: &Account) -> Result<(), String> {
    let names = std::iter::once(name).chain(account.owner.as_deref());
    names.into_iter().try_for_each(check_user_name).map_err(|error| format!("account {name}: {error}"))
}
