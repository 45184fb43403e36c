//! The time line: when access was on and what happened in it, drawn to scale.
//!
//! Places along the line are per cent of it and everything else is pixels, so that the words keep
//! their size on a narrow screen. Each kind has a row of its own under its name: nothing is told by
//! colour alone.

use tpa_bus::access::Event;

use super::html::{Html, class, plain};
use super::story::{Span, Story, Window};
use crate::clock::Clock;

/// Most bars and marks of one kind that are drawn. The tables have all of them.
const MOST: usize = 400;

/// Most rows of bars that overlap.
const ROWS: usize = 4;

/// Pixels: a name above its rows, a bar with the room below it.
const NAME: u32 = 18;
const BAR: u32 = 16;

/// The drawing, with a sentence below it where it leaves something out.
pub fn draw(story: &Story<'_>, window: Window, clock: &Clock) -> Html {
    let scale = Scale(window);
    let mut drawing = Drawing::default();
    drawing.name("Access");
    let until = window
        .until
        .unwrap_or(clock.now.clamp(window.from, window.last));
    if window.planned > until {
        drawing.bar("unused", scale, (until, window.planned), 0, None);
    }
    drawing.bar("access", scale, (window.from, until), 0, None);
    drawing.rows(1);
    drawing.spans("Logins", &story.logins, scale, until);
    drawing.spans("Commands", &story.commands, scale, until);
    drawing.marks("What stands out", "▲", &story.alerts, scale);
    drawing.marks("The end", "■", &story.ends, scale);
    drawing.ticks(scale, clock);
    let height = drawing.y.to_string();
    let label = "Time line; the tables below tell the same";
    let svg = Html::element(
        "svg",
        &[
            ("width", "100%"),
            ("height", &height),
            ("role", "img"),
            ("aria-label", label),
        ],
        drawing.grid.then(drawing.svg),
    );
    let note = drawing.left_out.then(|| {
        let note = format!("Of each kind the first {MOST} are drawn.");
        class("p", "note", Html::text(&note))
    });
    svg.then(note.unwrap_or_default())
}

/// Where a moment stands on the line.
#[derive(Clone, Copy)]
struct Scale(Window);

impl Scale {
    /// In hundredths of a per cent.
    fn at(self, moment: i64) -> u32 {
        let Self(Window { from, last, .. }) = self;
        let length = i128::from(last.saturating_sub(from)).max(1);
        let place = i128::from(moment.clamp(from, last).saturating_sub(from));
        let hundredths = place.saturating_mul(10_000).checked_div(length);
        u32::try_from(hundredths.unwrap_or(0)).unwrap_or(0)
    }

    fn moment(self, quarter: i64) -> i64 {
        let Self(Window { from, last, .. }) = self;
        let part = last.saturating_sub(from).saturating_mul(quarter);
        from.saturating_add(part.checked_div(4).unwrap_or(0))
    }
}

fn percent(hundredths: u32) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

#[derive(Default)]
struct Drawing {
    /// What stands behind everything else.
    grid: Html,
    svg: Html,
    y: u32,
    left_out: bool,
}

impl Drawing {
    fn add(&mut self, part: Html) {
        self.svg = std::mem::take(&mut self.svg)
            .then(part)
            .then(Html::own("\n"));
    }

    fn name(&mut self, name: &str) {
        let y = self.y.saturating_add(13).to_string();
        let attributes = [("class", "name"), ("x", "0"), ("y", y.as_str())];
        self.add(Html::element("text", &attributes, Html::text(name)));
        self.y = self.y.saturating_add(NAME);
    }

    fn rows(&mut self, rows: usize) {
        let rows = u32::try_from(rows).unwrap_or(0);
        self.y = self.y.saturating_add(BAR.saturating_mul(rows));
    }

    fn bar(
        &mut self,
        kind: &str,
        scale: Scale,
        (from, until): (i64, i64),
        row: usize,
        number: Option<usize>,
    ) {
        let (x, end) = (scale.at(from), scale.at(until));
        let row = u32::try_from(row).unwrap_or(0).saturating_mul(BAR);
        let y = self.y.saturating_add(row);
        let (x, width) = (percent(x), percent(end.saturating_sub(x)));
        let top = y.saturating_add(1).to_string();
        self.add(Html::empty(
            "rect",
            &[
                ("class", kind),
                ("x", &x),
                ("y", &top),
                ("width", &width),
                ("height", "11"),
            ],
        ));
        if let Some(number) = number {
            let foot = y.saturating_add(11).to_string();
            let attributes = [("class", "number"), ("x", &x), ("dx", "4"), ("y", &foot)];
            self.add(Html::element(
                "text",
                &attributes,
                Html::text(&number.to_string()),
            ));
        }
    }

