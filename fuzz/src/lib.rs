//! What the targets share that write files and have them opened.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use schloss_keys::{DataKey, Keyring, SealingKey, Unlock};
use schloss_log::Sealing;

/// Where no write waits for a disk.
const MEMORY: &str = "/dev/shm";

/// A key, the same one for all inputs.
pub static SEALED: LazyLock<Sealing> = LazyLock::new(|| {
    let home = Scratch::new("key");
    let unlock = Unlock::KeyFile(SealingKey::generate().expect("random bytes"));
    let keyring = Keyring::create(&home.0.join("keyring"), &unlock, "default").expect("a keyring");
    Sealing::Sealed(DataKey::create(&home.0.join("key"), "topic 01", &keyring, "default").expect("a key"))
});

/// A directory of this process that is empty at first and gone at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    #[must_use]
    pub fn new(name: &str) -> Self {
        let memory = Some(PathBuf::from(MEMORY)).filter(|path| path.is_dir());
        let parent = memory.unwrap_or_else(std::env::temp_dir);
        let path = parent.join(format!("schloss-fuzz-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path).expect("a directory");
        Self(path)
    }

    /// Empties it and puts these files into it, for their owner only.
    pub fn fill(&self, files: &[(String, Vec<u8>)]) {
        fs::remove_dir_all(&self.0).expect("an old directory goes");
        DirBuilder::new().mode(0o700).create(&self.0).expect("a directory");
        for (name, content) in files {
            schloss_keys::private::replace(&self.0.join(name), content, false).expect("a file");
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The files in a directory, in the order of their names.
#[must_use]
pub fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let paths = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut files: Vec<_> = paths.map(|path| (name(&path), fs::read(&path).expect("a file"))).collect();
    files.sort();
    files
}

/// Changes files as the input says, five bytes at a time: which file, what to do, where, with what.
pub fn edit(files: &mut [(String, Vec<u8>)], input: &[u8]) {
    for edit in input.as_chunks::<5>().0 {
        let [file, action, high, low, value] = *edit;
        let at = usize::from(file) % files.len().max(1);
        let Some((_, content)) = files.get_mut(at) else { return };
        let place = usize::from(u16::from_be_bytes([high, low])) % (content.len() + 1);
        match action % 4 {
            0 => content.truncate(place),
            1 => content.insert(place, value),
            2 if place < content.len() => content[place] ^= value,
            // A number of eight bytes at once: large, small or negative.
            3 if place + 8 <= content.len() => {
                let number = (i64::from(value.cast_signed())).rotate_right(8);
                content[place..place + 8].copy_from_slice(&number.to_be_bytes());
            }
            _ => {}
        }
    }
}

/// Makes the CRC-32C at `at` that of the bytes in `covered`, if all of them are there.
pub fn mend_crc(bytes: &mut [u8], covered: std::ops::Range<usize>, at: usize) {
    if let Some(crc) = bytes.get(covered).map(crc32c::crc32c)
        && let Some(place) = bytes.get_mut(at..at + 4)
    {
        place.copy_from_slice(&crc.to_be_bytes());
    }
}
