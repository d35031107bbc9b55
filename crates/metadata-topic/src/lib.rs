//! The metadata log in a compacted topic.
