//! The SASL mechanisms that Schloss speaks.

use std::fmt;

use aws_lc_rs::{digest, hmac, pbkdf2};
use serde::{Deserialize, Serialize};

/// A SASL mechanism, by its registered name.
///
/// Serialised as that name, such as `"SCRAM-SHA-512"`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Mechanism {
    /// SCRAM with SHA-256 (RFC 7677).
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// SCRAM with SHA-512, the stronger and the default.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Mechanism {
    /// Every mechanism, in the order of their wire codes.
    pub const ALL: [Self; 2] = [Self::ScramSha256, Self::ScramSha512];

    /// The name on the wire, such as `SCRAM-SHA-512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    /// The mechanism of exactly this name; names are case-sensitive, as in Kafka.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// The code in `DescribeUserScramCredentials` and `AlterUserScramCredentials` (KIP-554).
    #[must_use]
    pub const fn code(self) -> i8 {
        match self {
            Self::ScramSha256 => 1,
            Self::ScramSha512 => 2,
        }
    }

    /// The mechanism of a KIP-554 code; 0 (unknown) and all others are none.
    #[must_use]
    pub fn from_code(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.code() == code)
    }

    /// Length in bytes of a key, a proof and a signature of this mechanism.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::ScramSha256 => 32,
            Self::ScramSha512 => 64,
        }
    }

    pub(crate) fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::ScramSha256 => hmac::HMAC_SHA256,
            Self::ScramSha512 => hmac::HMAC_SHA512,
        }
    }

    pub(crate) fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::ScramSha256 => &digest::SHA256,
            Self::ScramSha512 => &digest::SHA512,
        }
    }

    pub(crate) fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::ScramSha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::ScramSha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_those_of_kafka_and_lead_back() {
        assert_eq!(
            Mechanism::ALL.map(|mechanism| (mechanism.name(), mechanism.code())),
            [("SCRAM-SHA-256", 1), ("SCRAM-SHA-512", 2)]
        );
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::from_name(mechanism.name()), Some(mechanism));
            assert_eq!(Mechanism::from_code(mechanism.code()), Some(mechanism));
            assert_eq!(mechanism.digest().output_len(), mechanism.key_bytes());
        }
    }

    #[test]
    fn other_names_and_codes_are_no_mechanism() {
        for name in ["", "PLAIN", "scram-sha-512", "SCRAM-SHA-512-PLUS", "SCRAM-SHA-1"] {
            assert_eq!(Mechanism::from_name(name), None, "{name}");
        }
        for code in [-1, 0, 3, i8::MAX] {
            assert_eq!(Mechanism::from_code(code), None, "{code}");
        }
    }
}
