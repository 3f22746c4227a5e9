//! `manifest.json`, read leniently: a part that is missing or of another type is left out of the report, never an error.

use serde_json::Value;

/// The manifest, or any part of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a>(Option<&'a Value>);

impl<'a> Part<'a> {
    pub(super) fn new(value: &'a Value) -> Self {
        Self(Some(value))
    }
    /// A part below this one: `at("job.name")`.
    pub(super) fn at(self, path: &str) -> Self {
        Self(path.split('.').try_fold(self.0, |value, key| value.map(|value| value.get(key))).flatten())
    }
    /// A text that is not empty.
    pub(super) fn text(self) -> Option<&'a str> {
        self.0?.as_str().filter(|text| !text.is_empty())
    }
    pub(super) fn number(self) -> Option<f64> {
        self.0?.as_f64()
    }
    /// A text or number, as it would be typed.
    pub(super) fn plain(self) -> Option<String> {
        match self.0? {
            Value::Null | Value::Object(_) | Value::Array(_) => None,
            Value::String(text) => (!text.is_empty()).then(|| text.clone()),
            other => Some(other.to_string()),
        }
    }
    /// The members of a list.
    pub(super) fn list(self) -> impl Iterator<Item = Part<'a>> {
        self.0.and_then(Value::as_array).into_iter().flatten().map(Part::new)
    }
    /// The entries of an object, in the file's order.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'a str, Part<'a>)> {
        self.0.and_then(Value::as_object).into_iter().flatten().map(|(key, value)| (key.as_str(), Part::new(value)))
    }
    /// The value as compact JSON, for free parameters.
    pub(super) fn json(self) -> Option<String> {
        self.0.filter(|value| !value.is_null()).map(Value::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_of_another_type_is_none() {
        let value: Value = serde_json::from_str(r#"{"job": {"name": "a", "hash": ""}, "seed": 7, "datasets": {}}"#).unwrap();
        let part = Part::new(&value);
        assert_eq!(part.at("job.name").text(), Some("a"));
        assert_eq!(part.at("job.hash").text(), None);
        assert_eq!(part.at("job.name.deeper").text(), None);
        assert_eq!(part.at("seed").plain().as_deref(), Some("7"));
        assert_eq!(part.at("seed").text(), None);
        assert_eq!(part.at("datasets").list().count(), 0);
    }
}
