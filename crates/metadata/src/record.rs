//! What the metadata log is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schloss_identity::{FakeSaltKey, Mechanism, ScramCredential, TokenKey};
use schloss_policy::{Acl, Binding, Grants, Members};
use schloss_wire::Uuid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::accounts::Account;
use crate::quotas::{QuotaEntity, QuotaValues};
use crate::tokens::Token;

/// One step of the state. Serialised as `{"<kind>":{..}}`; a kind or a field that is not known refuses the
/// start, since passing over it could drop a DENY.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// The identity of the cluster, made once.
    ClusterId {
        /// 22 characters, as Kafka makes them.
        id: String,
    },
    /// The key behind the salts of users that don't exist, made once.
    FakeSaltKey(SaltKeyRecord),
    /// A topic that did not exist.
    Topic {
        /// Its name.
        name: String,
        /// Its id.
        #[serde(with = "as_text")]
        id: Uuid,
        /// How many partitions.
        partitions: i32,
        /// Settings that differ from the defaults.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        configs: BTreeMap<String, String>,
    },
    /// A topic is gone, with its settings.
    TopicDeleted {
        /// Its id; the name may come again.
        #[serde(with = "as_text")]
        id: Uuid,
    },
    /// A topic has more partitions.
    Partitions {
        /// The topic.
        #[serde(with = "as_text")]
        id: Uuid,
        /// How many it has now.
        partitions: i32,
    },
    /// Settings are changed.
    Configs {
        /// Whose.
        resource: ConfigResource,
        /// The new values; `None` brings the default back.
        changes: BTreeMap<String, Option<String>>,
    },
    /// An ACL that did not exist.
    Acl(Acl),
    /// An ACL is gone.
    AclDeleted(Acl),
    /// A local group has these members now, instead of those before.
    Group {
        /// Its name, without `Group:`.
        name: String,
        /// Who is in it.
        members: Members,
    },
    /// A local group is gone.
    GroupDeleted {
        /// Its name.
        name: String,
    },
    /// A role allows this now, instead of what it allowed before.
    Role {
        /// Its name.
        name: String,
        /// What it allows.
        grants: Grants,
    },
    /// A role is gone.
    RoleDeleted {
        /// Its name.
        name: String,
    },
    /// Somebody has a role, until when it says; instead of until when it said before.
    RoleBinding(Binding),
    /// Somebody has a role no more.
    RoleBindingDeleted(Binding),
    /// A user has this credential now, instead of the one for the same mechanism.
    Scram {
        /// The user's name.
        user: String,
        /// What checks the password.
        credential: ScramCredential,
    },
    /// A user has no credential for this mechanism any more.
    ScramDeleted {
        /// The user's name.
        user: String,
        /// The mechanism.
        mechanism: Mechanism,
    },
    /// This is known of a user now, instead of what was known before.
    Account {
        /// The user's name.
        name: String,
        /// What is known.
        account: Account,
    },
    /// Nothing is known of a user any more.
    AccountDeleted {
        /// The user's name.
        name: String,
    },
    /// The key that the HMACs of delegation tokens are made with, made once, for the first of them.
    TokenKey(TokenKeyRecord),
    /// There is this delegation token now, instead of that of the same id.
    Token {
        /// Its id.
        id: String,
        /// What it is.
        token: Token,
    },
    /// A delegation token is gone.
    TokenDeleted {
        /// Its id.
        id: String,
    },
    /// An entity has these quotas now, instead of those before.
    ClientQuotas {
        /// For whom.
        entity: QuotaEntity,
        /// All that are set, at least one.
        quotas: QuotaValues,
    },
    /// An entity has no quotas any more.
    ClientQuotasDeleted {
        /// Which.
        entity: QuotaEntity,
    },
    /// Producer ids below this may have been given out.
    ProducerIds {
        /// The first that has not.
        next: i64,
    },
}

/// What settings belong to.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigResource {
    /// The topic of this name.
    Topic(String),
    /// The broker of this id; the empty name stands for all brokers.
    Broker(String),
    /// The group of this id, whether it exists or not.
    Group(String),
}

/// A key as a record of its own: never shown by `Debug`, in the log as base64.
macro_rules! key_record {
    ($(#[$doc:meta])* $name:ident, $key:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(pub(crate) Arc<$key>);

        impl $name {
            /// A new key.
            #[must_use]
            pub fn generate() -> Self {
                Self(Arc::new($key::generate()))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                // Compared by tests and by nothing that a peer can time.
                self.0.as_bytes() == other.0.as_bytes()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_bytes())))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Zeroizing::new(String::deserialize(deserializer)?);
                let mut bytes = Zeroizing::new([0; $key::BYTES]);
                // The decoder's own message would quote the key.
                match URL_SAFE_NO_PAD.decode_slice(text.as_bytes(), bytes.as_mut_slice()) {
                    Ok($key::BYTES) => Ok(Self(Arc::new($key::from_bytes(*bytes)))),
                    _ => Err(serde::de::Error::custom("the key is not in base64, or of another length")),
                }
            }
        }
    };
}

key_record! {
    /// A [`FakeSaltKey`] in the log. `Debug` does not show it.
    SaltKeyRecord, FakeSaltKey
}

key_record! {
    /// A [`TokenKey`] in the log. `Debug` does not show it.
    TokenKeyRecord, TokenKey
}

/// An id as Kafka prints it: 22 characters of URL-safe base64.
#[must_use]
pub fn uuid_text(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

mod as_text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&uuid_text(*id))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(&text, &mut bytes) {
            Ok(16) => Ok(Uuid::from_bytes(bytes)),
            _ => Err(serde::de::Error::custom(format!("'{text}' is not an id"))),
        }
    }
}
