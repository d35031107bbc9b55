//! The TLS keys of a Java or librdkafka file: CAs, versions, and the client's own certificate and key.

use std::path::Path;

use schloss_pki::{PkiError, TlsIdentity, TlsVersions, certificate_facts};
use zeroize::Zeroizing;

use super::settings::wrong;
use super::source::{Dialect, Entry, Source};
use crate::error::ConfigError;
use crate::files::NamedFile;
use crate::tls::{Tls, Trust};

const EXPORT_CA: &str = "only PEM is supported; export the CA: keytool -exportcert -rfc -alias <alias> \
    -keystore <store> > ca.pem, then set ssl.truststore.type=PEM and ssl.truststore.location=ca.pem";
const EXPORT_KEY: &str = "only PEM is supported; export certificate and key: umask 077; openssl pkcs12 -nodes \
    -in <store> -out client.pem, then set, in a .properties file, ssl.keystore.type=PEM and \
    ssl.keystore.location=client.pem or, in a .conf file, ssl.certificate.location and ssl.key.location (a JKS \
    store becomes PKCS12 by: keytool -importkeystore -srckeystore <jks> -destkeystore <store> -deststoretype PKCS12)";

#[derive(Default)]
pub(super) struct TlsSettings<'a> {
    truststore_type: Option<&'a Entry>,
    ca_file: Option<&'a Entry>,
    ca_inline: Option<&'a Entry>,
    versions: Option<&'a Entry>,
    keystore_type: Option<&'a Entry>,
    /// Java's one file for certificate and key.
    keystore: Option<&'a Entry>,
    chain_file: Option<&'a Entry>,
    chain_inline: Option<&'a Entry>,
    key_file: Option<&'a Entry>,
    key_inline: Option<&'a Entry>,
}

impl<'a> TlsSettings<'a> {
    /// Where an entry belongs; `None` if it is not one of these.
    pub(super) fn place(&mut self, key: &str, dialect: Dialect) -> Option<&mut Option<&'a Entry>> {
        let java = dialect == Dialect::Java;
        Some(match key {
            "ssl.truststore.type" => &mut self.truststore_type,
            "ssl.truststore.location" | "ssl.ca.location" => &mut self.ca_file,
            "ssl.truststore.certificates" | "ssl.ca.pem" => &mut self.ca_inline,
            "ssl.enabled.protocols" => &mut self.versions,
            "ssl.keystore.type" if java => &mut self.keystore_type,
            "ssl.keystore.location" if java => &mut self.keystore,
            "ssl.keystore.certificate.chain" if java => &mut self.chain_inline,
            "ssl.keystore.key" if java => &mut self.key_inline,
            "ssl.certificate.location" if !java => &mut self.chain_file,
            "ssl.certificate.pem" if !java => &mut self.chain_inline,
            "ssl.key.location" if !java => &mut self.key_file,
            "ssl.key.pem" if !java => &mut self.key_inline,
            _ => return None,
        })
    }

    pub(super) fn build(&self, source: &Source) -> Result<Tls, ConfigError> {
        require_pem(self.truststore_type, EXPORT_CA)?;
        require_pem(self.keystore_type, EXPORT_KEY)?;
        let ca = one_of("CA", self.ca_inline, self.ca_file)?;
        let trust = match ca {
            Some(Given::Inline(entry)) => {
                Trust::from_pem(pem_lines(&entry.value).as_slice(), entry.key.as_str())
            }
            Some(Given::File(entry)) => Trust::from(file(entry, source, EXPORT_CA)?),
            None => Trust::system().ok_or_else(|| ConfigError {
                key: Some("ssl.truststore.location".to_owned()),
                problem: "missing, and this system has no CA bundle; name the CA of the cluster (PEM)"
                    .to_owned(),
                ..ConfigError::default()
            })?,
        };
        let versions = match self.versions {
            Some(entry) => versions(entry.value.split(',')).map_err(|problem| wrong(entry, problem))?,
            None => TlsVersions::default(),
        };
        let identity = self.identity(source)?;
        Tls::new(&trust, identity.as_ref(), versions).map_err(|error| match ca {
            Some(given) => wrong(given.entry(), error.problem),
            None => error,
        })
    }

    fn identity(&self, source: &Source) -> Result<Option<TlsIdentity>, ConfigError> {
        let chain = one_of("certificate", self.chain_inline, self.keystore.or(self.chain_file))?;
        let key = one_of("key", self.key_inline, self.keystore.or(self.key_file))?;
        let (chain, key) = match (chain, key) {
            (Some(chain), Some(key)) => (chain, key),
            (None, None) => return Ok(None),
            (Some(alone), None) => {
                return Err(wrong(alone.entry(), "has no private key with it; set both".to_owned()));
            }
            (None, Some(alone)) => {
                return Err(wrong(alone.entry(), "has no certificate with it; set both".to_owned()));
            }
        };
        let chain_pem = chain.read(source)?;
        let key_pem = key.read_secret(source)?;
        identity(&chain_pem, &key_pem).map(Some).map_err(|blame| match blame {
            Blame::Certificate(problem) => wrong(chain.entry(), problem),
            Blame::Key(problem) => wrong(key.entry(), problem),
        })
    }
}

