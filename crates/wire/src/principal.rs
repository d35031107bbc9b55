//! Kafka principals: a type and a name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// Who acts, in Kafka's own form `Type:name`, such as `User:alice`.
///
/// Cheap to clone. Equality is exact: names are case-sensitive, as in Kafka.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Principal {
    text: Arc<str>,
    colon: usize,
}

/// Text that is no principal.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("'{0}' is not a principal: expected Type:name, such as User:alice")]
pub struct PrincipalError(String);

impl Principal {
    /// The type that Kafka gives to whoever authenticates.
    pub const USER: &'static str = "User";
    /// The type of groups that whoever authenticates is in.
    pub const GROUP: &'static str = "Group";

    /// The principal `User:<name>`.
    #[must_use]
    pub fn user(name: &str) -> Self {
        Self::of(Self::USER, name)
    }

    /// The principal `Group:<name>`.
    #[must_use]
    pub fn group(name: &str) -> Self {
        Self::of(Self::GROUP, name)
    }

    fn of(kind: &str, name: &str) -> Self {
        Self { text: format!("{kind}:{name}").into(), colon: kind.len() }
    }

    /// Whether it is a group.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.kind() == Self::GROUP
    }

    /// The part before the first colon.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.text[..self.colon]
    }

    /// The part after the first colon; it may hold colons itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// The whole, `Type:name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Principal {
    type Err = PrincipalError;

    fn from_str(text: &str) -> Result<Self, PrincipalError> {
        match text.split_once(':') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() => {
                Ok(Self { colon: kind.len(), text: text.into() })
            }
            _ => Err(PrincipalError(text.to_owned())),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl serde::Serialize for Principal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for Principal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_colon_parts_type_from_name() {
        let principal: Principal = "User:CN=a:b".parse().unwrap();
        assert_eq!((principal.kind(), principal.name()), ("User", "CN=a:b"));
        assert_eq!(Principal::user("CN=a:b"), principal);
    }

    #[test]
    fn text_without_type_or_name_is_refused() {
        for text in ["", "alice", ":alice", "User:"] {
            assert!(text.parse::<Principal>().is_err(), "{text}");
        }
    }
}
