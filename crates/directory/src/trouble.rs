//! What goes wrong between us and a directory, and what its answers mean.

use std::time::Duration;

use ldap3::LdapError;
use schloss_identity::{AuthFailureReason, MAX_GROUPS};
use thiserror::Error;

/// Longest text of a server that is repeated, in bytes.
const MAX_TEXT_BYTES: usize = 200;

/// Why there is no answer.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Trouble {
    /// No connection.
    #[error("{server} can't be reached: {why}")]
    Connect {
        /// Which server.
        server: String,
        /// Why not.
        why: String,
    },
    /// The server does not take our own log-in.
    #[error("{server} does not let us in as '{dn}': {why}")]
    Service {
        /// Which server.
        server: String,
        /// As whom.
        dn: String,
        /// Why not.
        why: String,
    },
    /// It takes too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// All connections are in use.
    #[error("all connections are in use")]
    Busy,
    /// The connection has ended, or what came is no LDAP.
    #[error("the connection broke: {0}")]
    Lost(String),
    /// The server refuses what it was asked.
    #[error("it answers with result {code}: {text}")]
    Refused {
        /// The result code of RFC 4511, section 4.1.9.
        code: u32,
        /// What it says of it.
        text: String,
    },
    /// One name fits two users.
    #[error("more than one entry fits this name: make user_filter more exact")]
    Ambiguous,
    /// The entry found has no name.
    #[error("the entry {dn} has no value of {attribute}")]
    Nameless {
        /// The entry.
        dn: String,
        /// The attribute that the name should be in.
        attribute: String,
    },
    /// To pass over some could pass over a DENY.
    #[error("more groups than {MAX_GROUPS}, the most that a principal can be in")]
    TooManyGroups,
}

impl Trouble {
    /// Whether another connection may do better.
    pub(crate) const fn is_of_connection(&self) -> bool {
        matches!(self, Self::Lost(_))
    }
}

impl From<LdapError> for Trouble {
    fn from(error: LdapError) -> Self {
        match error {
            LdapError::LdapResult { result } => {
                Self::Refused { code: result.rc, text: bounded(&result.text) }
            }
            other => Self::Lost(bounded(&other.to_string())),
        }
    }
}

/// Why a directory lets nobody in, for the audit trail.
impl From<Trouble> for AuthFailureReason {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Ambiguous | Trouble::Nameless { .. } | Trouble::TooManyGroups => {
                Self::Directory(trouble.to_string())
            }
            other => Self::DirectoryDown(other.to_string()),
        }
    }
}

/// What the result of a user's bind means; nothing if the password is good.
pub(crate) fn refusal(code: u32, text: &str) -> Option<AuthFailureReason> {
    const NO_SUCH_OBJECT: u32 = 32;
    const INVALID_DN: u32 = 34;
    const INAPPROPRIATE: u32 = 48;
    const INVALID_CREDENTIALS: u32 = 49;
    let told = |text: &str| AuthFailureReason::Directory(format!("{} (result {code})", bounded(text)));
    Some(match code {
        0 => return None,
        INVALID_CREDENTIALS => of_active_directory(text).unwrap_or(AuthFailureReason::WrongPassword),
        NO_SUCH_OBJECT | INVALID_DN => AuthFailureReason::UnknownUser,
        INAPPROPRIATE => AuthFailureReason::WrongPassword,
        // A constraint, no right to log in, or an account that the server does not serve.
        19 | 50 | 53 => told(text),
        _ => Trouble::Refused { code, text: bounded(text) }.into(),
    })
}

/// What Active Directory says more exactly: it tells the state of an account only to who knows its password, except
/// for a lock-out, during which it looks at no password.
fn of_active_directory(text: &str) -> Option<AuthFailureReason> {
    let (_, code) = text.split_once(" data ")?;
    let code = code.split(|letter: char| !letter.is_ascii_hexdigit()).next()?;
    let words = match code {
        "525" => return Some(AuthFailureReason::UnknownUser),
        "530" => "it may not log in at this time",
        "531" => "it may not log in from here",
        "532" => "its password has expired",
        "533" => "it is disabled",
        "701" => "it has expired",
        "773" => "its password has to be changed first",
        "775" => "it is locked out there",
        _ => return None,
    };
    Some(AuthFailureReason::Directory(format!("{words} (data {code})")))
}

/// A server's text without what could forge lines of a log, and no more of it than is of use.
pub(crate) fn bounded(text: &str) -> String {
    let mut clean: String = text.chars().filter(|letter| !letter.is_control()).collect();
    if clean.len() > MAX_TEXT_BYTES {
        let end = (0..=MAX_TEXT_BYTES).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or(0);
        clean.truncate(end);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ad(code: &str) -> Option<AuthFailureReason> {
        let text = format!(
            "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {code}, v4563\0"
        );
        refusal(49, &text)
    }

    #[test]
    fn what_active_directory_says_is_told_and_no_guess() {
        for (code, words) in [
            ("532", "its password has expired (data 532)"),
            ("533", "it is disabled (data 533)"),
            ("701", "it has expired (data 701)"),
            ("773", "its password has to be changed first (data 773)"),
            ("775", "it is locked out there (data 775)"),
        ] {
            let reason = ad(code).unwrap();
            assert_eq!(reason, AuthFailureReason::Directory(words.to_owned()));
            assert!(!reason.is_guess(), "{code}");
        }
        assert_eq!(ad("52e"), Some(AuthFailureReason::WrongPassword));
        assert_eq!(ad("525"), Some(AuthFailureReason::UnknownUser));
    }

    #[test]
    fn results_of_a_bind_are_told_apart() {
        assert_eq!(refusal(0, ""), None);
        assert_eq!(refusal(49, ""), Some(AuthFailureReason::WrongPassword));
        assert_eq!(refusal(49, " data "), Some(AuthFailureReason::WrongPassword));
        assert_eq!(refusal(32, ""), Some(AuthFailureReason::UnknownUser));
        assert_eq!(refusal(34, ""), Some(AuthFailureReason::UnknownUser));
        let inactive = refusal(53, "Account inactivated.\nContact admin");
        let words = "Account inactivated.Contact admin (result 53)";
        assert_eq!(inactive, Some(AuthFailureReason::Directory(words.to_owned())));
        for code in [1, 8, 13, 51, 52, 80] {
            let reason = refusal(code, "x").unwrap();
            assert!(matches!(reason, AuthFailureReason::DirectoryDown(_)), "{code}");
            assert!(!reason.is_guess(), "an outage is no guess");
        }
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let long = bounded(&"ü".repeat(150));
        assert_eq!(long, "ü".repeat(100));
        assert_eq!(bounded("a\r\nb"), "ab");
    }
}
