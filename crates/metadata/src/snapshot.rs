//! The whole state at one moment, never changed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schloss_identity::{
    CredentialStore, DelegationToken, FakeSaltKey, Mechanism, SaltShape, ScramCredential, TokenKey,
};
use schloss_policy::{AclSet, TopicNames};
use schloss_wire::{Principal, Uuid};

use crate::accounts::{Account, AccountKind, Accounts, key_owner};
use crate::quotas::ClientQuotas;
use crate::record::{ConfigResource, Record, SaltKeyRecord, TokenKeyRecord};
use crate::tokens::{Token, TokenDigest, Tokens};
use crate::topics::{TopicMeta, Topics};
use crate::users::{User, Users};

/// Settings by the id of what they are for.
pub(crate) type Configs = BTreeMap<String, BTreeMap<String, String>>;

/// Everything that is known at one moment. Readers take one and keep to it: nothing in it changes, and what
/// did not change is shared with the one before.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) cluster_id: Arc<str>,
    pub(crate) fake_salt_key: Arc<FakeSaltKey>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) users: Arc<Users>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) token_key: Option<Arc<TokenKey>>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) identity_generation: u64,
    pub(crate) acls: Arc<AclSet>,
    pub(crate) super_users: Arc<[Principal]>,
    pub(crate) broker_configs: Arc<Configs>,
    pub(crate) group_configs: Arc<Configs>,
    pub(crate) client_quotas: Arc<ClientQuotas>,
    pub(crate) next_producer_id: i64,
    pub(crate) version: u64,
}

impl Snapshot {
    /// The identity of the cluster: 22 characters, made when the directory was new.
    #[must_use]
    pub fn cluster_id(&self) -> &Arc<str> {
        &self.cluster_id
    }

    /// One more than that of the snapshot before; starts anew with the process.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Moves when decisions may come out differently, and only then; starts anew with the process.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.acls.generation()
    }

    /// The compiled ACLs, local groups, roles and super users.
    #[must_use]
    pub fn acls(&self) -> &Arc<AclSet> {
        &self.acls
    }

    /// Whom ACLs don't bind.
    #[must_use]
    pub fn super_users(&self) -> &[Principal] {
        &self.super_users
    }

    /// The key behind the salts of users that don't exist.
    #[must_use]
    pub fn fake_salt_key(&self) -> &Arc<FakeSaltKey> {
        &self.fake_salt_key
    }

    /// The topic of this name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicMeta>> {
        self.topics.by_name(name)
    }

    /// The topic of this id.
    #[must_use]
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<TopicMeta>> {
        self.topics.by_id(id)
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<TopicMeta>> {
        self.topics.iter()
    }

    /// Moves when users or accounts change, or a delegation token's end does, and only then; starts anew with the
    /// process.
    #[must_use]
    pub fn identity_generation(&self) -> u64 {
        self.identity_generation
    }

    /// What is known of users, by name.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The key behind the HMACs of delegation tokens; none before the first token.
    #[must_use]
    pub fn token_key(&self) -> Option<&Arc<TokenKey>> {
        self.token_key.as_ref()
    }

    /// All delegation tokens by id, those that are over too as long as nobody has swept them away.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Arc<Token>)> {
        self.tokens.iter()
    }

    /// The delegation token of this id.
    #[must_use]
    pub fn token(&self, id: &str) -> Option<&Arc<Token>> {
        self.tokens.get(id)
    }

    /// The delegation token whose HMAC has this digest, with its id.
    #[must_use]
    pub fn token_by_digest(&self, digest: &TokenDigest) -> Option<(&Arc<str>, &Arc<Token>)> {
        self.tokens.find(digest)
    }

    /// The user of this name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    /// All users, by name.
    pub fn users(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Arc<User>)> {
        self.users.iter()
    }

    /// The settings of a resource that differ from the defaults; none if there is no such topic.
    #[must_use]
    pub fn configs(&self, resource: &ConfigResource) -> Option<&BTreeMap<String, String>> {
        match resource {
            ConfigResource::Topic(name) => self.topic(name).map(|topic| &topic.configs),
            ConfigResource::Broker(id) => self.broker_configs.get(id),
            ConfigResource::Group(id) => self.group_configs(id),
        }
    }

    /// The client quotas. The same `Arc` as long as none is changed.
    #[must_use]
    pub fn client_quotas(&self) -> &Arc<ClientQuotas> {
        &self.client_quotas
    }

    /// The settings of a group that differ from the defaults; none if it has none of its own.
    #[must_use]
    pub fn group_configs(&self, id: &str) -> Option<&BTreeMap<String, String>> {
        self.group_configs.get(id)
    }

    /// The ids of all groups that have settings of their own.
    pub fn configured_groups(&self) -> impl ExactSizeIterator<Item = &str> {
        self.group_configs.keys().map(String::as_str)
    }

    /// The fewest records that lead to this state, one by one: a ledger is rewritten with them.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let made_once = [
            Record::ClusterId { id: self.cluster_id.to_string() },
            Record::FakeSaltKey(SaltKeyRecord(Arc::clone(&self.fake_salt_key))),
            Record::ProducerIds { next: self.next_producer_id },
        ];
        let topics = self.topics.iter().map(|topic| Record::Topic {
            name: topic.name.to_string(),
            id: topic.id,
            partitions: topic.partitions,
            configs: topic.configs.clone(),
        });
        let brokers = self.broker_configs.iter().map(|(id, set)| (ConfigResource::Broker(id.clone()), set));
        let groups = self.group_configs.iter().map(|(id, set)| (ConfigResource::Group(id.clone()), set));
        let configs = brokers.chain(groups).map(|(resource, configs)| Record::Configs {
            resource,
            changes: configs.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect(),
        });
        let scram = self.users.iter().flat_map(|(name, user)| {
            user.credentials().map(|credential| Record::Scram {
                user: name.to_string(),
                credential: (**credential).clone(),
            })
        });
        let accounts = self
            .accounts
            .iter()
            .map(|(name, account)| Record::Account { name: name.clone(), account: account.clone() });
        let token_key = self.token_key.iter().map(|key| Record::TokenKey(TokenKeyRecord(Arc::clone(key))));
        let tokens = self
            .tokens
            .iter()
            .map(|(id, token)| Record::Token { id: id.to_string(), token: (**token).clone() });
        let acls = self.acls.iter().map(|acl| Record::Acl(acl.clone()));
        let groups = self
            .acls
            .groups()
            .iter()
            .map(|(name, members)| Record::Group { name: name.clone(), members: members.clone() });
        let roles = self
            .acls
            .roles()
            .iter()
            .map(|(name, grants)| Record::Role { name: name.clone(), grants: grants.clone() });
        let bindings = self.acls.bindings().iter().map(|binding| Record::RoleBinding(binding.clone()));
        let rules = acls.chain(groups).chain(roles).chain(bindings);
        let quotas = self
            .client_quotas
            .iter()
            .map(|(entity, quotas)| Record::ClientQuotas { entity: entity.clone(), quotas: quotas.clone() });
        made_once
            .into_iter()
            .chain(topics)
            .chain(configs)
            .chain(scram)
            .chain(accounts)
            .chain(token_key)
            .chain(tokens)
            .chain(rules)
            .chain(quotas)
    }
}

