//! The certificates that both servers use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::Process;

const OPENSSL_LIMIT: Duration = Duration::from_secs(20);

/// PEM files of one authority and one server certificate for `localhost`.
#[derive(Clone)]
pub(super) struct Certificates {
    pub(super) ca: PathBuf,
    /// The server's certificate.
    pub(super) chain: PathBuf,
    /// The server's key, PKCS#8.
    pub(super) key: PathBuf,
}

impl Certificates {
    /// Those that `schloss quickstart` made.
    pub(super) fn of_schloss(data_dir: &Path) -> Self {
        let pki = data_dir.join("pki");
        Self { ca: pki.join("ca.pem"), chain: pki.join("server.pem"), key: pki.join("server.key") }
    }

    /// Makes some of the same kind (ECDSA P-256) with OpenSSL, for when there is no Schloss to make them.
    ///
    /// # Errors
    /// `openssl` is not there or fails.
    pub(super) fn make(directory: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)?;
        let new = |arguments: &[&str]| {
            let mut openssl = Command::new("openssl");
            openssl
                .args([
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-days",
                    "2",
                ])
                .args(arguments)
                .current_dir(directory);
            Process::start("openssl", &mut openssl, &directory.join("openssl.log"))?.wait(OPENSSL_LIMIT)
        };
        new(&["-subj", "/CN=benchmark authority", "-keyout", "ca.key", "-out", "ca.pem"])?;
        new(&[
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:false",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-keyout",
            "server.key",
            "-out",
            "server.pem",
        ])?;
        Ok(Self {
            ca: directory.join("ca.pem"),
            chain: directory.join("server.pem"),
            key: directory.join("server.key"),
        })
    }
}
