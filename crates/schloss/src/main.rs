//! Schloss: a secure-by-default Kafka in one binary.
fn main() {}
