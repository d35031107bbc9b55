//! A journal's file that somebody changed, sealed or not, with checksums that are true or not. It is refused, or what
//! is read from it is read again after another entry was appended, with that entry.
#![no_main]

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use schloss_fuzz::{SEALED, Scratch, edit, mend_crc};
use schloss_log::{Flusher, Journal, LogError, Sealing};

const NAME: &str = "journal";
const HEADER_BYTES: usize = 32;
const HEAD_BYTES: usize = 20;

/// The flusher of all inputs: it makes no file, and forgets those that are dropped.
static FLUSHER: LazyLock<Arc<Flusher>> = LazyLock::new(|| Flusher::start(1).expect("a thread"));
static DIRECTORY: LazyLock<Scratch> = LazyLock::new(|| Scratch::new(NAME));
/// What the changes are made to, plain and sealed.
static FILES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [Sealing::InsecurePlain, SEALED.clone()].map(|sealing| {
        DIRECTORY.fill(&[]);
        let path = DIRECTORY.0.join(NAME);
        for entries in [[b"one".as_slice(), b"two"], [b"three", b"four"]] {
            let (journal, _) = open(&path, &sealing).expect("a new journal");
            let _ = journal.append_all(&entries).expect("room for entries");
        }
        fs::read(&path).expect("a journal")
    })
});

fuzz_target!(|data: &[u8]| {
    let Some(([mode], edits)) = data.split_first_chunk() else { return };
    let is_sealed = mode & 1 != 0;
    let sealing = if is_sealed { SEALED.clone() } else { Sealing::InsecurePlain };
    let mut files = [(NAME.to_owned(), FILES[usize::from(is_sealed)].clone())];
    edit(&mut files, edits);
    if mode & 2 != 0 {
        mend(&mut files[0].1);
    }
    DIRECTORY.fill(&files);
    let path = DIRECTORY.0.join(NAME);
    let Ok((journal, mut entries)) = open(&path, &sealing) else { return };
    let _ = journal.append(b"another").expect("a journal that opens takes entries");
    drop(journal);
    entries.push(b"another".to_vec());
    let (_, again) = open(&path, &sealing).map_err(|error| error.to_string()).expect("it opens again");
    assert_eq!(entries, again);
});

fn open(path: &Path, sealing: &Sealing) -> Result<(Journal, Vec<Vec<u8>>), LogError> {
    let mut entries = Vec::new();
    let (journal, recovery) = Journal::open(path, sealing.clone(), Arc::clone(&FLUSHER), |entry| {
        entries.push(entry.to_vec());
        Ok::<_, Infallible>(())
    })?;
    assert_eq!(recovery.entries, entries.len() as u64);
    Ok((journal, entries))
}

/// Makes the checksums of the header and of all frames true.
fn mend(bytes: &mut [u8]) {
    mend_crc(bytes, 0..HEADER_BYTES - 4, HEADER_BYTES - 4);
    let mut at = HEADER_BYTES;
    while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk::<HEAD_BYTES>()) {
        let [a, b, c, d, ..] = *head;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).expect("64 bits");
        let crc = crc32c::crc32c_append(crc32c::crc32c(&head[..12]), &(at as u64).to_be_bytes());
        bytes[at + 12..at + 16].copy_from_slice(&crc.to_be_bytes());
        mend_crc(bytes, at + HEAD_BYTES..at + HEAD_BYTES + length, at + 16);
        at += HEAD_BYTES + length;
    }
}
