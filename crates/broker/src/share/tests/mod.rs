//! Share partitions step by step and at random, and through whole requests.

mod partition;
