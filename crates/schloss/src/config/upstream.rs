//! `[upstream]`: the cluster behind a gateway, and as whom the gateway talks to it.

use std::path::PathBuf;
use std::time::Duration;

use schloss_client::{ClientConfig, Security};
use schloss_gateway::Identity;
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::limits::MS_PER_HOUR;
use super::source::Source;

/// The cluster behind a gateway.
pub(crate) struct Upstream {
    /// The file that says how it is reached.
    pub(crate) client_file: PathBuf,
    /// What that file says.
    pub(crate) client: ClientConfig,
    /// As whom clients' requests go there.
    pub(crate) identity: Identity,
    /// How often brokers and topics are looked up when nothing asks for it sooner.
    pub(crate) refresh_interval: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUpstream {
    client_file: Spanned<PathBuf>,
    bootstrap: Option<Spanned<Vec<String>>>,
    identity: Option<Spanned<String>>,
    refresh_interval_ms: Option<Spanned<u64>>,
    #[serde(default)]
    insecure_plaintext: bool,
}

pub(super) fn check(source: &Source<'_>, raw: &RawUpstream) -> Result<Upstream, ConfigError> {
    let client_file = source.resolve(raw.client_file.get_ref());
    // An address that is wrong here must not be blamed on the file.
    let (client, span, key) = match &raw.bootstrap {
        Some(given) => {
            let client = ClientConfig::from_file_for(&client_file, given.get_ref());
            (client, given.span(), "upstream.bootstrap")
        }
        None => (ClientConfig::from_file(&client_file), raw.client_file.span(), "upstream.client_file"),
    };
    let client = client.map_err(|error| match error {
        schloss_client::ClientError::Config(error) => {
            source.error(raw.client_file.span(), "upstream.client_file", error.to_string())
        }
        other => source.error(span, key, other.to_string()),
    })?;
    if matches!(client.security, Security::Plaintext) && !raw.insecure_plaintext {
        let message = format!(
            "{} says plain text: everything that clients send and read could be read and changed on the way to the \
             cluster; set security.protocol to SASL_SSL or SSL there, or accept it here with insecure_plaintext = true",
            client_file.display()
        );
        return Err(source.error(raw.client_file.span(), "upstream.client_file", message));
    }
    Ok(Upstream {
        client_file,
        client,
        identity: identity(source, raw)?,
        refresh_interval: source.millis(
            raw.refresh_interval_ms.as_ref(),
            "upstream.refresh_interval_ms",
            5_000,
            100..=MS_PER_HOUR,
        )?,
    })
}

fn identity(source: &Source<'_>, raw: &RawUpstream) -> Result<Identity, ConfigError> {
    let Some(text) = &raw.identity else { return Ok(Identity::default()) };
    match text.get_ref().as_str() {
        "service" => Ok(Identity::Service),
        "impersonate" => Ok(Identity::Impersonate),
        other => {
            let message = format!("'{other}' is neither \"service\" nor \"impersonate\"");
            Err(source.error(text.span(), "upstream.identity", message))
        }
    }
}
