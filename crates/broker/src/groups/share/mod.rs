//! Share groups (KIP-932): who is in them, and which partitions each member looks at.
//!
//! [`ShareGroup`] is the protocol as a plain state machine. Nobody owns a partition: several members may look
//! at one, and which records are with whom is decided record by record (`crate::share`). So a member takes
//! what it is assigned at once, and members need not be written down: after a restart they join again. That
//! the group is there is written down, since a member that comes back is told whether it has to join or has
//! nothing to join.

mod beat;
mod coordinate;
mod group;
mod newer;
mod simple;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use beat::ShareBeat;
pub(super) use group::ShareGroup;
pub(crate) use view::{DescribedSharer, ShareDescription};
