//! Tickets of Kerberos, accepted by MIT's library.
//!
//! The library is linked with the feature `mit` alone. Without it all is here and [`Acceptor::open`] says what is missing,
//! so that nobody else has to know of the feature.

#[cfg(feature = "mit")]
mod mit;
#[cfg(not(feature = "mit"))]
mod without;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use thiserror::Error;

#[cfg(feature = "mit")]
pub use mit::Acceptor;
#[cfg(not(feature = "mit"))]
pub use without::Acceptor;

/// Whether the library is there.
pub const IS_BUILT_IN: bool = cfg!(feature = "mit");

/// What names the keytab to the library. It has no other way that is safe to call from Rust, and a process can't change
/// its environment safely once it has threads; so it has to be started with this.
pub const KEYTAB_VARIABLE: &str = "KRB5_KTNAME";

/// The value of [`KEYTAB_VARIABLE`] for a keytab.
#[must_use]
pub fn keytab_value(keytab: &Path) -> OsString {
    let mut value = OsString::from("FILE:");
    value.push(keytab);
    value
}

/// Whether this process was started with this keytab.
#[must_use]
pub fn is_in_environment(keytab: &Path) -> bool {
    std::env::var_os(KEYTAB_VARIABLE).as_deref() == Some(keytab_value(keytab).as_os_str())
}

/// Which tickets are for us.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Service {
    /// Those for this service on whatever host, if the keytab has a key for it: `kafka`.
    Name(String),
    /// Those for this principal alone: `kafka/host.example.com@EXAMPLE.COM`.
    Principal(String),
}

/// Why no ticket can be accepted.
#[derive(Debug, Error)]
pub enum KerberosError {
    /// The feature is off.
    #[error(
        "this binary was built without Kerberos: build it with 'cargo build --release --features kerberos'"
    )]
    NotBuiltIn,
    /// The process was started with another keytab, or none.
    #[error("{KEYTAB_VARIABLE} of this process does not name {}", .0.display())]
    Environment(PathBuf),
    /// What the library says of the keytab.
    #[error("{} can't be used: {words}", keytab.display())]
    Keytab {
        /// The keytab.
        keytab: PathBuf,
        /// The library's words.
        words: String,
    },
}
