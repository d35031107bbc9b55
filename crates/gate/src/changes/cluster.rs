//! Changes of the cluster: its features, brokers and controllers.

use schloss_metadata::uuid_text;
use schloss_wire::messages::{
    AddRaftVoterRequest, RemoveRaftVoterRequest, UnregisterBrokerRequest, UpdateFeaturesRequest,
    UpdateFeaturesResponse,
};
use serde_json::{Value, json};

use super::Change;
use super::result::{Answer, Errors};

const FEATURE: &str = "Feature";
const CONTROLLER: &str = "Controller";

pub(super) fn update_features(request: &UpdateFeaturesRequest) -> Vec<Change> {
    let features = request.feature_updates.iter().map(|update| {
        // Version 0 has the flag instead of the type.
        let kind = match (update.upgrade_type, update.allow_downgrade) {
            (1, false) => "upgrade",
            (1, true) | (2, _) => "safe downgrade",
            (3, _) => "unsafe downgrade",
            _ => "unknown",
        };
        let what = json!({
            "action": "update feature",
            "maxVersionLevel": update.max_version_level,
            "upgradeType": kind,
            "validateOnly": request.validate_only,
        });
        Change::new(FEATURE, update.feature.as_str(), what)
    });
    features.collect()
}

pub(super) fn updated_features(response: &UpdateFeaturesResponse) -> impl Iterator<Item = Answer<'_>> {
    let results = response.results.iter();
    results.map(|result| Answer::new(FEATURE, &*result.feature, Errors::whole(result.error_code)))
}

pub(super) fn unregister_broker(request: &UnregisterBrokerRequest) -> Vec<Change> {
    vec![Change::new("Broker", request.broker_id.to_string(), json!({ "action": "unregister" }))]
}

pub(super) fn add_voter(request: &AddRaftVoterRequest) -> Vec<Change> {
    let listeners: Vec<Value> = request
        .listeners
        .iter()
        .map(|listener| {
            json!({ "name": listener.name.as_str(), "host": listener.host.as_str(), "port": listener.port })
        })
        .collect();
    let what = json!({
        "action": "add voter",
        "directoryId": uuid_text(request.voter_directory_id),
        "listeners": listeners,
    });
    vec![Change::new(CONTROLLER, request.voter_id.to_string(), what)]
}

pub(super) fn remove_voter(request: &RemoveRaftVoterRequest) -> Vec<Change> {
    let what = json!({ "action": "remove voter", "directoryId": uuid_text(request.voter_directory_id) });
    vec![Change::new(CONTROLLER, request.voter_id.to_string(), what)]
}
