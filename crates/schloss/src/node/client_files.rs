//! The files that say whose client certificates are good: read at the start, and again when they change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use schloss_audit::{Audit, Event};
use schloss_gate::ListenerConfig;
use schloss_pki::ClientTrust;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

use super::SYSTEM;
use crate::config::{ClientCertificates, Listener};

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What the files hold.
#[derive(Clone, Eq, PartialEq)]
struct Content {
    authorities: Vec<u8>,
    /// None without revocation lists.
    lists: Option<Vec<u8>>,
}

/// What clients are trusted by, as the files say now.
///
/// # Errors
/// A file can't be read or does not fit.
pub(super) fn trust(clients: &ClientCertificates) -> anyhow::Result<Arc<ClientTrust>> {
    let content = read(&clients.ca_files, &clients.crl_files)?;
    Ok(ClientTrust::new(clients.expected, &content.authorities, content.lists.as_deref())?)
}

fn read(authorities: &[PathBuf], lists: &[PathBuf]) -> anyhow::Result<Content> {
    let all = |paths: &[PathBuf]| {
        let mut text = Vec::new();
        for path in paths {
            let part = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
            text.extend(part);
            // A file need not end with its last line.
            text.push(b'\n');
        }
        anyhow::Ok(text)
    };
    let lists = if lists.is_empty() { None } else { Some(all(lists)?) };
    Ok(Content { authorities: all(authorities)?, lists })
}

/// Follows the files of every listener.
#[derive(Default)]
pub(super) struct ClientFiles(Vec<Followed>);

struct Followed {
    listener: String,
    ca_files: Vec<PathBuf>,
    crl_files: Vec<PathBuf>,
    trust: Arc<ClientTrust>,
    /// What was taken up last, or could not be.
    seen: Option<Result<Content, String>>,
}

impl ClientFiles {
    /// Adds a listener that is open at `ports`.
    pub(super) fn add(&mut self, listener: &Listener, ports: &[ListenerConfig]) {
        let trusted = ports.first().and_then(|port| port.clients.as_ref());
        if let (Some(clients), Some(trusted)) = (&listener.tls.clients, trusted) {
            self.0.push(Followed {
                listener: listener.name.clone(),
                ca_files: clients.ca_files.clone(),
                crl_files: clients.crl_files.clone(),
                trust: Arc::clone(&trusted.trust),
                seen: None,
            });
        }
    }

    /// Takes up what changes, for ever.
    pub(super) async fn follow(&mut self, audit: &Audit) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let mut clock = interval(LOOK_INTERVAL);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            for one in &mut self.0 {
                if let Some(event) = one.look() {
                    audit.record(event).await;
                }
            }
        }
    }
}

impl Followed {
    /// Takes up the files if they have changed; what is to be written down of it.
    fn look(&mut self) -> Option<Event> {
        let now = read(&self.ca_files, &self.crl_files).map_err(|error| format!("{error:#}"));
        if self.seen.as_ref() == Some(&now) {
            return None;
        }
        let taken = now.clone().and_then(|content| {
            let lists = content.lists.as_deref();
            self.trust.replace(&content.authorities, lists).map_err(|error| error.to_string())
        });
        let is_first = self.seen.replace(now).is_none();
        let event = Event::system("schloss.ClientCertificatesReload").principal(SYSTEM);
        let event = event.listener(self.listener.clone());
        match taken {
            // They may have changed since the start has read them, but most likely have not.
            Ok(()) if is_first => None,
            Ok(()) => {
                info!(
                    listener = self.listener,
                    "the files about client certificates are in force as they are now"
                );
                Some(event)
            }
            Err(words) => {
                error!(
                    listener = self.listener,
                    "the files about client certificates can't be used, those before stay in force: {words}"
                );
                Some(event.result("INVALID_CONFIG").message(words))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use schloss_pki::{Authority, ClientCertificates as Expected};
    use time::Duration as Span;

    use super::*;

    #[test]
    fn files_are_taken_up_when_they_change_and_only_then() {
        let directory = tempfile::tempdir().unwrap();
        let (ca_file, crl_file) = (directory.path().join("ca.pem"), directory.path().join("crl.pem"));
        let ca = Authority::generate("clients", Span::DAY).unwrap();
        std::fs::write(&ca_file, ca.cert_pem()).unwrap();
        std::fs::write(&crl_file, ca.revoke(None, &[], Span::HOUR).unwrap()).unwrap();
        let clients = ClientCertificates {
            expected: Expected::Required,
            ca_files: vec![ca_file],
            crl_files: vec![crl_file.clone()],
            identity: Default::default(),
        };
        let trust = trust(&clients).unwrap();
        let mut followed = Followed {
            listener: "secure".to_owned(),
            ca_files: clients.ca_files.clone(),
            crl_files: clients.crl_files.clone(),
            trust: Arc::clone(&trust),
            seen: None,
        };
        assert!(followed.look().is_none(), "as at the start");
        let generation = trust.generation();
        assert!(followed.look().is_none());
        assert_eq!(trust.generation(), generation);

        let alice = ca.issue_client("alice", Span::HOUR).unwrap();
        std::fs::write(&crl_file, ca.revoke(None, &[alice.cert_pem.as_bytes()], Span::HOUR).unwrap())
            .unwrap();
        assert!(followed.look().is_some_and(|event| event.result == schloss_audit::SUCCESS));
        assert_ne!(trust.generation(), generation);

        std::fs::write(&crl_file, "nothing").unwrap();
        let failed = followed.look().unwrap();
        assert!(failed.message.unwrap_or_default().contains("no revocation list found"));
        assert!(followed.look().is_none(), "told once");
        std::fs::remove_file(&crl_file).unwrap();
        assert!(followed.look().unwrap().message.unwrap_or_default().contains("can't read"));
    }
}
