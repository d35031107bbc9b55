//! From what is to what is wanted, step by step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use schloss_identity::{Mechanism, ScramCredential, check_user_name};
use schloss_policy::{Acl, Bindings, Groups, Members, Roles, check_group, check_role};
use schloss_wire::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::accounts::{Accounts, check_account};
use crate::error::Refusal;
use crate::limits::{
    MAX_ACLS, MAX_BINDINGS, MAX_GROUPS, MAX_MEMBERS, MAX_QUOTA_ENTITIES, MAX_ROLES, MAX_USERS,
};
use crate::quota_changes::check_quotas;
use crate::quotas::{QuotaEntity, QuotaValues};
use crate::record::Record;
use crate::snapshot::Snapshot;

/// What is wanted; `None` for what stays as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) users: Option<BTreeMap<String, BTreeSet<Mechanism>>>,
    /// Credentials that are not there yet, with the users' names.
    pub(super) credentials: Vec<(String, ScramCredential)>,
    pub(super) accounts: Option<Accounts>,
    /// The ids of those delegation tokens that stay.
    pub(super) tokens: Option<BTreeSet<String>>,
    pub(super) groups: Option<Groups>,
    pub(super) roles: Option<Roles>,
    pub(super) bindings: Option<Bindings>,
    pub(super) acls: Option<BTreeSet<Acl>>,
    pub(super) quotas: Option<BTreeMap<QuotaEntity, QuotaValues>>,
}

/// What a step does to its thing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// It was not there.
    Add,
    /// It is another now.
    Change,
    /// It is gone.
    Remove,
}

/// One thing that a change adds, changes or removes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it does.
    #[serde(rename = "do")]
    pub kind: StepKind,
    /// To what sort of thing: `user`, `account`, `token`, `group`, `role`, `binding`, `acl`, `quota`.
    pub what: String,
    /// Its name, or itself in words.
    pub name: String,
    /// What was there before; of a group that changes, the members that it loses.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub before: Value,
    /// What is there after it; of a group that changes, the members that it gains.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub after: Value,
}

/// Steps with the records that make them.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    pub(super) records: Vec<Record>,
}

impl Target {
    /// The steps from a state to what is wanted; none if it is that already.
    ///
    /// # Errors
    /// What is wanted can't be, in words.
    pub(super) fn steps(self, now: &Snapshot) -> Result<Steps, Refusal> {
        let rules = now.acls();
        let mut steps = Steps::default();
        if let Some(users) = &self.users {
            steps.users(now, users)?;
        }
        if let Some(accounts) = &self.accounts {
            bound(accounts.len(), MAX_USERS, "accounts")?;
            accounts.iter().try_for_each(|(name, account)| check_account(name, account)).map_err(wrong)?;
            steps.maps("account", now.accounts(), accounts, whole, |name, account| match account {
                Some(account) => Record::Account { name: name.clone(), account: account.clone() },
                None => Record::AccountDeleted { name: name.clone() },
            });
        }
        if let Some(tokens) = &self.tokens {
            for (id, token) in now.tokens().filter(|(id, _)| !tokens.contains(id.as_ref())) {
                let before = json!({ "owner": token.owner, "requester": token.requester });
                let record = Record::TokenDeleted { id: id.to_string() };
                steps.push(StepKind::Remove, "token", id, before, Value::Null, record);
            }
        }
        steps.credentials(now, self.credentials)?;
        if let Some(groups) = &self.groups {
            bound(groups.len(), MAX_GROUPS, "groups")?;
            for (name, members) in groups {
                check_group(name, members).map_err(wrong)?;
                bound(members.len(), MAX_MEMBERS, "members in one group")?;
            }
            steps.maps("group", rules.groups(), groups, moved, |name, members| match members {
                Some(members) => Record::Group { name: name.clone(), members: members.clone() },
                None => Record::GroupDeleted { name: name.clone() },
            });
        }
        if let Some(roles) = &self.roles {
            bound(roles.len(), MAX_ROLES, "roles")?;
            roles.iter().try_for_each(|(name, grants)| check_role(name, grants).map_err(wrong))?;
            steps.maps("role", rules.roles(), roles, whole, |name, grants| match grants {
                Some(grants) => Record::Role { name: name.clone(), grants: grants.clone() },
                None => Record::RoleDeleted { name: name.clone() },
            });
        }
        if self.roles.is_some() || self.bindings.is_some() {
            let roles = self.roles.as_ref().unwrap_or(rules.roles());
            let bindings = self.bindings.as_ref().unwrap_or(rules.bindings());
            bound(bindings.len(), MAX_BINDINGS, "bindings")?;
            for binding in bindings {
                binding.validate(roles).map_err(|error| {
                    Refusal::new(ErrorCode::InvalidRequest, format!("{binding}: {error}"))
                })?;
            }
        }
        if let Some(bindings) = &self.bindings {
            steps.bindings(rules.bindings(), bindings);
        }
        if let Some(acls) = &self.acls {
            bound(acls.len(), MAX_ACLS, "ACLs")?;
            for acl in acls {
                acl.validate()
                    .map_err(|error| Refusal::new(ErrorCode::InvalidRequest, format!("{acl}: {error}")))?;
            }
            let known: BTreeSet<&Acl> = rules.iter().collect();
            for acl in acls.iter().filter(|acl| !known.contains(acl)) {
                steps.push(StepKind::Add, "acl", acl, Value::Null, json!(acl), Record::Acl(acl.clone()));
            }
            for acl in rules.iter().filter(|acl| !acls.contains(acl)) {
                let record = Record::AclDeleted(acl.clone());
                steps.push(StepKind::Remove, "acl", acl, json!(acl), Value::Null, record);
            }
        }
        if let Some(quotas) = &self.quotas {
            bound(quotas.len(), MAX_QUOTA_ENTITIES, "entities with quotas")?;
            for (entity, values) in quotas {
                if values.is_empty() {
                    return Err(Refusal::new(
                        ErrorCode::InvalidRequest,
                        format!("{entity} is given no quotas: leave it out"),
                    ));
                }
                check_quotas(entity, values).map_err(|words| {
                    Refusal::new(ErrorCode::InvalidRequest, format!("quotas of {entity}: {words}"))
                })?;
            }
            let known: BTreeMap<QuotaEntity, QuotaValues> =
                now.client_quotas().iter().map(|(entity, values)| (entity.clone(), values.clone())).collect();
            steps.maps("quota", &known, quotas, whole, |entity, values| match values {
                Some(quotas) => Record::ClientQuotas { entity: entity.clone(), quotas: quotas.clone() },
                None => Record::ClientQuotasDeleted { entity: entity.clone() },
            });
        }
        Ok(steps)
    }
}

