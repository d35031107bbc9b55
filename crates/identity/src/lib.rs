//! Principals, SASL mechanisms and credentials.
