//! A policy as one document.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schloss_identity::Mechanism;
use schloss_policy::{Acl, AclSet, Binding, Groups, Roles, Rules};
use schloss_wire::Principal;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::steps::Target;
use crate::accounts::{Account, AccountKind, Accounts};
use crate::error::Refusal;
use crate::quotas::{QuotaEntity, QuotaValues};
use crate::snapshot::Snapshot;

/// The one version of documents.
const VERSION: u32 = 1;

/// Everything that decides who may do what: what is exported, planned and applied. A part that is left out is
/// left as it is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// The version of the form, 1.
    pub version: u32,
    /// Whom nothing binds: from the configuration of the node, told here so that explanations are right offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub super_users: Option<BTreeSet<Principal>>,
    /// Users and for which mechanisms they have credentials. Passwords are never in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<BTreeMap<String, BTreeSet<Mechanism>>>,
    /// What is known of users, whatever they log in with. Their API keys are among the users: the names alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<BTreeMap<String, AccountDocument>>,
    /// Local groups and their members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
    /// Roles besides those that are built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Roles>,
    /// Who has which role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bindings: Option<Vec<Binding>>,
    /// The ACLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acls: Option<Vec<Acl>>,
    /// The client quotas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotas: Option<Vec<QuotaDocument>>,
}

/// What is known of one user.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AccountDocument {
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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

/// The quotas of one entity.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaDocument {
    /// Whose.
    pub entity: QuotaEntity,
    /// What is set.
    pub quotas: QuotaValues,
}

impl PolicyDocument {
    /// All that is in force.
    #[must_use]
    pub fn export(snapshot: &Snapshot) -> Self {
        let rules = snapshot.acls();
        let mechanisms = |user: &crate::User| user.mechanisms().map(|(mechanism, _)| mechanism).collect();
        let quotas = snapshot.client_quotas().iter();
        Self {
            version: VERSION,
            super_users: Some(snapshot.super_users().iter().cloned().collect()),
            users: Some(snapshot.users().map(|(name, user)| (name.to_string(), mechanisms(user))).collect()),
            accounts: Some(exported(snapshot.accounts())),
            groups: Some(Groups::clone(rules.groups())),
            roles: Some(Roles::clone(rules.roles())),
            bindings: Some(rules.bindings().iter().cloned().collect()),
            acls: Some(rules.iter().cloned().collect()),
            quotas: Some(
                quotas
                    .map(|(entity, quotas)| QuotaDocument { entity: entity.clone(), quotas: quotas.clone() })
                    .collect(),
            ),
        }
    }

    /// Its rules, compiled, for decisions without a node. Parts that are left out are empty.
    #[must_use]
    pub fn compile(self) -> AclSet {
        let rules = Rules {
            acls: self.acls.unwrap_or_default(),
            groups: Arc::new(self.groups.unwrap_or_default()),
            roles: Arc::new(self.roles.unwrap_or_default()),
            bindings: Arc::new(self.bindings.unwrap_or_default().into_iter().collect()),
            super_users: self.super_users.unwrap_or_default().into_iter().collect(),
        };
        AclSet::compile(rules, 0)
    }

    /// The same with what is left out taken from another.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self {
            version: self.version,
            super_users: self.super_users.or(other.super_users),
            users: self.users.or(other.users),
            accounts: self.accounts.or(other.accounts),
            groups: self.groups.or(other.groups),
            roles: self.roles.or(other.roles),
            bindings: self.bindings.or(other.bindings),
            acls: self.acls.or(other.acls),
            quotas: self.quotas.or(other.quotas),
        }
    }

    /// What it wants.
    ///
    /// # Errors
    /// It is of another version, says a thing twice, or wants super users that the configuration doesn't name.
    pub(super) fn target(self, snapshot: &Snapshot) -> Result<Target, Refusal> {
        if self.version != VERSION {
            return Err(invalid(format!("version {} is not known: write version: {VERSION}", self.version)));
        }
        let named: BTreeSet<Principal> = snapshot.super_users().iter().cloned().collect();
        if self.super_users.is_some_and(|wanted| wanted != named) {
            let words =
                "super_users differ from those of the node: they are changed in its configuration alone";
            return Err(invalid(words.to_owned()));
        }
        let quotas = self.quotas.map(|quotas| {
            once(quotas.into_iter().map(|quota| (quota.entity, quota.quotas)), "the quotas of one entity")
        });
        let bindings = self
            .bindings
            .map(|bindings| once(bindings.into_iter().map(|binding| (binding, ())), "a binding"));
        let acls = self.acls.map(|acls| once(acls.into_iter().map(|acl| (acl, ())), "an ACL"));
        Ok(Target {
            // No document speaks of them.
            tokens: None,
            accounts: wanted_accounts(snapshot, self.accounts, self.users.as_ref()),
            users: self.users,
            credentials: Vec::new(),
            groups: self.groups,
            roles: self.roles,
            bindings: bindings.transpose()?.map(|bindings| bindings.into_keys().collect()),
            acls: acls.transpose()?.map(|acls| acls.into_keys().collect()),
            quotas: quotas.transpose()?,
        })
    }
}

fn exported(accounts: &Accounts) -> BTreeMap<String, AccountDocument> {
    let facts = |account: &Account| AccountDocument {
        kind: account.kind,
        owner: account.owner.clone(),
        expires: account.expires,
        disabled: account.disabled,
    };
    accounts.iter().map(|(name, account)| (name.clone(), facts(account))).collect()
}

/// The accounts that a document wants, each with those of its API keys that it leaves.
fn wanted_accounts(
    snapshot: &Snapshot,
    said: Option<BTreeMap<String, AccountDocument>>,
    users: Option<&BTreeMap<String, BTreeSet<Mechanism>>>,
) -> Option<Accounts> {
    if said.is_none() && users.is_none() {
        return None;
    }
    let known = snapshot.accounts();
    let keys_of = |name: &str| -> BTreeSet<String> {
        let keys = known.get(name).into_iter().flat_map(|account| account.keys.iter());
        keys.filter(|key| users.is_none_or(|users| users.contains_key(*key))).cloned().collect()
    };
    let said = said.unwrap_or_else(|| exported(known));
    // Who is left out is not disabled and does not end; its keys are still its own.
    let left_out = known.keys().filter(|name| !said.contains_key(*name) && !keys_of(name).is_empty());
    let mut wanted: Accounts = left_out.map(|name| (name.clone(), Account::default())).collect();
    for (name, AccountDocument { kind, owner, expires, disabled }) in said {
        wanted.insert(name, Account { kind, owner, expires, disabled, ..Account::default() });
    }
    for (name, account) in &mut wanted {
        account.keys = keys_of(name);
    }
    Some(wanted)
}

/// What is said, each thing once.
fn once<K: Ord, V>(said: impl Iterator<Item = (K, V)>, what: &str) -> Result<BTreeMap<K, V>, Refusal> {
    let mut all = BTreeMap::new();
    for (index, (key, value)) in said.enumerate() {
        if all.insert(key, value).is_some() {
            return Err(invalid(format!(
                "{what} stands there twice, the second time as number {}",
                index + 1
            )));
        }
    }
    Ok(all)
}

fn invalid(words: String) -> Refusal {
    Refusal::new(schloss_wire::ErrorCode::InvalidRequest, words)
}
