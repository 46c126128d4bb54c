//! What is wrong in a file, with the line that is wrong, but never with a secret.

/// What a reader of TOML says, which shows the line: but none that may hold a secret.
pub(crate) fn quoted(error: &toml::de::Error, text: &str) -> String {
    let span = error.span().unwrap_or_default();
    let begin = text.get(..span.start).unwrap_or(text);
    let before = begin.rfind('\n').map_or(0, |at| at + 1);
    let end = span.end.max(span.start).min(text.len());
    let after = text.get(end..).and_then(|rest| rest.find('\n'));
    let shown = &text[before..after.map_or(text.len(), |rest| end + rest)];
    let holds_secret = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        matches!(key, "webhook_secret" | "store") || line.contains("postgres")
    };
    if !shown.lines().any(holds_secret) {
        return error.to_string().trim_end().to_owned();
    }
    format!(
        "line {} cannot be read, and is not shown as it may hold a secret; write key = \"text\"",
        begin.lines().count().max(1)
    )
}
