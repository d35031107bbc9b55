//! The issuer of tokens: its keys, looked at for as long as the node runs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use schloss_identity::{KeySource, TokenLogin};
use schloss_jwks::{Jwks, JwksConfig, Place};
use tokio::time::timeout;
use tracing::warn;

use crate::config::{Common, Keys};
use crate::datadir::DataDir;

/// Between two looks that tokens with unknown keys bring about.
const MIN_INTERVAL: Duration = Duration::from_secs(5);
/// How long a start waits for the keys; without them it goes on, and tokens are refused until they are there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Log-in by tokens as the configuration says, if it does.
///
/// # Errors
/// The CA of the issuer's server can't be read or used.
pub(super) async fn tokens(common: &Common, data_dir: &DataDir) -> anyhow::Result<Option<Arc<TokenLogin>>> {
    let Some(oauth) = &common.oauth else { return Ok(None) };
    let (place, cache) = match &oauth.keys {
        Keys::File(path) => (Place::File(path.clone()), None),
        Keys::Url(url, ca_file) => {
            let ca = std::fs::read(ca_file).with_context(|| format!("can't read {}", ca_file.display()))?;
            let tls = schloss_pki::client_config(&ca)
                .with_context(|| format!("oauth.jwks_ca_file: {} can't be used", ca_file.display()))?;
            (Place::Url(url.clone(), tls), Some(data_dir.join("issuer-keys.json")))
        }
    };
    let jwks = Jwks::start(JwksConfig {
        place,
        refresh: oauth.refresh,
        max_age: oauth.max_age,
        min_interval: MIN_INTERVAL,
        cache,
    });
    if !timeout(PATIENCE, jwks.first_look()).await.unwrap_or(jwks.keys().is_some()) {
        warn!(
            "the keys of the token issuer are not to be had yet: nobody logs in by OAUTHBEARER until they are"
        );
    }
    Ok(Some(Arc::new(TokenLogin::new(oauth.rules.clone(), jwks))))
}
