//! An administrator and two service accounts with the least rights, each with client files.

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use schloss_identity::{CredentialStore, Mechanism, Password};
use schloss_metadata::Snapshot;
use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType};
use schloss_wire::Principal;

use super::topic::{OTHER, TOPIC};
use super::{Place, QUICKSTART, client_files};
use crate::node::Office;

pub(super) const ADMIN: &str = "admin";
pub(super) const PRODUCER: &str = "orders-producer";
pub(super) const CONSUMER: &str = "orders-consumer";
pub(super) const GROUP: &str = "orders-app";

/// Makes the accounts, unless the state has accounts of other gateways. One that it has already keeps its password,
/// which a start that was cut off has left in a client file. Returns whether all have client files.
///
/// # Errors
/// The state can't be changed, or the file system's.
pub(super) async fn make(office: &Office, place: &Place) -> anyhow::Result<bool> {
    let clients = place.root.join("clients");
    // The first file is there before the first account.
    let begun = clients.join(format!("{ADMIN}.json")).exists();
    if !begun && office.metadata.snapshot().users().len() > 0 {
        return Ok(false);
    }
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

/// The topic of ours that the producer may write to.
///
/// An administrator may have let it write to others since, even to one of the usual name: where that was somebody's,
/// ours has the other name, so that is the one to look for first.
pub(super) fn topic_of(snapshot: &Snapshot) -> Option<&'static str> {
    let is_granted =
        |topic: &&str| acls(topic).iter().all(|acl| snapshot.acls().iter().any(|known| known == acl));
    [OTHER, TOPIC].into_iter().find(is_granted)
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

#[cfg(test)]
mod tests {
    use crate::config::ServeConfig;
    use crate::datadir::DataDir;
    use crate::node::State;

    use super::super::{certificates, client_files};
    use super::*;

    /// An office with an empty state, and the place that belongs to it.
    async fn office(directory: &std::path::Path) -> (Office, Place) {
        let data_dir = DataDir::open(&directory.join("data")).unwrap();
        let root = data_dir.path().to_owned();
        certificates::make(&root, &[], None).unwrap();
        let config = root.join("schloss.toml");
        let text = "data_dir = \".\"\n[[listener]]\nname = \"secure\"\nbind = [\"127.0.0.1:9092\"]\n\
            advertised_host = \"localhost\"\ntls_certificate = \"pki/server.pem\"\ntls_key = \"pki/server.key\"\n";
        fs::write(&config, text).unwrap();
        let state = State::open(data_dir, &ServeConfig::load(&config).unwrap()).await.unwrap();
        (state.office, Place { root, host: "localhost".to_owned(), port: 9092, topic: String::new() })
    }

    #[tokio::test]
    async fn a_start_that_was_cut_off_goes_on_with_the_passwords_that_it_has_made() {
        let directory = tempfile::tempdir().unwrap();
        let (office, place) = office(directory.path()).await;
        assert!(make(&office, &place).await.unwrap());
        let clients = place.root.join("clients");
        let password = || client_files::password(&clients, ADMIN).unwrap().unwrap().expose().to_owned();
        let first = (password(), office.metadata.scram(ADMIN, Mechanism::ScramSha512));
        // It finds another free port.
        assert!(make(&office, &Place { port: 9999, ..place }).await.unwrap());
        assert_eq!((password(), office.metadata.scram(ADMIN, Mechanism::ScramSha512)), first);
        let file = fs::read_to_string(clients.join("admin.conf")).unwrap();
        assert!(file.contains("bootstrap.servers=localhost:9999"), "{file}");
    }

    #[tokio::test]
    async fn a_state_with_accounts_of_others_gets_none_of_ours() {
        let directory = tempfile::tempdir().unwrap();
        let (office, place) = office(directory.path()).await;
        office.set_password("System:test", "root", &Password::generate()).await.unwrap();
        assert!(!make(&office, &place).await.unwrap());
        assert!(office.metadata.snapshot().user(ADMIN).is_none());
        assert!(!place.client_file(ADMIN).exists());
    }

    #[tokio::test]
    async fn only_a_topic_of_ours_is_taken_for_one() {
        let directory = tempfile::tempdir().unwrap();
        let (office, _) = office(directory.path()).await;
        let topic = || topic_of(&office.metadata.snapshot());
        grant(&office, "payments").await.unwrap();
        grant(&office, "*").await.unwrap();
        assert_eq!(topic(), None);
        grant(&office, OTHER).await.unwrap();
        assert_eq!(topic(), Some(OTHER));
        grant(&office, TOPIC).await.unwrap();
        assert_eq!(topic(), Some(OTHER), "that of the usual name may be somebody's");
    }
}
