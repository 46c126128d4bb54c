//! What a status says, as JSON for programs and as lines for people: one tree, two ways to write it.

use std::fmt::{self, Write};

/// A value and what is below it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Nothing,
    Flag(bool),
    Number(u64),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(&'static str, Self)>),
}

impl Value {
    pub(super) fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    pub(super) fn numbers(numbers: impl IntoIterator<Item = u64>) -> Self {
        Self::List(numbers.into_iter().map(Self::Number).collect())
    }

    /// One line of JSON (RFC 8259).
    pub(super) fn json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out.push('\n');
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Self::Nothing => out.push_str("null"),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => write_quoted(text, out),
            Self::List(values) => {
                out.push('[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    value.write_json(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_quoted(key, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// Lines of keys and values, indented by their depth; what says nothing is left out.
    pub(super) fn lines(&self) -> String {
        let mut out = String::new();
        if let Self::Map(entries) = self {
            write_entries(entries, 0, &mut out);
        }
        out
    }

    /// The value on its own line, unless it has entries.
    fn in_line(&self) -> Option<String> {
        Some(match self {
            Self::Nothing => "-".to_owned(),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(values) => {
                let values: Option<Vec<_>> = values.iter().map(Self::in_line).collect();
                values?.join(" ")
            }
            Self::Map(_) => return None,
        })
    }
}

fn write_entries(entries: &[(&'static str, Value)], depth: usize, out: &mut String) {
    let indent = 2 * depth;
    for (key, value) in entries {
        let key = key.replace('_', " ");
        match (value.in_line(), value) {
            (Some(text), _) => {
                let width = 26_usize.saturating_sub(indent);
                out.push_str(&format!("{:indent$}{key:<width$} {text}\n", ""));
            }
            (None, Value::Map(entries)) => {
                out.push_str(&format!("{:indent$}{key}\n", ""));
                write_entries(entries, depth + 1, out);
            }
            (None, Value::List(values)) => {
                for (value, number) in values.iter().zip(1..) {
                    out.push_str(&format!("{:indent$}{key} {number}\n", ""));
                    if let Value::Map(entries) = value {
                        write_entries(entries, depth + 1, out);
                    }
                }
            }
            (None, _) => {}
        }
    }
}

fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            letter if letter.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Value {
        let source = Value::Map(vec![
            ("heard", Value::Number(7)),
            ("notice", Value::text("a \"file\"\\\u{1}\n")),
        ]);
        Value::Map(vec![
            ("connected", Value::Flag(true)),
            ("link", Value::Nothing),
            ("by_class", Value::numbers([1, 2])),
            ("source", Value::List(vec![source])),
        ])
    }

    #[test]
    fn json_is_quoted_as_it_must_be() {
        let expected = concat!(
            r#"{"connected":true,"link":null,"by_class":[1,2],"#,
            r#""source":[{"heard":7,"notice":"a \"file\"\\\u0001\n"}]}"#,
            "\n"
        );
        assert_eq!(tree().json(), expected);
    }

    #[test]
    fn people_read_lines() {
        let text = tree().lines();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "connected                  yes");
        assert_eq!(lines[2], "by class                   1 2");
        assert_eq!(lines[3], "source 1");
        assert_eq!(lines[4], "  heard                    7");
    }
}
