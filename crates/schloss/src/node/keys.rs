//! The keys that seal what a broker keeps on disk.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use schloss_audit::{Audit, Event};
use schloss_keys::{KekFacts, KeyStore, Keyring, SealingKey, Unlock, private};
use schloss_log::Vault;
use tokio::time::MissedTickBehavior;
use tracing::{error, info};

use super::SYSTEM;
use crate::config::{Encryption, UnlockWith};

/// The key of the keyring that wraps all others.
const KEK: &str = "default";
/// How often a running node looks whether the keyring was rotated.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// The keys of a node. Holds the keyring open.
#[derive(Clone)]
pub(crate) struct NodeKeys {
    path: PathBuf,
    /// What the file of the keyring was when it was read.
    seen: Stamp,
    keyring: Arc<Keyring>,
    store: Arc<KeyStore>,
}

/// Where the wrapped keys of topics and journals are.
pub(crate) fn wrapped_keys(data_dir: &Path) -> PathBuf {
    data_dir.join("keys/wrapped")
}

impl NodeKeys {
    /// Opens the keyring, made with its key file at the very first start, and the keys below it. Takes a while if
    /// a passphrase unlocks it.
    ///
    /// # Errors
    /// Files that are missing, damaged, open to others, or do not fit each other.
    pub(crate) fn open(data_dir: &Path, encryption: &Encryption) -> anyhow::Result<Self> {
        make_private(&data_dir.join("keys"))?;
        let path = encryption.keyring.clone();
        // Before it is read: what changes in between is read again.
        let seen = stamp(&path);
        let keyring = if fs::exists(&path)? {
            Keyring::open(&path, &existing_unlock(encryption)?)?
        } else {
            refuse_to_lock_out(data_dir, &path)?;
            let keyring = Keyring::create(&path, &new_unlock(encryption)?, KEK)?;
            info!(keyring = %path.display(), "made a keyring: keep a copy of it and of what unlocks it elsewhere");
            keyring
        };
        let keyring = Arc::new(keyring);
        let store = KeyStore::open(&wrapped_keys(data_dir), Arc::clone(&keyring) as _, KEK)?;
        Ok(Self { path, seen, keyring, store: Arc::new(store) })
    }

    pub(crate) fn vault(&self) -> Vault {
        Vault::Sealed(Arc::clone(&self.store))
    }

    /// Makes a new version of the key that wraps all others; returns its name with the version.
    ///
    /// # Errors
    /// The file can't be written; then nothing is changed.
    pub(crate) fn rotate(&self) -> anyhow::Result<String> {
        Ok(self.keyring.rotate(KEK)?)
    }

    /// Brings the keys of topics and journals in line with the keyring; returns how many changed.
    ///
    /// # Errors
    /// A file that can't be read or written.
    pub(crate) fn follow(&self) -> anyhow::Result<usize> {
        Ok(self.store.follow()?)
    }

    /// The versions of the keys in the keyring.
    pub(crate) fn versions(&self) -> Vec<KekFacts> {
        self.keyring.keys()
    }

    /// Follows rotations for ever.
    pub(super) async fn watch(&self, audit: &Audit) {
        let mut seen = self.seen;
        let mut clock = tokio::time::interval(WATCH_INTERVAL);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            let now = stamp(&self.path);
            if now == seen {
                continue;
            }
            let keys = self.clone();
            let followed = tokio::task::spawn_blocking(move || {
                keys.keyring.refresh()?;
                keys.follow()
            });
            match followed.await {
                Ok(Ok(changed)) => {
                    seen = now;
                    if changed > 0 {
                        info!(keys = changed, "took up a rotation of the keyring");
                        audit.record(rotated(changed)).await;
                    }
                }
                // Tried again: what was sealed stays readable, and new segments go on with the old keys.
                Ok(Err(error)) => error!("a rotation of the keyring can't be taken up yet: {error:#}"),
                Err(error) => error!("a rotation of the keyring can't be taken up yet: {error}"),
            }
        }
    }
}

/// What the audit trail is told of a rotation.
pub(crate) fn rotated(changed: usize) -> Event {
    Event::administration("schloss.RotateKeys")
        .principal(SYSTEM)
        .message(format!("{changed} key(s) have a new generation and are wrapped anew"))
}

/// What changes when a file is replaced: inode and time.
type Stamp = Option<(u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    fs::metadata(path).ok().map(|facts| (facts.ino(), facts.mtime(), facts.mtime_nsec()))
}

/// A new keyring opens nothing that is there.
fn refuse_to_lock_out(data_dir: &Path, keyring: &Path) -> anyhow::Result<()> {
    if !data_dir.join("metadata").exists() {
        return Ok(());
    }
    bail!(
        "{} is missing, and {} holds data: restore the keyring and what unlocks it from a backup. If nothing in it was \
         ever sealed, because an earlier version or encryption.insecure_plain wrote it, see 'Records from before \
         sealing' in docs/encryption.md",
        keyring.display(),
        data_dir.display()
    )
}