impl CredentialStore for Snapshot {
    fn scram(&self, user: &str, mechanism: Mechanism) -> Option<Arc<ScramCredential>> {
        self.users.get(user)?.credential(mechanism).cloned()
    }

    fn account_of(&self, user: &str) -> Option<String> {
        key_owner(&self.accounts, user).map(str::to_owned)
    }

    fn is_taken(&self, user: &str) -> bool {
        // A service has its name to itself even if it logs in by nothing but API keys.
        let is_service = |account: &Account| account.kind == AccountKind::Service || !account.keys.is_empty();
        self.users.get(user).is_some()
            || self.accounts.get(user).is_some_and(is_service)
            || key_owner(&self.accounts, user).is_some()
    }

    fn delegation_token(&self, id: &str, mechanism: Mechanism) -> Option<DelegationToken> {
        self.tokens.get(id)?.login(mechanism)
    }

    fn unknown_iterations(&self, mechanism: Mechanism, seed: u64) -> u32 {
        self.users.unknown_iterations(mechanism, seed)
    }

    fn unknown_salt_shape(&self, mechanism: Mechanism, seed: u64) -> SaltShape {
        self.users.unknown_salt_shape(mechanism, seed)
    }
}

impl TopicNames for Snapshot {
    fn name_of(&self, id: Uuid) -> Option<Arc<str>> {
        self.topics.by_id(id).map(|topic| Arc::clone(&topic.name))
    }

    fn exists(&self, name: &str) -> bool {
        self.topics.by_name(name).is_some()
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.topics.iter().map(|topic| Arc::clone(&topic.name)).collect()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Snapshot")
            .field("cluster_id", &self.cluster_id)
            .field("version", &self.version)
            .field("topics", &self.topics.iter().len())
            .field("users", &self.users.len())
            .field("acls", &self.acls.iter().len())
            .finish_non_exhaustive()
    }
}
