//! A Kafka client in our own codec: TLS, SCRAM, producer, consumer and admin.
//!
//! Start at [`ClientConfig::from_file`], then [`Cluster::connect`]. It speaks plain Kafka protocol and works
//! against any cluster of Kafka 2.1 or later. Everything read from the network has a bound, and every error
//! says what to do next.

mod cluster;
mod config;
mod connection;
mod consumer;
mod error;
mod files;
mod producer;
mod tls;

pub use cluster::{
    AclEntry, AclEntryFilter, BrokerInfo, Cluster, ConfigEntry, GroupInfo, NewTopic, PartitionInfo,
    QuotaEntity, QuotaEntry, ScramUser, TokenInfo, TopicInfo,
};
pub use config::{
    ClientConfig, DEFAULT_CONNECT_TIMEOUT, DEFAULT_MAX_RESPONSE_BYTES, DEFAULT_REQUEST_TIMEOUT, Insecure,
    Sasl, SaslMechanism, Security,
};
pub use connection::{Connection, MAX_PIPELINED, RawConnection, Stream};
pub use consumer::{ConsumedRecord, Consumer, ConsumerOptions, StartAt};
pub use error::{ClientError, ConfigError, Denial, Denied, ErrorClass, Need, UPSTREAM_DENIES};
pub use producer::{Delivered, DeliveryReport, Producer, ProducerOptions, ProducerRecord};
pub use schloss_pki::{TlsIdentity, TlsVersions};
pub use schloss_wire::records::Compression;
pub use tls::{Tls, TlsProblem, Trust};
