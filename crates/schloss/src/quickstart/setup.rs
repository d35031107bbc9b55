//! What the first start makes: certificates, accounts, ACLs, the topic, client files and the configuration.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;
use schloss_identity::Password;
use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType};
use schloss_wire::Principal;
use time::Duration;

use super::client_files;
use super::{Arguments, CONFIG, sockets};
use crate::config::ServeConfig;
use crate::datadir::{DataDir, write_private, write_public};
use crate::node::State;

pub(super) const ADMIN: &str = "admin";
pub(super) const PRODUCER: &str = "orders-producer";
pub(super) const CONSUMER: &str = "orders-consumer";
pub(super) const TOPIC: &str = "orders";
pub(super) const GROUP: &str = "orders-app";
/// Who does all this, in audit records.
const QUICKSTART: &str = "System:quickstart";
const DEFAULT_PORT: u16 = 9092;
const DEFAULT_HOST: &str = "localhost";

/// Ten years: replacing the CA means touching every client.
const CA_VALID: Duration = Duration::days(3650);
/// A year and a month, the longest that clients in general accept of a server.
const SERVER_VALID: Duration = Duration::days(397);

/// Makes everything; the configuration last, so that a start that was cut off begins again.
///
/// # Errors
/// The port is taken, or the file system's.
pub(super) async fn make(
    data_dir: DataDir,
    root: &Path,
    arguments: &Arguments,
) -> anyhow::Result<(State, ServeConfig)> {
    let host = arguments.advertised_host.as_deref().unwrap_or(DEFAULT_HOST);
    let bind = sockets(host, arguments.port.unwrap_or(DEFAULT_PORT))?;
    let port = bind[0].port();
    make_certificates(root, host)?;
    let text = config_text(host, &bind);
    // Checked as it will be read, before anything is made with it.
    let draft = root.join("schloss.toml.draft");
    write_private(&draft, text.as_bytes())?;
    let mut config = ServeConfig::load(&draft)?;

    let state = State::open(data_dir, &config).await?;
    let accounts = [ADMIN, PRODUCER, CONSUMER].map(|name| (name, Password::generate()));
    for (name, password) in &accounts {
        state.office.set_password(QUICKSTART, name, password).await?;
    }
    make_acls(&state).await?;
    let clients = root.join("clients");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&clients)?;
    for (name, password) in &accounts {
        let group = (*name == CONSUMER).then_some(GROUP);
        client_files::write(root, &client_files::Account { name, password, host, port, group })?;
    }
    fs::rename(&draft, root.join(CONFIG)).context("can't write the configuration")?;
    config.common.path = root.join(CONFIG);
    Ok((state, config))
}

fn make_certificates(root: &Path, advertised_host: &str) -> anyhow::Result<()> {
    let host_name = gethostname::gethostname().to_string_lossy().into_owned();
    let authority = schloss_pki::Authority::generate(&format!("Schloss CA of {host_name}"), CA_VALID)?;
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    for name in [host_name.as_str(), advertised_host] {
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    let server = authority
        .issue_server(&names, SERVER_VALID)
        .with_context(|| format!("no certificate can be issued for {}", names.join(", ")))?;
    let pki = root.join("pki");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&pki)?;
    write_public(&pki.join("ca.pem"), authority.cert_pem().as_bytes())?;
    write_private(&pki.join("ca.key"), authority.key_pem().as_bytes())?;
    write_public(&pki.join("server.pem"), server.cert_pem.as_bytes())?;
    write_private(&pki.join("server.key"), server.key_pem.as_bytes())
}

/// The least that the two service accounts need.
async fn make_acls(state: &State) -> anyhow::Result<()> {
    let acls: Vec<Acl> = [
        (PRODUCER, ResourceType::Topic, TOPIC, Operation::Write),
        (CONSUMER, ResourceType::Topic, TOPIC, Operation::Read),
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
    .into();
    state.office.add_acls(QUICKSTART, acls).await
}

fn config_text(host: &str, bind: &[SocketAddr]) -> String {
    let mut text = String::new();
    let quoted: Vec<String> = bind.iter().map(|address| format!("\"{address}\"")).collect();
    // Writing to a string can't fail.
    let _ = write!(
        text,
        r#"# Written by 'schloss quickstart'. 'schloss config check --config FILE' validates changes.
# Paths are relative to this file. Every key is described in docs/configuration.md.
data_dir = "."
node_id = 1
super_users = ["User:{ADMIN}"]

[[listener]]
name = "secure"
bind = [{bind}]
advertised_host = {host}
tls_certificate = "pki/server.pem"
tls_key = "pki/server.key"
mechanisms = ["SCRAM-SHA-512", "SCRAM-SHA-256"]

[limits]
max_request_bytes = 104857600
max_connections = 10000
max_connections_per_address = 1000

[log]
durability = "fsync"

[audit]
directory = "audit"
max_file_bytes = 67108864
max_files = 100
"#,
        bind = quoted.join(", "),
        host = toml::Value::String(host.to_owned()),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_host_name_can_not_add_settings() {
        let text = config_text("a\"\nnode_id = 7\n", &["127.0.0.1:1".parse().unwrap()]);
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["node_id"].as_integer(), Some(1));
        assert_eq!(table["listener"][0]["advertised_host"].as_str(), Some("a\"\nnode_id = 7\n"));
    }
}
