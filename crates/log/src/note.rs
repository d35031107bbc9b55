//! One line of numbers in a file, with a checksum.

use std::fs;
use std::io;
use std::path::Path;

use crate::LogError;
use crate::files::{Survives, replace};

/// More than any line can have, in bytes.
const MAX_FILE_BYTES: u64 = 256;

/// What a file holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Note<const N: usize> {
    Missing,
    Damaged,
    Here([i64; N]),
}

/// Stores numbers under the name of their format.
pub(crate) fn store<const N: usize>(
    path: &Path,
    format: &str,
    numbers: [i64; N],
    survives: Survives,
) -> Result<(), LogError> {
    let mut text = format.to_owned();
    for number in numbers {
        text += &format!(" {number}");
    }
    let line = format!("{text} {:08x}\n", crc32c::crc32c(text.as_bytes()));
    replace(path, line.as_bytes(), survives)
}

/// Loads what [`store`] stored.
pub(crate) fn load<const N: usize>(path: &Path, format: &str) -> Result<Note<N>, LogError> {
    let read = fs::metadata(path)
        .and_then(|facts| if facts.len() > MAX_FILE_BYTES { Ok(Vec::new()) } else { fs::read(path) });
    match read {
        Ok(content) => Ok(parse(&content, format).map_or(Note::Damaged, Note::Here)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Note::Missing),
        Err(error) => Err(LogError::io("read", path)(error)),
    }
}

fn parse<const N: usize>(content: &[u8], format: &str) -> Option<[i64; N]> {
    let line = std::str::from_utf8(content).ok()?;
    let (text, crc) = line.strip_suffix('\n')?.rsplit_once(' ')?;
    if u32::from_str_radix(crc, 16).ok()? != crc32c::crc32c(text.as_bytes()) {
        return None;
    }
    let mut words = text.split(' ');
    if words.next()? != format {
        return None;
    }
    let numbers: Vec<i64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_damaged_ones_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("note");
        assert_eq!(load::<2>(&path, "format-1").unwrap(), Note::Missing);
        store(&path, "format-1", [7, -4_096], Survives::PowerCut).unwrap();
        assert_eq!(load(&path, "format-1").unwrap(), Note::Here([7, -4_096]));
        assert_eq!(load::<2>(&path, "format-2").unwrap(), Note::Damaged);
        assert_eq!(load::<3>(&path, "format-1").unwrap(), Note::Damaged);

        let good = fs::read(&path).unwrap();
        for index in 0..good.len() {
            let mut flipped = good.clone();
            flipped[index] ^= 1;
            fs::write(&path, &flipped).unwrap();
            assert_eq!(load::<2>(&path, "format-1").unwrap(), Note::Damaged, "{index}");
            fs::write(&path, &good[..index]).unwrap();
            assert_eq!(load::<2>(&path, "format-1").unwrap(), Note::Damaged, "{index}");
        }
    }
}
