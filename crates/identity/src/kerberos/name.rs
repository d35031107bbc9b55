//! Names of Kerberos principals.

use thiserror::Error;

use crate::UserNameError;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 1024;
/// The first part of names that only say that somebody is anonymous (RFC 8062 and RFC 6111).
const WELL_KNOWN: &str = "WELLKNOWN";

/// Why a Kerberos name is no user's.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum KerberosNameError {
    /// Not one or two parts and a realm.
    #[error("'{0}' is not of one or two parts without separators in them, and a realm")]
    Shape(String),
    /// An anonymous ticket proves nothing.
    #[error("'{0}' is not the name of anybody")]
    Anonymous(String),
    /// No rule fits.
    #[error("no rule of kerberos.rules fits '{0}'")]
    NoRule(String),
    /// What a rule makes of a name still has a part or a realm.
    #[error("rule {number} of kerberos.rules makes '{made}' of '{name}', which has a slash or an @ left")]
    NotSimple {
        /// Which rule, counted from 1.
        number: usize,
        /// What it makes of the name.
        made: String,
        /// The name.
        name: String,
    },
    /// What a rule makes of a name is no user's name.
    #[error("kerberos.rules make no user of '{name}': {reason}")]
    NoUser {
        /// The name.
        name: String,
        /// Why not.
        reason: UserNameError,
    },
}

/// A name such as `kafka/host@REALM`, in its parts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct KerberosName<'a> {
    pub(super) first: &'a str,
    pub(super) second: Option<&'a str>,
    pub(super) realm: &'a str,
}

impl<'a> KerberosName<'a> {
    /// Takes a name apart as Kafka does, but for one with a backslash: it stands before a separator that is a letter of
    /// a part, and to whoever does not know that, `admin\/x` would be two parts, the first of them `admin\`.
    pub(super) fn read(text: &'a str) -> Result<Self, KerberosNameError> {
        let shape = || KerberosNameError::Shape(crate::user::shown(text));
        if text.len() > MAX_NAME_BYTES || text.contains('\\') || text.contains(char::is_control) {
            return Err(shape());
        }
        let (name, realm) = text.split_once('@').ok_or_else(shape)?;
        let (first, second) = name.split_once('/').map_or((name, None), |(one, two)| (one, Some(two)));
        if realm.contains(['/', '@']) || second.is_some_and(|second| second.contains('/')) {
            return Err(shape());
        }
        if first == WELL_KNOWN || realm.starts_with(WELL_KNOWN) {
            return Err(KerberosNameError::Anonymous(text.to_owned()));
        }
        Ok(Self { first, second, realm })
    }

    /// How many parts there are before the realm.
    pub(super) const fn parts(&self) -> usize {
        if self.second.is_some() { 2 } else { 1 }
    }

    /// The realm under 0, then the parts; no text under another number.
    pub(super) fn part(&self, number: usize) -> &'a str {
        match number {
            0 => self.realm,
            1 => self.first,
            2 => self.second.unwrap_or_default(),
            _ => "",
        }
    }
}

/// Checks what is said to be a realm.
///
/// # Errors
/// It is empty, or has a letter that no realm here has; in words.
pub fn check_realm(realm: &str) -> Result<(), &'static str> {
    if realm.is_empty() {
        Err("is empty: name the Kerberos realm, such as EXAMPLE.COM")
    } else if realm.len() > MAX_NAME_BYTES
        || realm.contains(['/', '@', '\\'])
        || realm.contains(char::is_control)
    {
        Err("is no name of a realm, such as EXAMPLE.COM")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_or_two_parts_and_a_realm() {
        let read = |text| KerberosName::read(text).map(|name| (name.first, name.second, name.realm));
        assert_eq!(read("alice@A.B"), Ok(("alice", None, "A.B")));
        assert_eq!(read("kafka/host.example@A.B"), Ok(("kafka", Some("host.example"), "A.B")));
        assert_eq!(read("*@A.B"), Ok(("*", None, "A.B")));
        let long = format!("{}@R", "x".repeat(MAX_NAME_BYTES));
        for odd in [
            "",
            "alice",
            "a/b/c@R",
            "alice@R@S",
            "alice@R/S",
            r"ad\/min@R",
            r"alice\@R@S",
            r"a\\b@R",
            "a\nb@R",
            &long,
        ] {
            assert!(matches!(read(odd), Err(KerberosNameError::Shape(_))), "{odd:?}");
        }
        for nobody in
            ["WELLKNOWN/ANONYMOUS@R", "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS", "x@WELLKNOWN:ANONYMOUS"]
        {
            assert!(matches!(read(nobody), Err(KerberosNameError::Anonymous(_))), "{nobody:?}");
        }
    }
}
