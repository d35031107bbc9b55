//! Groups, roles and whole policies: what can be asked about them, and how they are changed.
//!
//! The documents here travel between the command line and the gate in the APIs `DescribeSecurity` and
//! `AlterSecurity`, as JSON.

mod change;
mod policy;
mod question;
mod steps;

pub use change::SecurityChange;
pub use policy::{AccountDocument, PolicyDocument, QuotaDocument};
pub use question::{SecurityAnswer, SecurityQuestion};
pub use steps::{Step, StepKind};
