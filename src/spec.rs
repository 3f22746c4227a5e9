//! Registries and the spanned look-up of a job file's tables.
//!
//! A registry is a slice of [`Entry`]: parsing, `--help`, docs and columns all come from it. A parser *pulls* keys out of a
//! [`Section`]; whatever nobody asked for is an unknown key, reported with the nearest name. Errors are collected, never thrown,
//! so that a user sees all of them at once.

use std::cell::RefCell;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One key of a registry entry, for `--help` and the docs.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The key as it stands in the job file.
    pub name: &'static str,
    /// Its default, as it would be typed; empty when it must be given.
    pub default: &'static str,
    /// One line on what it does, with its unit.
    pub help: &'static str,
}

/// One member of a registry (a metric, an embedding, a model, …).
pub struct Entry<T: ?Sized + 'static> {
    /// Its name in the job file.
    pub kind: &'static str,
    /// One line on what it computes.
    pub summary: &'static str,
    /// The keys it takes beside those that all members share.
    pub keys: &'static [Key],
    /// Makes the checked parameters; problems go to the section's diagnostics and the answer is `None`.
    pub parse: fn(&Section<'_>) -> Option<Box<T>>,
}

/// One problem of a job file.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// What is wrong: a lower-case fragment without a final period.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// All problems found so far.
#[derive(Debug, Default)]
pub struct Diagnostics(RefCell<Vec<Diagnostic>>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.0.borrow_mut().push(Diagnostic { span, message: message.into(), hint });
    }
    /// How many there are; to see whether a step added any.
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }
    /// Whether all is well.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
    /// All of them, in the order of the text.
    pub fn into_sorted(self) -> Vec<Diagnostic> {
        let mut all = self.0.into_inner();
        all.sort_by_key(|diagnostic| diagnostic.span.start);
        all
    }
}

/// The nearest of `names` to `typed`, if one is near enough to be what was meant.
pub fn nearest<'n>(typed: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let near = |name: &str| strsim::damerau_levenshtein(&typed.to_lowercase(), &name.to_lowercase());
    names
        .into_iter()
        .map(|name| (near(name), name))
        .filter(|&(distance, name)| distance <= 1 + name.len().max(typed.len()) / 3)
        .min()
        .map(|(_, name)| name)
}

/// A hint that offers the nearest name, or else lists all of them.
pub fn suggest(typed: &str, names: &[&str]) -> String {
    match nearest(typed, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => String::new(),
        None => format!("known: {}", names.join(", ")),
    }
}

/// Name of the section that is the whole job file.
pub const ROOT: &str = "the job file";

/// One table of the job file, from which a parser pulls its keys.
#[derive(Debug)]
pub struct Section<'a> {
    name: String,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    asked: RefCell<Vec<&'static str>>,
    diagnostics: &'a Diagnostics,
}

