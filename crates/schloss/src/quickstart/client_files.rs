//! Client files that work at the first try with the client people already have.

use std::path::Path;

use schloss_identity::Password;
use serde_json::json;
use zeroize::Zeroizing;

use crate::datadir::write_private;

pub(super) struct Account<'a> {
    pub(super) name: &'a str,
    pub(super) password: &'a Password,
    pub(super) host: &'a str,
    pub(super) port: u16,
    /// The one group that a consumer may join.
    pub(super) group: Option<&'a str>,
}

const MECHANISM: &str = "SCRAM-SHA-512";

/// Writes `clients/<name>.properties`, `.conf` and `.json`, mode 0600.
///
/// # Errors
/// The file system's.
pub(super) fn write(root: &Path, account: &Account<'_>) -> anyhow::Result<()> {
    let ca = root.join("pki/ca.pem");
    let ca = ca.to_string_lossy();
    for (ending, text) in
        [("properties", properties(account, &ca)), ("conf", conf(account, &ca)), ("json", json(account, &ca))]
    {
        write_private(&root.join(format!("clients/{}.{ending}", account.name)), text.as_bytes())?;
    }
    Ok(())
}

impl Account<'_> {
    fn bootstrap(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_owned() };
        format!("{host}:{}", self.port)
    }

    fn group_line(&self) -> String {
        self.group.map(|group| format!("group.id={group}\n")).unwrap_or_default()
    }
}

/// For Java clients and the `kafka-*` tools (`--command-config`).
fn properties(account: &Account<'_>, ca: &str) -> Zeroizing<String> {
    // A backslash begins an escape in this format.
    let ca = ca.replace('\\', "\\\\");
    Zeroizing::new(format!(
        "# Java clients and kafka-* tools: --command-config FILE\n\
         bootstrap.servers={bootstrap}\n\
         security.protocol=SASL_SSL\n\
         sasl.mechanism={MECHANISM}\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
         username=\"{name}\" password=\"{password}\";\n\
         ssl.truststore.type=PEM\n\
         ssl.truststore.location={ca}\n{group}",
        bootstrap = account.bootstrap(),
        name = account.name,
        password = account.password.expose(),
        group = account.group_line(),
    ))
}

/// For librdkafka: `kcat -F FILE`, `confluent-kafka`.
fn conf(account: &Account<'_>, ca: &str) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "# librdkafka: kcat -F FILE, confluent-kafka\n\
         bootstrap.servers={bootstrap}\n\
         security.protocol=SASL_SSL\n\
         sasl.mechanism={MECHANISM}\n\
         sasl.username={name}\n\
         sasl.password={password}\n\
         ssl.ca.location={ca}\n{group}",
        bootstrap = account.bootstrap(),
        name = account.name,
        password = account.password.expose(),
        group = account.group_line(),
    ))
}

/// For everything else.
fn json(account: &Account<'_>, ca: &str) -> Zeroizing<String> {
    let mut text = serde_json::to_string_pretty(&json!({
        "bootstrap": account.bootstrap(),
        "mechanism": MECHANISM,
        "user": account.name,
        "password": account.password.expose(),
        "ca": ca,
        "group": account.group,
    }))
    .unwrap_or_default();
    text.push('\n');
    Zeroizing::new(text)
}
