//! One CSV file: columns by name, rows as values, errors with the line.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::{Reader, StringRecord};
use flate2::read::MultiGzDecoder;

use super::DatasetError;
use crate::limits::DATASET_ROWS_MAX;

/// A file whose header has been read.
pub(super) struct Table {
    path: String,
    reader: Reader<Box<dyn Read>>,
    names: &'static [&'static str],
    /// Where each of the wanted columns stands.
    columns: Vec<usize>,
}

/// One row; its cells are counted as the wanted columns are.
pub(super) struct Row<'a> {
    record: &'a StringRecord,
    names: &'static [&'static str],
    columns: &'a [usize],
}

impl Table {
    /// Reads all rows of `<stem>.csv` or `<stem>.csv.gz` in a folder.
    pub(super) fn read<T>(
        folder: &Path,
        stem: &str,
        names: &'static [&'static str],
        mut read_row: impl FnMut(&Row<'_>) -> Result<T, String>,
    ) -> Result<Vec<T>, DatasetError> {
        let mut table = Self::open(folder, stem, names)?;
        let mut record = StringRecord::new();
        let mut rows = Vec::new();
        loop {
            match table.reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return Ok(rows),
                Err(error) => {
                    let line = table.reader.position().line();
                    return Err(table.wrong(line, error.to_string()));
                }
            }
            if rows.len() == DATASET_ROWS_MAX {
                return Err(DatasetError::TooLong { path: table.path });
            }
            let row = Row {
                record: &record,
                names,
                columns: &table.columns,
            };
            match read_row(&row) {
                Ok(value) => rows.push(value),
                Err(what) => {
                    let line = record.position().map_or(0, csv::Position::line);
                    return Err(table.wrong(line, what));
                }
            }
        }
    }

    fn open(
        folder: &Path,
        stem: &str,
        names: &'static [&'static str],
    ) -> Result<Self, DatasetError> {
        let (path, file) = open_either(folder, stem)?;
        let path = path.display().to_string();
        let reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(file);
        let mut table = Self {
            path,
            reader,
            names,
            columns: Vec::new(),
        };
        let header = match table.reader.headers() {
            Ok(header) => header.clone(),
            Err(error) => return Err(table.wrong(1, error.to_string())),
        };
        for name in table.names {
            match header.iter().position(|column| column == *name) {
                Some(column) => table.columns.push(column),
                None => {
                    let what = format!("no column {name}; it needs {}", names.join(", "));
                    return Err(table.wrong(1, what));
                }
            }
        }
        Ok(table)
    }

    fn wrong(&self, line: u64, what: String) -> DatasetError {
        DatasetError::Row {
            path: self.path.clone(),
            line,
            what,
        }
    }
}

fn open_either(folder: &Path, stem: &str) -> Result<(PathBuf, Box<dyn Read>), DatasetError> {
    let packed = folder.join(format!("{stem}.csv.gz"));
    if let Ok(file) = File::open(&packed) {
        return Ok((packed, Box::new(MultiGzDecoder::new(BufReader::new(file)))));
    }
    let plain = folder.join(format!("{stem}.csv"));
    match File::open(&plain) {
        Ok(file) => Ok((plain, Box::new(file))),
        Err(source) => Err(open_error(&plain, source)),
    }
}

fn open_error(path: &Path, source: io::Error) -> DatasetError {
    DatasetError::Open {
        path: path.display().to_string(),
        source,
    }
}

impl Row<'_> {
    /// Name of a column.
    pub(super) fn name(&self, column: usize) -> &'static str {
        self.names[column]
    }

    /// A cell, `None` where it is empty.
    pub(super) fn optional_text(&self, column: usize) -> Option<&str> {
        self.record
            .get(self.columns[column])
            .filter(|text| !text.is_empty())
    }

    pub(super) fn text(&self, column: usize) -> Result<&str, String> {
        self.optional_text(column)
            .ok_or_else(|| format!("{} is empty", self.name(column)))
    }

    pub(super) fn optional_number(&self, column: usize) -> Result<Option<f64>, String> {
        let Some(text) = self.optional_text(column) else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(format!("{} is {text:?}; use a number", self.name(column))),
        }
    }

    pub(super) fn number(&self, column: usize) -> Result<f64, String> {
        let number = self.optional_number(column)?;
        number.ok_or_else(|| format!("{} is empty; use a number", self.name(column)))
    }

    pub(super) fn optional_integer(&self, column: usize) -> Result<Option<i32>, String> {
        let Some(text) = self.optional_text(column) else {
            return Ok(None);
        };
        let number = text.parse::<i32>();
        number
            .map(Some)
            .map_err(|_| format!("{} is {text:?}; use a whole number", self.name(column)))
    }
}
