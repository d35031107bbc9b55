//! The next snapshot, while records are applied to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schloss_identity::{FakeSaltKey, TokenKey};
use schloss_policy::{
    Acl, AclSet, Bindings, Groups, ResourceType, Roles, RuleChanges, check_group, check_role,
};
use schloss_wire::Principal;

use crate::accounts::{Accounts, check_account};
use crate::error::{MetadataError, Refusal};
use crate::quota_changes::check_quotas;
use crate::quotas::ClientQuotas;
use crate::record::{ConfigResource, Record, SaltKeyRecord, TokenKeyRecord};
use crate::snapshot::{Configs, Snapshot};
use crate::tokens::{Tokens, check_token};
use crate::topics::{TopicMeta, Topics};
use crate::users::Users;

/// Takes records one by one and becomes a [`Snapshot`]. Parts that no record touches stay shared; rules are
/// compiled once, however many records there are, and only those that change.
pub(crate) struct Draft {
    cluster_id: Option<Arc<str>>,
    fake_salt_key: Option<Arc<FakeSaltKey>>,
    topics: Arc<Topics>,
    users: Arc<Users>,
    accounts: Arc<Accounts>,
    token_key: Option<Arc<TokenKey>>,
    tokens: Arc<Tokens>,
    /// Users and accounts as they were, and the number of that.
    identities: (Arc<Users>, Arc<Accounts>, u64),
    /// Whether the end of a token is another, so that sessions have to look.
    tokens_end: bool,
    broker_configs: Arc<Configs>,
    group_configs: Arc<Configs>,
    client_quotas: Arc<ClientQuotas>,
    next_producer_id: i64,
    super_users: Arc<[Principal]>,
    version: u64,
    groups: Arc<Groups>,
    roles: Arc<Roles>,
    bindings: Arc<Bindings>,
    compiled: Arc<AclSet>,
    /// What records said of ACLs: whether they are there.
    acls: BTreeMap<Acl, bool>,
    /// Whether ACLs that no record speaks of are gone.
    anew: bool,
}

impl Draft {
    /// The state of an empty journal.
    pub(crate) fn empty(super_users: Vec<Principal>) -> Self {
        Self {
            cluster_id: None,
            fake_salt_key: None,
            topics: Arc::default(),
            users: Arc::default(),
            accounts: Arc::default(),
            token_key: None,
            tokens: Arc::default(),
            identities: Default::default(),
            tokens_end: false,
            broker_configs: Arc::default(),
            group_configs: Arc::default(),
            client_quotas: Arc::default(),
            next_producer_id: 0,
            groups: Arc::default(),
            roles: Arc::default(),
            bindings: Arc::default(),
            compiled: Arc::new(AclSet::new(Vec::new(), super_users.clone(), 0)),
            super_users: super_users.into(),
            version: 0,
            acls: BTreeMap::new(),
            anew: false,
        }
    }

    /// What follows a snapshot.
    pub(crate) fn after(snapshot: &Snapshot) -> Self {
        let Snapshot {
            cluster_id,
            fake_salt_key,
            topics,
            users,
            accounts,
            token_key,
            tokens,
            identity_generation,
            acls,
            super_users,
            broker_configs,
            group_configs,
            client_quotas,
            next_producer_id,
            version,
        } = snapshot.clone();
        Self {
            cluster_id: Some(cluster_id),
            fake_salt_key: Some(fake_salt_key),
            topics,
            identities: (Arc::clone(&users), Arc::clone(&accounts), identity_generation),
            users,
            accounts,
            token_key,
            tokens,
            tokens_end: false,
            broker_configs,
            group_configs,
            client_quotas,
            next_producer_id,
            super_users,
            version,
            groups: Arc::clone(acls.groups()),
            roles: Arc::clone(acls.roles()),
            bindings: Arc::clone(acls.bindings()),
            compiled: acls,
            acls: BTreeMap::new(),
            anew: false,
        }
    }

    /// An empty state in place of a snapshot: versions go on, and so does the generation, unless the ACLs turn
    /// out the same.
    pub(crate) fn instead_of(snapshot: &Snapshot) -> Self {
        Self {
            version: snapshot.version,
            compiled: Arc::clone(&snapshot.acls),
            anew: true,
            identities: (Arc::default(), Arc::default(), snapshot.identity_generation),
            tokens_end: true,
            ..Self::empty(snapshot.super_users.to_vec())
        }
    }