/// Which of its two parts an identity can't be made for, and why.
pub(super) enum Blame {
    Certificate(String),
    Key(String),
}

pub(super) fn identity(chain_pem: &[u8], key_pem: &[u8]) -> Result<TlsIdentity, Blame> {
    certificate_facts(chain_pem).map_err(|error| Blame::Certificate(error.to_string()))?;
    TlsIdentity::from_pem(chain_pem, key_pem).map_err(|error| match error {
        PkiError::Expired { .. } | PkiError::NotYetValid { .. } | PkiError::Certificate(_) => {
            Blame::Certificate(error.to_string())
        }
        _ => Blame::Key(error.to_string()),
    })
}

/// The versions of a list such as `TLSv1.2,TLSv1.3`.
pub(super) fn versions<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<TlsVersions, String> {
    let (mut with_12, mut with_13) = (false, false);
    for name in names {
        match name.trim() {
            "TLSv1.2" => with_12 = true,
            "TLSv1.3" => with_13 = true,
            other => return Err(format!("{other} is not offered; use TLSv1.3,TLSv1.2")),
        }
    }
    match (with_12, with_13) {
        (true, true) => Ok(TlsVersions::Both),
        (false, true) => Ok(TlsVersions::Only13),
        (true, false) => Ok(TlsVersions::Only12),
        (false, false) => Err("holds no version; use TLSv1.3,TLSv1.2".to_owned()),
    }
}

/// How a PEM text is given.
#[derive(Clone, Copy)]
enum Given<'a> {
    Inline(&'a Entry),
    File(&'a Entry),
}

impl<'a> Given<'a> {
    const fn entry(self) -> &'a Entry {
        match self {
            Self::Inline(entry) | Self::File(entry) => entry,
        }
    }

    fn read(self, source: &Source) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
        match self {
            Self::Inline(entry) => Ok(pem_lines(&entry.value)),
            Self::File(entry) => Ok(file(entry, source, EXPORT_KEY)?.bytes),
        }
    }

    /// The same for a private key, which nobody else may be able to read.
    fn read_secret(self, source: &Source) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
        const SECRET: &str = "a private key";
        match self {
            Self::Inline(_) => {
                source.require_private(SECRET)?;
                self.read(source)
            }
            Self::File(entry) => {
                let file = file(entry, source, EXPORT_KEY)?;
                file.require_private(SECRET).map_err(|problem| wrong(entry, problem))?;
                Ok(file.bytes)
            }
        }
    }
}

fn one_of<'a>(
    what: &str,
    inline: Option<&'a Entry>,
    file: Option<&'a Entry>,
) -> Result<Option<Given<'a>>, ConfigError> {
    match (inline, file) {
        (Some(inline), Some(file)) => {
            Err(wrong(inline, format!("the {what} is also given by {}; keep one of them", file.key)))
        }
        (Some(inline), None) => Ok(Some(Given::Inline(inline))),
        (None, Some(file)) => Ok(Some(Given::File(file))),
        (None, None) => Ok(None),
    }
}

/// A PEM file. Java takes a store without a type for JKS, so that one may well be named without it.
fn file(entry: &Entry, source: &Source, otherwise: &str) -> Result<NamedFile, ConfigError> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let file = NamedFile::find(Path::new(entry.value.trim()), source.directory())
        .map_err(|problem| wrong(entry, problem))?;
    if !file.bytes.windows(BEGIN.len()).any(|part| part == BEGIN) {
        return Err(wrong(entry, otherwise.to_owned()));
    }
    Ok(file)
}

fn require_pem(store_type: Option<&Entry>, otherwise: &str) -> Result<(), ConfigError> {
    match store_type {
        Some(entry) if !entry.value.trim().eq_ignore_ascii_case("PEM") => {
            Err(wrong(entry, otherwise.to_owned()))
        }
        _ => Ok(()),
    }
}

/// PEM that stood in one line, with blanks (Java) or the letters `\n` (librdkafka) for ends of lines. The
/// label between the dashes keeps its blanks.
fn pem_lines(value: &str) -> Zeroizing<Vec<u8>> {
    let mut lines = Zeroizing::new(Vec::with_capacity(value.len() * 2));
    for (index, part) in value.split("-----").enumerate() {
        if index % 2 == 1 {
            for piece in ["\n-----", part, "-----\n"] {
                lines.extend_from_slice(piece.as_bytes());
            }
        } else {
            let part = Zeroizing::new(part.replace("\\n", "\n"));
            lines.extend(part.bytes().map(|byte| if byte == b' ' { b'\n' } else { byte }));
        }
    }
    lines
}
