//! Changing groups, roles and whole policies: each change is made as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schloss_identity::{Mechanism, ScramCredential};
use schloss_policy::{
    AclSet, Binding, Bindings, CLUSTER_NAME, Grants, Groups, Members, Operation, ResourceType, Roles, Subject,
};
use schloss_wire::{ErrorCode, Principal};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::policy::PolicyDocument;
use super::steps::{Step, Target};
use crate::accounts::{Account, Accounts, key_owner};
use crate::draft::Draft;
use crate::error::{MetadataError, Refusal};
use crate::metadata::Metadata;
use crate::record::Record;
use crate::snapshot::Snapshot;
use crate::user_changes::ChangeError;

/// A wish. What is there already, or gone already, is no error.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecurityChange {
    /// These are members of a local group; it is made if it is not there.
    AddToGroup {
        /// The group, without `Group:`.
        group: String,
        /// Who; with none an empty group is made.
        members: Members,
    },
    /// These are no members of a local group any more.
    RemoveFromGroup {
        /// The group.
        group: String,
        /// Who.
        members: Members,
    },
    /// There is no such local group any more.
    DeleteGroup {
        /// The group.
        group: String,
    },
    /// There is this role, and it allows this.
    SetRole {
        /// Its name.
        role: String,
        /// What it allows.
        grants: Grants,
    },
    /// There is no such role any more. It must not be bound.
    DeleteRole {
        /// Its name.
        role: String,
    },
    /// Somebody has a role, until when it says.
    Bind(Binding),
    /// Somebody has a role no more.
    Unbind(Binding),
    /// This is known of a user, instead of what was known before; `None`: nothing.
    SetAccount {
        /// The user's name.
        name: String,
        /// What is known.
        account: Option<Account>,
    },
    /// A user has one more API key, a name that logs in as it with credentials of its own.
    AddKey {
        /// The user's name.
        user: String,
        /// The key's: `<user>:key:<id>`, of nobody yet.
        key: String,
        /// What checks its secret, one for each mechanism.
        credentials: Vec<ScramCredential>,
    },
    /// There is no such API key any more.
    RemoveKey {
        /// Its name.
        key: String,
    },
    /// A user is gone for good: without credentials, ACLs, roles, memberships and quotas, and with an account that is
    /// disabled, so that neither a certificate nor a token lets it in again. Delegation tokens go that the user owns, has
    /// made for others, or could renew: whoever can renew one has been told its HMAC.
    Offboard {
        /// The user's name.
        user: String,
        /// Only tell the steps.
        #[serde(default)]
        dry_run: bool,
    },
    /// All that the document speaks of is as it says.
    Apply {
        /// The document.
        policy: Box<PolicyDocument>,
        /// Only tell the steps.
        #[serde(default)]
        dry_run: bool,
    },
}

