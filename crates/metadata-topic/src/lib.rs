//! The metadata log in a compacted topic of an Apache Kafka cluster, shared by many gateways.
//!
//! [`open`] reads the topic whole and gives a [`Metadata`](schloss_metadata::Metadata) that keeps its
//! changes there and follows those of others.
//!
//! # Who may write
//!
//! A change is one transaction of the transactional id that has the topic's name, and its writer begins with
//! `InitProducerId`: that ends what another gateway had begun and takes the pen from it (KIP-98). Then it
//! reads to the end, decides on that, and commits. So changes have one order, each is decided on all that
//! came before it, and a writer that was paused can't write any more when it wakes up.
//!
//! # What is believed
//!
//! The brokers are believed to keep what is written, and not to have written it. Every record, tombstones
//! too, has a header with the number of its change and a tag over cluster, topic, key, number and value
//! (HMAC-SHA-256). A record without a right tag is forged; one whose number is not that of a new change is a
//! copy of an old one, and forged as well. Credentials are sealed besides (AES-256-GCM). Each change ends
//! with a record that holds a sealed digest over all that is said and not taken back, so a record that
//! compaction or somebody took away is missed.
//!
//! * At start, a forged record or a missing one refuses the start ([`OpenError`]).
//! * A running gateway passes over forged records, loudly ([`Notice::Forged`]), and says again what they
//!   stood over, so that compaction can't take ours away; after that, gateways start again.
//! * The whole topic set back to an earlier state can't be told by a gateway that starts then. One that runs
//!   keeps to what it knows, and takes no changes ([`Health::Behind`]).

mod absorb;
mod book;
mod change;
mod codec;
mod error;
mod follower;
mod health;
mod ledger;
mod load;
mod open;
mod place;
mod shared;
mod tail;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod topic;
mod transactions;
mod upstream;
mod writer;

pub use error::OpenError;
pub use health::{Health, Notice};
pub use open::{DEFAULT_TOPIC, SharedMetadata, TopicLedgerConfig, open};
