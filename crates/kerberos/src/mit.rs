//! The library's accepting side.

use std::path::Path;

use libgssapi::context::{SecurityContext, ServerCtx};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::error::Error;
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_HOSTBASED_SERVICE, GSS_NT_KRB5_PRINCIPAL, OidSet};
use schloss_identity::{GssAcceptor, GssClient, GssContext, GssFailure, GssReply};

use crate::{KerberosError, Service, is_in_environment};

/// Accepts tickets for one service with the keys of a keytab, which is read anew for each client: keys can be added and
/// taken out while it serves. Tickets that were seen before are refused by the library's replay cache.
pub struct Acceptor {
    /// As Kerberos itself knows it: from another form the library would look for the host's name, and ask the DNS, for
    /// each client.
    name: Name,
}

impl Acceptor {
    /// Looks whether `keytab` can be read and has a key of `service`. May block.
    ///
    /// # Errors
    /// It can't or has none, or the process was not started with it: see [`KEYTAB_VARIABLE`](crate::KEYTAB_VARIABLE).
    pub fn open(keytab: &Path, service: &Service) -> Result<Self, KerberosError> {
        if !is_in_environment(keytab) {
            return Err(KerberosError::Environment(keytab.to_owned()));
        }
        let open = || {
            let name = name(service)?;
            credential(&name)?;
            Ok(Self { name })
        };
        open()
            .map_err(|error: Error| KerberosError::Keytab { keytab: keytab.to_owned(), words: words(&error) })
    }
}

impl GssAcceptor for Acceptor {
    fn begin(&self) -> Result<Box<dyn GssContext>, GssFailure> {
        let credential = credential(&self.name).map_err(failure)?;
        Ok(Box::new(Context(ServerCtx::new(Some(credential)))))
    }
}

struct Context(ServerCtx);

impl GssContext for Context {
    fn accept(&mut self, token: &[u8]) -> Result<GssReply, GssFailure> {
        // The library's error has its words on the thread where it came about.
        let reply = self.0.step(token, None).map_err(failure)?;
        let token = reply.map(|reply| reply.to_vec()).unwrap_or_default();
        if !self.0.is_complete() {
            return Ok(GssReply { token, client: None });
        }
        let name = self.0.source_name().and_then(|name| name.display_name()).map_err(failure)?;
        let name = str::from_utf8(&name)
            .map_err(|_| GssFailure::new("the name of the ticket's owner is no UTF-8"))?;
        let lifetime = self.0.lifetime().map_err(failure)?;
        Ok(GssReply { token, client: Some(GssClient { name: name.to_owned(), lifetime }) })
    }

    fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, GssFailure> {
        self.0.wrap(false, message).map(|token| token.to_vec()).map_err(failure)
    }

    fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>, GssFailure> {
        self.0.unwrap(token).map(|message| message.to_vec()).map_err(failure)
    }
}

fn name(service: &Service) -> Result<Name, Error> {
    let (text, kind) = match service {
        Service::Name(name) => (name, GSS_NT_HOSTBASED_SERVICE),
        Service::Principal(principal) => (principal, GSS_NT_KRB5_PRINCIPAL),
    };
    Name::new(text.as_bytes(), Some(kind))?.canonicalize(Some(GSS_MECH_KRB5))
}

fn credential(name: &Name) -> Result<Cred, Error> {
    // Kerberos itself alone: SPNEGO would negotiate other mechanisms with strangers.
    let mechanisms = OidSet::singleton(GSS_MECH_KRB5)?;
    Cred::acquire(Some(name), None, CredUsage::Accept, Some(&mechanisms))
}

fn failure(error: Error) -> GssFailure {
    GssFailure::new(&words(&error))
}

/// What the library says, in one line.
fn words(error: &Error) -> String {
    /// What it says of most errors before it says what they are.
    const NOTHING: &str = "Unspecified GSS failure. Minor code may provide more information";
    let words = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let said = words.strip_prefix(NOTHING).map(str::trim_start);
    let said = said.and_then(|said| said.strip_prefix('(')).and_then(|said| said.strip_suffix(')'));
    said.map_or(words.clone(), str::to_owned)
}
