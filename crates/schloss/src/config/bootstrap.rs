//! `[bootstrap]`: an account that is made when it does not exist yet.

use std::ops::Range;
use std::path::PathBuf;

use schloss_identity::Password;
use serde::Deserialize;
use toml::Spanned;
use zeroize::Zeroizing;

use super::error::ConfigError;
use super::secret::{self, require_private};
use super::source::Source;

/// An account that is made when it does not exist yet.
pub(crate) struct Bootstrap {
    pub(crate) user: String,
    pub(crate) password: Password,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBootstrap {
    user: Spanned<String>,
    password: Option<Spanned<Zeroizing<String>>>,
    password_file: Option<Spanned<PathBuf>>,
    password_env: Option<Spanned<String>>,
}

pub(super) fn check(source: &Source<'_>, raw: RawBootstrap) -> Result<Bootstrap, ConfigError> {
    let fail = |span: Range<usize>, key: &str, message: String| source.error(span, key, message);
    let password = match (raw.password, raw.password_file, raw.password_env) {
        (Some(clear), None, None) => {
            require_private(source.path).map_err(|message| {
                fail(
                    clear.span(),
                    "bootstrap.password",
                    format!("a password stands here in clear, but {message}"),
                )
            })?;
            clear.into_inner()
        }
        (None, Some(file), None) => secret::from_file(source, &file, "bootstrap.password_file")?,
        (None, None, Some(name)) => secret::from_env(source, &name, "bootstrap.password_env")?,
        _ => {
            let message = "needs exactly one of password_file, password_env and password".to_owned();
            return Err(fail(raw.user.span(), "bootstrap", message));
        }
    };
    if password.is_empty() {
        return Err(fail(raw.user.span(), "bootstrap", "the password is empty".to_owned()));
    }
    Ok(Bootstrap { user: raw.user.into_inner(), password: Password::new(String::clone(&password)) })
}
