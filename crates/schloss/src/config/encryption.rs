//! `[encryption]`: what seals records and metadata on disk.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use zeroize::Zeroizing;

use super::error::ConfigError;
use super::secret;
use super::source::Source;

/// What seals records and metadata on disk. Has no `Debug`: it may hold a passphrase.
pub(crate) struct Encryption {
    /// The file with the keys that wrap all others.
    pub(crate) keyring: PathBuf,
    pub(crate) unlock: UnlockWith,
    /// Nothing is sealed.
    pub(crate) insecure_plain: bool,
}

/// What unlocks the keyring.
pub(crate) enum UnlockWith {
    /// A file with a key, made with the keyring.
    KeyFile(PathBuf),
    Passphrase(Zeroizing<String>),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEncryption {
    keyring: Option<Spanned<PathBuf>>,
    key_file: Option<Spanned<PathBuf>>,
    passphrase_file: Option<Spanned<PathBuf>>,
    passphrase_env: Option<Spanned<String>>,
    #[serde(default)]
    insecure_plain: bool,
}

pub(super) fn check(
    source: &Source<'_>,
    data_dir: &Path,
    raw: &RawEncryption,
) -> Result<Encryption, ConfigError> {
    let place = |path: &Option<Spanned<PathBuf>>, default: &str| match path {
        Some(path) => source.resolve(path.get_ref()),
        None => data_dir.join(default),
    };
    let passphrase = match (&raw.passphrase_file, &raw.passphrase_env) {
        (Some(file), None) => {
            Some((file.span(), secret::from_file(source, file, "encryption.passphrase_file")?))
        }
        (None, Some(name)) => {
            Some((name.span(), secret::from_env(source, name, "encryption.passphrase_env")?))
        }
        (None, None) => None,
        (Some(file), Some(_)) => {
            let message = "needs at most one of passphrase_file and passphrase_env";
            return Err(source.error(file.span(), "encryption", message));
        }
    };
    let unlock = match (passphrase, &raw.key_file) {
        (Some((span, _)), Some(_)) => {
            let message = "the keyring is unlocked by a passphrase or by key_file, not by both";
            return Err(source.error(span, "encryption", message));
        }
        (Some((span, passphrase)), None) if passphrase.is_empty() => {
            return Err(source.error(span, "encryption", "the passphrase is empty"));
        }
        (Some((_, passphrase)), None) => UnlockWith::Passphrase(passphrase),
        (None, key_file) => UnlockWith::KeyFile(place(key_file, "keys/keyring.key")),
    };
    let keyring = place(&raw.keyring, "keys/keyring");
    Ok(Encryption { keyring, unlock, insecure_plain: raw.insecure_plain })
}
