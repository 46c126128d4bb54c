//! The survey file: one point per line in JSON; empty lines and lines that begin with `#` are for
//! people, and stay where they are.
//!
//! `# last id: N` is a line for us: no point gets a number up to N again.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::files::{Readers, open_to_append, overwrite};
use super::points::Point;

/// Points of a survey file at most: a walk of a large building has some hundred. Further ones are
/// refused until some are deleted.
pub const POINTS_MAX: usize = 5_000;

/// Bytes of a survey file at most: [`POINTS_MAX`] points with thirty radios each. A point that would
/// make it longer is refused.
pub const SURVEY_BYTES_MAX: u64 = 32 << 20;

/// How the line begins that remembers the highest number ever given.
const MARK: &str = "# last id: ";

/// Why a survey file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurveyError {
    /// It cannot be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is wrong.
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A point does not fit the site.
    Point {
        /// The file.
        path: PathBuf,
        /// The point's number.
        id: u32,
        /// What is wrong.
        what: String,
        /// What to do.
        what_to_do: String,
    },
    /// There is no room for more.
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The highest number there is was given.
    Spent {
        /// The file.
        path: PathBuf,
    },
}

impl SurveyError {
    /// What is wrong, and where.
    pub fn what(&self) -> String {
        match self {
            Self::File { path, .. } => {
                format!("survey file {}: cannot be read or written", path.display())
            }
            Self::Line { path, line, what } => {
                format!("{}:{line}: not a survey point: {what}", path.display())
            }
            Self::Point { path, id, what, .. } => {
                format!("survey file {}, point {id}: {what}", path.display())
            }
            Self::Full { path } => format!(
                "survey file {}: there is room for {POINTS_MAX} points and {SURVEY_BYTES_MAX} bytes",
                path.display()
            ),
            Self::Spent { path } => {
                format!(
                    "survey file {}: no number is left for a point",
                    path.display()
                )
            }
        }
    }

    /// What to do about it.
    pub fn what_to_do(&self) -> &str {
        match self {
            Self::File { .. } => {
                "see that the node may read and write it, and that the disk has room"
            }
            Self::Line { .. } => "mend or remove the line",
            Self::Point { what_to_do, .. } => what_to_do,
            Self::Full { .. } => "delete points, or begin a new file",
            Self::Spent { .. } => "number the points of the file from 1 on, or begin a new file",
        }
    }
}

impl std::fmt::Display for SurveyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.what(), self.what_to_do())
    }
}

/// Reads a survey file; one that does not exist has no points.
///
/// # Errors
/// [`SurveyError`] names the first line that cannot be read.
pub fn read(path: &Path) -> Result<Vec<Point>, SurveyError> {
    Ok(Content::read(path)?.points)
}

/// Appends a point under a number that no point of the file ever had, and returns it so.
///
/// # Errors
/// [`SurveyError`] when the file is full, cannot be read, or cannot be written; it is then what it
/// was.
pub fn add(path: &Path, point: Point) -> Result<Point, SurveyError> {
    let full = || SurveyError::Full {
        path: path.to_owned(),
    };
    let content = Content::read(path)?;
    if content.points.len() >= POINTS_MAX {
        return Err(full());
    }
    let id = content.last_id.checked_add(1);
    let id = id.ok_or_else(|| SurveyError::Spent {
        path: path.to_owned(),
    })?;
    let point = Point { id, ..point };
    let mut line = line_of(&point);
    if !content.text.is_empty() && !content.text.ends_with('\n') {
        // Somebody's editor took the last line's end away.
        line.insert(0, '\n');
    }
    if (content.text.len() + line.len()) as u64 > SURVEY_BYTES_MAX {
        return Err(full());
    }
    append(path, &line).map_err(file_error(path))?;
    Ok(point)
}

/// Takes the line of a point out of a survey file; false when it has no such point.
///
/// # Errors
/// [`SurveyError`] when the file cannot be read or written; it is then what it was.
pub fn remove(path: &Path, id: u32) -> Result<bool, SurveyError> {
    let content = Content::read(path)?;
    if !content.points.iter().any(|point| point.id == id) {
        return Ok(false);
    }
    let stays = |line: &&str| match content_of(line) {
        Some(json) => serde_json::from_str::<Point>(json).is_ok_and(|point| point.id != id),
        None => true,
    };
    let mut text: String = content.text.split_inclusive('\n').filter(stays).collect();
    if id == content.last_id && content.marked_id < id {
        text = with_mark(&text, id);
    }
    overwrite(path, &text, Readers::Owner).map_err(file_error(path))?;
    Ok(true)
}

/// A survey file as it is.
#[derive(Default)]
struct Content {
    text: String,
    points: Vec<Point>,
    /// The highest number that any point has, or had so far as the file remembers.
    last_id: u32,
    /// The highest number of a mark.
    marked_id: u32,
}