    /// Applies one record.
    ///
    /// # Errors
    /// The record does not fit the state; the draft is as before.
    pub(crate) fn apply(&mut self, record: Record) -> Result<(), MetadataError> {
        let wrong = |what: String| Err(MetadataError::Inapplicable(what));
        match record {
            Record::ClusterId { id } => match &self.cluster_id {
                Some(known) if **known != *id => {
                    return wrong(format!("the cluster id {id} differs from {known}"));
                }
                _ => self.cluster_id = Some(id.into()),
            },
            Record::FakeSaltKey(SaltKeyRecord(key)) => self.fake_salt_key = Some(key),
            Record::Topic { name, id, partitions, configs } => {
                if let Err(refusal) = self.topics.check_new(&name) {
                    return wrong(refusal.message);
                }
                if self.topics.by_id(id).is_some() || id.is_zero() || partitions < 1 {
                    return wrong(format!("topic {name} has no id of its own or {partitions} partitions"));
                }
                let topic = TopicMeta { name: name.into(), id, partitions, configs };
                Arc::make_mut(&mut self.topics).put(topic);
            }
            Record::TopicDeleted { id } => {
                if self.topics.by_id(id).is_none() {
                    return wrong("a topic was deleted that does not exist".to_owned());
                }
                Arc::make_mut(&mut self.topics).remove(id);
            }
            Record::Partitions { id, partitions } => match self.topics.by_id(id).map(|t| (**t).clone()) {
                Some(topic) if partitions > topic.partitions => {
                    Arc::make_mut(&mut self.topics).put(TopicMeta { partitions, ..topic });
                }
                _ => return wrong(format!("no topic can have {partitions} partitions now")),
            },
            Record::Configs { resource, changes } => return self.configure(resource, changes),
            Record::Acl(acl) => {
                if let Err(error) = acl.validate() {
                    return wrong(error.to_string());
                }
                self.acls.insert(acl, true);
            }
            Record::AclDeleted(acl) => {
                self.acls.insert(acl, false);
            }
            Record::Group { name, members } => {
                if let Err(error) = check_group(&name, &members) {
                    return wrong(error.to_string());
                }
                Arc::make_mut(&mut self.groups).insert(name, members);
            }
            Record::GroupDeleted { name } => {
                Arc::make_mut(&mut self.groups).remove(&name);
            }
            Record::Role { name, grants } => {
                if let Err(error) = check_role(&name, &grants) {
                    return wrong(error.to_string());
                }
                Arc::make_mut(&mut self.roles).insert(name, grants);
            }
            Record::RoleDeleted { name } => {
                Arc::make_mut(&mut self.roles).remove(&name);
            }
            // Its role may come later: a ledger that is compacted keeps the last word on each. Until then the
            // binding allows nothing.
            Record::RoleBinding(binding) => {
                Arc::make_mut(&mut self.bindings).replace(binding);
            }
            Record::RoleBindingDeleted(binding) => {
                Arc::make_mut(&mut self.bindings).remove(&binding);
            }
            Record::Scram { user, credential } => {
                if let Err(error) = schloss_identity::check_user_name(&user) {
                    return wrong(error.to_string());
                }
                Arc::make_mut(&mut self.users).set(&user, credential);
            }
            Record::ScramDeleted { user, mechanism } => {
                Arc::make_mut(&mut self.users).remove(&user, mechanism);
            }
            Record::Account { name, account } => {
                if let Err(words) = check_account(&name, &account) {
                    return wrong(words);
                }
                Arc::make_mut(&mut self.accounts).insert(name, account);
            }
            Record::AccountDeleted { name } => {
                Arc::make_mut(&mut self.accounts).remove(&name);
            }
            Record::TokenKey(TokenKeyRecord(key)) => self.token_key = Some(key),
            Record::Token { id, token } => {
                if let Err(words) = check_token(&id, &token) {
                    return wrong(words);
                }
                let known = self.tokens.get(&id);
                self.tokens_end |= known.is_some_and(|known| known.expiry_ms != token.expiry_ms);
                Arc::make_mut(&mut self.tokens).set(&id, token);
            }
            Record::TokenDeleted { id } => {
                self.tokens_end |= self.tokens.get(&id).is_some();
                Arc::make_mut(&mut self.tokens).remove(&id);
            }
            Record::ClientQuotas { entity, quotas } => {
                if quotas.is_empty() {
                    return wrong(format!("{entity} is given no quotas"));
                }
                if let Err(words) = check_quotas(&entity, &quotas) {
                    return wrong(format!("quotas of {entity}: {words}"));
                }
                Arc::make_mut(&mut self.client_quotas).set(entity, quotas);
            }
            Record::ClientQuotasDeleted { entity } => {
                Arc::make_mut(&mut self.client_quotas).remove(&entity);
            }
            Record::ProducerIds { next } if next < self.next_producer_id => {
                return wrong(format!("producer ids go back to {next}"));
            }
            Record::ProducerIds { next } => self.next_producer_id = next,
        }
        Ok(())
    }

