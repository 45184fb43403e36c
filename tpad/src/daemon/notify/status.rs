//! How the targets are doing, kept in `/run/tpa/notify` for `tpactl doctor`. Derived, and no secret:
//! names, paths and words of our own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::host::paths::Paths;
use crate::policy::notify::Target;

/// The file's name.
const NAME: &str = "notify";

/// How one target is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    /// When it was told last, in seconds since 1970.
    reached_at: Option<i64>,
    /// Since when it cannot be told, and why.
    failing: Option<(i64, String)>,
}

/// Where all of them are kept.
#[derive(Debug, Clone)]
pub(super) struct Board {
    file: PathBuf,
    inner: Arc<Mutex<BTreeMap<String, (Value, State)>>>,
}

impl Board {
    pub(super) fn new(paths: &Paths) -> Self {
        Self {
            file: paths.run.join(NAME),
            inner: Arc::default(),
        }
    }

    /// The targets there are.
    pub(super) fn keep_only(&self, targets: &[Target]) {
        self.change(|states| {
            states.retain(|name, _| targets.iter().any(|target| target.name == *name));
            for target in targets {
                let files: Vec<&str> = target.secret_files().map(|(_, path)| path).collect();
                let known = json!({ "name": target.name, "kind": target.kind(), "files": files });
                let state = states.remove(&target.name).map(|(_, state)| state);
                states.insert(target.name.clone(), (known, state.unwrap_or_default()));
            }
        });
    }

    /// A target was told.
    pub(super) fn reached(&self, name: &str, now_s: i64) {
        self.set(name, |state| {
            *state = State {
                reached_at: Some(now_s),
                failing: None,
            };
        });
    }

    /// A target was not told.
    pub(super) fn failed(&self, name: &str, now_s: i64, why: &str) {
        self.set(name, |state| {
            let since = state.failing.as_ref().map_or(now_s, |(since, _)| *since);
            state.failing = Some((since, why.to_owned()));
        });
    }

    fn set(&self, name: &str, set: impl FnOnce(&mut State)) {
        self.change(|states| {
            if let Some((_, state)) = states.get_mut(name) {
                set(state);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, (Value, State)>)) {
        let mut states = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let before = states.clone();
        change(&mut states);
        if *states != before
            && let Err(error) = self.write(&states)
        {
            tracing::warn!("how the targets of notify.toml are doing is not kept: {error}");
        }
    }

    fn write(&self, states: &BTreeMap<String, (Value, State)>) -> std::io::Result<()> {
        let mut text = String::new();
        for (known, state) in states.values() {
            let mut line = known.clone();
            if let Some(line) = line.as_object_mut() {
                let (since, why) = state.failing.clone().unzip();
                line.insert("reached_at".to_owned(), json!(state.reached_at));
                line.insert("failing_since".to_owned(), json!(since));
                line.insert("why".to_owned(), json!(why));
            }
            let _ = writeln!(text, "{line}");
        }
        let new = self.file.with_file_name(format!(".{NAME}.new"));
        let _ = std::fs::remove_file(&new);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        std::fs::rename(&new, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::notify::Way;

    #[test]
    fn how_each_target_does_is_kept_for_doctor() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        std::fs::create_dir(&paths.run).unwrap();
        let board = Board::new(&paths);
        let target = Target {
            name: "oncall".into(),
            way: Way::Program("/x".into()),
            events: None,
            roles: Vec::new(),
            unusual: false,
            per_minute: 10,
            retry_for_s: 60,
        };
        board.keep_only(std::slice::from_ref(&target));
        board.failed("oncall", 100, "first");
        board.failed("oncall", 200, "second");
        board.failed("other", 200, "nobody's");
        let read = || {
            let text = std::fs::read_to_string(paths.run.join("notify")).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            lines.collect::<Vec<Value>>()
        };
        let [line] = read().try_into().unwrap();
        assert_eq!(
            (&line["failing_since"], &line["why"]),
            (&json!(100), &json!("second"))
        );
        board.keep_only(std::slice::from_ref(&target));
        assert_eq!(read()[0]["failing_since"], 100);
        board.reached("oncall", 300);
        assert_eq!(read()[0]["reached_at"], 300);
        assert_eq!(read()[0]["failing_since"], Value::Null);
        board.keep_only(&[]);
        assert_eq!(read(), Vec::<Value>::new());
    }
}
