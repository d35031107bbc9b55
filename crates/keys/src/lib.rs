//! Keys that seal and authenticate bytes, and those that wrap other keys.
//!
//! Three levels, so that each can be changed without the ones below: a [`Kms`] holds key-encryption keys and
//! gives none of them away ([`Keyring`] is one in a file); a [`DataKey`] belongs to one topic or one journal and
//! is kept wrapped by the KMS; a unit key belongs to one file, is wrapped by the data key in the file's header,
//! and seals records ([`UnitSealer`], [`UnitOpener`]).
//!
//! A [`SealingKey`] is 32 secret bytes. Nothing is sealed with it directly: every purpose has a key of its own,
//! derived by HKDF (RFC 5869). [`Sealer`] hides bytes and binds them to their place, [`Tagger`] shows that bytes
//! that all may read are ours.

mod data_key;
mod error;
mod file;
mod keyring;
mod kms;
pub mod private;
mod root;
mod sealer;
mod store;
mod tagger;
mod unit;
mod unlock;

pub use data_key::{DATA_SEAL_BYTES, DataKey, UnitKey, WRAPPED_UNIT_KEY_BYTES};
pub use error::{DataKeyError, KeyError, KeyringError, OpenError};
pub use keyring::{KekFacts, Keyring};
pub use kms::{Kms, KmsError, Wrapped};
pub use root::{KEY_BYTES, SealingKey, random};
pub use sealer::Sealer;
pub use store::{DataKeyFacts, KeyStore};
pub use tagger::{TAG_BYTES, Tagger};
pub use unit::{SealError, UNIT_TAG_BYTES, UnitOpener, UnitSealer};
pub use unlock::Unlock;
