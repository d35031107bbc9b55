//! From where an ACL applies.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::kind::WILDCARD;

/// The host of an ACL, parsed: anywhere, or a network (a single address is a network of one).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HostRule {
    Anywhere,
    Network(IpNet),
}

impl HostRule {
    /// `*`, an address, or a network in CIDR form. Names are none: they are never resolved.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == WILDCARD {
            return Some(Self::Anywhere);
        }
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => canonical_network(text.parse().ok()?),
        };
        Some(Self::Network(network))
    }

    /// Whether a connection from `address` is meant; `address` must be canonical.
    pub(crate) fn matches(self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Network(network) => network.contains(&address),
        }
    }
}

/// A network written in v4-mapped v6 form (`::ffff:10.0.0.0/104`) is the v4 network it maps.
fn canonical_network(network: IpNet) -> IpNet {
    const MAPPED_PREFIX_BITS: u8 = 96;
    if let IpNet::V6(v6) = network
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(bits) = v6.prefix_len().checked_sub(MAPPED_PREFIX_BITS)
        && let Ok(mapped) = IpNet::new(v4.into(), bits)
    {
        return mapped;
    }
    network
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applies(rule: &str, from: &str) -> bool {
        HostRule::parse(rule).unwrap().matches(from.parse::<IpAddr>().unwrap().to_canonical())
    }

    #[test]
    fn an_address_matches_itself_in_either_family_form() {
        assert!(applies("10.0.0.1", "10.0.0.1") && applies("10.0.0.1", "::ffff:10.0.0.1"));
        assert!(applies("::ffff:10.0.0.1", "10.0.0.1") && !applies("10.0.0.1", "10.0.0.2"));
        assert!(applies("2001:db8::1", "2001:0db8:0:0::1"));
    }

    #[test]
    fn a_network_matches_what_it_contains() {
        assert!(applies("10.1.0.0/16", "10.1.255.3") && !applies("10.1.0.0/16", "10.2.0.0"));
        assert!(applies("10.1.2.3/16", "10.1.9.9"), "host bits don't matter");
        assert!(applies("::ffff:10.0.0.0/104", "10.9.9.9") && !applies("::ffff:10.0.0.0/104", "11.0.0.1"));
        assert!(applies("2001:db8::/32", "2001:db8:1::2") && !applies("2001:db8::/32", "10.0.0.1"));
        assert!(applies("0.0.0.0/0", "10.0.0.1") && !applies("0.0.0.0/0", "2001:db8::1"));
    }

    #[test]
    fn names_and_nonsense_are_no_hosts() {
        for text in ["", "localhost", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "**", "10.0.0.1 "] {
            assert_eq!(HostRule::parse(text), None, "{text}");
        }
    }
}
