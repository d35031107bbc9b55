//! The `.json` client file that quickstart writes.

use std::path::Path;

use schloss_identity::{Mechanism, Password};
use serde::Deserialize;
use zeroize::Zeroize;

use super::{ClientConfig, SaslMechanism, Security, settings};
use crate::error::ConfigError;
use crate::tls::{Trust, read_ca};

/// `{"bootstrap": "host:port", "user": "..", "password": "..", "ca": "path"}`; `mechanism` is optional.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JsonFile {
    bootstrap: Addresses,
    user: Option<String>,
    password: Option<String>,
    ca: Option<String>,
    mechanism: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Addresses {
    One(String),
    Many(Vec<String>),
}

pub(super) fn parse(text: &str) -> Result<JsonFile, ConfigError> {
    serde_json::from_str(text).map_err(|error| ConfigError {
        line: Some(error.line()),
        // serde_json quotes keys and types, not the values of strings.
        problem: format!("{error}; expected the keys bootstrap, user, password, ca and mechanism"),
        ..ConfigError::default()
    })
}

impl JsonFile {
    pub(super) fn into_config(mut self, directory: Option<&Path>) -> Result<ClientConfig, ConfigError> {
        let bootstrap = match std::mem::replace(&mut self.bootstrap, Addresses::Many(Vec::new())) {
            Addresses::One(list) => settings::addresses(&list),
            Addresses::Many(list) => settings::addresses(&list.join(",")),
        }
        .map_err(|problem| keyed("bootstrap", problem))?;
        let trust = match &self.ca {
            Some(path) => read_ca(Path::new(path), directory).map_err(|problem| keyed("ca", problem))?,
            None => Trust::system()
                .ok_or_else(|| keyed("ca", "missing; give the path of the cluster's CA (PEM)".to_owned()))?,
        };
        trust.client_config().map_err(|problem| keyed("ca", problem))?;
        let config = ClientConfig::new(bootstrap, Security::Tls(trust));
        let mechanism = match self.mechanism.as_deref().map(SaslMechanism::from_name) {
            None => SaslMechanism::Scram(Mechanism::ScramSha512),
            Some(Some(known)) => known,
            Some(None) => return Err(keyed("mechanism", settings::unknown_mechanism())),
        };
        match (self.user.take(), self.password.take()) {
            (Some(user), Some(password)) => Ok(ClientConfig {
                sasl: Some(
                    settings::sasl(mechanism, user, Password::new(password))
                        .map_err(|problem| keyed("user", problem))?,
                ),
                ..config
            }),
            (None, None) => Ok(config),
            _ => Err(keyed("user", "user and password go together; give both or none".to_owned())),
        }
    }
}

impl Drop for JsonFile {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

fn keyed(key: &str, problem: String) -> ConfigError {
    ConfigError { key: Some(key.to_owned()), problem, ..ConfigError::default() }
}