impl<'a> Section<'a> {
    /// A section over `table`, called `name` in messages (`"[[metric]]"`).
    pub fn new(name: impl Into<String>, table: &'a DeTable<'a>, span: Range<usize>, diagnostics: &'a Diagnostics) -> Self {
        Self { name: name.into(), table, span, asked: RefCell::default(), diagnostics }
    }
    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Where it stands.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
    /// Where to put problems.
    pub fn diagnostics(&self) -> &'a Diagnostics {
        self.diagnostics
    }
    /// Reports a problem of this section.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        let hint: String = hint.into();
        self.diagnostics.push(span, message, (!hint.is_empty()).then_some(hint));
    }
    /// The keys asked for so far.
    pub fn asked(&self) -> Vec<&'static str> {
        self.asked.borrow().clone()
    }
    /// Where the value of `key` stands, or the section itself when it is not given.
    pub fn span_of(&self, key: &str) -> Range<usize> {
        self.table.get(key).map_or(self.span(), |value| value.span())
    }
    /// The value of `key` as it was typed.
    pub fn raw(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        if !self.asked.borrow().contains(&key) {
            self.asked.borrow_mut().push(key);
        }
        self.table.get(key)
    }
    /// Every key of the table with its value, for tables with free names (`units`, `params`); all count as asked for.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, Range<usize>, &'a Spanned<DeValue<'a>>)> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = value.get_ref().type_str();
        if value.get_ref().is_integer() && wanted.contains("number") {
            return self.error(value.span(), format!("`{key}` is too large a number"), "");
        }
        self.error(value.span(), format!("`{key}` must be {wanted}, not {} {found}", article(found)), "");
    }
    fn pull<T>(&self, key: &'static str, wanted: &str, read: impl Fn(&DeValue<'a>) -> Option<T>) -> Option<T> {
        let value = self.raw(key)?;
        let read = read(value.get_ref());
        if read.is_none() {
            self.wrong_type(key, value, wanted);
        }
        read
    }

    /// A text.
    pub fn string(&self, key: &'static str) -> Option<String> {
        self.pull(key, "a string", |value| value.as_str().map(str::to_owned))
    }
    /// A text that must be there.
    pub fn required_string(&self, key: &'static str) -> Option<String> {
        if self.raw(key).is_none() {
            self.error(self.span(), format!("{} needs `{key}`", self.name), format!("add `{key} = \"…\"`"));
            return None;
        }
        self.string(key)
    }
    /// A number (an integer is one too); `inf` and `nan` as TOML writes them. NaN is refused.
    pub fn number(&self, key: &'static str) -> Option<f64> {
        self.pull(key, "a number", number_of).and_then(|number| {
            if number.is_nan() {
                self.error(self.span_of(key), format!("`{key}` must be a number, not nan"), "");
            }
            (!number.is_nan()).then_some(number)
        })
    }
    /// A number that `allowed` accepts; `wanted` says which those are ("greater than 0").
    pub fn number_where(&self, key: &'static str, wanted: &str, allowed: impl Fn(f64) -> bool) -> Option<f64> {
        let number = self.number(key)?;
        if !allowed(number) {
            self.error(self.span_of(key), format!("`{key}` must be {wanted}, not {number}"), "");
        }
        allowed(number).then_some(number)
    }
    /// A whole number that is at least `least`.
    pub fn integer(&self, key: &'static str, least: u64) -> Option<u64> {
        let number = self.pull(key, "a whole number", integer_of)?;
        match u64::try_from(number).ok().filter(|&number| number >= least) {
            Some(number) => Some(number),
            None => {
                self.error(self.span_of(key), format!("`{key}` must be {least} or more, not {number}"), "");
                None
            }
        }
    }
    /// Yes or no.
    pub fn boolean(&self, key: &'static str) -> Option<bool> {
        self.pull(key, "true or false", DeValue::as_bool)
    }
    /// One of `choices`; anything else is an error that names the nearest.
    pub fn choice(&self, key: &'static str, choices: &[&'static str]) -> Option<&'static str> {
        let text = self.string(key)?;
        let found = choices.iter().copied().find(|&choice| choice == text);
        if found.is_none() {
            self.error(self.span_of(key), format!("`{key}` cannot be \"{text}\""), suggest(&text, choices));
        }
        found
    }
    /// One of `choices` (now available), where `later` are part of the contract but not in this version.
    pub fn choice_or_later(&self, key: &'static str, choices: &[&'static str], later: &[&'static str]) -> Option<&'static str> {
        if let Some(DeValue::String(text)) = self.raw(key).map(Spanned::get_ref)
            && later.contains(&text.as_ref())
        {
            self.error(
                self.span_of(key),
                format!("`{key} = \"{text}\"` is not available yet"),
                format!("available: {}", choices.join(", ")),
            );
            return None;
        }
        self.choice(key, choices)
    }
    /// A list of texts; a single text counts as a list of one.
    pub fn strings(&self, key: &'static str) -> Option<Vec<String>> {
        self.pull(key, "a list of strings", |value| match value {
            DeValue::String(text) => Some(vec![text.to_string()]),
            DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect(),
            _ => None,
        })
    }
    /// A list of numbers.
    pub fn numbers(&self, key: &'static str) -> Option<Vec<f64>> {
        self.pull(key, "a list of numbers", |value| value.as_array()?.iter().map(|item| number_of(item.get_ref())).collect())
    }
    /// A range `[low, high]` with `low < high`.
    pub fn range(&self, key: &'static str) -> Option<[f64; 2]> {
        let numbers = self.numbers(key)?;
        match numbers[..] {
            [low, high] if low < high => Some([low, high]),
            _ => {
                self.error(self.span_of(key), format!("`{key}` must be [low, high] with low < high"), "");
                None
            }
        }
    }
    /// A table below this one.
    pub fn section(&self, key: &'static str) -> Option<Section<'a>> {
        let value = self.raw(key)?;
        match value.get_ref() {
            DeValue::Table(table) => {
                let name = if self.name == ROOT { format!("[{key}]") } else { format!("`{key}` of {}", self.name) };
                Some(Section::new(name, table, value.span(), self.diagnostics))
            }
            _ => {
                self.wrong_type(key, value, "a table");
                None
            }
        }
    }
    /// The tables under `key`, written as `[[key]]` or, when `single` is allowed, as one `[key]`.
    pub fn sections(&self, key: &'static str, single: bool) -> Vec<Section<'a>> {
        let Some(value) = self.raw(key) else { return Vec::new() };
        let name = if self.name == ROOT { key.to_owned() } else { format!("{}.{key}", self.name.trim_matches(['[', ']'])) };
        match value.get_ref() {
            DeValue::Table(table) if single => vec![Section::new(format!("[{name}]"), table, value.span(), self.diagnostics)],
            DeValue::Table(_) => {
                self.error(value.span(), format!("`[{name}]` must be written as `[[{name}]]`"), "there may be several of it");
                Vec::new()
            }
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| match item.get_ref() {
                    DeValue::Table(table) => Some(Section::new(format!("[[{name}]]"), table, item.span(), self.diagnostics)),
                    other => {
                        self.error(
                            item.span(),
                            format!("`{key}` must be tables, not {} {}", article(other.type_str()), other.type_str()),
                            format!("write `[[{name}]]`"),
                        );
                        None
                    }
                })
                .collect(),
            _ => {
                self.wrong_type(key, value, "a table");
                Vec::new()
            }
        }
    }
    /// Reports every key that nobody asked for. To be called when the parser has pulled all it knows.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table.iter() {
            let typed = key.get_ref().as_ref();
            if !asked.contains(&typed) {
                let hint = suggest(typed, &asked);
                self.error(key.span(), format!("unknown key `{typed}` in {}", self.name), hint);
            }
        }
    }
}

