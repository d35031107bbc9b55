//! Which of the quotas is in force.

use std::net::IpAddr;

use schloss_metadata::{ClientQuotas, QuotaEntity, QuotaKey, QuotaName};

use crate::limits::counted_as;

/// Who shares what a quota allows: all clients of a user, all users of a client id, or neither.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Shared<'a> {
    pub(super) user: Option<&'a str>,
    pub(super) client: Option<&'a str>,
}

/// The entities that hold for a user with a client id, the first that has a quota decides (KIP-55).
pub(super) struct Levels<'a>([(QuotaEntity, Shared<'a>); 8]);

impl<'a> Levels<'a> {
    pub(super) fn new(user: &'a str, client_id: &'a str) -> Self {
        let of_both = Shared { user: Some(user), client: Some(client_id) };
        let of_user = Shared { client: None, ..of_both };
        let of_client = Shared { user: None, ..of_both };
        let named = |name: &str| QuotaName::Named(name.to_owned());
        let both = |user, client_id| (QuotaEntity::UserClient { user, client_id }, of_both);
        let default = || QuotaName::Default;
        Self([
            both(named(user), named(client_id)),
            both(named(user), default()),
            (QuotaEntity::User(named(user)), of_user),
            both(default(), named(client_id)),
            both(default(), default()),
            (QuotaEntity::User(default()), of_user),
            (QuotaEntity::ClientId(named(client_id)), of_client),
            (QuotaEntity::ClientId(default()), of_client),
        ])
    }

    /// The rate in force, and who shares it.
    pub(super) fn rate(&self, quotas: &ClientQuotas, key: QuotaKey) -> Option<(f64, Shared<'a>)> {
        self.0.iter().find_map(|(entity, shared)| Some((*quotas.get(entity)?.get(&key)?, *shared)))
    }
}

/// The connections a second that an address may open, and whose they are. Without a quota by name the addresses
/// of one IPv6 network share theirs: a single host has all of them.
pub(super) fn of_address(quotas: &ClientQuotas, address: IpAddr) -> Option<(f64, String)> {
    let rate = |name| quotas.get(&QuotaEntity::Ip(name))?.get(&QuotaKey::ConnectionCreationRate).copied();
    let name = address.to_canonical().to_string();
    match rate(QuotaName::Named(name.clone())) {
        Some(rate) => Some((rate, name)),
        None => Some((rate(QuotaName::Default)?, counted_as(address).to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{named, quotas};
    use super::*;

    const KEY: QuotaKey = QuotaKey::ProducerByteRate;

    fn both(user: QuotaName, client_id: QuotaName) -> QuotaEntity {
        QuotaEntity::UserClient { user, client_id }
    }

    #[test]
    fn the_most_special_quota_is_in_force_in_kafkas_order() {
        use QuotaName::Default;
        let order = [
            (both(named("u"), named("c")), Some("u"), Some("c")),
            (both(named("u"), Default), Some("u"), Some("c")),
            (QuotaEntity::User(named("u")), Some("u"), None),
            (both(Default, named("c")), Some("u"), Some("c")),
            (both(Default, Default), Some("u"), Some("c")),
            (QuotaEntity::User(Default), Some("u"), None),
            (QuotaEntity::ClientId(named("c")), None, Some("c")),
            (QuotaEntity::ClientId(Default), None, Some("c")),
        ];
        let levels = Levels::new("u", "c");
        for first in 0..order.len() {
            let there: Vec<_> = (first..order.len()).map(|n| (&order[n].0, KEY, (n + 1) as f64)).collect();
            let (rate, shared) = levels.rate(&quotas(&there), KEY).unwrap();
            let (entity, user, client) = &order[first];
            assert_eq!(
                (rate, shared),
                ((first + 1) as f64, Shared { user: *user, client: *client }),
                "{entity}"
            );
        }
        let others = [both(named("v"), Default), QuotaEntity::User(named("v")), both(Default, named("d"))];
        let there: Vec<_> = others.iter().map(|entity| (entity, KEY, 1.0)).collect();
        assert_eq!(levels.rate(&quotas(&there), KEY), None);
    }

    #[test]
    fn each_quota_is_looked_for_by_itself() {
        let (special, general) = (QuotaEntity::User(named("u")), QuotaEntity::ClientId(QuotaName::Default));
        let quotas = quotas(&[(&special, QuotaKey::RequestPercentage, 5.0), (&general, KEY, 7.0)]);
        let levels = Levels::new("u", "c");
        assert_eq!(levels.rate(&quotas, KEY).unwrap().0, 7.0);
        assert_eq!(levels.rate(&quotas, QuotaKey::RequestPercentage).unwrap().0, 5.0);
        assert_eq!(levels.rate(&quotas, QuotaKey::ConsumerByteRate), None);
    }

    #[test]
    fn an_address_has_its_own_or_shares_that_of_its_network() {
        let (one, rest) = (QuotaEntity::Ip(named("10.0.0.1")), QuotaEntity::Ip(QuotaName::Default));
        let key = QuotaKey::ConnectionCreationRate;
        let both = quotas(&[(&one, key, 1.0), (&rest, key, 2.0)]);
        let of = |text: &str| of_address(&both, text.parse().unwrap()).unwrap();
        assert_eq!(of("10.0.0.1"), (1.0, "10.0.0.1".to_owned()));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_eq!(of("10.0.0.2"), (2.0, "10.0.0.2".to_owned()));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of_address(&quotas(&[(&one, key, 1.0)]), "10.0.0.2".parse().unwrap()), None);
    }
}
