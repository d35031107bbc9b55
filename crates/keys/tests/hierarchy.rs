//! KEKs in a keyring, keys of topics below them, keys of files below those.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schloss_keys::{
    DATA_SEAL_BYTES, DataKey, DataKeyError, DataKeyFacts, KeyStore, Keyring, KeyringError, Kms as _,
    KmsError, OpenError, SealError, SealingKey, UNIT_TAG_BYTES, UnitKey, Unlock, WRAPPED_UNIT_KEY_BYTES,
};
use tempfile::TempDir;
use zeroize::Zeroizing;

const NAME: &str = "default";
const TOPIC: &str = "topic 01";

fn key_file() -> Unlock {
    Unlock::KeyFile(SealingKey::from_bytes(&[7; 32]))
}

fn passphrase(text: &str) -> Unlock {
    Unlock::Passphrase(Zeroizing::new(text.to_owned()))
}

struct House {
    home: TempDir,
    keyring: Keyring,
}

impl House {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let keyring = Keyring::create(&home.path().join("keyring"), &key_file(), NAME).unwrap();
        Self { home, keyring }
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("topic.key")
    }

    fn create(&self) -> Arc<DataKey> {
        DataKey::create(&self.path(), TOPIC, &self.keyring, NAME).unwrap()
    }

    fn open(&self) -> Result<Arc<DataKey>, DataKeyError> {
        DataKey::open(&self.path(), TOPIC, &self.keyring, NAME)
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_keyring_opens_with_what_it_was_locked_with_and_nothing_else() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("keyring");
    let made = Keyring::create(&path, &passphrase("correct horse"), NAME).unwrap();
    let wrapped = made.wrap(NAME, b"context", &[9; 32]).unwrap();
    assert_eq!(wrapped.kek, "default:1");
    assert_eq!(mode(&path), 0o600);

    let opened = Keyring::open(&path, &passphrase("correct horse")).unwrap();
    assert_eq!(*opened.unwrap(b"context", &wrapped).unwrap(), [9; 32]);
    let refused = |unlock: &Unlock| Keyring::open(&path, unlock).err().unwrap();
    assert!(matches!(refused(&passphrase("correct horsf")), KeyringError::Locked { .. }));
    assert!(matches!(refused(&key_file()), KeyringError::OtherLock { wanted: "passphrase", .. }));
    assert!(matches!(Keyring::create(&path, &key_file(), NAME), Err(KeyringError::Exists(_))));
}

#[test]
fn a_keyring_that_was_changed_anywhere_does_not_open() {
    let house = House::new();
    let path = house.home.path().join("keyring");
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut changed = good.clone();
        // Another character of base64, or none.
        changed[at] ^= 0x02;
        fs::write(&path, &changed).unwrap();
        assert!(Keyring::open(&path, &key_file()).is_err(), "byte {at}");
        fs::write(&path, &good[..at]).unwrap();
        // Only the last line's end may be missing.
        assert_eq!(Keyring::open(&path, &key_file()).is_ok(), at + 1 == good.len(), "cut at {at}");
    }
}

#[test]
fn a_lock_that_asks_for_too_much_is_refused_before_it_gets_it() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("keyring");
    for cost in ["4294967295 3 1", "65536 100000 1", "65536 3 1000"] {
        let text = format!("schloss-keyring-1\nlock argon2id {cost} AAAAAAAAAAAAAAAAAAAAAA==\nsealed AAAA\n");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Keyring::open(&path, &passphrase("x")), Err(KeyringError::Format(_))));
    }
}

