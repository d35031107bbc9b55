//! Listeners, sessions and the one pipeline every request takes.
