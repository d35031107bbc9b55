//! The words of an ACL: resource types, pattern types, operations, permissions, with Kafka's wire codes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The resource name of the cluster itself.
pub const CLUSTER_NAME: &str = "kafka-cluster";

/// Topics whose names begin so are Schloss's own. Nobody may do anything with them or learn of them, super
/// users included.
pub const RESERVED_TOPIC_PREFIX: &str = "__schloss_";

/// Whether no client may ever reach this resource.
#[must_use]
pub fn is_reserved(resource_type: ResourceType, name: &str) -> bool {
    resource_type == ResourceType::Topic && name.starts_with(RESERVED_TOPIC_PREFIX)
}

/// A literal resource name, or the name of a principal, that stands for all.
pub const WILDCARD: &str = "*";

/// A word that names none of the choices.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("'{word}' is not {what}: use one of {choices}")]
pub struct UnknownWord {
    word: String,
    what: &'static str,
    choices: String,
}

/// Whether two words are the same apart from case, `-` and `_`: `DescribeConfigs`, `describe-configs` and
/// `DESCRIBE_CONFIGS` all occur in Kafka's own tools.
fn same_word(left: &str, right: &str) -> bool {
    let letters = |text: &str| -> Vec<u8> {
        text.bytes().filter(|b| !matches!(b, b'-' | b'_')).map(|b| b.to_ascii_lowercase()).collect()
    };
    letters(left) == letters(right)
}

