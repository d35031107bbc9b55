//! An administrator and two service accounts with the least rights, each with client files.

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use schloss_identity::{CredentialStore, Mechanism, Password};
use schloss_metadata::Snapshot;
use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType};
use schloss_wire::Principal;

use super::{Place, QUICKSTART, client_files};
use crate::node::Office;

pub(super) const ADMIN: &str = "admin";
pub(super) const PRODUCER: &str = "orders-producer";
pub(super) const CONSUMER: &str = "orders-consumer";
pub(super) const GROUP: &str = "orders-app";
/// The topic that the service accounts get, where nobody else has one of this name.
pub(super) const TOPIC: &str = "orders";

/// Makes the accounts that the state does not have. One that it has keeps its password: a start that was cut off
/// left it in a client file, and another gateway's is not ours to change. Returns whether all have client files.
///
/// # Errors
/// The state can't be changed, or the file system's.
pub(super) async fn make(office: &Office, place: &Place) -> anyhow::Result<bool> {
    let clients = place.root.join("clients");
    let mut complete = true;
    for name in [ADMIN, PRODUCER, CONSUMER] {
        // Set last of all mechanisms, so that it says that the account is whole.
        let is_new = office.metadata.scram(name, Mechanism::ScramSha512).is_none();
        let password =
            if is_new { Some(Password::generate()) } else { client_files::password(&clients, name)? };
        let Some(password) = password else {
            complete = false;
            continue;
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&clients)?;
        let group = (name == CONSUMER).then_some(GROUP);
        client_files::write(place, &client_files::Account { name, password: &password, group })?;
        if is_new {
            office.set_password(QUICKSTART, name, &password).await?;
        }
    }
    Ok(complete)
}

/// Gives the service accounts the least that they need on `topic`.
///
/// # Errors
/// The state can't be changed.
pub(super) async fn grant(office: &Office, topic: &str) -> anyhow::Result<()> {
    office.add_acls(QUICKSTART, acls(topic)).await
}

/// The topic that the producer may write to.
pub(super) fn topic_of(snapshot: &Snapshot) -> Option<String> {
    let producer = Principal::user(PRODUCER);
    let granted = snapshot.acls().iter().find(|acl| {
        acl.resource_type == ResourceType::Topic
            && acl.pattern_type == PatternType::Literal
            && acl.operation == Operation::Write
            && acl.permission == Permission::Allow
            && acl.principal == producer.as_str()
    });
    granted.map(|acl| acl.resource_name.clone())
}

fn acls(topic: &str) -> Vec<Acl> {
    [
        (PRODUCER, ResourceType::Topic, topic, Operation::Write),
        (CONSUMER, ResourceType::Topic, topic, Operation::Read),
        (CONSUMER, ResourceType::Group, GROUP, Operation::Read),
    ]
    .map(|(account, resource_type, resource_name, operation)| Acl {
        resource_type,
        pattern_type: PatternType::Literal,
        resource_name: resource_name.to_owned(),
        principal: Principal::user(account).to_string(),
        host: "*".to_owned(),
        operation,
        permission: Permission::Allow,
    })
    .into()
}
