//! What the library makes of a keytab, without a KDC. It names the keytab by the environment, so each case is a process
//! of its own: this test, started again.
#![cfg(feature = "mit")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::path::{Path, PathBuf};
use std::process::Command;

use schloss_identity::GssAcceptor;
use schloss_kerberos::{Acceptor, KEYTAB_VARIABLE, KerberosError, Service, keytab_value};

/// Says to the process started again what it is to open.
const PRINCIPAL: &str = "SCHLOSS_TEST_PRINCIPAL";

/// A keytab (MIT's format 0x0502) with one key of AES-256 for `first/second@realm`.
fn keytab(directory: &Path, first: &str, second: &str, realm: &str) -> PathBuf {
    let counted = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let mut entry = vec![0, 2];
    for text in [realm, first, second] {
        entry.extend(counted(text.as_bytes()));
    }
    entry.extend([0, 0, 0, 1]); // the type of the name
    entry.extend([0, 0, 0, 0]); // when it was made
    entry.push(1); // the version of the key
    entry.extend([0, 18]); // AES-256
    entry.extend(counted(&[7; 32]));
    let length = u32::try_from(entry.len()).unwrap().to_be_bytes();
    let path = directory.join("test.keytab");
    std::fs::write(&path, [&[5, 2][..], &length, &entry].concat()).unwrap();
    path
}

/// Runs the child below with this keytab, and gives its words.
fn open(keytab: &Path, principal: &str) -> String {
    let own = std::env::current_exe().unwrap();
    let output = Command::new(own)
        .args(["--exact", "a_child_opens_a_keytab_and_is_told_garbage", "--nocapture"])
        .env(KEYTAB_VARIABLE, keytab_value(keytab))
        .env(PRINCIPAL, principal)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn a_child_opens_a_keytab_and_is_told_garbage() {
    let (Some(keytab), Ok(principal)) = (std::env::var_os(KEYTAB_VARIABLE), std::env::var(PRINCIPAL)) else {
        return;
    };
    let keytab = PathBuf::from(keytab.to_str().unwrap().strip_prefix("FILE:").unwrap());
    let service =
        if principal.contains('@') { Service::Principal(principal) } else { Service::Name(principal) };
    match Acceptor::open(&keytab, &service) {
        Ok(acceptor) => {
            for token in [&b""[..], b"garbage", &[0x60; 200]] {
                let refused = acceptor.begin().unwrap().accept(token).unwrap_err();
                println!("refused: {refused}");
            }
        }
        Err(error) => println!("not opened: {error}"),
    }
}

#[test]
fn a_key_of_the_service_on_any_host_or_of_the_principal_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    let keytab = keytab(directory.path(), "kafka", "a.example", "EXAMPLE.COM");
    for principal in ["kafka", "kafka/a.example@EXAMPLE.COM"] {
        let words = open(&keytab, principal);
        assert_eq!(words.matches("refused: ").count(), 3, "{principal}: {words}");
        assert!(!words.contains("not opened"), "{principal}: {words}");
    }
}

#[test]
fn a_keytab_without_the_principal_or_that_is_none_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let keytab = keytab(directory.path(), "kafka", "a.example", "EXAMPLE.COM");
    for principal in ["http", "kafka/b.example@EXAMPLE.COM", "kafka/a.example@OTHER.COM"] {
        let words = open(&keytab, principal);
        assert!(words.contains("not opened: ") && words.contains("test.keytab"), "{principal}: {words}");
    }
    let missing = open(&directory.path().join("missing.keytab"), "kafka");
    assert!(missing.contains("not opened: ") && missing.contains("missing.keytab"), "{missing}");
    std::fs::write(&keytab, b"no keytab").unwrap();
    assert!(open(&keytab, "kafka").contains("not opened: "));
}

#[test]
fn a_process_that_was_started_with_another_keytab_opens_none() {
    let opened = Acceptor::open(Path::new("/nowhere/else.keytab"), &Service::Name("kafka".to_owned()));
    assert!(matches!(opened, Err(KerberosError::Environment(_))));
}