macro_rules! kinds {
    ($(#[$doc:meta])* $enum:ident, $what:literal {
        $($(#[$variant_doc:meta])* $name:ident = $code:literal, $word:literal, $kafka:literal;)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(i8)]
        pub enum $enum { $($(#[$variant_doc])* $name = $code,)+ }

        impl $enum {
            /// Every value, in the order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The wire value.
            #[must_use]
            pub const fn code(self) -> i8 {
                self as i8
            }

            /// The value of this code. Codes that only filters may carry (0 unknown, 1 any) are none.
            #[must_use]
            pub const fn from_code(code: i8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }

            /// The word that `kafka-acls` uses, in lower case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The name of Kafka's enumeration, in capitals.
            #[must_use]
            pub const fn kafka_name(self) -> &'static str {
                match self { $(Self::$name => $kafka,)+ }
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.name())
            }
        }

        impl FromStr for $enum {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|known| same_word(known.name(), word) || same_word(known.kafka_name(), word))
                    .ok_or_else(|| UnknownWord {
                        word: word.to_owned(),
                        what: $what,
                        choices: Self::ALL.iter().map(|known| known.name()).collect::<Vec<_>>().join(", "),
                    })
            }
        }

        impl Serialize for $enum {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $enum {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

kinds! {
    /// What an ACL protects (`org.apache.kafka.common.resource.ResourceType`).
    ResourceType, "a resource type" {
        /// A topic.
        Topic = 2, "topic", "TOPIC";
        /// A consumer group of any protocol.
        Group = 3, "group", "GROUP";
        /// The cluster itself; its only name is [`CLUSTER_NAME`].
        Cluster = 4, "cluster", "CLUSTER";
        /// A transactional id.
        TransactionalId = 5, "transactional-id", "TRANSACTIONAL_ID";
        /// A delegation token, named by its id.
        DelegationToken = 6, "delegation-token", "DELEGATION_TOKEN";
        /// A user, named by its principal (KIP-373).
        User = 7, "user-principal", "USER";
    }
}

kinds! {
    /// How an ACL names its resources (KIP-290).
    PatternType, "a pattern type" {
        /// The name as it is, or `*` for every resource of the type.
        Literal = 3, "literal", "LITERAL";
        /// Every name that begins so.
        Prefixed = 4, "prefixed", "PREFIXED";
    }
}

kinds! {
    /// What is done to a resource (`org.apache.kafka.common.acl.AclOperation`).
    Operation, "an operation" {
        /// Every operation.
        All = 2, "all", "ALL";
        /// Fetch records, take part in a group, commit offsets.
        Read = 3, "read", "READ";
        /// Produce.
        Write = 4, "write", "WRITE";
        /// Create topics.
        Create = 5, "create", "CREATE";
        /// Delete topics, records or groups.
        Delete = 6, "delete", "DELETE";
        /// Change partitions, ACLs or users.
        Alter = 7, "alter", "ALTER";
        /// See that it exists and what it looks like.
        Describe = 8, "describe", "DESCRIBE";
        /// What brokers do among themselves.
        ClusterAction = 9, "cluster-action", "CLUSTER_ACTION";
        /// See the configuration.
        DescribeConfigs = 10, "describe-configs", "DESCRIBE_CONFIGS";
        /// Change the configuration.
        AlterConfigs = 11, "alter-configs", "ALTER_CONFIGS";
        /// Produce idempotently without WRITE on a topic yet.
        IdempotentWrite = 12, "idempotent-write", "IDEMPOTENT_WRITE";
        /// Create delegation tokens for another user.
        CreateTokens = 13, "create-tokens", "CREATE_TOKENS";
        /// See the delegation tokens of another user.
        DescribeTokens = 14, "describe-tokens", "DESCRIBE_TOKENS";
        /// Take part in an external two-phase commit (KIP-939).
        TwoPhaseCommit = 15, "two-phase-commit", "TWO_PHASE_COMMIT";
    }
}

kinds! {
    /// Which way an ACL decides.
    Permission, "a permission" {
        /// Refuses, whatever else allows.
        Deny = 2, "deny", "DENY";
        /// Allows, unless something denies.
        Allow = 3, "allow", "ALLOW";
    }
}

impl ResourceType {
    /// Its position in [`ResourceType::ALL`].
    pub(crate) const fn place(self) -> usize {
        self as usize - Self::Topic as usize
    }

    /// The operations that make sense on this resource (`AclEntry.supportedOperations`), without
    /// [`Operation::All`]. An `authorizedOperations` bit field reports exactly these.
    #[must_use]
    pub const fn operations(self) -> &'static [Operation] {
        use Operation as O;
        match self {
            Self::Topic => &[
                O::Read,
                O::Write,
                O::Create,
                O::Delete,
                O::Alter,
                O::Describe,
                O::DescribeConfigs,
                O::AlterConfigs,
            ],
            Self::Group => &[O::Read, O::Delete, O::Describe, O::DescribeConfigs, O::AlterConfigs],
            Self::Cluster => &[
                O::Create,
                O::Alter,
                O::Describe,
                O::ClusterAction,
                O::DescribeConfigs,
                O::AlterConfigs,
                O::IdempotentWrite,
            ],
            Self::TransactionalId => &[O::Write, O::Describe, O::TwoPhaseCommit],
            Self::DelegationToken => &[O::Describe],
            Self::User => &[O::CreateTokens, O::DescribeTokens],
        }
    }
}

impl Operation {
    /// Whether an ALLOW of `self` allows `asked`, by identity, by ALL, or by implication.
    #[must_use]
    pub const fn allows(self, asked: Self) -> bool {
        match (self, asked) {
            (Self::All, _)
            | (Self::Read | Self::Write | Self::Delete | Self::Alter, Self::Describe)
            | (Self::AlterConfigs, Self::DescribeConfigs) => true,
            _ => self.code() == asked.code(),
        }
    }

    /// Whether a DENY of `self` denies `asked`. A denial implies no other operation.
    #[must_use]
    pub const fn denies(self, asked: Self) -> bool {
        matches!(self, Self::All) || self.code() == asked.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_words_lead_back_to_their_value() {
        for &operation in Operation::ALL {
            assert_eq!(Operation::from_code(operation.code()), Some(operation));
            assert_eq!(operation.name().parse(), Ok(operation));
            assert_eq!(operation.kafka_name().parse(), Ok(operation));
        }
        assert_eq!(Operation::TwoPhaseCommit.code(), 15);
        assert_eq!(Operation::from_code(1), None, "ANY is for filters only");
        assert_eq!("DescribeConfigs".parse(), Ok(Operation::DescribeConfigs));
        assert_eq!("user".parse(), Ok(ResourceType::User));
        assert_eq!(
            "maybe".parse::<Permission>().unwrap_err().to_string(),
            "'maybe' is not a permission: use one of deny, allow"
        );
    }

    #[test]
    fn only_four_operations_imply_describe_and_one_implies_describe_configs() {
        let implying = |asked: Operation| -> Vec<Operation> {
            Operation::ALL.iter().copied().filter(|o| o.allows(asked) && *o != asked).collect()
        };
        use Operation as O;
        assert_eq!(implying(O::Describe), [O::All, O::Read, O::Write, O::Delete, O::Alter]);
        assert_eq!(implying(O::DescribeConfigs), [O::All, O::AlterConfigs]);
        assert_eq!(implying(O::Read), [O::All]);
        assert!(!O::Read.denies(O::Describe) && O::All.denies(O::Describe));
    }
}
