//! The embedded engine: topics, groups and producers.
