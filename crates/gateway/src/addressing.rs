//! Which broker a client means, and where it is told that a broker is.

use schloss_gate::Entrance;
use thiserror::Error;

/// What stands for a broker's id in a pattern of host names.
const ID: &str = "{id}";

/// How the brokers behind one listener are told apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Addressing {
    /// A port for each broker, `base + node id`, besides those for whichever broker.
    Ports {
        /// The host that clients are told.
        host: String,
        /// The port of the broker with the id 0.
        base: u16,
        /// The ports that clients begin at.
        bootstrap: Vec<u16>,
    },
    /// A host name for each broker, told by SNI, all on one port. Any other name is for whichever broker.
    Names {
        /// The name before and after the broker's id, in lower case.
        pattern: (String, String),
        /// The port that clients are told.
        port: u16,
    },
}

/// A setting of addresses that can't work.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum AddressingError {
    /// A pattern of host names must tell brokers apart.
    #[error("'{0}' must hold {ID} once, such as broker-{ID}.kafka.example.com")]
    Pattern(String),
}

impl Addressing {
    /// Names by a pattern such as `broker-{id}.kafka.example.com`.
    ///
    /// # Errors
    /// The pattern does not hold `{id}` exactly once.
    pub fn names(pattern: &str, port: u16) -> Result<Self, AddressingError> {
        match pattern.to_ascii_lowercase().split(ID).collect::<Vec<_>>()[..] {
            [before, after] => Ok(Self::Names { pattern: (before.to_owned(), after.to_owned()), port }),
            _ => Err(AddressingError::Pattern(pattern.to_owned())),
        }
    }

    /// The broker that is meant by coming in here; `None` where any will do.
    #[must_use]
    pub fn node(&self, entrance: &Entrance) -> Option<i32> {
        match self {
            Self::Ports { bootstrap, .. } if bootstrap.contains(&entrance.port) => None,
            Self::Ports { base, .. } => entrance.port.checked_sub(*base).map(i32::from),
            Self::Names { pattern: (before, after), .. } => {
                let name = entrance.server_name.as_deref()?;
                name.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?.parse().ok()
            }
        }
    }

    /// Where clients find a broker; `None` for an id that has no port.
    #[must_use]
    pub fn address(&self, node: i32) -> Option<(String, u16)> {
        match self {
            Self::Ports { host, base, bootstrap } => {
                let port = u16::try_from(node).ok().and_then(|node| base.checked_add(node))?;
                (!bootstrap.contains(&port)).then(|| (host.clone(), port))
            }
            Self::Names { pattern: (before, after), port } => Some((format!("{before}{node}{after}"), *port)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entrance(port: u16, server_name: Option<&str>) -> Entrance {
        Entrance { listener: "CLIENTS".into(), port, server_name: server_name.map(Into::into) }
    }

    #[test]
    fn a_port_is_a_broker() {
        let bootstrap = vec![9092, 9099];
        let ports = Addressing::Ports { host: "kafka.example.com".to_owned(), base: 9093, bootstrap };
        for bootstrap in [9092, 9099] {
            assert_eq!(ports.node(&entrance(bootstrap, None)), None);
        }
        assert_eq!(ports.address(6), None, "that port is taken");
        assert_eq!(ports.node(&entrance(9093, None)), Some(0));
        assert_eq!(ports.node(&entrance(9100, Some("kafka.example.com"))), Some(7));
        assert_eq!(ports.address(7), Some(("kafka.example.com".to_owned(), 9100)));
        assert_eq!(ports.address(60_000), None);
        assert_eq!(ports.address(-1), None);
    }

    #[test]
    fn a_name_is_a_broker() {
        let names = Addressing::names("Broker-{id}.kafka.example.com", 9092).unwrap();
        assert_eq!(names.node(&entrance(9092, Some("broker-12.kafka.example.com"))), Some(12));
        for other in ["kafka.example.com", "broker-.kafka.example.com", "broker-x.kafka.example.com"] {
            assert_eq!(names.node(&entrance(9092, Some(other))), None, "{other}");
        }
        assert_eq!(names.node(&entrance(9092, None)), None);
        assert_eq!(names.address(3), Some(("broker-3.kafka.example.com".to_owned(), 9092)));
        for wrong in ["kafka.example.com", "{id}.{id}.example.com"] {
            assert_eq!(Addressing::names(wrong, 1), Err(AddressingError::Pattern(wrong.to_owned())));
        }
    }
}
