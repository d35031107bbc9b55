//! Certificate authority: make, issue and load certificates.
