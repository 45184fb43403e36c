//! A TOML file, read key by key, so that everything wrong with it is found in one go.
//!
//! Values are asked for by name and type. What is of another type, and every key that nobody
//! asked for, becomes a [`Problem`] with its line.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use tpa_bus::span::Span;
use tpa_bus::text::one_line;

use super::problem::Problem;

/// A file being read, and what was found wrong with it so far.
pub(super) struct Document<'t> {
    file: String,
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

/// Where a value stands in its file, in bytes.
pub(super) type Place = Range<usize>;

/// The file as a whole.
const WHOLE: Place = 0..0;

/// A table of a file. Dropping it reports the keys that nobody asked for.
pub(super) struct Section<'d, 't> {
    document: &'d Document<'t>,
    place: Place,
    entries: Vec<(Spanned<DeString<'t>>, Spanned<DeValue<'t>>)>,
    asked: Vec<&'static str>,
}

impl<'t> Document<'t> {
    pub(super) fn new(path: &Path, text: &'t str) -> Self {
        Self {
            file: one_line(&path.to_string_lossy(), 4096),
            text,
            problems: RefCell::default(),
        }
    }

    /// The file's top; `None` when the text is not TOML, which is then reported: one problem.
    pub(super) fn top(&self) -> Option<Section<'_, 't>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        // What comes after the first is mostly a consequence of it.
        if let Some(error) = errors.first() {
            let place = error.span().unwrap_or(WHOLE);
            self.report(&place, format!("not TOML: {}", error.message()));
        }
        errors
            .is_empty()
            .then(|| Section::new(self, WHOLE, table.into_inner()))
    }

    /// Notes something wrong at a place.
    pub(super) fn report(&self, place: &Place, message: impl Into<String>) {
        self.push(self.problem(place, message));
    }

    /// The same, with what to do about it.
    pub(super) fn report_next(
        &self,
        place: &Place,
        message: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.push(self.problem(place, message).next(next));
    }

    /// How much was wrong so far: whether something is new tells whether a further check of the
    /// same values makes sense.
    pub(super) fn problem_count(&self) -> usize {
        self.problems.borrow().len()
    }

    /// All that was found, in the order of the lines.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    fn problem(&self, place: &Place, message: impl Into<String>) -> Problem {
        if *place == WHOLE {
            return Problem {
                file: self.file.clone(),
                line: None,
                text: String::new(),
                message: message.into(),
                next: None,
            };
        }
        let text = self.text.get(place.clone()).unwrap_or_default();
        let line = self.line(place);
        let shown = match text.trim().lines().next() {
            Some(first) if !first.is_empty() => unquoted(first),
            _ => self.text.lines().nth(line - 1).unwrap_or_default().trim(),
        };
        Problem::at_line(&self.file, line, shown, message)
    }

    fn line(&self, place: &Place) -> usize {
        let before = self.text.as_bytes().iter().take(place.start);
        1 + before.filter(|byte| **byte == b'\n').count()
    }
}

