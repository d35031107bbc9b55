//! Client files that work at the first try with the client people already have.

use std::path::Path;

use anyhow::Context;
use schloss_identity::Password;
use serde_json::json;
use zeroize::Zeroizing;

use super::Place;
use crate::datadir::write_private;

pub(super) struct Account<'a> {
    pub(super) name: &'a str,
    pub(super) password: &'a Password,
    /// The one group that a consumer may join.
    pub(super) group: Option<&'a str>,
}

const MECHANISM: &str = "SCRAM-SHA-512";

/// Writes `clients/<name>.properties`, `.conf` and `.json`, mode 0600.
///
/// # Errors
/// The file system's.
pub(super) fn write(place: &Place, account: &Account<'_>) -> anyhow::Result<()> {
    let ca = place.root.join("pki/ca.pem");
    let (ca, bootstrap) = (ca.to_string_lossy(), place.bootstrap());
    for (ending, text) in [
        ("properties", properties(account, &bootstrap, &ca)),
        ("conf", conf(account, &bootstrap, &ca)),
        ("json", json(account, &bootstrap, &ca)),
    ] {
        write_private(&place.root.join(format!("clients/{}.{ending}", account.name)), text.as_bytes())?;
    }
    Ok(())
}

/// The password in `NAME.json`, if there is such a file.
///
/// # Errors
/// It can't be read, or is not what was written.
pub(super) fn password(clients: &Path, name: &str) -> anyhow::Result<Option<Password>> {
    #[derive(serde::Deserialize)]
    struct File {
        password: String,
    }
    let path = clients.join(format!("{name}.json"));
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => Zeroizing::new(text.with_context(|| format!("can't read {}", path.display()))?),
    };
    // serde_json would quote the line of the password.
    let file: File = serde_json::from_str(&text)
        .ok()
        .with_context(|| format!("{} does not hold what was written", path.display()))?;
    Ok(Some(Password::new(file.password)))
}

impl Account<'_> {
    fn group_line(&self) -> String {
        self.group.map(|group| format!("group.id={group}\n")).unwrap_or_default()
    }
}

/// For Java clients and the `kafka-*` tools (`--command-config`).
fn properties(account: &Account<'_>, bootstrap: &str, ca: &str) -> Zeroizing<String> {
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
        name = account.name,
        password = account.password.expose(),
        group = account.group_line(),
    ))
}

/// For librdkafka: `kcat -F FILE`, `confluent-kafka`.
fn conf(account: &Account<'_>, bootstrap: &str, ca: &str) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "# librdkafka: kcat -F FILE, confluent-kafka\n\
         bootstrap.servers={bootstrap}\n\
         security.protocol=SASL_SSL\n\
         sasl.mechanism={MECHANISM}\n\
         sasl.username={name}\n\
         sasl.password={password}\n\
         ssl.ca.location={ca}\n{group}",
        name = account.name,
        password = account.password.expose(),
        group = account.group_line(),
    ))
}

/// For everything else.
fn json(account: &Account<'_>, bootstrap: &str, ca: &str) -> Zeroizing<String> {
    let mut text = serde_json::to_string_pretty(&json!({
        "bootstrap": bootstrap,
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
