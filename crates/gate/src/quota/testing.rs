//! Quotas for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use schloss_metadata::{
    ClientQuotas, QuotaEntity, QuotaKey, QuotaName, QuotaValues, Record, SaltKeyRecord, State,
};

/// The quotas of a state in which these are set.
pub(super) fn quotas(quotas: &[(&QuotaEntity, QuotaKey, f64)]) -> Arc<ClientQuotas> {
    let founding = [Record::ClusterId { id: "c".to_owned() }, Record::FakeSaltKey(SaltKeyRecord::generate())];
    let mut set: BTreeMap<QuotaEntity, QuotaValues> = BTreeMap::new();
    for (entity, key, rate) in quotas {
        set.entry((*entity).clone()).or_default().insert(*key, *rate);
    }
    let quotas = set.into_iter().map(|(entity, quotas)| Record::ClientQuotas { entity, quotas });
    let state = State::new(founding.into_iter().chain(quotas), Vec::new()).unwrap();
    Arc::clone(state.snapshot().client_quotas())
}

pub(super) fn named(name: &str) -> QuotaName {
    QuotaName::Named(name.to_owned())
}
