//! An audit record in one line for people.

use std::fmt::Write;

use schloss_audit::CloudEvent;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]Z");

/// `event` in words: when, who, from where, what, on what, with which result and by which rule.
pub(crate) fn describe(event: &CloudEvent) -> String {
    let data = &event.data;
    let mut text = event.time.format(TIME).unwrap_or_default();
    let verdict = match event.allowed() {
        Some(true) => "ALLOWED",
        Some(false) => "DENIED",
        None => "-",
    };
    // Writing to a string can't fail.
    let _ = write!(text, "  {verdict:<7}");
    let method = data.method_name.strip_prefix("kafka.").unwrap_or(&data.method_name);
    let _ = write!(text, "  {}  {method}", event.principal().unwrap_or("(nobody)"));
    if let Some(authorization) = &data.authorization_info {
        if let Some(operation) = &authorization.operation {
            let _ = write!(text, " {operation}");
        }
        if let (Some(kind), Some(name)) = (&authorization.resource_type, &authorization.resource_name) {
            let _ = write!(text, " {kind} {name}");
        }
    }
    if let Some(address) = &data.client_address {
        let _ = write!(text, "  from {address}");
    }
    if let Some(mechanism) =
        data.authentication_info.as_ref().and_then(|info| info.metadata.mechanism.as_ref())
    {
        let _ = write!(text, " by {mechanism}");
    }
    if data.result.status != schloss_audit::SUCCESS {
        let _ = write!(text, "  {}", data.result.status);
    }
    if let Some(traffic) = &data.traffic {
        let _ = write!(
            text,
            "  {} request(s), {} record(s), {} bytes",
            traffic.requests, traffic.records, traffic.bytes
        );
    }
    if let Some(rule) = data.authorization_info.as_ref().and_then(|info| info.rule.as_ref()) {
        let _ = write!(text, "  [{rule}]");
    }
    if let Some(message) = &data.result.message {
        let _ = write!(text, "  {message}");
    }
    printable(&text)
}

/// Text that peers chose, with nothing in it that a terminal would act on.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