/// A string's text without its quotes: the report has quotes of its own.
fn unquoted(text: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

impl<'d, 't> Section<'d, 't> {
    fn new(document: &'d Document<'t>, place: Place, table: DeTable<'t>) -> Self {
        Self {
            document,
            place,
            entries: table.into_iter().collect(),
            asked: Vec::new(),
        }
    }

    /// The file it is in.
    pub(super) fn document(&self) -> &'d Document<'t> {
        self.document
    }

    /// Where its head stands.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Where a value stands; the section's head when the key is not there.
    pub(super) fn place_of(&self, key: &str) -> Place {
        let entry = self.entries.iter().find(|(name, _)| name.get_ref() == key);
        entry.map_or_else(|| self.place.clone(), |(_, value)| value.span())
    }

    /// A string.
    pub(super) fn string(&mut self, key: &'static str) -> Option<Spanned<String>> {
        let value = self.take(key)?;
        self.text_of(value, "must be text in quotes")
    }

    /// Which of these words stands there; the default when none or another does.
    pub(super) fn one_of<T: Copy + Default, const N: usize>(
        &mut self,
        key: &'static str,
        words: [(&str, T); N],
    ) -> T {
        let Some(given) = self.string(key) else {
            return T::default();
        };
        if let Some((_, meant)) = words.iter().find(|(word, _)| word == given.get_ref()) {
            return *meant;
        }
        let known: Vec<_> = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        let message = format!("must be {}", known.join(" or "));
        self.document().report(&given.span(), message);
        T::default()
    }

    /// A list of strings.
    pub(super) fn strings(&mut self, key: &'static str) -> Option<Vec<Spanned<String>>> {
        let value = self.take(key)?;
        let expected = "must be a list of texts, as in [\"one\", \"two\"]";
        let place = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.document.report(&place, expected);
            return None;
        };
        items
            .into_iter()
            .map(|item| self.text_of(item, expected))
            .collect()
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &'static str) -> Option<Spanned<bool>> {
        let value = self.take(key)?;
        let place = value.span();
        let DeValue::Boolean(given) = value.into_inner() else {
            self.document.report(&place, "must be true or false");
            return None;
        };
        Some(Spanned::new(place, given))
    }

    /// A whole number from 0 to `most`.
    pub(super) fn number(&mut self, key: &'static str, most: u32) -> Option<Spanned<u32>> {
        let value = self.take(key)?;
        let place = value.span();
        let number = match value.get_ref() {
            DeValue::Integer(digits) => u32::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| *number <= most);
        if number.is_none() {
            let message = format!("must be a whole number from 0 to {most}");
            self.document.report(&place, message);
        }
        Some(Spanned::new(place, number?))
    }

    /// A span of time, in seconds, of at least one.
    pub(super) fn seconds(&mut self, key: &'static str) -> Option<Spanned<u64>> {
        let value = self.take(key)?;
        let text = self.text_of(value, "must be a span of time in quotes, as in \"2h\"")?;
        seconds_of(self.document, &text)
    }

    /// A list of spans of time, in seconds.
    pub(super) fn seconds_list(&mut self, key: &'static str) -> Option<Vec<u64>> {
        let texts = self.strings(key)?;
        texts
            .iter()
            .map(|text| seconds_of(self.document, text).map(Spanned::into_inner))
            .collect()
    }

    /// A table; an empty one when it is not there.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'d, 't> {
        let table = self
            .take(key)
            .and_then(|value| self.table_of(value, "must be a table"));
        table.unwrap_or_else(|| Section::new(self.document, self.place.clone(), DeTable::default()))
    }

    /// A list of tables; an empty one when it is not there.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'d, 't>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let expected = "must be a list of tables, each under its own [[head]]";
        let place = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.document.report(&place, expected);
            return Vec::new();
        };
        items
            .into_iter()
            .filter_map(|item| self.table_of(item, expected))
            .collect()
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'t>>> {
        self.asked.push(key);
        let at = self
            .entries
            .iter()
            .position(|(name, _)| name.get_ref() == key)?;
        Some(self.entries.swap_remove(at).1)
    }

    fn text_of(&self, value: Spanned<DeValue<'t>>, expected: &str) -> Option<Spanned<String>> {
        let place = value.span();
        let DeValue::String(text) = value.into_inner() else {
            self.document.report(&place, expected);
            return None;
        };
        Some(Spanned::new(place, text.into_owned()))
    }

    fn table_of(&self, value: Spanned<DeValue<'t>>, expected: &str) -> Option<Section<'d, 't>> {
        let place = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.document.report(&place, expected);
            return None;
        };
        Some(Section::new(self.document, place, table))
    }
}

/// The seconds that a text means; nothing lasts no time at all.
fn seconds_of(document: &Document<'_>, text: &Spanned<String>) -> Option<Spanned<u64>> {
    let place = text.span();
    match Span::parse(text.get_ref()) {
        Ok(span) if span.as_secs() > 0 => Some(Spanned::new(place, span.as_secs())),
        Ok(_) => {
            document.report(&place, "must be longer than no time at all");
            None
        }
        Err(error) => {
            document.report(&place, format!("not a span of time ({error})"));
            None
        }
    }
}

impl Drop for Section<'_, '_> {
    fn drop(&mut self) {
        for (key, _) in &self.entries {
            let next = format!("known here: {}", self.asked.join(", "));
            self.document.report_next(&key.span(), "unknown key", next);
        }
    }
}
