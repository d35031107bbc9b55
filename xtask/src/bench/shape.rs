//! What records are like: their size, how many partitions they go to, and how producers pack them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The records of a load.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Shape {
    /// Of a record's value.
    pub(super) record_bytes: u64,
    pub(super) partitions: u32,
    pub(super) compression: Compression,
}

/// `compression.type` of the producer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Compression {
    None,
    Lz4,
}

impl Compression {
    /// As in a client's settings.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
        }
    }
}

impl Shape {
    /// What most is measured with.
    pub(super) const USUAL: Self = Self { record_bytes: 1024, partitions: 4, compression: Compression::None };

    /// For names of topics.
    pub(super) fn word(&self) -> String {
        format!("{}b-{}p-{}", self.record_bytes, self.partitions, self.compression.word())
    }

    /// For people.
    pub(super) fn title(&self) -> String {
        let size = match self.record_bytes {
            1024 => "1 KiB".to_owned(),
            bytes => format!("{bytes} B"),
        };
        let partitions = if self.partitions == 1 { "partition" } else { "partitions" };
        format!("{size}, {} {partitions}, {}", self.partitions, self.compression.word())
    }

    /// So many MiB of values, in records.
    pub(super) fn records_of(&self, mib: f64) -> u64 {
        (mib * 1024.0 * 1024.0 / self.record_bytes as f64) as u64
    }

    /// Writes a file of lines for `ProducerPerformance` to choose records from. They look like events of a shop:
    /// random letters, which it makes itself, are nothing that a codec can pack.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn write_payloads(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        let file = directory.join(format!("payloads-{}", self.record_bytes));
        let lines: String = (0..PAYLOADS).map(|number| self.payload(number) + "\n").collect();
        fs::write(&file, lines)?;
        Ok(file)
    }

    /// One line of the record's size.
    fn payload(&self, number: u64) -> String {
        let bytes = self.record_bytes as usize;
        let mut chance = Chance(number);
        let mut line = format!(
            r#"{{"order":{},"customer":"c-{:06}","state":"{}","note":""#,
            chance.below(100_000_000),
            chance.below(1_000_000),
            ["new", "paid", "packed", "sent"][chance.below(4) as usize],
        );
        while line.len() < bytes {
            let _ = write!(line, "{} ", WORDS[chance.below(WORDS.len() as u64) as usize]);
        }
        line.truncate(bytes.saturating_sub(END.len()));
        line + END
    }
}

const PAYLOADS: u64 = 10_000;
const END: &str = "\"}";
const WORDS: [&str; 32] = [
    "please",
    "deliver",
    "to",
    "the",
    "back",
    "door",
    "before",
    "noon",
    "and",
    "ring",
    "twice",
    "if",
    "nobody",
    "answers",
    "leave",
    "it",
    "with",
    "our",
    "neighbour",
    "at",
    "number",
    "seven",
    "thank",
    "you",
    "very",
    "much",
    "for",
    "fast",
    "help",
    "last",
    "time",
    "again",
];

/// Numbers that look random and are the same in every run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_the_size_of_the_record_and_differ() {
        for record_bytes in [100, 1024] {
            let shape = Shape { record_bytes, ..Shape::USUAL };
            let directory = tempfile::tempdir().unwrap();
            let text = fs::read_to_string(shape.write_payloads(directory.path()).unwrap()).unwrap();
            let mut lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len() as u64, PAYLOADS);
            assert!(lines.iter().all(|line| line.len() as u64 == record_bytes && line.is_ascii()));
            assert!(lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
            lines.sort_unstable();
            lines.dedup();
            assert_eq!(lines.len() as u64, PAYLOADS);
        }
    }

    #[test]
    fn shapes_are_named_for_topics_and_for_people() {
        let shape = Shape { record_bytes: 100, partitions: 1, compression: Compression::Lz4 };
        assert_eq!(
            (shape.word().as_str(), shape.title().as_str()),
            ("100b-1p-lz4", "100 B, 1 partition, lz4")
        );
        assert_eq!(Shape::USUAL.title(), "1 KiB, 4 partitions, none");
        assert_eq!(shape.records_of(100.0), 1_048_576);
    }
}
