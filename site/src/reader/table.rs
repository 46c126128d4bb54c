//! A table of the file: its known keys, read one by one.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::limits::{self, Interval};
use crate::reader::Value;
use crate::reader::number::{self, kind_of};
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::word;

/// A table with the place that problems name.
#[derive(Clone, Copy)]
pub(crate) struct Table<'t, 'p> {
    entries: &'t DeTable<'t>,
    start: usize,
    pub(crate) place: &'p Place<'p>,
}

impl<'t, 'p> Table<'t, 'p> {
    /// A value as a table; a key that is not `known` is a problem, so that no typo passes unseen.
    pub(crate) fn open(
        value: &'t Value<'t>,
        place: &'p Place<'p>,
        known: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let DeValue::Table(entries) = value.get_ref() else {
            let what = place.says(format_args!(
                "{} instead of a table",
                kind_of(value.get_ref())
            ));
            problems.add(
                value.span(),
                what,
                format!("write a table with {}", known.join(", ")),
            );
            return None;
        };
        Some(Self::new(entries, value.span(), place, known, problems))
    }

    /// As [`Table::open`], for what is known to be a table.
    pub(crate) fn new(
        entries: &'t DeTable<'t>,
        span: Range<usize>,
        place: &'p Place<'p>,
        known: &[&str],
        problems: &mut Problems,
    ) -> Self {
        for key in entries
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
        {
            let what = place.says(format_args!("unknown key {}", word::quoted(key.get_ref())));
            problems.add(key.span(), what, word::hint(key.get_ref(), known));
        }
        Self {
            entries,
            start: span.start,
            place,
        }
    }

    /// The value of a key, if the table has it.
    pub(crate) fn value(&self, key: &str) -> Option<&'t Value<'t>> {
        self.entries.get(key)
    }

    /// The value of a key that must be there; `example` shows how to write it.
    pub(crate) fn required(
        &self,
        key: &str,
        example: &str,
        problems: &mut Problems,
    ) -> Option<&'t Value<'t>> {
        let value = self.value(key);
        if value.is_none() {
            // A key such as 2.4 would mean key 4 of table 2.
            let spelt = if key.contains('.') {
                format!("{key:?}")
            } else {
                key.to_owned()
            };
            let what_to_do = format!("add a line such as `{spelt} = {example}`");
            self.add(problems, format!("no {key}"), what_to_do);
        }
        value
    }

    /// A number that must be there.
    pub(crate) fn required_number(
        &self,
        key: &str,
        example: &str,
        interval: Interval,
        problems: &mut Problems,
    ) -> Option<f64> {
        let value = self.required(key, example, problems)?;
        number::number(value, key, interval, self.place, problems)
    }

    /// A number, or what stands for it when the key is absent.
    pub(crate) fn number_or(
        &self,
        key: &str,
        default: f64,
        interval: Interval,
        problems: &mut Problems,
    ) -> Option<f64> {
        match self.value(key) {
            Some(value) => number::number(value, key, interval, self.place, problems),
            None => Some(default),
        }
    }

    /// A text with its place, if the key is there.
    pub(crate) fn text(&self, key: &str, problems: &mut Problems) -> Option<Spanned<&'t str>> {
        text(self.value(key)?, key, self.place, problems)
    }

    /// An id that must be there.
    pub(crate) fn required_id(
        &self,
        key: &str,
        example: &str,
        problems: &mut Problems,
    ) -> Option<Spanned<&'t str>> {
        self.required(key, example, problems)?;
        self.id(key, problems)
    }

    /// An id, if the key is there.
    pub(crate) fn id(&self, key: &str, problems: &mut Problems) -> Option<Spanned<&'t str>> {
        let id = self.text(key, problems)?;
        let Some(fault) = word::id_fault(id.get_ref()) else {
            return Some(id);
        };
        let rule = format!(
            "use 1 to {} of a-z, A-Z, 0-9, '-', '_', '.'",
            limits::ID_BYTES_MAX
        );
        problems.add(
            id.span(),
            self.place.says(format_args!("{key}: {fault}")),
            rule,
        );
        None
    }

    /// The `name` for people, or `default`.
    pub(crate) fn name_or(&self, default: &str, problems: &mut Problems) -> Option<String> {
        if self.value("name").is_none() {
            return Some(default.to_owned());
        }
        let name = self.text("name", problems)?;
        let text = name.get_ref();
        if text.chars().count() <= limits::NAME_CHARS_MAX && !text.chars().any(char::is_control) {
            return Some((*text).to_owned());
        }
        let rule = format!(
            "use one line of at most {} characters",
            limits::NAME_CHARS_MAX
        );
        problems.add(
            name.span(),
            self.place.says("the name is not one short line"),
            rule,
        );
        None
    }

    /// The items of a list, none when the key is absent; at most `count_max` of them.
    pub(crate) fn list(
        &self,
        key: &str,
        count_max: usize,
        problems: &mut Problems,
    ) -> Option<&'t [Value<'t>]> {
        match self.value(key) {
            Some(value) => list(value, key, count_max, self.place, problems),
            None => Some(&[]),
        }
    }

    /// A problem of the table as a whole.
    pub(crate) fn add(
        &self,
        problems: &mut Problems,
        what: impl fmt::Display,
        what_to_do: impl Into<String>,
    ) {
        problems.add(self.start..self.start, self.place.says(what), what_to_do);
    }
}

/// A value as text with its place.
pub(crate) fn text<'t>(
    value: &'t Value<'t>,
    key: &str,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Spanned<&'t str>> {
    let DeValue::String(text) = value.get_ref() else {
        let what = place.says(format_args!(
            "{key} is {}, not a text",
            kind_of(value.get_ref())
        ));
        problems.add(value.span(), what, format!("write {key} in quotes"));
        return None;
    };
    Some(Spanned::new(value.span(), text.as_ref()))
}

/// A value as a list of at most `count_max` items.
pub(crate) fn list<'t>(
    value: &'t Value<'t>,
    key: &str,
    count_max: usize,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<&'t [Value<'t>]> {
    let DeValue::Array(items) = value.get_ref() else {
        let what = place.says(format_args!(
            "{key} is {}, not a list",
            kind_of(value.get_ref())
        ));
        problems.add(
            value.span(),
            what,
            format!("write {key} as a list in brackets"),
        );
        return None;
    };
    if items.len() > count_max {
        let what = place.says(format_args!("{key} has {} items", items.len()));
        problems.add(value.span(), what, format!("use at most {count_max}"));
        return None;
    }
    Some(items)
}