impl Content {
    fn read(path: &Path) -> Result<Self, SurveyError> {
        let text = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            opened => opened.and_then(|file| {
                let mut text = String::new();
                file.take(SURVEY_BYTES_MAX + 1).read_to_string(&mut text)?;
                Ok(text)
            }),
        };
        let text = text.map_err(file_error(path))?;
        let full = || SurveyError::Full {
            path: path.to_owned(),
        };
        if text.len() as u64 > SURVEY_BYTES_MAX {
            return Err(full());
        }
        let mut content = Self::default();
        for (number, line) in text.lines().enumerate() {
            let marked = line
                .strip_prefix(MARK)
                .and_then(|id| id.trim().parse().ok());
            content.marked_id = content.marked_id.max(marked.unwrap_or(0));
            let Some(json) = content_of(line) else {
                continue;
            };
            let point = serde_json::from_str(json).map_err(|error| SurveyError::Line {
                path: path.to_owned(),
                line: number + 1,
                what: error.to_string(),
            })?;
            if content.points.len() == POINTS_MAX {
                return Err(full());
            }
            content.points.push(point);
        }
        let highest = content.points.iter().map(|point| point.id).max();
        content.last_id = content.marked_id.max(highest.unwrap_or(0));
        content.text = text;
        Ok(content)
    }
}

/// What a line says of a point; `None` for one that is for people.
fn content_of(line: &str) -> Option<&str> {
    let line = line.trim();
    (!line.is_empty() && !line.starts_with('#')).then_some(line)
}

/// The text with a mark at its head in place of those it had.
fn with_mark(text: &str, id: u32) -> String {
    let others = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with(MARK));
    std::iter::once(format!("{MARK}{id}\n").as_str())
        .chain(others)
        .collect()
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = open_to_append(path, Readers::Owner)?;
    let before = file.metadata()?.len();
    let done = file
        .write_all(line.as_bytes())
        .and_then(|()| file.sync_all());
    if done.is_err() {
        // Half a line would make the whole file unreadable; the first error is the one to tell.
        let _ = file.set_len(before);
    }
    done
}

fn line_of(point: &Point) -> String {
    let mut line = serde_json::to_string(point).expect("points have string keys");
    line.push('\n');
    line
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> SurveyError + '_ {
    |source| SurveyError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::points::tests::point;
    use super::*;

    fn file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.survey.ndjson");
        (folder, path)
    }

    fn ids(path: &Path) -> Vec<u32> {
        read(path).unwrap().iter().map(|point| point.id).collect()
    }

    #[test]
    fn points_come_back_as_they_were_written() {
        let (_folder, path) = file();
        assert_eq!(read(&path).unwrap(), []);
        assert_eq!(add(&path, point(0)).unwrap(), point(1));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.trim_end()).unwrap();
        add(&path, point(0)).unwrap();
        assert_eq!(read(&path).unwrap(), [point(1), point(2)]);
        assert!(remove(&path, 1).unwrap());
        assert!(!remove(&path, 1).unwrap());
        assert_eq!(read(&path).unwrap(), [point(2)]);
    }

    #[test]
    fn a_number_is_never_given_twice() {
        let (_folder, path) = file();
        for _ in 0..3 {
            add(&path, point(0)).unwrap();
        }
        for last in [3, 2, 1] {
            assert!(remove(&path, last).unwrap());
        }
        assert_eq!(add(&path, point(0)).unwrap().id, 4);
        assert!(remove(&path, 4).unwrap());
        assert_eq!(add(&path, point(0)).unwrap().id, 5);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(MARK).count(), 1, "{text}");

        let last = line_of(&point(u32::MAX));
        fs::write(&path, &last).unwrap();
        let spent = add(&path, point(0)).unwrap_err().to_string();
        assert!(spent.contains("no number is left"), "{spent}");
        assert_eq!(fs::read_to_string(&path).unwrap(), last);
    }

    #[test]
    fn what_people_wrote_into_the_file_stays() {
        let (_folder, path) = file();
        let (one, two) = (line_of(&point(1)), line_of(&point(2)));
        fs::write(
            &path,
            format!("# cellar\r\n{one}\n  # attic, with Ada\n{two}"),
        )
        .unwrap();
        assert!(remove(&path, 1).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("# cellar\r\n\n  # attic, with Ada\n{two}"));
        assert!(remove(&path, 2).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "# last id: 2\n# cellar\r\n\n  # attic, with Ada\n");
    }

    #[test]
    fn a_full_survey_takes_no_point_until_one_is_deleted() {
        let (_folder, path) = file();
        let all: String = (1..=POINTS_MAX as u32)
            .map(|id| line_of(&point(id)))
            .collect();
        fs::write(&path, &all).unwrap();
        assert!(matches!(
            add(&path, point(0)),
            Err(SurveyError::Full { .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), all);
        assert!(remove(&path, 7).unwrap());
        assert_eq!(add(&path, point(0)).unwrap().id, POINTS_MAX as u32 + 1);
        assert_eq!(ids(&path).len(), POINTS_MAX);

        // One byte of room is left, but for the newline.
        let comment = format!("#{}\n", " ".repeat(SURVEY_BYTES_MAX as usize - 3));
        fs::write(&path, &comment).unwrap();
        assert!(matches!(
            add(&path, point(0)),
            Err(SurveyError::Full { .. })
        ));
        assert_eq!(fs::metadata(&path).unwrap().len(), comment.len() as u64);
    }

    #[test]
    fn a_line_that_is_no_point_is_named() {
        let (_folder, path) = file();
        let one = line_of(&point(1));
        fs::write(&path, format!("# by hand\n{one}{{\"id\":2,\"x\":1}}\n")).unwrap();
        let error = read(&path).unwrap_err();
        let told = error.to_string();
        assert!(
            told.contains("office.survey.ndjson:3: not a survey point: unknown field `x`"),
            "{told}"
        );
        assert_eq!(error.what_to_do(), "mend or remove the line");
    }
}
