//! Audit events: written, rotated, summed and queried.
