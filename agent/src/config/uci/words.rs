//! Words and statements: where one ends and the next begins.

use std::ops::Range;

use super::UciError;
use crate::limits::UCI_WORD_BYTES_MAX;

/// Words of one statement that are kept; more than any statement has.
const STATEMENT_WORDS_MAX: usize = 4;

/// A word without its quotes.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) at: Range<usize>,
}

/// Reads statements from a text.
pub(super) struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The words up to the end of a line, a semicolon or a comment; `None` at the end of the text.
    /// An empty line is a statement without words.
    pub(super) fn next_statement(&mut self) -> Result<Option<Vec<Word>>, UciError> {
        if self.at == self.text.len() {
            return Ok(None);
        }
        let mut words = Vec::new();
        loop {
            match self.peek() {
                None => return Ok(Some(words)),
                Some('\n' | ';') => {
                    self.at += 1;
                    return Ok(Some(words));
                }
                Some(' ' | '\t' | '\r') => self.at += 1,
                Some('#') => self.skip_line(),
                Some(_) => {
                    let word = self.word()?;
                    if words.len() < STATEMENT_WORDS_MAX {
                        words.push(word);
                    }
                }
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.find('\n').unwrap_or(rest.len());
    }

    /// A word: bare and quoted parts without a space between them.
    fn word(&mut self) -> Result<Word, UciError> {
        let begin = self.at;
        let mut text = String::new();
        while let Some(char) = self.peek() {
            if matches!(char, ' ' | '\t' | '\r' | '\n' | ';' | '#') {
                break;
            }
            self.at += char.len_utf8();
            match char {
                '\'' | '"' => self.quoted(char, begin, &mut text)?,
                '\\' => self.escaped(&mut text),
                char => text.push(char),
            }
            let at = begin..self.at;
            if text.contains(|char: char| char.is_control() && !matches!(char, '\n' | '\t')) {
                let what = "a character that cannot be printed; write the value anew";
                return Err(UciError::new(&at, what));
            }
            if text.len() > UCI_WORD_BYTES_MAX {
                let what =
                    format!("a value longer than {UCI_WORD_BYTES_MAX} bytes; is a quote missing?");
                return Err(UciError::new(&at, what));
            }
        }
        Ok(Word {
            text,
            at: begin..self.at,
        })
    }

    /// The rest of a quoted part. A backslash means something in double quotes only.
    fn quoted(&mut self, quote: char, begin: usize, text: &mut String) -> Result<(), UciError> {
        loop {
            match self.take() {
                Some(char) if char == quote => return Ok(()),
                Some('\\') if quote == '"' => self.escaped(text),
                Some(char) => text.push(char),
                None => {
                    let what = format!("the quote {quote} is not closed; add another");
                    return Err(UciError::new(&(begin..self.at), what));
                }
            }
        }
    }

    /// What follows a backslash, as it is; the end of a line is left out.
    fn escaped(&mut self, text: &mut String) {
        match self.take() {
            Some('\n') | None => {}
            Some(char) => text.push(char),
        }
    }
}