    /// What was open, in as many rows as overlap; with the numbers of the tables where they fit.
    fn spans(&mut self, name: &str, spans: &[Span<'_>], scale: Scale, until: i64) {
        if spans.is_empty() {
            return;
        }
        self.left_out |= spans.len() > MOST;
        self.name(name);
        // Where each row is taken up to, and its last number stands.
        let mut rows: Vec<(u32, u32)> = Vec::new();
        for (number, span) in (1..).zip(spans).take(MOST) {
            let end = span.until.unwrap_or(until).max(span.event.at);
            let (from, to) = (scale.at(span.event.at), scale.at(end));
            let free = rows.iter().position(|(taken, _)| *taken <= from);
            let row = match free {
                Some(row) => row,
                None if rows.len() < ROWS => {
                    rows.push((0, 0));
                    rows.len().saturating_sub(1)
                }
                None => ROWS.saturating_sub(1),
            };
            let mut shown = None;
            if let Some((taken, numbered)) = rows.get_mut(row) {
                *taken = to.saturating_add(20).max(*taken);
                if from >= *numbered {
                    *numbered = from.saturating_add(400);
                    shown = Some(number);
                }
            }
            self.bar("span", scale, (span.event.at, end), row, shown);
        }
        self.rows(rows.len());
    }

    fn marks(&mut self, name: &str, sign: &str, events: &[&Event], scale: Scale) {
        if events.is_empty() {
            return;
        }
        self.left_out |= events.len() > MOST;
        self.name(name);
        let y = self.y.saturating_add(11).to_string();
        for event in events.iter().take(MOST) {
            let x = percent(scale.at(event.at));
            let attributes = [("class", "mark"), ("x", x.as_str()), ("y", y.as_str())];
            let title = plain("title", Html::text(&event.event));
            self.add(Html::element(
                "text",
                &attributes,
                title.then(Html::text(sign)),
            ));
        }
        self.rows(1);
    }

    fn ticks(&mut self, scale: Scale, clock: &Clock) {
        let Scale(Window { from, last, .. }) = scale;
        let form = match last.saturating_sub(from) {
            86_401.. => "%m-%d %H:%M",
            1_201.. => "%H:%M",
            _ => "%H:%M:%S",
        };
        let line = self.y.saturating_add(5).to_string();
        let foot = self.y.saturating_add(19).to_string();
        for quarter in 0..=4 {
            let moment = scale.moment(quarter);
            let x = percent(scale.at(moment));
            let ends = [("x1", x.as_str()), ("x2", &x), ("y1", "0"), ("y2", &line)];
            let grid = std::mem::take(&mut self.grid);
            self.grid = grid.then(Html::empty("line", &ends));
            let anchor = match quarter {
                0 => "start",
                4 => "end",
                _ => "middle",
            };
            let shown = (clock.wall)(moment).time.format(form).to_string();
            let attributes = [("x", x.as_str()), ("y", &foot), ("text-anchor", anchor)];
            self.add(Html::element("text", &attributes, Html::text(&shown)));
        }
        self.y = self.y.saturating_add(24);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fixed;
    use crate::page::story::tell;
    use crate::page::story::tests::event;
    use crate::sample;

    #[test]
    fn places_are_to_scale_and_on_the_line() {
        let scale = Scale(Window {
            from: 1_000,
            until: None,
            planned: 1_400,
            last: 1_400,
        });
        for (moment, place) in [
            (1_000, "0.00%"),
            (1_100, "25.00%"),
            (1_399, "99.75%"),
            (5_000, "100.00%"),
            (i64::MIN, "0.00%"),
            (i64::MAX, "100.00%"),
        ] {
            assert_eq!(percent(scale.at(moment)), place);
        }
        assert_eq!(scale.moment(1), 1_100);
    }

    #[test]
    fn what_overlaps_stands_in_rows_and_thousands_are_bounded() {
        let pids: Vec<String> = (0..2_000).map(|pid| pid.to_string()).collect();
        let events: Vec<Event> = pids
            .iter()
            .map(|pid| event(10, "session-opened", &[("pid", pid)]))
            .collect();
        let story = tell(&sample::active(), &events, fixed().now);
        let drawn = draw(&story, story.window.unwrap(), &fixed());
        let drawn = drawn.as_str();
        assert_eq!(drawn.matches("class=\"span\"").count(), MOST);
        assert!(drawn.contains("the first 400 are drawn"), "{drawn}");
        assert!(drawn.len() < 200_000, "{}", drawn.len());
    }
}
