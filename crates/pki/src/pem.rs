//! PEM text to DER, with errors that name what is missing.
