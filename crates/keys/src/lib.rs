//! Keys that seal and authenticate bytes.
//!
//! A [`SealingKey`] is 32 secret bytes from a file. Nothing is sealed with it directly: every purpose has a
//! key of its own, derived by HKDF (RFC 5869). [`Sealer`] hides bytes and binds them to their place,
//! [`Tagger`] shows that bytes that all may read are ours.

mod error;
mod file;
mod root;
mod sealer;
mod tagger;

pub use error::{KeyError, OpenError};
pub use root::{KEY_BYTES, SealingKey};
pub use sealer::Sealer;
pub use tagger::{TAG_BYTES, Tagger};
