//! Partition logs: segments, index, recovery and group commit.