    /// Rules of which those over the cluster itself are as they will be: enough to know who may change rules.
    pub(crate) fn over_cluster(&self) -> AclSet {
        let is_meant = |acl: &Acl| acl.resource_type == ResourceType::Cluster;
        self.compiled.after(self.changes(is_meant), 0)
    }

    /// What is known of users.
    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Whether there is a user of this name.
    pub(crate) fn has_user(&self, name: &str) -> bool {
        self.users.get(name).is_some()
    }

    /// Whether a topic of this name may be made.
    pub(crate) fn check_new_topic(&self, name: &str) -> Result<(), Refusal> {
        self.topics.check_new(name)
    }

    /// Whether the journal had the two records that are made once.
    pub(crate) fn is_founded(&self) -> bool {
        self.cluster_id.is_some() && self.fake_salt_key.is_some()
    }

    /// The snapshot.
    ///
    /// # Errors
    /// The state lacks the cluster id or the key.
    pub(crate) fn finish(self) -> Result<Snapshot, MetadataError> {
        let changes = self.changes(|_| true);
        let (Some(cluster_id), Some(fake_salt_key)) = (self.cluster_id, self.fake_salt_key) else {
            return Err(MetadataError::Inapplicable("the cluster id or the salt key is missing".to_owned()));
        };
        let is_same = changes.acls.is_empty()
            && changes.groups == *self.compiled.groups()
            && changes.roles == *self.compiled.roles()
            && are_same(&changes.bindings, self.compiled.bindings());
        let acls = if is_same {
            self.compiled
        } else {
            Arc::new(self.compiled.after(changes, self.compiled.generation() + 1))
        };
        let (users, accounts, generation) = self.identities;
        let is_same =
            Arc::ptr_eq(&users, &self.users) && Arc::ptr_eq(&accounts, &self.accounts) && !self.tokens_end;
        Ok(Snapshot {
            identity_generation: if is_same { generation } else { generation + 1 },
            accounts: self.accounts,
            token_key: self.token_key,
            tokens: self.tokens,
            cluster_id,
            fake_salt_key,
            topics: self.topics,
            users: self.users,
            acls,
            super_users: self.super_users,
            broker_configs: self.broker_configs,
            group_configs: self.group_configs,
            client_quotas: self.client_quotas,
            next_producer_id: self.next_producer_id,
            version: self.version + 1,
        })
    }

    /// What differs from the rules as they were; of the ACLs those that are meant.
    fn changes(&self, is_meant: impl Fn(&Acl) -> bool) -> RuleChanges {
        let told = self.acls.iter().filter(|(acl, there)| self.compiled.contains(acl) != **there);
        let told = told.map(|(acl, there)| (acl, *there));
        let known = self.anew.then(|| self.compiled.iter()).into_iter().flatten();
        let gone = known.filter(|acl| !self.acls.contains_key(*acl)).map(|acl| (acl, false));
        let meant = told.chain(gone).filter(|(acl, _)| is_meant(acl));
        RuleChanges {
            acls: meant.map(|(acl, there)| (acl.clone(), there)).collect(),
            groups: Arc::clone(&self.groups),
            roles: Arc::clone(&self.roles),
            bindings: Arc::clone(&self.bindings),
        }
    }

    fn configure(
        &mut self,
        resource: ConfigResource,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<(), MetadataError> {
        match resource {
            ConfigResource::Topic(name) => {
                let Some(topic) = self.topics.by_name(&name) else {
                    return Err(MetadataError::Inapplicable(format!("there is no topic {name}")));
                };
                let mut topic = (**topic).clone();
                configure(&mut topic.configs, changes);
                Arc::make_mut(&mut self.topics).put(topic);
            }
            ConfigResource::Broker(id) => configure_one(&mut self.broker_configs, id, changes),
            ConfigResource::Group(id) => configure_one(&mut self.group_configs, id, changes),
        }
        Ok(())
    }
}

/// Whether these are the same bindings, with the same ends.
fn are_same(one: &Arc<Bindings>, other: &Arc<Bindings>) -> bool {
    Arc::ptr_eq(one, other)
        || (one.len() == other.len()
            && one.iter().zip(&**other).all(|(one, other)| one == other && one.expires == other.expires))
}

/// A resource that is there as long as it has settings.
fn configure_one(all: &mut Arc<Configs>, id: String, changes: BTreeMap<String, Option<String>>) {
    let all = Arc::make_mut(all);
    let configs = all.entry(id.clone()).or_default();
    configure(configs, changes);
    if configs.is_empty() {
        all.remove(&id);
    }
}

fn configure(configs: &mut BTreeMap<String, String>, changes: BTreeMap<String, Option<String>>) {
    for (key, value) in changes {
        match value {
            Some(value) => configs.insert(key, value),
            None => configs.remove(&key),
        };
    }
}