impl SecurityChange {
    /// What it wants, and whether it is only asked about.
    fn target(self, now: &Snapshot) -> Result<(Target, bool), Refusal> {
        let rules = now.acls();
        let groups = || Groups::clone(rules.groups());
        let roles = || Roles::clone(rules.roles());
        let bindings = || Bindings::clone(rules.bindings());
        let target = match self {
            Self::AddToGroup { group, members } => {
                let mut groups = groups();
                groups.entry(group).or_default().extend(members);
                Target { groups: Some(groups), ..Target::default() }
            }
            Self::RemoveFromGroup { group, members } => {
                let mut groups = groups();
                let known = groups.get_mut(&group).ok_or_else(|| missing("group", &group))?;
                known.retain(|member| !members.contains(member));
                Target { groups: Some(groups), ..Target::default() }
            }
            Self::DeleteGroup { group } => {
                let mut groups = groups();
                groups.remove(&group).ok_or_else(|| missing("group", &group))?;
                Target { groups: Some(groups), ..Target::default() }
            }
            Self::SetRole { role, grants } => {
                let mut roles = roles();
                roles.insert(role, grants);
                Target { roles: Some(roles), ..Target::default() }
            }
            Self::DeleteRole { role } => {
                let mut roles = roles();
                roles.remove(&role).ok_or_else(|| missing("role of your own named", &role))?;
                if let Some(binding) = rules.bindings().iter().find(|binding| binding.role == role) {
                    let words = format!("{role} is bound: {binding}; unbind it first");
                    return Err(Refusal::new(ErrorCode::InvalidRequest, words));
                }
                Target { roles: Some(roles), ..Target::default() }
            }
            Self::Bind(binding) => {
                let mut bindings = bindings();
                bindings.replace(binding);
                Target { bindings: Some(bindings), ..Target::default() }
            }
            Self::Unbind(binding) => {
                let mut bindings = bindings();
                if !bindings.remove(&binding) {
                    return Err(missing("binding:", &binding.to_string()));
                }
                Target { bindings: Some(bindings), ..Target::default() }
            }
            Self::SetAccount { name, account } => {
                let mut accounts = now.accounts().clone();
                match account {
                    Some(account) => accounts.insert(name, account),
                    None => accounts.remove(&name),
                };
                Target { accounts: Some(accounts), ..Target::default() }
            }
            Self::AddKey { user, key, credentials } => with_key(now, user, key, credentials)?,
            Self::RemoveKey { key } => without_key(now, &key)?,
            Self::Offboard { user, dry_run } => return Ok((offboarded(now, &user), dry_run)),
            Self::Apply { policy, dry_run } => return Ok((policy.target(now)?, dry_run)),
        };
        Ok((target, false))
    }
}

/// One API key more.
fn with_key(
    now: &Snapshot,
    user: String,
    key: String,
    credentials: Vec<ScramCredential>,
) -> Result<Target, Refusal> {
    let invalid =
        |words: &str| Err(Refusal::new(ErrorCode::InvalidRequest, format!("the API key {key} {words}")));
    let mechanisms: BTreeSet<Mechanism> = credentials.iter().map(ScramCredential::mechanism).collect();
    if mechanisms.is_empty() || mechanisms.len() != credentials.len() {
        return invalid("needs a credential, and one alone for each mechanism");
    }
    let mut accounts = now.accounts().clone();
    let is_known = now.user(&key).is_some() || accounts.contains_key(&key);
    if is_known || !accounts.entry(user).or_default().keys.insert(key.clone()) {
        let words = format!("{key} is somebody's name already: take another one for the API key");
        return Err(Refusal::new(ErrorCode::DuplicateResource, words));
    }
    let credentials = credentials.into_iter().map(|credential| (key.clone(), credential)).collect();
    Ok(Target { accounts: Some(accounts), credentials, ..Target::default() })
}

/// Without an API key: its name is nobody's then, and no user of its own.
fn without_key(now: &Snapshot, key: &str) -> Result<Target, Refusal> {
    let mut accounts = now.accounts().clone();
    let owner = key_owner(&accounts, key).ok_or_else(|| missing("API key", key))?;
    if let Some(account) = accounts.get_mut(owner) {
        account.keys.remove(key);
    }
    let users = users_but(now, |name| name == key);
    Ok(Target { users: Some(users), accounts: Some(accounts), ..Target::default() })
}

/// All users without some, with the mechanisms that they have credentials for.
fn users_but(now: &Snapshot, goes: impl Fn(&str) -> bool) -> BTreeMap<String, BTreeSet<Mechanism>> {
    let stay = now.users().filter(|(name, _)| !goes(name));
    stay.map(|(name, user)| (name.to_string(), user.mechanisms().map(|(mechanism, _)| mechanism).collect()))
        .collect()
}

