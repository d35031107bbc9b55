//! The gate: listeners, sessions and the one pipeline every request takes.
//!
//! ```text
//! accept -> limits -> first bytes -> TLS -> frames -> ApiVersions, SASL -> session
//!        -> decode -> policy -> quota -> engine -> repair -> audit -> encode -> write
//! ```
//!
//! An [`Engine`] sees admitted requests of authenticated callers only. Open `pipeline` first, then `serving`
//! (the loop of a connection) and `sasl` (how a stranger becomes a session).

mod administration;
mod api_versions;
mod audit_trail;
mod changes;
mod config;
mod connection;
mod engine;
mod following;
mod forward;
mod frames;
mod gate;
mod house;
mod limits;
mod listener;
mod lockout;
mod memory;
mod outbox;
mod passing;
mod pipeline;
mod plaintext;
mod quota;
mod reauth;
mod sasl;
mod security_apis;
mod serving;
mod session;
mod socket;
mod standing;
mod tokens;
mod traffic;

pub use api_versions::{Features, Offer};
pub use config::{GateConfig, ListenerConfig, TrustedClients};
pub use engine::{Caller, Engine, EngineSession, Entrance, Outcome};
pub use forward::{AnswerBytes, Forward};
pub use frames::FRAME_BYTES_PER_SECOND_MIN;
pub use gate::{Gate, GateError};
pub use lockout::LockoutConfig;
pub use outbox::Outbox;
pub use quota::QUOTA_APIS;
pub use tokens::TokenConfig;