#[test]
fn a_new_version_wraps_and_the_old_ones_still_unwrap() {
    let house = House::new();
    let old = house.keyring.wrap(NAME, b"c", &[9; 32]).unwrap();
    // Another process has the same file open.
    let other = Keyring::open(&house.home.path().join("keyring"), &key_file()).unwrap();
    assert!(!other.refresh().unwrap());
    assert_eq!(house.keyring.rotate(NAME).unwrap(), "default:2");
    let new = house.keyring.wrap(NAME, b"c", &[9; 32]).unwrap();
    assert_eq!(
        (house.keyring.newest(NAME).unwrap(), new.kek.as_str()),
        ("default:2".to_owned(), "default:2")
    );
    assert_eq!(*house.keyring.unwrap(b"c", &old).unwrap(), [9; 32]);

    assert!(matches!(other.unwrap(b"c", &new), Err(KmsError::UnknownKey(_))));
    assert!(other.refresh().unwrap());
    assert_eq!(*other.unwrap(b"c", &new).unwrap(), [9; 32]);
    assert_eq!(other.keys().iter().map(|key| key.version).collect::<Vec<_>>(), [1, 2]);

    assert!(matches!(other.unwrap(b"d", &new), Err(KmsError::Refused(_))), "for another purpose");
    assert!(matches!(other.wrap("none", b"c", &[9; 32]), Err(KmsError::UnknownKey(_))));
    assert!(matches!(house.keyring.rotate("none"), Err(KeyringError::UnknownKey(_))));
    assert!(matches!(
        Keyring::create(&house.home.path().join("x"), &key_file(), "a b"),
        Err(KeyringError::Name(_))
    ));
}

#[test]
fn a_data_key_opens_from_its_file_what_it_sealed_at_its_place() {
    let house = House::new();
    let key = house.create();
    assert_eq!(mode(&house.path()), 0o600);
    let sealed = key.seal("index", b"place", b"the secret").unwrap();
    assert_eq!(sealed.len(), 10 + DATA_SEAL_BYTES);
    let again = house.open().unwrap();
    assert_eq!(again.unseal("index", b"place", &sealed).unwrap().as_slice(), b"the secret");
    assert_eq!(again.unseal("index", b"elsewhere", &sealed).err(), Some(OpenError));
    assert_eq!(again.unseal("snapshot", b"place", &sealed).err(), Some(OpenError));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(again.unseal("index", b"place", &changed).err(), Some(OpenError), "byte {at}");
        assert_eq!(again.unseal("index", b"place", &sealed[..at]).err(), Some(OpenError), "cut at {at}");
    }
}

#[test]
fn rotation_touches_nothing_that_was_sealed_and_leaves_the_old_kek_behind() {
    let house = House::new();
    let key = house.create();
    let before = key.seal("index", b"", b"before").unwrap();
    let unit = key.new_unit_key(b"file").unwrap();
    house.keyring.rotate(NAME).unwrap();
    key.rotate(&house.keyring).unwrap();
    let after = key.seal("index", b"", b"after").unwrap();
    assert_eq!((key.generation(), &before[..4], &after[..4]), (2, &[0, 0, 0, 1][..], &[0, 0, 0, 2][..]));
    let text = fs::read_to_string(house.path()).unwrap();
    assert!(
        !text.contains("default:1") && text.contains("key 1 default:2") && text.contains("key 2 default:2")
    );

    let again = house.open().unwrap();
    assert_eq!(again.unseal("index", b"", &before).unwrap().as_slice(), b"before");
    assert_eq!(again.unseal("index", b"", &after).unwrap().as_slice(), b"after");
    assert!(again.unit_opener(b"file", &unit.wrapped).is_ok());

    assert!(!again.follow(&house.keyring).unwrap(), "all is wrapped with the newest");
    house.keyring.rotate(NAME).unwrap();
    assert!(again.follow(&house.keyring).unwrap());
    assert_eq!(again.generation(), 3);
    assert!(fs::read_to_string(house.path()).unwrap().contains("key 2 default:3"));
}

#[test]
fn a_data_key_stands_for_no_other_topic_and_no_other_generation() {
    let house = House::new();
    let key = house.create();
    key.rotate(&house.keyring).unwrap();
    assert!(matches!(
        DataKey::open(&house.path(), "topic 02", &house.keyring, NAME),
        Err(DataKeyError::Purpose { .. })
    ));
    let text = fs::read_to_string(house.path()).unwrap();
    fs::write(house.path(), text.replace(TOPIC, "topic 02")).unwrap();
    assert!(matches!(
        DataKey::open(&house.path(), "topic 02", &house.keyring, NAME),
        Err(DataKeyError::Kms(KmsError::Refused(_)))
    ));
    // The older key in the place of the newer.
    let lines: Vec<&str> = text.lines().collect();
    let older = lines[2].replacen("key 1", "key 3", 1);
    fs::write(house.path(), format!("{}\n{}\n{older}\n", lines[0], lines[1])).unwrap();
    assert!(matches!(house.open(), Err(DataKeyError::Kms(KmsError::Refused(_)))));
}