impl Steps {
    fn push(
        &mut self,
        kind: StepKind,
        what: &str,
        name: impl Display,
        before: Value,
        after: Value,
        record: Record,
    ) {
        self.steps.push(Step { kind, what: what.to_owned(), name: name.to_string(), before, after });
        self.records.push(record);
    }

    /// What differs between two maps.
    fn maps<K: Ord + Display, V: PartialEq + Serialize>(
        &mut self,
        what: &str,
        before: &BTreeMap<K, V>,
        after: &BTreeMap<K, V>,
        told: impl Fn(&V, &V) -> (Value, Value),
        record: impl Fn(&K, Option<&V>) -> Record,
    ) {
        for (key, value) in after.iter().filter(|(key, value)| before.get(key) != Some(value)) {
            let (kind, (before, after)) = match before.get(key) {
                Some(known) => (StepKind::Change, told(known, value)),
                None => (StepKind::Add, (Value::Null, json!(value))),
            };
            self.push(kind, what, key, before, after, record(key, Some(value)));
        }
        for (key, value) in before.iter().filter(|(key, _)| !after.contains_key(key)) {
            self.push(StepKind::Remove, what, key, json!(value), Value::Null, record(key, None));
        }
    }

    fn bindings(&mut self, before: &Bindings, after: &Bindings) {
        for binding in after {
            let known = before.get(binding);
            let kind = if known.is_some() { StepKind::Change } else { StepKind::Add };
            if known.is_none_or(|known| known.expires != binding.expires) {
                let record = Record::RoleBinding(binding.clone());
                self.push(kind, "binding", binding, json!(known), json!(binding), record);
            }
        }
        for binding in before.difference(after) {
            let record = Record::RoleBindingDeleted(binding.clone());
            self.push(StepKind::Remove, "binding", binding, json!(binding), Value::Null, record);
        }
    }

    fn credentials(
        &mut self,
        now: &Snapshot,
        credentials: Vec<(String, ScramCredential)>,
    ) -> Result<(), Refusal> {
        let new: BTreeSet<&String> =
            credentials.iter().map(|(user, _)| user).filter(|user| now.user(user).is_none()).collect();
        bound(now.users().len() + new.len(), MAX_USERS, "users")?;
        for (user, credential) in credentials {
            check_user_name(&user).map_err(wrong)?;
            let mechanism = credential.mechanism();
            let name = format!("{user} ({mechanism})");
            let record = Record::Scram { user, credential };
            self.push(StepKind::Add, "user", name, Value::Null, json!(mechanism), record);
        }
        Ok(())
    }

    /// Users can be taken away; to add one needs a password, which no document holds.
    fn users(
        &mut self,
        now: &Snapshot,
        users: &BTreeMap<String, BTreeSet<Mechanism>>,
    ) -> Result<(), Refusal> {
        for (user, mechanisms) in users {
            let known = now.user(user);
            let lacks =
                |mechanism: &&Mechanism| known.is_none_or(|user| user.credential(**mechanism).is_none());
            if let Some(mechanism) = mechanisms.iter().find(lacks) {
                let words = format!(
                    "user {user} has no credential for {mechanism}: make it first, with 'schloss user add {user}'"
                );
                return Err(Refusal::new(ErrorCode::ResourceNotFound, words));
            }
        }
        for (user, credentials) in now.users() {
            let wanted = users.get(&**user);
            for (mechanism, _) in credentials.mechanisms() {
                if wanted.is_some_and(|wanted| wanted.contains(&mechanism)) {
                    continue;
                }
                let (name, before) = (format!("{user} ({mechanism})"), json!(mechanism));
                let record = Record::ScramDeleted { user: user.to_string(), mechanism };
                self.push(StepKind::Remove, "user", name, before, Value::Null, record);
            }
        }
        Ok(())
    }
}

/// All that was there and all that is there.
fn whole<V: Serialize>(before: &V, after: &V) -> (Value, Value) {
    (json!(before), json!(after))
}

/// Who went and who came: a group may have thousands of members that stay.
fn moved(before: &Members, after: &Members) -> (Value, Value) {
    let only = |one: &Members, other: &Members| json!(one.difference(other).collect::<Vec<_>>());
    (only(before, after), only(after, before))
}

fn wrong(error: impl Display) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, error.to_string())
}

fn bound(count: usize, most: usize, what: &str) -> Result<(), Refusal> {
    if count > most {
        return Err(Refusal::new(
            ErrorCode::PolicyViolation,
            format!("There can be no more than {most} {what}."),
        ));
    }
    Ok(())
}
