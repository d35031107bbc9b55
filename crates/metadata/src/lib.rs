//! Users, ACLs, topics and settings as a log of records and a state machine.
