//! The tables of what leads to root, read once from the files beside this one.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer};

use super::kind::Kind;

/// What programs do.
pub(super) static PROGRAMS: LazyLock<Programs> =
    LazyLock::new(|| parsed(include_str!("programs.toml")));
/// What files are.
pub(super) static FILES: LazyLock<Table<FileRow>> =
    LazyLock::new(|| parsed(include_str!("files.toml")));
/// What services do with their configuration.
pub(super) static SERVICES: LazyLock<Table<ServiceRow>> =
    LazyLock::new(|| parsed(include_str!("services.toml")));
/// What groups give.
pub(super) static GROUPS: LazyLock<Table<GroupRow>> =
    LazyLock::new(|| parsed(include_str!("accounts.toml")));

/// A table is part of the program: a test sees that it can be read, so that there is no host on
/// which it cannot.
fn parsed<T: Default + for<'de> Deserialize<'de>>(text: &str) -> T {
    toml::from_str(text).unwrap_or_default()
}

/// Words of a text, as the tables write lists.
#[derive(Debug, Default)]
pub(super) struct Words(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(text.split_whitespace().map(str::to_owned).collect()))
    }
}

/// `programs.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Programs {
    /// By program: its options whose value is the next word.
    values: BTreeMap<String, Words>,
    /// Those that only look at files.
    looks: Looks,
    /// Those whose operands are names of files.
    operands: Operands,
    row: Vec<ProgramRow>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Looks {
    programs: Words,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operands {
    files: Words,
    behind_first: Words,
}

/// Programs that come to the same under the same condition. See the file's head.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgramRow {
    pub(super) kind: Kind,
    pub(super) programs: Words,
    pub(super) verbs: Option<Words>,
    #[serde(default)]
    pub(super) except: Words,
    pub(super) with: Option<Words>,
    #[serde(default)]
    pub(super) without: Words,
    pub(super) fixed: Option<Fixed>,
    /// It reads files of the folder that it is started in, which the person chooses.
    #[serde(default)]
    pub(super) here: bool,
    #[cfg_attr(not(test), expect(dead_code, reason = "an example for the tests"))]
    pub(super) bad: Option<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "an example for the tests"))]
    pub(super) good: Option<String>,
}

/// What a row says of arguments that are all spelled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fixed {
    /// The row does not hold.
    Quiet,
}

impl Programs {
    /// The rows about a program, the worst first.
    pub(super) fn rows(&self, name: &str) -> impl Iterator<Item = &ProgramRow> {
        let is = move |row: &&ProgramRow| row.programs.0.iter().any(|one| one == name);
        self.row.iter().filter(is)
    }

    /// All rows.
    #[cfg(test)]
    pub(super) fn all(&self) -> &[ProgramRow] {
        &self.row
    }

    /// Whether a program shows and changes nothing of what is in the files that it is told.
    pub(super) fn only_looks(&self, name: &str) -> bool {
        self.looks.programs.0.iter().any(|one| one == name)
    }

    /// How many of the program's operands stand before those that name files; `None` where operands
    /// of it name none.
    pub(super) fn before_files(&self, name: &str) -> Option<usize> {
        let is_in = |list: &Words| list.0.iter().any(|one| one == name);
        if is_in(&self.operands.behind_first) {
            return Some(1);
        }
        is_in(&self.operands.files).then_some(0)
    }

    /// The program's options whose value is the word after them.
    pub(super) fn values(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], |words| &words.0)
    }
}

/// A table of rows and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table<R> {
    pub(super) row: Vec<R>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { row: Vec::new() }
    }
}

/// Files of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRow {
    pub(super) why: Kind,
    /// Reading them is enough.
    #[serde(default)]
    pub(super) read: bool,
    pub(super) files: Words,
}

/// A service and its configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceRow {
    pub(super) why: Kind,
    pub(super) files: Words,
    pub(super) units: Words,
    #[serde(rename = "as", default = "root")]
    pub(super) run_as: String,
}

fn root() -> String {
    "root".to_owned()
}

/// Groups of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupRow {
    pub(super) why: Kind,
    pub(super) groups: Words,
}
