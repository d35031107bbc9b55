//! Accounts and the files with which clients use them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// One account at one server, with files for Kafka's own tools and for librdkafka.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) password: String,
    /// For `--command-config`.
    pub(super) properties: PathBuf,
    /// For librdkafka.
    pub(super) conf: PathBuf,
}

impl Account {
    /// Writes the files of an account into `directory`; they trust the authority `ca` only.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn write(
        directory: &Path,
        name: &str,
        password: String,
        bootstrap: &str,
        ca: &Path,
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)?;
        let properties = directory.join(format!("{name}.properties"));
        let conf = directory.join(format!("{name}.conf"));
        let ca = ca.display();
        // One version and one cipher suite, so that both servers encrypt the same way.
        write_private(
            &properties,
            &format!(
                "security.protocol=SASL_SSL\n\
                 sasl.mechanism=SCRAM-SHA-512\n\
                 sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
                 username=\"{name}\" password=\"{password}\";\n\
                 ssl.truststore.type=PEM\n\
                 ssl.truststore.location={ca}\n\
                 ssl.enabled.protocols=TLSv1.3\n\
                 ssl.cipher.suites={CIPHER_SUITE}\n"
            ),
        )?;
        write_private(
            &conf,
            &format!(
                "bootstrap.servers={bootstrap}\n\
                 broker.address.family=v4\n\
                 security.protocol=SASL_SSL\n\
                 sasl.mechanism=SCRAM-SHA-512\n\
                 sasl.username={name}\n\
                 sasl.password={password}\n\
                 ssl.ca.location={ca}\n\
                 reconnect.backoff.ms=10\n\
                 reconnect.backoff.max.ms=20\n"
            ),
        )?;
        Ok(Self { name: name.to_owned(), password, properties, conf })
    }
}

/// Only for the owner: the gateway refuses passwords that others can read.
fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// The suite of TLS 1.3 that every implementation has.
pub(super) const CIPHER_SUITE: &str = "TLS_AES_256_GCM_SHA384";

/// A random password of 128 bits.
///
/// # Errors
/// The system has no source of randomness.
pub(super) fn new_password() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("can't read /dev/urandom")?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_need_no_quoting_and_differ() {
        let (first, second) = (new_password().unwrap(), new_password().unwrap());
        assert!(first.len() == 32 && first.chars().all(|c| c.is_ascii_hexdigit()));
        assert_ne!(first, second);
    }
}
