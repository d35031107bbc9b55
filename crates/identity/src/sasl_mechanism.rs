//! The SASL mechanisms that a listener can offer, and the ways in which a peer can prove who it is.

use std::fmt;

use crate::Mechanism;

/// A SASL mechanism that a listener can offer.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SaslMechanism {
    /// `PLAIN` (RFC 4616): the password itself, inside of TLS.
    Plain,
    /// SCRAM with one of its hashes.
    Scram(Mechanism),
    /// `OAUTHBEARER` (RFC 7628): a signed token.
    OAuthBearer,
    /// `GSSAPI` (RFC 4752): a ticket of Kerberos.
    Gssapi,
}

impl SaslMechanism {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Scram(Mechanism::ScramSha512),
        Self::Scram(Mechanism::ScramSha256),
        Self::Plain,
        Self::OAuthBearer,
        Self::Gssapi,
    ];

    /// The name on the wire, such as `PLAIN`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(mechanism) => mechanism.name(),
            Self::OAuthBearer => "OAUTHBEARER",
            Self::Gssapi => "GSSAPI",
        }
    }

    /// The mechanism of exactly this name; names are case-sensitive, as in Kafka.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }
}

impl From<Mechanism> for SaslMechanism {
    fn from(mechanism: Mechanism) -> Self {
        Self::Scram(mechanism)
    }
}

impl fmt::Display for SaslMechanism {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Method {
    /// By a client certificate alone.
    Certificate,
    /// By a SASL exchange.
    Sasl(SaslMechanism),
}

impl Method {
    /// Its name in audit records: that of the SASL mechanism, or `TLS`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certificate => "TLS",
            Self::Sasl(mechanism) => mechanism.name(),
        }
    }
}

impl From<Mechanism> for Method {
    fn from(mechanism: Mechanism) -> Self {
        Self::Sasl(mechanism.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_others_lead_nowhere() {
        for mechanism in SaslMechanism::ALL {
            assert_eq!(SaslMechanism::from_name(mechanism.name()), Some(mechanism));
        }
        for name in ["", "plain", "EXTERNAL", "TLS", "SCRAM-SHA-1"] {
            assert_eq!(SaslMechanism::from_name(name), None, "{name}");
        }
    }
}
