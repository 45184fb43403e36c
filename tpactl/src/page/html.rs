//! Markup. Text gets into it through [`Html::text`] and its kin alone, which make it one clean line
//! first and escape it then, so no text becomes a tag, an attribute or a turn of the reading
//! direction. Names of elements and attributes are the program's own.

#![allow(
    clippy::needless_pass_by_value,
    reason = "a piece of markup has one place, which takes it"
)]

use tpa_bus::text::one_line;

use crate::say;

/// Longest command that is shown whole.
const COMMAND_MAX: usize = 8_000;

/// A piece of markup. It is put together by value: each piece has one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html(String);

/// An attribute and its value.
pub type Attribute<'a> = (&'static str, &'a str);

impl Html {
    /// What somebody typed, as every other output shows it.
    pub fn text(text: &str) -> Self {
        Self(escaped(&say::clean(text)))
    }

    /// The same of what is longer, such as a command.
    pub fn command(text: &str) -> Self {
        Self(escaped(&one_line(text, COMMAND_MAX)))
    }

    /// Lines as they stand, one below the other.
    pub fn lines(lines: &[String]) -> Self {
        let clean: Vec<String> = lines
            .iter()
            .map(|line| escaped(&one_line(line, usize::MAX)))
            .collect();
        // A line end right behind <pre> would not count.
        Self(format!("\n{}", clean.join("\n")))
    }

    /// An element with what is in it.
    pub fn element(name: &'static str, attributes: &[Attribute<'_>], inside: Self) -> Self {
        let mut out = Self::opened(name, attributes);
        out.0.push_str(&inside.0);
        for part in ["</", name, ">"] {
            out.0.push_str(part);
        }
        out
    }

    /// An element that never has anything in it, such as `meta` or, in a picture, `rect`.
    pub fn empty(name: &'static str, attributes: &[Attribute<'_>]) -> Self {
        let mut out = Self::opened(name, attributes);
        out.0.pop();
        out.0.push_str("/>");
        out
    }

    /// What is the program's own, as it is: the style.
    pub fn own(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    fn opened(name: &'static str, attributes: &[Attribute<'_>]) -> Self {
        let mut out = format!("<{name}");
        for (name, value) in attributes {
            let value = escaped(&one_line(value, usize::MAX));
            for part in [" ", name, "=\"", &value, "\""] {
                out.push_str(part);
            }
        }
        out.push('>');
        Self(out)
    }

    /// Puts more behind it.
    #[must_use]
    pub fn then(mut self, more: Self) -> Self {
        self.0.push_str(&more.0);
        self
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Html>>(parts: I) -> Self {
        parts.into_iter().fold(Self::default(), Self::then)
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// An element without attributes.
pub fn plain(name: &'static str, inside: Html) -> Html {
    Html::element(name, &[], inside)
}

/// An element of a class.
pub fn class(name: &'static str, class: &str, inside: Html) -> Html {
    Html::element(name, &[("class", class)], inside)
}

/// A table that a narrow screen can scroll, with a keyboard too; nothing without rows.
pub fn table(
    label: &str,
    heading: &[&str],
    rows: impl IntoIterator<Item = Vec<Html>>,
) -> Option<Html> {
    let mut rows = rows.into_iter().peekable();
    rows.peek()?;
    let cells = |heading: &&str| Html::element("th", &[("scope", "col")], Html::text(heading));
    let head = plain("thead", plain("tr", heading.iter().map(cells).collect()));
    let row = |cells: Vec<Html>| {
        let cells = cells.into_iter().map(|cell| plain("td", cell)).collect();
        plain("tr", cells).then(Html::own("\n"))
    };
    let body = plain("tbody", rows.map(row).collect());
    let attributes = [
        ("class", "scroll"),
        ("role", "region"),
        ("aria-label", label),
        ("tabindex", "0"),
    ];
    Some(Html::element(
        "div",
        &attributes,
        plain("table", head.then(body)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_in_an_element_and_in_an_attribute() {
        let hostile = "\"><script>alert('&')</script>\u{202e}\n";
        let shown = Html::element("p", &[("title", hostile)], Html::text(hostile));
        let text = "&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;\\u{202e}\\n";
        assert_eq!(shown.as_str(), format!("<p title=\"{text}\">{text}</p>"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_has_a_sign_of_markup_or_one_that_is_not_seen(text: String) {
            for shown in [Html::text(&text), Html::command(&text)] {
                let shown = shown.as_str();
                proptest::prop_assert!(!shown.contains(['<', '>', '"', '\'']), "{shown}");
                proptest::prop_assert!(!shown.contains(tpa_bus::text::is_unsafe), "{shown}");
            }
        }
    }
}