/// A TOML number as `f64`.
pub fn number_of(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
        DeValue::Integer(_) => integer_of(value).map(|integer| integer as f64),
        _ => None,
    }
}

/// A TOML integer.
pub fn integer_of(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// Parses `text` as one section and hands it to `read`; what the unit tests of a parser need.
#[cfg(test)]
pub(crate) fn with_section<T>(text: &str, read: impl FnOnce(&Section<'_>) -> T) -> (T, Vec<Diagnostic>) {
    let table = DeTable::parse(text).expect("valid TOML");
    let diagnostics = Diagnostics::default();
    let out = read(&Section::new("[[test]]", table.get_ref(), table.span(), &diagnostics));
    (out, diagnostics.into_sorted())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_offer_the_nearest_name() {
        let (_, found) = with_section("binarize = \"mean\"\n", |section| {
            section.choice("binarise", &["mean"]);
            section.finish();
        });
        assert_eq!(found[0].message, "unknown key `binarize` in [[test]]");
        assert_eq!(found[0].hint.as_deref(), Some("did you mean `binarise`?"));
        assert_eq!(found[0].span, 0..8);
    }

    #[test]
    fn wrong_types_and_ranges_are_said_with_what_was_found() {
        let (_, found) = with_section("a = \"x\"\nb = -3\nc = [2, 1]\nd = nan", |section| {
            section.number("a");
            section.integer("b", 1);
            section.range("c");
            section.number("d");
        });
        let messages: Vec<_> = found.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "`a` must be a number, not a string",
                "`b` must be 1 or more, not -3",
                "`c` must be [low, high] with low < high",
                "`d` must be a number, not nan"
            ]
        );
    }

    #[test]
    fn numbers_read_as_toml_writes_them() {
        let (all, found) =
            with_section("a = 1_000\nb = 0x10\nc = -inf\nd = 1e-3", |section| ["a", "b", "c", "d"].map(|key| section.number(key)));
        assert_eq!(all, [Some(1000.0), Some(16.0), Some(f64::NEG_INFINITY), Some(1e-3)]);
        assert!(found.is_empty());
    }
}
