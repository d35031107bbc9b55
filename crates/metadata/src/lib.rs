//! Users, ACLs, topics, settings and quotas as a log of records and a state machine.
//!
//! [`Metadata`] holds the newest [`Snapshot`] and the [`Ledger`] that keeps what leads to it: a journal on this
//! machine, or one that others share. A change is a list of [`Record`]s that is kept as a whole or not at all.
//! Everything that changes is built on [`Metadata::change`]: topics
//! ([`Metadata::create_topics`], [`Metadata::delete_topics`], [`Metadata::create_partitions`]), ACLs
//! ([`Metadata::add_acls`], [`Metadata::delete_acls`]), credentials ([`Metadata::alter_scram`]), settings
//! ([`Metadata::alter_configs`]), delegation tokens ([`Metadata::add_token`]), groups, roles and whole policies ([`Metadata::alter_security`]), client quotas ([`Metadata::alter_client_quotas`]) and producer ids
//! ([`Metadata::allocate_producer_id`]).

mod accounts;
mod acl_changes;
mod config_changes;
mod draft;
mod entry;
mod error;
mod journal;
mod ledger;
mod limits;
mod metadata;
mod quota_changes;
mod quotas;
mod random;
mod record;
pub mod security;
mod snapshot;
mod state;
mod token_changes;
mod tokens;
mod topic_changes;
mod topics;
mod user_changes;
mod users;

pub use accounts::{Account, AccountKind, Accounts, KEY_MARK, MAX_KEYS, key_owner};
pub use config_changes::ConfigChange;
pub use entry::MAX_CHANGE_BYTES;
pub use error::{MetadataError, Refusal};
pub use ledger::{Commit, Ledger, LedgerFuture, Turn};
pub use limits::{
    MAX_ACLS, MAX_BINDINGS, MAX_CONFIG_NAME_BYTES, MAX_CONFIG_VALUE_BYTES, MAX_CONFIGS_PER_RESOURCE,
    MAX_CONFIGURED_GROUPS, MAX_GROUPS, MAX_MEMBERS, MAX_NEW_PARTITIONS_PER_CHANGE, MAX_PARTITIONS,
    MAX_QUOTA_ENTITIES, MAX_QUOTA_NAME_BYTES, MAX_ROLES, MAX_TOKEN_RENEWERS, MAX_TOKENS,
    MAX_TOKENS_PER_OWNER, MAX_TOPICS, MAX_USERS,
};
pub use metadata::Metadata;
pub use quota_changes::QuotaChange;
pub use quotas::{ClientQuotas, QuotaEntity, QuotaKey, QuotaName, QuotaValues};
pub use record::{ConfigResource, Record, SaltKeyRecord, TokenKeyRecord, uuid_text};
pub use snapshot::Snapshot;
pub use state::State;
pub use token_changes::new_token_id;
pub use tokens::{Token, TokenDigest, now_ms};
pub use topic_changes::{NewTopic, TopicRef};
pub use topics::{MAX_TOPIC_NAME_LENGTH, TopicMeta, check_topic_name};
pub use user_changes::{ChangeError, ScramChange, UserOutcome};
pub use users::User;