#[test]
fn a_data_key_file_that_is_damaged_or_open_to_others_is_refused() {
    let house = House::new();
    house.create();
    assert!(matches!(
        DataKey::create(&house.path(), TOPIC, &house.keyring, NAME),
        Err(DataKeyError::Exists(_))
    ));
    let good = fs::read(house.path()).unwrap();
    for at in 0..good.len() - 1 {
        fs::write(house.path(), &good[..at]).unwrap();
        assert!(house.open().is_err(), "cut at {at}");
    }
    fs::write(house.path(), &good).unwrap();
    fs::set_permissions(house.path(), fs::Permissions::from_mode(0o640)).unwrap();
    let why = house.open().err().unwrap().to_string();
    assert!(why.contains(&format!("run chmod 600 {}", house.path().display())), "{why}");
}

#[test]
fn a_destroyed_key_is_gone_and_so_is_what_it_sealed() {
    let house = House::new();
    let key = house.create();
    let sealed = key.seal("index", b"", b"x").unwrap();
    DataKey::destroy(&house.path()).unwrap();
    DataKey::destroy(&house.path()).unwrap();
    assert!(house.open().is_err());
    let next = house.create();
    assert_eq!(next.unseal("index", b"", &sealed).err(), Some(OpenError));
    let again = house.open().unwrap();
    assert!(again.unseal("index", b"", &next.seal("index", b"", b"y").unwrap()).is_ok());
}

fn seal(unit: &mut UnitKey, position: u64, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut sealed = vec![0; plaintext.len() + UNIT_TAG_BYTES];
    unit.sealer.seal(position, b"aad", plaintext, &mut sealed).map(|()| sealed)
}

#[test]
fn a_unit_opens_at_its_position_with_its_aad_and_unchanged_only() {
    let house = House::new();
    let key = house.create();
    let mut unit = key.new_unit_key(b"file").unwrap();
    assert_eq!(unit.wrapped.len(), WRAPPED_UNIT_KEY_BYTES);
    let sealed = seal(&mut unit, 128, b"records").unwrap();
    let opener = house.open().unwrap().unit_opener(b"file", &unit.wrapped).unwrap();
    let mut plaintext = [0; 7];
    opener.open(128, b"aad", &sealed, &mut plaintext).unwrap();
    assert_eq!(&plaintext, b"records");
    assert_eq!(opener.open(129, b"aad", &sealed, &mut plaintext), Err(OpenError));
    assert_eq!(opener.open(128, b"aae", &sealed, &mut plaintext), Err(OpenError));
    assert_eq!(opener.open(128, b"aad", &sealed, &mut [0; 8]), Err(OpenError));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(opener.open(128, b"aad", &changed, &mut plaintext), Err(OpenError), "byte {at}");
    }
    assert_eq!(key.unit_opener(b"other file", &unit.wrapped).err(), Some(OpenError));
    assert!(unit.sealer.seal(200, b"", b"x", &mut [0; 16]).is_err(), "no room for the tag");
}

#[test]
fn a_unit_key_seals_no_position_twice_and_never_goes_back() {
    let house = House::new();
    let key = house.create();
    let mut unit = key.new_unit_key(b"file").unwrap();
    assert!(seal(&mut unit, 100, b"one").is_ok());
    for position in [0, 99, 100] {
        assert_eq!(seal(&mut unit, position, b"two"), Err(SealError::Used));
    }
    assert!(seal(&mut unit, 119, b"two").is_ok());
    assert_eq!(seal(&mut unit, u64::MAX, b"x"), Err(SealError::Used));
}

#[test]
fn every_unit_key_is_another_one() {
    let house = House::new();
    let key = house.create();
    let sealed: HashSet<Vec<u8>> =
        (0..100).map(|_| seal(&mut key.new_unit_key(b"file").unwrap(), 0, &[0; 32]).unwrap()).collect();
    assert_eq!(sealed.len(), 100);
}