/// Everything without a user.
fn offboarded(now: &Snapshot, user: &str) -> Target {
    let (rules, principal) = (now.acls(), Principal::user(user));
    let keys = now.accounts().get(user).map(|account| account.keys.clone()).unwrap_or_default();
    let users = users_but(now, |name| name == user || keys.contains(name));
    let mut groups = Groups::clone(rules.groups());
    groups.values_mut().for_each(|members| members.retain(|member| *member != principal));
    let bindings = rules.bindings().iter().filter(|binding| binding.principal != principal);
    let acls = rules.iter().filter(|acl| acl.principal != principal.as_str());
    let mut accounts = now.accounts().clone();
    let account = accounts.entry(user.to_owned()).or_default();
    account.disabled = true;
    account.keys.clear();
    let tokens = now.tokens().filter(|(_, token)| !token.is_known_to(&principal));
    let quotas = now.client_quotas().iter().filter(|(entity, _)| entity.user() != Some(user));
    Target {
        tokens: Some(tokens.map(|(id, _)| id.to_string()).collect()),
        users: Some(users),
        accounts: Some(accounts),
        groups: Some(groups),
        bindings: Some(bindings.cloned().collect()),
        acls: Some(acls.cloned().collect()),
        quotas: Some(quotas.map(|(entity, quotas)| (entity.clone(), quotas.clone())).collect()),
        ..Target::default()
    }
}

fn missing(what: &str, name: &str) -> Refusal {
    Refusal::new(ErrorCode::ResourceNotFound, format!("there is no {what} {name}"))
}

impl Metadata {
    /// Makes a change for `caller`, and returns what it did, step by step; nothing if all is as wanted already.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] for what can't be, and for what would take from the caller the right to change it
    /// back; in every case nothing was changed.
    pub async fn alter_security(
        self: &Arc<Self>,
        change: SecurityChange,
        caller: &Subject,
    ) -> Result<Vec<Step>, ChangeError> {
        self.change(|now| {
            let (target, dry_run) = change.clone().target(now)?;
            let steps = target.steps(now)?;
            if steps.records.is_empty() {
                return Ok((Vec::new(), steps.steps));
            }
            refuse_lock_out(now, &steps.records, caller)?;
            Ok((if dry_run { Vec::new() } else { steps.records }, steps.steps))
        })
        .await
    }
}

/// Whoever makes a change must be able to see what it did, and to take it back.
fn refuse_lock_out(now: &Snapshot, records: &[Record], caller: &Subject) -> Result<(), ChangeError> {
    let mut draft = Draft::after(now);
    records.iter().cloned().try_for_each(|record| draft.apply(record)).map_err(inapplicable)?;
    let after = draft.over_cluster();
    let may = |rules: &AclSet, operation| {
        rules.decide(caller, operation, ResourceType::Cluster, CLUSTER_NAME).allowed
    };
    for operation in [Operation::Alter, Operation::Describe] {
        if may(now.acls(), operation) && !may(&after, operation) {
            let words = format!(
                "this would take {operation} on the cluster from {}, who asks for it: nothing was changed",
                caller.principal
            );
            return Err(Refusal::new(ErrorCode::PolicyViolation, words).into());
        }
    }
    let name = caller.principal.name();
    let is_barred = |accounts: &Accounts| {
        let account = accounts.get(name);
        account.and_then(|account| account.objection(OffsetDateTime::now_utc())).is_some()
    };
    if is_barred(draft.accounts()) && !is_barred(now.accounts()) {
        let words = format!("this would take the account of {}, who asks for it", caller.principal);
        return Err(Refusal::new(ErrorCode::PolicyViolation, words).into());
    }
    let is_user = caller.principal.kind() == Principal::USER;
    if is_user && now.user(name).is_some() && !draft.has_user(name) {
        let words = format!("this would take the last credential of {}, who asks for it", caller.principal);
        return Err(Refusal::new(ErrorCode::PolicyViolation, words).into());
    }
    Ok(())
}

fn inapplicable(error: MetadataError) -> ChangeError {
    Refusal::new(ErrorCode::InvalidRequest, error.to_string()).into()
}
