//! The forms that data comes in: a table, JSON or CSV.

/// What `-o` takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Lines that fit the terminal, with relative times
    #[default]
    Table,
    /// Nothing is cut, and times are absolute
    Wide,
    /// One JSON document, or one a line of what goes on
    Json,
    /// Comma-separated values under a heading (RFC 4180)
    Csv,
}

/// What `-o` takes where there are no rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Whole {
    /// Lines
    Table,
    /// One JSON document
    Json,
}

/// `-o` and `--json`, for what can be listed.
#[derive(Debug, clap::Args)]
pub struct Format {
    /// Print in this form
    #[arg(long, short, value_name = "FORM", value_enum)]
    output: Option<Form>,
    /// Print JSON; the same as -o json
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl Format {
    /// The form that was asked for.
    pub fn form(&self) -> Form {
        match (self.json, self.output) {
            (true, _) => Form::Json,
            (false, output) => output.unwrap_or_default(),
        }
    }
}

/// `-o` and `--json`, for what is one whole.
#[derive(Debug, clap::Args)]
pub struct WholeFormat {
    /// Print in this form
    #[arg(long, short, value_name = "FORM", value_enum)]
    output: Option<Whole>,
    /// Print JSON; the same as -o json
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl WholeFormat {
    /// Whether JSON was asked for.
    pub fn is_json(&self) -> bool {
        self.json || self.output == Some(Whole::Json)
    }
}
