//! Names of the twins: everything is there twice, once for those who ask Apache Kafka and once for those who ask
//! the gateway.

use schloss_wire::{StrBytes, Uuid};

/// Whom a side asks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Twin {
    Kafka,
    Gateway,
}

impl Twin {
    pub(crate) const BOTH: [Self; 2] = [Self::Kafka, Self::Gateway];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Kafka => Self::Gateway,
            Self::Gateway => Self::Kafka,
        }
    }
}

/// The id of no topic.
pub(crate) const MISSING_ID: Uuid = Uuid::from_bytes([0xab; 16]);

/// Groups and transactional ids whose hash is a multiple of this are kept by one broker, with 3 partitions of their
/// topics as with 50.
const ONE_COORDINATOR: i32 = 150;

/// How one twin names things in one version of one case: `{v}` in a label is the version, `{c}` the case.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) twin: Twin,
    run: String,
    case: usize,
    pub(crate) version: i16,
}

impl Names {
    /// Of what is made once for all.
    pub(crate) fn of_all(twin: Twin, run: &str) -> Self {
        Self::new(twin, run, 0, 0)
    }

    pub(crate) fn new(twin: Twin, run: &str, case: usize, version: i16) -> Self {
        Self { twin, run: run.to_owned(), case, version }
    }

    /// What all names of the twin begin with. Both have one length, so that sizes are the same.
    pub(crate) fn token(&self) -> String {
        let twin = match self.twin {
            Twin::Kafka => "kaf",
            Twin::Gateway => "gwy",
        };
        format!("{twin}-{}-", self.run)
    }

    pub(crate) fn other_token(&self) -> String {
        Self { twin: self.twin.other(), ..self.clone() }.token()
    }

    pub(crate) fn name(&self, label: &str) -> String {
        let label = label.replace("{v}", &self.version.to_string()).replace("{c}", &self.case.to_string());
        format!("{}{label}", self.token())
    }

    /// The name of a group or a transactional id, with an end that brings it to the broker that keeps all of them.
    pub(crate) fn kept(&self, label: &str) -> String {
        let name = self.name(label);
        let mut ends = (0..).map(|end| format!("{name}{SALT_START}{end}{SALT_END}"));
        ends.find(|name| java_hash(name).wrapping_abs() % ONE_COORDINATOR == 0).unwrap()
    }

    pub(crate) fn text(&self, label: &str) -> StrBytes {
        StrBytes::from(self.name(label).as_str())
    }
}

const SALT_START: &str = ".s";
const SALT_END: char = 's';

/// A text without the ends that [`Names::kept`] gives.
pub(crate) fn without_salt(text: &str) -> String {
    let mut parts = text.split(SALT_START);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.trim_start_matches(|digit: char| digit.is_ascii_digit()).strip_prefix(SALT_END) {
            Some(rest) if part.starts_with(|digit: char| digit.is_ascii_digit()) => out.push_str(rest),
            _ => out.extend([SALT_START, part]),
        }
    }
    out
}

/// `String.hashCode` of a text in ASCII.
fn java_hash(text: &str) -> i32 {
    text.bytes().fold(0, |hash: i32, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte)))
}

#[test]
fn ends_are_given_and_taken() {
    assert_eq!(java_hash("hello"), 99_162_322);
    let names = Names::new(Twin::Kafka, "1", 2, 3);
    let kept = names.kept("g{c}-{v}");
    assert!(kept.starts_with(&names.name("g2-3")) && java_hash(&kept) % ONE_COORDINATOR == 0, "{kept}");
    assert_eq!(without_salt(&format!("a {kept}, {kept}.")), format!("a {0}, {0}.", names.name("g2-3")));
    assert_eq!(without_salt("a.so.s1.s2s"), "a.so.s1");
}
