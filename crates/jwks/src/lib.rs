//! The keys of a token issuer: from a file or by HTTPS, kept through outages, renewed when an unknown one is asked for.
//!
//! [`Jwks`] is the [`KeySource`](schloss_identity::KeySource) of a listener's tokens. Log-ins never wait for the issuer,
//! except for a key that is not known yet.

mod fetch;
mod source;

pub use fetch::{FetchError, Place, Url, UrlError};
pub use source::{Jwks, JwksConfig};
