//! The configuration that is written.

use std::net::SocketAddr;

use toml::Value;

use crate::quickstart::accounts::ADMIN;

/// How clients find each broker.
pub(super) enum Way {
    PortBase(u16),
    Names(String),
}

/// What differs from one gateway to another.
pub(super) struct Settings<'a> {
    pub(super) client_file: &'a str,
    /// Instead of the addresses in the client file.
    pub(super) bootstrap: Option<&'a [String]>,
    pub(super) is_plaintext: bool,
    pub(super) state_topic: &'a str,
    pub(super) host: &'a str,
    pub(super) bind: &'a [SocketAddr],
    pub(super) way: &'a Way,
}

pub(super) fn config(settings: &Settings<'_>) -> String {
    let bootstrap = settings.bootstrap.map_or_else(String::new, |addresses| {
        let addresses =
            addresses.iter().map(|address| quoted(address).to_string()).collect::<Vec<_>>().join(", ");
        format!("bootstrap = [{addresses}]\n")
    });
    let plaintext = if settings.is_plaintext {
        "# Everything between gateway and cluster can be read and changed on the way. Give the cluster a TLS listener.\n\
         insecure_plaintext = true\n"
    } else {
        ""
    };
    let bind: Vec<String> = settings.bind.iter().map(|address| format!("\"{address}\"")).collect();
    let way = match settings.way {
        Way::PortBase(base) => {
            format!("# Broker N is at this port + N, on the same addresses.\nbroker_port_base = {base}")
        }
        Way::Names(pattern) => {
            format!("# DNS leads these names to the gateway.\nbroker_names = {}", quoted(pattern))
        }
    };
    format!(
        r#"# Written by 'schloss gateway quickstart'. 'schloss config check --config FILE' validates changes.
# Paths are relative to this file. Every key is described in docs/configuration.md.
data_dir = "."
super_users = ["User:{ADMIN}"]
# Set it to true to deny nothing and only write down what would be denied.
insecure_observe_only = false

[upstream]
client_file = {client_file}
{bootstrap}{plaintext}identity = "service"

[state]
topic = {topic}
key_file = "{key}"

[[listener]]
name = "secure"
bind = [{bind}]
advertised_host = {host}
{way}
tls_certificate = "pki/server.pem"
tls_key = "pki/server.key"
mechanisms = ["SCRAM-SHA-512", "SCRAM-SHA-256"]

[limits]
max_request_bytes = 104857600
max_connections = 10000
max_connections_per_address = 1000

[audit]
directory = "audit"
max_file_bytes = 67108864
max_files = 100
"#,
        client_file = quoted(settings.client_file),
        topic = quoted(settings.state_topic),
        key = super::KEY,
        bind = bind.join(", "),
        host = quoted(settings.host),
    )
}

fn quoted(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_can_not_add_settings() {
        let hostile = "a\"\ninsecure_observe_only = true\n";
        let text = config(&Settings {
            client_file: hostile,
            bootstrap: Some(&[hostile.to_owned()]),
            is_plaintext: false,
            state_topic: hostile,
            host: hostile,
            bind: &["127.0.0.1:1".parse().unwrap()],
            way: &Way::Names(hostile.to_owned()),
        });
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["insecure_observe_only"].as_bool(), Some(false));
        assert_eq!(table["upstream"]["bootstrap"][0].as_str(), Some(hostile));
        assert_eq!(table["listener"][0]["broker_names"].as_str(), Some(hostile));
        assert!(table["upstream"].get("insecure_plaintext").is_none());
    }
}
