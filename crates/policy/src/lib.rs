//! ACLs, the API table, decisions and admission.
