//! `[bootstrap]`: an account that is made when it does not exist yet.

use std::ops::Range;
use std::path::PathBuf;

use schloss_identity::Password;
use serde::Deserialize;
use toml::Spanned;
use zeroize::Zeroizing;

use super::error::ConfigError;
use super::secret::require_private;
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
        (None, Some(file), None) => {
            let path = source.resolve(file.get_ref());
            let key = "bootstrap.password_file";
            require_private(&path).map_err(|message| fail(file.span(), key, message))?;
            let text = std::fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| {
                fail(file.span(), key, format!("{} can't be read: {error}", path.display()))
            })?;
            Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        (None, None, Some(name)) => std::env::var(name.get_ref()).map(Zeroizing::new).map_err(|_| {
            let message = format!("environment variable {} is not set", name.get_ref());
            fail(name.span(), "bootstrap.password_env", message)
        })?,
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
