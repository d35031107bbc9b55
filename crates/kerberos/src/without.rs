//! What stands here without the library.

use std::convert::Infallible;
use std::path::Path;

use schloss_identity::{GssAcceptor, GssContext, GssFailure};

use crate::{KerberosError, Service};

/// There is none without the library.
pub struct Acceptor(Infallible);

impl Acceptor {
    /// Says that the library is not there.
    ///
    /// # Errors
    /// Always.
    pub fn open(_keytab: &Path, _service: &Service) -> Result<Self, KerberosError> {
        Err(KerberosError::NotBuiltIn)
    }
}

impl GssAcceptor for Acceptor {
    fn begin(&self) -> Result<Box<dyn GssContext>, GssFailure> {
        match self.0 {}
    }
}