fn existing_unlock(encryption: &Encryption) -> anyhow::Result<Unlock> {
    Ok(match &encryption.unlock {
        UnlockWith::KeyFile(path) => Unlock::KeyFile(SealingKey::from_file(path).with_context(|| {
            format!("{} does not open without its key file", encryption.keyring.display())
        })?),
        UnlockWith::Passphrase(passphrase) => Unlock::Passphrase(passphrase.clone()),
    })
}

fn new_unlock(encryption: &Encryption) -> anyhow::Result<Unlock> {
    match &encryption.unlock {
        // One may have been made beforehand, or by a start that was cut off.
        UnlockWith::KeyFile(path) if !fs::exists(path)? => {
            let key = SealingKey::generate_file(path)?;
            private::sync_parent(path)?;
            Ok(Unlock::KeyFile(key))
        }
        _ => existing_unlock(encryption),
    }
}

fn make_private(directory: &Path) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().mode(private::DIRECTORY_MODE).create(directory);
    match made {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        other => other
            .and_then(|()| private::sync_parent(directory))
            .with_context(|| format!("can't make {}", directory.display()))?,
    }
    Ok(private::check_directory(directory)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use schloss_audit::AuditConfig;
    use zeroize::Zeroizing;

    use super::*;

    struct Fixture {
        home: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            let mode = fs::Permissions::from_mode(0o700);
            Self { home: tempfile::Builder::new().permissions(mode).tempdir().unwrap() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.home.path().join(name)
        }

        fn with(&self, unlock: UnlockWith) -> Encryption {
            Encryption { keyring: self.path("keys/keyring"), unlock, insecure_plain: false }
        }

        fn with_key_file(&self) -> Encryption {
            self.with(UnlockWith::KeyFile(self.path("keys/keyring.key")))
        }

        fn open(&self, encryption: &Encryption) -> anyhow::Result<NodeKeys> {
            NodeKeys::open(self.home.path(), encryption)
        }

        fn refusal(&self, encryption: &Encryption) -> String {
            format!("{:#}", self.open(encryption).err().expect("refused"))
        }
    }

    fn passphrase(text: &str) -> UnlockWith {
        UnlockWith::Passphrase(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn the_first_start_makes_the_keyring_and_its_key_file_for_us_alone() {
        let fixture = Fixture::new();
        let encryption = fixture.with_key_file();
        fixture.open(&encryption).unwrap();
        let mode = |name| fs::metadata(fixture.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("keys"), mode("keys/wrapped")), (0o700, 0o700));
        assert_eq!((mode("keys/keyring"), mode("keys/keyring.key")), (0o600, 0o600));
        assert_eq!(fixture.open(&encryption).unwrap().versions().len(), 1);

        fs::set_permissions(fixture.path("keys/keyring.key"), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(fixture.refusal(&encryption).contains("run chmod 600"));
        fs::remove_file(fixture.path("keys/keyring.key")).unwrap();
        assert!(fixture.refusal(&encryption).contains("does not open without its key file"));
        assert!(!fixture.path("keys/keyring.key").exists(), "another key would help nobody");
    }

    #[test]
    fn no_new_keyring_is_made_for_data_that_is_there() {
        let fixture = Fixture::new();
        fs::create_dir(fixture.path("metadata")).unwrap();
        let why = fixture.refusal(&fixture.with_key_file());
        assert!(why.contains("restore the keyring") && why.contains("docs/encryption.md"), "{why}");
        assert!(!fixture.path("keys/keyring").exists());
    }

    #[test]
    fn a_passphrase_unlocks_what_it_locked() {
        let fixture = Fixture::new();
        fixture.open(&fixture.with(passphrase("correct horse"))).unwrap();
        fixture.open(&fixture.with(passphrase("correct horse"))).unwrap();
        assert!(fixture.refusal(&fixture.with(passphrase("wrong"))).contains("does not open"));
    }

    #[tokio::test]
    async fn a_running_node_takes_up_a_rotation_by_another_process_and_writes_it_down() {
        let fixture = Fixture::new();
        let encryption = fixture.with_key_file();
        let running = fixture.open(&encryption).unwrap();
        let Vault::Sealed(store) = running.vault() else { panic!() };
        let key = store.key("topic", "01", true).unwrap();
        let sealed = key.seal("test", b"", b"before").unwrap();
        let audit = Audit::open(AuditConfig::new(fixture.path("audit"))).unwrap();
        let watched = audit.clone();
        let watch = tokio::spawn(async move { running.watch(&watched).await });
        // The first tick, which looks at the keyring as it is.
        tokio::task::yield_now().await;

        assert_eq!(fixture.open(&encryption).unwrap().rotate().unwrap(), "default:2");
        while KeyStore::facts(&wrapped_keys(fixture.home.path())).unwrap()[0].kek != "default:2" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(key.generation(), 2, "what is sealed from now on");
        assert_eq!(key.unseal("test", b"", &sealed).unwrap().as_slice(), b"before");
        let told = async || {
            audit.flush().await;
            let files = fs::read_dir(fixture.path("audit")).unwrap().map(|entry| entry.unwrap().path());
            files.into_iter().any(|path| fs::read_to_string(path).unwrap_or_default().contains("RotateKeys"))
        };
        while !told().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        watch.abort();
    }
}
