//! Listeners, sessions and the one pipeline every request takes.

mod config;
mod engine;
mod gate;

pub use config::{GateConfig, ListenerConfig};
pub use engine::{Caller, Engine, Outcome};
pub use gate::{Gate, GateError};

/// Bytes a second at which a large frame has to arrive once its `frame_timeout` is over.
pub const FRAME_BYTES_PER_SECOND_MIN: usize = 256 * 1024;
