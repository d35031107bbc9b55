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

/// How one twin names things in one version of an API. `{v}` in a label is the version.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) twin: Twin,
    run: String,
    pub(crate) version: i16,
}

impl Names {
    pub(crate) fn new(twin: Twin, run: &str, version: i16) -> Self {
        Self { twin, run: run.to_owned(), version }
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
        format!("{}{}", self.token(), label.replace("{v}", &self.version.to_string()))
    }

    pub(crate) fn text(&self, label: &str) -> StrBytes {
        StrBytes::from(self.name(label).as_str())
    }
}
