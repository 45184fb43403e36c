//! What `--json` printed.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// One JSON object.
#[derive(Debug, Clone)]
pub struct Object(pub Value);

impl Object {
    /// A field that is a string.
    pub fn text(&self, field: &str) -> Result<&str> {
        let value = self.field(field)?;
        value
            .as_str()
            .with_context(|| format!("{field} was expected to be a string: {}", self.0))
    }

    /// The object in a field.
    pub fn object(&self, field: &str) -> Result<Self> {
        let inner = self.0.get(field).cloned();
        inner
            .filter(Value::is_object)
            .map(Self)
            .with_context(|| format!("no object {field}: {self:?}"))
    }

    /// A field that is a list.
    pub fn list(&self, field: &str) -> Result<&[Value]> {
        let value = self.field(field)?;
        value
            .as_array()
            .map(Vec::as_slice)
            .with_context(|| format!("{field} was expected to be a list: {}", self.0))
    }

    /// A field that is a whole number.
    pub fn number(&self, field: &str) -> Result<i64> {
        let value = self.field(field)?;
        value
            .as_i64()
            .with_context(|| format!("{field} was expected to be a number: {}", self.0))
    }

    /// A field has this value.
    pub fn has(&self, field: &str, expected: &str) -> Result<&Self> {
        ensure!(
            self.text(field)? == expected,
            "{field} was expected to be {expected}: {}",
            self.0
        );
        Ok(self)
    }

    fn field(&self, field: &str) -> Result<&Value> {
        self.0
            .get(field)
            .with_context(|| format!("{field} is missing: {}", self.0))
    }
}
