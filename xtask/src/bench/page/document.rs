//! `docs/benchmarks.md`: a chapter per comparison, each written by its own runs.

use anyhow::{Context, bail};

use super::super::results::Report;
use super::{BROKERS, Chapter, GATEWAY, LAYERS, WORKLOADS};

/// The page, below the root of the repository.
pub(in super::super) const FILE: &str = "docs/benchmarks.md";

/// The chapter about decisions, which has no turns.
pub(in super::super) const POLICY: &str = "policy";

/// The keys of all chapters in the page's order.
const KEYS: [&str; 5] = [BROKERS.key, WORKLOADS.key, LAYERS.key, GATEWAY.key, POLICY];

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask bench`, `bench workloads`, `bench layers`, `bench gateway` and `bench policy`, a chapter each; do not edit. The ratio is
the first median divided by the second: below 1 is less, which is better for CPU, latency, memory and time, and worse for throughput. `~`
marks a ratio where rounds of the two overlap, so that the run shows no difference.
";

/// A page of one run only.
pub(in super::super) fn page(chapter: &Chapter, report: &Report) -> String {
    format!("{HEAD}\n{}", chapter.text(report))
}

/// The page with this chapter anew; the others stay as they are.
///
/// # Errors
/// Markers of `page` are damaged.
pub(in super::super) fn with_chapter(
    page: &str,
    chapter: &Chapter,
    report: &Report,
) -> anyhow::Result<String> {
    with_body(page, chapter.key, &chapter.text(report))
}

/// The same with the text of a chapter.
///
/// # Errors
/// As of [`with_chapter`].
pub(in super::super) fn with_body(page: &str, key: &str, new: &str) -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    for each in KEYS {
        let body = if each == key { Some(new) } else { body(page, each)? };
        if let Some(body) = body {
            let (begin, end) = markers(each);
            text += &format!("\n{begin}\n\n{}\n\n{end}\n", body.trim());
        }
    }
    Ok(text)
}

/// What stands between the markers of a chapter.
fn body<'a>(page: &'a str, key: &str) -> anyhow::Result<Option<&'a str>> {
    let (begin, end) = markers(key);
    let Some((_, after)) = page.split_once(&begin) else {
        if page.contains(&end) {
            bail!("{FILE} has '{end}' without '{begin}': take the page from git");
        }
        return Ok(None);
    };
    let (body, _) = after
        .split_once(&end)
        .with_context(|| format!("{FILE} has no '{end}' after '{begin}': take the page from git"))?;
    Ok(Some(body))
}

fn markers(key: &str) -> (String, String) {
    (format!("<!-- begin: {key} -->"), format!("<!-- end: {key} -->"))
}

#[cfg(test)]
mod tests {
    use super::super::super::results::samples::{report, turn};
    use super::*;

    fn some_report() -> Report {
        report(vec![turn("gateway", 1, 1.0), turn("direct", 1, 1.0)])
    }

    #[test]
    fn a_chapter_replaces_itself_and_leaves_the_other() {
        let old = "# Old head\n<!-- begin: brokers -->\n\nkept\n\n<!-- end: brokers -->\n\
                   <!-- begin: gateway -->\nreplaced\n<!-- end: gateway -->\n";
        let new = with_chapter(old, &GATEWAY, &some_report()).unwrap();
        let kept = "\n<!-- begin: brokers -->\n\nkept\n\n<!-- end: brokers -->\n";
        assert!(
            new.starts_with(&format!("{HEAD}{kept}\n<!-- begin: gateway -->\n\n## The gateway")),
            "{new}"
        );
        assert!(new.ends_with("|\n\n<!-- end: gateway -->\n"), "{new}");
        assert!(!new.contains("replaced"), "{new}");
        assert_eq!(with_chapter(&new, &GATEWAY, &some_report()).unwrap(), new, "nothing grows");
    }

    #[test]
    fn the_page_that_there_is_can_be_written_anew() {
        let page = std::fs::read_to_string(crate::root().join(FILE)).unwrap();
        let brokers = body(&page, BROKERS.key).unwrap().unwrap().trim();
        assert!(with_chapter(&page, &GATEWAY, &some_report()).unwrap().contains(brokers));
    }

    #[test]
    fn chapters_keep_their_order_whichever_comes_first() {
        let gateway = with_chapter("", &GATEWAY, &some_report()).unwrap();
        let both = with_chapter(&gateway, &BROKERS, &some_report()).unwrap();
        assert!(both.find("<!-- end: brokers -->").unwrap() < both.find("<!-- begin: gateway -->").unwrap());
        assert_eq!(both.matches("## The gateway before").count(), 1);
    }

    #[test]
    fn damaged_markers_lose_nothing_silently() {
        for page in ["<!-- begin: brokers -->\ntext", "text\n<!-- end: brokers -->"] {
            let error = with_chapter(page, &GATEWAY, &some_report()).unwrap_err().to_string();
            assert!(error.contains("docs/benchmarks.md has"), "{error}");
        }
    }
}
