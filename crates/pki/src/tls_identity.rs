//! Who one side of a TLS connection is.

use std::sync::Arc;

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use time::OffsetDateTime;

use crate::facts::{CertFacts, parse};
use crate::tls::{provider, tls_error};
use crate::{PkiError, pem};

/// A certificate chain with its private key, checked to belong together. Cheap to clone.
///
/// It implements no `Debug`, for it holds the key.
#[derive(Clone)]
pub struct TlsIdentity(Arc<CertifiedKey>);

impl TlsIdentity {
    /// Reads PEM text; the chain begins with the own certificate. One text may hold both.
    ///
    /// # Errors
    /// When certificate or key is missing or broken, the key is encrypted, they are of different pairs, or a
    /// certificate's time is not now.
    pub fn from_pem(chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, PkiError> {
        Self::at(chain_pem, key_pem, OffsetDateTime::now_utc())
    }

    pub(crate) fn at(chain_pem: &[u8], key_pem: &[u8], now: OffsetDateTime) -> Result<Self, PkiError> {
        let chain = pem::certificates(chain_pem)?;
        let key = pem::private_key(key_pem)?;
        for certificate in &chain {
            CertFacts::of(&parse(certificate)?)?.check_time(now)?;
        }
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(tls_error)?;
        Ok(Self(Arc::new(certified)))
    }

    /// Shows this certificate to every peer that asks.
    pub(crate) fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(Arc::clone(&self.0)))
    }
}