#[test]
fn a_store_makes_a_key_for_what_is_new_and_never_for_what_is_sealed_already() {
    let house = House::new();
    let directory = house.home.path().join("keys");
    let keyring = Arc::new(Keyring::open(&house.home.path().join("keyring"), &key_file()).unwrap());
    let open = || KeyStore::open(&directory, Arc::clone(&keyring) as _, NAME).unwrap();
    let store = open();
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(matches!(store.key("topic", "01", false), Err(DataKeyError::Missing { .. })));
    let made = store.key("topic", "01", true).unwrap();
    assert!(Arc::ptr_eq(&made, &store.key("topic", "01", false).unwrap()));
    let sealed = made.seal("index", b"", b"x").unwrap();
    store.key("journal", "metadata", true).unwrap();

    keyring.rotate(NAME).unwrap();
    let store = open();
    assert_eq!((store.follow().unwrap(), store.follow().unwrap()), (2, 0));
    let fact = |purpose: &str, generation| DataKeyFacts {
        purpose: purpose.to_owned(),
        generation,
        kek: "default:2".to_owned(),
    };
    assert_eq!(KeyStore::facts(&directory).unwrap(), [fact("journal metadata", 2), fact("topic 01", 2)]);
    let key = store.key("topic", "01", false).unwrap();
    assert_eq!(key.unseal("index", b"", &sealed).unwrap().as_slice(), b"x");
    assert_eq!(key.seal("index", b"", b"x").unwrap()[..4], [0, 0, 0, 2]);

    store.destroy("topic", "01").unwrap();
    store.destroy("topic", "01").unwrap();
    assert!(matches!(store.key("topic", "01", false), Err(DataKeyError::Missing { .. })));
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o750)).unwrap();
    let why = KeyStore::open(&directory, Arc::clone(&keyring) as _, NAME).err().unwrap().to_string();
    assert!(why.contains("run chmod 700"), "{why}");
    assert!(KeyStore::facts(&house.home.path().join("none")).unwrap().is_empty());
}

#[test]
fn keyrings_that_two_processes_rotate_lose_no_version() {
    let house = House::new();
    let path = house.home.path().join("keyring");
    let other = Keyring::open(&path, &key_file()).unwrap();
    assert_eq!(house.keyring.rotate(NAME).unwrap(), "default:2");
    let wrapped = house.keyring.wrap(NAME, b"c", &[9; 32]).unwrap();
    assert_eq!(other.rotate(NAME).unwrap(), "default:3", "the other process has made the second");
    std::thread::scope(|scope| {
        for keyring in [&house.keyring, &other] {
            scope.spawn(|| (0..20).for_each(|_| drop(keyring.rotate(NAME).unwrap())));
        }
    });
    let again = Keyring::open(&path, &key_file()).unwrap();
    assert_eq!(*again.unwrap(b"c", &wrapped).unwrap(), [9; 32]);
    assert_eq!(again.keys().iter().map(|kek| kek.version).collect::<Vec<_>>(), (1..=43).collect::<Vec<_>>());
}

#[test]
fn a_key_that_is_destroyed_while_the_keyring_is_rotated_does_not_come_back() {
    const ROUNDS: usize = 300;
    let house = House::new();
    let directory = house.home.path().join("keys");
    let keyring = Arc::new(Keyring::open(&house.home.path().join("keyring"), &key_file()).unwrap());
    let store = KeyStore::open(&directory, Arc::clone(&keyring) as _, NAME).unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let rotating = scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                keyring.rotate(NAME).unwrap();
                store.follow().unwrap();
            }
        });
        for number in 0..ROUNDS {
            store.key("topic", &number.to_string(), true).unwrap();
            store.destroy("topic", &number.to_string()).unwrap();
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        rotating.join().unwrap();
    });
    assert_eq!(KeyStore::facts(&directory).unwrap(), []);
}

#[test]
fn what_a_destroyed_key_was_stored_in_is_overwritten() {
    let house = House::new();
    house.create();
    let same = house.home.path().join("same");
    fs::hard_link(house.path(), &same).unwrap();
    DataKey::destroy(&house.path()).unwrap();
    let left = fs::read(same).unwrap();
    assert!(!left.is_empty() && left.iter().all(|byte| *byte == 0));
}

#[test]
fn a_key_that_is_moved_leaves_no_copy_where_it_was() {
    assert_eq!(size_of::<SealingKey>(), size_of::<usize>(), "the secret is elsewhere");
}
