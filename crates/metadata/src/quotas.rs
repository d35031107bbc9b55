//! Client quotas: for whom, of what, how much (KIP-13, KIP-124, KIP-546, KIP-599, KIP-612).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a quota bounds.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKey {
    /// Bytes of produce requests a second.
    ProducerByteRate,
    /// Bytes of fetch answers a second.
    ConsumerByteRate,
    /// Time on the threads that serve requests, in percent of one thread.
    RequestPercentage,
    /// Partitions created and deleted a second.
    ControllerMutationRate,
    /// Connections a second.
    ConnectionCreationRate,
}

impl QuotaKey {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::ProducerByteRate,
        Self::ConsumerByteRate,
        Self::RequestPercentage,
        Self::ControllerMutationRate,
        Self::ConnectionCreationRate,
    ];

    /// Kafka's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProducerByteRate => "producer_byte_rate",
            Self::ConsumerByteRate => "consumer_byte_rate",
            Self::RequestPercentage => "request_percentage",
            Self::ControllerMutationRate => "controller_mutation_rate",
            Self::ConnectionCreationRate => "connection_creation_rate",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Whether it can be set for this entity: connections are an address's, all else is a user's or client's.
    #[must_use]
    pub const fn is_of(self, entity: &QuotaEntity) -> bool {
        matches!(self, Self::ConnectionCreationRate) == matches!(entity, QuotaEntity::Ip(_))
    }

    /// Whether its value has to be a whole number, as in Kafka.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::ProducerByteRate | Self::ConsumerByteRate | Self::ConnectionCreationRate)
    }
}

/// A part of an entity: one by name, or all that have nothing of their own.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaName {
    /// Whoever has no quota by name.
    Default,
    /// The one of this name.
    Named(String),
}

impl QuotaName {
    /// The name; none for the default, as Kafka writes it.
    #[must_use]
    pub fn as_named(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::Named(name) => Some(name),
        }
    }
}

impl From<Option<String>> for QuotaName {
    fn from(name: Option<String>) -> Self {
        name.map_or(Self::Default, Self::Named)
    }
}

/// For whom a quota is. Users are named without `User:`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaEntity {
    /// A user, with whatever client.
    User(QuotaName),
    /// Clients with this id, of whatever user.
    ClientId(QuotaName),
    /// Clients with this id of a user.
    UserClient {
        /// The user.
        user: QuotaName,
        /// The id that its client gives itself.
        client_id: QuotaName,
    },
    /// An address.
    Ip(QuotaName),
}

impl QuotaEntity {
    /// Kafka's name for users in an entity.
    pub const USER: &'static str = "user";
    /// Kafka's name for client ids in an entity.
    pub const CLIENT_ID: &'static str = "client-id";
    /// Kafka's name for addresses in an entity.
    pub const IP: &'static str = "ip";

    /// The one user that it is about, whatever the client.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::User(user) | Self::UserClient { user, .. } => user.as_named(),
            Self::ClientId(_) | Self::Ip(_) => None,
        }
    }

    /// Its parts, by Kafka's name of their type.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &QuotaName)> {
        let (first, second) = match self {
            Self::User(user) => ((Self::USER, user), None),
            Self::ClientId(client_id) => ((Self::CLIENT_ID, client_id), None),
            Self::UserClient { user, client_id } => ((Self::USER, user), Some((Self::CLIENT_ID, client_id))),
            Self::Ip(ip) => ((Self::IP, ip), None),
        };
        std::iter::once(first).chain(second)
    }
}

impl fmt::Display for QuotaEntity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, name)) in self.parts().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(formatter, "{comma}{kind}={}", name.as_named().unwrap_or("<default>"))?;
        }
        Ok(())
    }
}

/// The quotas of one entity.
pub type QuotaValues = BTreeMap<QuotaKey, f64>;

/// All quotas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientQuotas(BTreeMap<QuotaEntity, QuotaValues>);

impl ClientQuotas {
    /// Whether nobody has a quota.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is set for exactly this entity.
    #[must_use]
    pub fn get(&self, entity: &QuotaEntity) -> Option<&QuotaValues> {
        self.0.get(entity)
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&QuotaEntity, &QuotaValues)> {
        self.0.iter()
    }

    pub(crate) fn set(&mut self, entity: QuotaEntity, quotas: QuotaValues) {
        self.0.insert(entity, quotas);
    }

    pub(crate) fn remove(&mut self, entity: &QuotaEntity) {
        self.0.remove(entity);
    }
}
