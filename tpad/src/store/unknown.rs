//! What a newer version recorded, and this one does not understand: after a downgrade it is shown as
//! far as it can be, and nothing is granted by what may have been changed by it.

use serde_json::Value;
use tpa_bus::id::Id;

use super::{Body, Content, Error, Store};
use crate::ledger::{Request, State, is_undecided_or_on};

/// Longest name of an event or of a field.
const NAME_MAX: usize = 40;

/// Most fields of an event that are shown.
const FIELDS_MAX: usize = 100;

/// A request of which it cannot be told what it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclear {
    /// Which.
    pub id: Id,
    /// Why not.
    pub why: String,
}

/// The content of a record with this code.
pub(super) fn content(code: &str, body: &str) -> Content {
    match known(code, body) {
        Some(body) => Content::Known(Box::new(body)),
        None => Content::Unknown(fields(code, body)),
    }
}

/// An event of the catalogue. One that goes under another code there is another kind of event.
fn known(code: &str, body: &str) -> Option<Body> {
    let body: Body = serde_json::from_str(body).ok()?;
    (body.envelope.event.code().0 == code).then_some(body)
}

/// What an unknown event says of itself, in the form that each event has.
fn fields(code: &str, body: &str) -> Vec<(String, String)> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let listed = body.get("fields").and_then(Value::as_array);
    let pairs = listed.into_iter().flatten().filter_map(|pair| {
        let name = pair.get(0)?.as_str().filter(|name| is_name(name))?;
        let value = pair.get(1)?.as_str()?;
        let right = name != "event" || is_name(value);
        right.then(|| (name.to_owned(), value.to_owned()))
    });
    let mut fields: Vec<_> = pairs.take(FIELDS_MAX).collect();
    if !fields.iter().any(|(name, _)| name == "code") {
        fields.push(("code".to_owned(), code.to_owned()));
    }
    fields
}

/// Whether it can be the name of an event or a field.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(plain)
}

impl Store {
    /// A request, from its row or, when that cannot be read, from the events about it that can be;
    /// none when there are none.
    pub(super) fn readable(&self, id: &str, row: &str) -> Result<Option<Request>, Error> {
        if let Ok(request) = serde_json::from_str(row) {
            return Ok(Some(request));
        }
        let mut state = State::default();
        self.each_event_of(id, |_, _, content| {
            if let Content::Known(body) = content {
                state.apply(&body.envelope);
            }
            true
        })?;
        let request = state
            .requests
            .values()
            .find(|r| r.id.as_str() == id)
            .cloned();
        if request.is_none() {
            tracing::error!("the request {id} cannot be read: it gives nothing");
        }
        Ok(request)
    }

    /// The requests of a state that may still give access and that something happened to which this
    /// version does not understand.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn unclear(&self, state: &State) -> Result<Vec<Unclear>, Error> {
        let mut doubts = Vec::new();
        for request in state.requests.values().filter(|r| is_undecided_or_on(r)) {
            let id = request.id;
            let mut why = None;
            self.each_event_of(id.as_str(), |seq, code, content| {
                if matches!(content, Content::Unknown(_)) {
                    why = Some(format!(
                        "event {seq} ({code}) about it is of a kind that this tpad does not know"
                    ));
                }
                why.is_none()
            })?;
            if why.is_none() && !self.has_readable_row(id)? {
                why = Some("what this tpad finds of it is of a form that it does not know".into());
            }
            doubts.extend(why.map(|why| Unclear { id, why }));
        }
        Ok(doubts)
    }

    fn has_readable_row(&self, id: Id) -> Result<bool, Error> {
        let row: String = self
            .connection
            .prepare_cached("SELECT body FROM requests WHERE id = ?1")
            .and_then(|mut row| row.query_row([id.as_str()], |row| row.get(0)))
            .map_err(self.sqlite("read"))?;
        Ok(serde_json::from_str::<Request>(&row).is_ok())
    }

    /// Goes through the events about a request, in order, as long as `next` says so.
    fn each_event_of(
        &self,
        id: &str,
        mut next: impl FnMut(u64, &str, Content) -> bool,
    ) -> Result<(), Error> {
        let error = self.sqlite("read");
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, code, body FROM events WHERE grant_id = ?1 ORDER BY seq")
            .map_err(&error)?;
        let mut rows = statement.query([id]).map_err(&error)?;
        while let Some(row) = rows.next().map_err(&error)? {
            let seq = super::read::seq(row, 0).map_err(&error)?;
            let code: String = row.get(1).map_err(&error)?;
            let body: String = row.get(2).map_err(&error)?;
            if !next(seq, &code, content(&code, &body)) {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_unknown_event_what_it_says_of_itself_is_shown_and_nothing_else() {
        let body = r#"{"envelope":{"at":1,"actor":null,"actor_uid":null,"event":{"grant-frozen":{"id":"00000001"}}},
            "fields":[["event","grant-frozen"],["grant","00000001"],["a b","x"],["why","a\nb"],["n",1],["x"],7]}"#;
        let Content::Unknown(fields) = content("TPA2009", body) else {
            panic!("it is not known");
        };
        let fields: Vec<_> = fields
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            fields,
            [
                ("event", "grant-frozen"),
                ("grant", "00000001"),
                ("why", "a\nb"),
                ("code", "TPA2009")
            ]
        );
    }

    #[test]
    fn whatever_a_record_holds_it_can_be_shown() {
        for body in [
            "",
            "nonsense",
            "{}",
            "[]",
            "{\"fields\":{}}",
            "{\"fields\":[[\"event\",\"a b\\u001b\"]]}",
        ] {
            let Content::Unknown(fields) = content("TPA9999", body) else {
                panic!("{body}");
            };
            assert_eq!(fields, [("code".to_owned(), "TPA9999".to_owned())]);
        }
    }
}
