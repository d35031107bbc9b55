//! The `.json` client file that quickstart writes.

use std::path::Path;

use schloss_identity::{Mechanism, Password};
use schloss_pki::TlsVersions;
use serde::Deserialize;
use zeroize::Zeroize;

use super::tls_settings::{Blame, identity, versions};
use super::{ClientConfig, SaslMechanism, Security, settings};
use crate::error::ConfigError;
use crate::files::NamedFile;
use crate::tls::{Tls, Trust};

/// `{"bootstrap": "host:port", "user": "..", "password": "..", "ca": "path"}`. `mechanism` is optional, and so are
/// `certificate` and `key` (paths of PEM files, for TLS client authentication) and `tls_versions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JsonFile {
    bootstrap: Option<Addresses>,
    user: Option<String>,
    password: Option<String>,
    ca: Option<String>,
    mechanism: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    tls_versions: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Addresses {
    One(String),
    Many(Vec<String>),
}

const EXPECTED: &str =
    "expected the keys bootstrap, user, password, ca, mechanism, certificate, key and tls_versions";

pub(super) fn parse(text: &str) -> Result<JsonFile, ConfigError> {
    serde_json::from_str(text).map_err(|error| ConfigError {
        line: Some(error.line()),
        // serde_json quotes keys and types, not the values of strings.
        problem: format!("{error}; {EXPECTED}"),
        ..ConfigError::default()
    })
}

impl JsonFile {
    fn servers(&self) -> Result<Vec<String>, ConfigError> {
        match &self.bootstrap {
            Some(Addresses::One(list)) => settings::addresses(list),
            Some(Addresses::Many(list)) => settings::addresses(&list.join(",")),
            None => Err("missing; add \"bootstrap\": \"host:port\"".to_owned()),
        }
        .map_err(|problem| keyed("bootstrap", problem))
    }

    pub(super) fn into_config(
        mut self,
        directory: Option<&Path>,
        bootstrap: Option<Vec<String>>,
    ) -> Result<ClientConfig, ConfigError> {
        let bootstrap = bootstrap.map_or_else(|| self.servers(), Ok)?;
        let config = ClientConfig::new(bootstrap, Security::Tls(self.tls(directory)?));
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

    fn tls(&self, directory: Option<&Path>) -> Result<Tls, ConfigError> {
        let trust = match &self.ca {
            Some(path) => Trust::from(file("ca", path, directory)?),
            None => Trust::system()
                .ok_or_else(|| keyed("ca", "missing; give the path of the cluster's CA (PEM)".to_owned()))?,
        };
        let versions = match &self.tls_versions {
            Some(names) => versions(names.iter().map(String::as_str))
                .map_err(|problem| keyed("tls_versions", problem))?,
            None => TlsVersions::default(),
        };
        let identity = match (&self.certificate, &self.key) {
            (Some(chain), Some(key)) => {
                let chain = file("certificate", chain, directory)?;
                let key = file("key", key, directory)?;
                key.require_private("a private key").map_err(|problem| keyed("key", problem))?;
                Some(identity(&chain.bytes, &key.bytes).map_err(|blame| match blame {
                    Blame::Certificate(problem) => keyed("certificate", problem),
                    Blame::Key(problem) => keyed("key", problem),
                })?)
            }
            (None, None) => None,
            _ => return Err(keyed("certificate", "certificate and key go together".to_owned())),
        };
        Tls::new(&trust, identity.as_ref(), versions).map_err(|error| keyed("ca", error.problem))
    }
}

impl Drop for JsonFile {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

fn file(key: &str, path: &str, directory: Option<&Path>) -> Result<NamedFile, ConfigError> {
    NamedFile::find(Path::new(path), directory).map_err(|problem| keyed(key, problem))
}

fn keyed(key: &str, problem: String) -> ConfigError {
    ConfigError { key: Some(key.to_owned()), problem, ..ConfigError::default() }
}
