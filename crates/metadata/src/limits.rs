//! How much there can be of everything that a client can make.

/// Most topics.
pub const MAX_TOPICS: usize = 100_000;
/// Most partitions of all topics together.
pub const MAX_PARTITIONS: i64 = 200_000;
/// Most partitions that one request makes (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH` of Kafka).
pub const MAX_NEW_PARTITIONS_PER_CHANGE: i64 = 10_000;
/// Most ACLs.
pub const MAX_ACLS: usize = 1_000_000;
/// Most local groups.
pub const MAX_GROUPS: usize = 10_000;
/// Most members of one local group: its record has to fit into a batch of a topic.
pub const MAX_MEMBERS: usize = 10_000;
/// Most roles besides those that are built in.
pub const MAX_ROLES: usize = 1_000;
/// Most bindings of roles.
pub const MAX_BINDINGS: usize = 100_000;
/// Most users.
pub const MAX_USERS: usize = 1_000_000;
/// Most groups that have settings of their own.
pub const MAX_CONFIGURED_GROUPS: usize = 10_000;
/// Most settings of one resource.
pub const MAX_CONFIGS_PER_RESOURCE: usize = 256;
/// Longest name of a setting, in bytes.
pub const MAX_CONFIG_NAME_BYTES: usize = 256;
/// Longest value of a setting, in bytes.
pub const MAX_CONFIG_VALUE_BYTES: usize = 16 * 1024;
/// Most entities that have quotas.
pub const MAX_QUOTA_ENTITIES: usize = 100_000;
/// Longest name in such an entity, in bytes: what a client id may have.
pub const MAX_QUOTA_NAME_BYTES: usize = 1024;
/// Most delegation tokens.
pub const MAX_TOKENS: usize = 50_000;
/// Most delegation tokens of one owner that are not over.
pub const MAX_TOKENS_PER_OWNER: usize = 1_000;
/// Most renewers of one delegation token.
pub const MAX_TOKEN_RENEWERS: usize = 100;
/// Longest id of a delegation token, in bytes; ours have 22.
pub(crate) const MAX_TOKEN_ID_BYTES: usize = 64;
