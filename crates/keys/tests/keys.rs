//! Sealing, tagging, and the file of the root.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use schloss_keys::{KeyError, OpenError, SealingKey};
use tempfile::TempDir;

fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn why(path: &Path) -> String {
    SealingKey::from_file(path).err().expect("it is refused").to_string()
}

#[test]
fn what_is_sealed_opens_at_its_place_only() {
    let key = SealingKey::from_bytes(&[7; 32]);
    let sealer = key.sealer("test");
    let sealed = sealer.seal(b"place", b"the secret").unwrap();
    assert!(!sealed.windows(6).any(|window| window == b"secret"));
    assert_ne!(sealed, sealer.seal(b"place", b"the secret").unwrap(), "a nonce came twice");
    assert_eq!(sealer.open(b"place", &sealed).unwrap().as_slice(), b"the secret");
    assert_eq!(sealer.open(b"", &sealer.seal(b"", b"").unwrap()).unwrap().as_slice(), b"");

    assert_eq!(sealer.open(b"elsewhere", &sealed).err(), Some(OpenError));
    assert_eq!(key.sealer("other").open(b"place", &sealed).err(), Some(OpenError));
    assert_eq!(
        SealingKey::from_bytes(&[8; 32]).sealer("test").open(b"place", &sealed).err(),
        Some(OpenError)
    );
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(sealer.open(b"place", &changed).is_err(), "byte {at}");
        assert!(sealer.open(b"place", &sealed[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_tag_counts_every_byte_and_every_boundary() {
    let key = SealingKey::from_bytes(&[7; 32]);
    let tagger = key.tagger("test");
    let tag = tagger.tag(&[b"ab", b"c"]);
    assert!(tagger.verify(&[b"ab", b"c"], &tag));
    for other in [&[b"a".as_slice(), b"bc"][..], &[b"abc"], &[b"ab", b"c", b""], &[b"ab", b"d"]] {
        assert!(!tagger.verify(other, &tag));
    }
    assert!(!tagger.verify(&[b"ab", b"c"], &tag[..31]));
    assert!(!key.tagger("other").verify(&[b"ab", b"c"], &tag));
}

/// What is on disk must be readable by later versions: these values are the format.
#[test]
fn derived_keys_never_change() {
    let key = SealingKey::from_bytes(&[7; 32]);
    assert_eq!(key.id(), "da63b03f6a5a505b");
    let tag = key.tagger("test").tag(&[b"ab", b"c"]);
    assert_eq!(tag[..8], [0xdd, 0x91, 0xd1, 0x90, 0x17, 0x6e, 0x16, 0xd3]);
    assert_eq!(
        key.sealer("test")
            .open(
                b"place",
                &[
                    0x01, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0e, 0x41,
                    0x07, 0xdf, 0x49, 0x8f, 0xa9, 0x02, 0xb3, 0x1b, 0xcb, 0xf4, 0x95, 0x83, 0x32, 0xd0, 0x7e
                ]
            )
            .unwrap()
            .as_slice(),
        b"x"
    );
}

#[test]
fn a_file_that_was_made_is_ours_alone_and_reads_back() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("key");
    let key = SealingKey::generate_file(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(SealingKey::from_file(&path).unwrap().id(), key.id());
    let before = fs::read(&path).unwrap();
    assert!(matches!(SealingKey::generate_file(&path), Err(KeyError::Io { .. })), "never over another key");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_ne!(SealingKey::generate().unwrap().id(), key.id());
}

#[test]
fn raw_bytes_and_base64_are_the_same_key() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("key");
    let id = SealingKey::from_bytes(&[7; 32]).id();
    for content in [vec![7; 32], format!("  {}=\r\n", "BwcH".repeat(10) + "Bwc").into_bytes()] {
        write(&path, content, 0o400);
        assert_eq!(SealingKey::from_file(&path).unwrap().id(), id);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_file_that_is_no_key_or_open_to_others_is_refused_with_what_to_do() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("key");
    let shown = path.display().to_string();
    assert!(why(&path).contains(&shown));
    for mode in [0o640, 0o604, 0o660, 0o601] {
        write(&path, [7; 32], mode);
        let why = why(&path);
        assert!(
            why.contains(&format!("run chmod 600 {shown}")) && why.contains(&format!("{mode:o}")),
            "{why}"
        );
    }
    for content in [&b""[..], b"BwcH", &[7; 31], &[7; 33], b"not base64 at all", &[b'B'; 300]] {
        write(&path, content, 0o600);
        let why = why(&path);
        assert!(why.contains("openssl rand -base64 32") && !why.contains("BwcH"), "{why}");
    }
    assert!(why(home.path()).contains("no regular file"));
    let link = home.path().join("link");
    write(&path, [7; 32], 0o644);
    symlink(&path, &link).unwrap();
    assert!(why(&link).contains("chmod"), "what a link points to is what counts");
}
