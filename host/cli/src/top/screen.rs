//! What is on the screen: lines above, the table, and what is to be known of the row that is selected.

use std::io;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use crossterm::style::{Attribute, Color};
use unicode_width::UnicodeWidthChar as _;

use super::feed::{Feed, Latest};
use super::lines::{self, COLUMNS, Line, Weight};
use super::terminal::Terminal;
use super::told::Row;
use crate::output::may_colour;

/// Shows what `feed` has until a key or a signal ends it.
pub(super) fn show(feed: &Feed, url: &str) -> io::Result<()> {
    let mut terminal = Terminal::take()?;
    let mut view = View::new(url, may_colour(|name| std::env::var(name).ok()));
    while !feed.is_over() {
        let (width, height) = terminal.size()?;
        terminal.paint(&view.draw(&feed.latest(), width, height))?;
        if let Some(key) = terminal.key(REFRESH)?
            && view.press(key) == Pressed::End
        {
            break;
        }
    }
    Ok(())
}

/// A line of the screen, as wide as that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Painted {
    pub(super) text: String,
    pub(super) paint: Paint,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Colour(Color),
    Attribute(Attribute),
}

/// The state of the screen.
struct View {
    url: String,
    colours: bool,
    /// The row that is selected.
    selected: usize,
    /// The first row that is shown.
    first: usize,
    /// Rows that there are.
    rows: usize,
    /// Rows that fit.
    page: usize,
}

/// What follows from a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pressed {
    Stay,
    End,
}

impl View {
    fn new(url: &str, colours: bool) -> Self {
        Self { url: url.to_owned(), colours, selected: 0, first: 0, rows: 0, page: 1 }
    }

    fn press(&mut self, key: KeyEvent) -> Pressed {
        let selected = self.selected;
        self.selected = match (key.code, key.modifiers) {
            (KeyCode::Char('q') | KeyCode::Esc, _) => return Pressed::End,
            (KeyCode::Char('c'), KeyModifiers::CONTROL) => return Pressed::End,
            (KeyCode::Down | KeyCode::Char('j'), _) => selected.saturating_add(1),
            (KeyCode::Up | KeyCode::Char('k'), _) => selected.saturating_sub(1),
            (KeyCode::PageDown, _) => selected.saturating_add(self.page),
            (KeyCode::PageUp, _) => selected.saturating_sub(self.page),
            (KeyCode::Home, _) => 0,
            (KeyCode::End, _) => usize::MAX,
            _ => selected,
        };
        self.settle();
        Pressed::Stay
    }

    /// Keeps the selection among the rows, and in sight.
    fn settle(&mut self) {
        self.selected = self.selected.min(self.rows.saturating_sub(1));
        let least = (self.selected + 1).saturating_sub(self.page);
        self.first = self.first.clamp(least, self.selected);
    }

    fn draw(&mut self, latest: &Latest, width: usize, height: usize) -> Vec<Painted> {
        let state = &latest.state;
        let mut above = lines::header(state, &self.url);
        if let Some(problem) = &latest.problem {
            let since = latest.at.elapsed().as_secs();
            above.insert(1, Line::error(&format!("! no answer for {since} s: {problem}")));
        }
        // A low screen has the table rather than what stands above it.
        above.truncate(height.saturating_sub(AROUND));
        let rows = &state.services.rows;
        self.rows = rows.len();
        self.page = height.saturating_sub(above.len() + AROUND - 1).max(1);
        self.settle();

        let shown: Vec<_> = rows.iter().skip(self.first).take(self.page).collect();
        let mut painted: Vec<_> = above.iter().map(|line| self.paint(line)).collect();
        painted.push(Painted { text: String::new(), paint: Paint::Plain });
        painted.extend(self.table(&shown, state.live.now_ms, width));
        let details = match rows.get(self.selected) {
            Some(row) => lines::details(row),
            None => Line { weight: Weight::Plain, text: "no spans yet".to_owned() },
        };
        let more = match state.services.omitted {
            0 => String::new(),
            omitted => format!(", {omitted} more are not shown"),
        };
        let keys = format!("{} rows{more}   arrows: select   q: quit", rows.len());
        let empty = || Painted { text: String::new(), paint: Paint::Plain };
        painted.resize_with(height.saturating_sub(2).max(painted.len()), empty);
        painted.extend([self.paint(&details), Painted { text: keys, paint: Paint::Plain }]);
        painted.truncate(height);
        for line in &mut painted {
            line.text = fit(&line.text, width);
        }
        painted
    }

    /// The table's header, and the rows that are shown.
    fn table(&self, shown: &[&Row], now: f64, width: usize) -> Vec<Painted> {
        let cells: Vec<_> = shown.iter().map(|row| lines::cells(row, now)).collect();
        let widths = widths(&cells, width);
        let line = |cells: [&str; 6]| {
            let cells = cells.iter().zip(widths).map(|(cell, width)| fit(cell, width));
            cells.collect::<Vec<_>>().join(" ")
        };
        let mut painted = vec![Painted { text: line(COLUMNS), paint: Paint::Attribute(Attribute::Bold) }];
        painted.extend(shown.iter().zip(&cells).zip(self.first..).map(|((row, cells), at)| {
            let text = line(cells.each_ref().map(String::as_str));
            let selected = at == self.selected;
            Painted {
                text,
                paint: if selected { Paint::Attribute(Attribute::Reverse) } else { self.of_row(row) },
            }
        }));
        painted
    }

    fn paint(&self, line: &Line) -> Painted {
        let paint = match line.weight {
            Weight::Plain => Paint::Plain,
            Weight::Warning => self.colour(Color::Yellow),
            Weight::Error => self.colour(Color::Red),
        };
        Painted { text: line.text.clone(), paint }
    }

    fn of_row(&self, row: &Row) -> Paint {
        match row {
            row if row.is_unknown() => self.colour(Color::Red),
            Row { suspicious: Some(_), .. } => self.colour(Color::Yellow),
            _ => Paint::Plain,
        }
    }

    /// A colour, or bold type where there are none.
    fn colour(&self, colour: Color) -> Paint {
        if self.colours { Paint::Colour(colour) } else { Paint::Attribute(Attribute::Bold) }
    }
}

/// The columns' widths: an IPv6 address has its room where the screen is wide, and service and pod share the rest.
fn widths(rows: &[[String; 6]], width: usize) -> [usize; 6] {
    let addresses = rows.iter().map(|[_, _, address, ..]| columns(address));
    let address = addresses.max().unwrap_or_default().clamp(7, 15.max(width / 4));
    let rest = width.saturating_sub(address + FOUND + SPANS + SEEN + 5);
    let service = rest * 2 / 5;
    [service, rest - service, address, FOUND, SPANS, SEEN]
}

/// A text in exactly `width` columns: cut, or filled up.
fn fit(text: &str, width: usize) -> String {
    let mut fitted = String::new();
    let mut used = 0;
    for letter in text.chars() {
        let wide = letter.width().unwrap_or_default();
        if used + wide > width {
            break;
        }
        used += wide;
        fitted.push(letter);
    }
    fitted.extend(std::iter::repeat_n(' ', width - used));
    fitted
}

fn columns(text: &str) -> usize {
    text.chars().filter_map(|letter| letter.width()).sum()
}

/// Columns of what is not a name. `contradicted !` is the longest that there is.
const FOUND: usize = 14;
const SPANS: usize = 6;
const SEEN: usize = 4;

/// Lines besides those above the table: an empty one, the table's header, one row, two below.
const AROUND: usize = 5;

/// How soon an answer, or the order to end, shows.
const REFRESH: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use serde_json::json;

    use super::super::told::State;
    use super::*;

    fn latest() -> Latest {
        let row = |service: &str, found: &str, suspicious: Option<&str>| {
            json!({"service": service, "pod": "cart-0", "pod_namespace": "shop", "address": "10.1.1.1",
                "found": found, "suspicious": suspicious, "spans": 7, "spans_exact": true, "last_ms": 1000,
                "peer": "10.1.1.9"})
        };
        let services = json!({"rows": [
            {"service": "mail\u{1b}[31m", "pod": "", "pod_namespace": "", "address": "0.0.0.0",
                "found": "unknown", "suspicious": null, "spans": 3, "spans_exact": false, "last_ms": 2000,
                "peer": ""},
            row("cart", "pod", Some("two services have one address")),
            row("店店店店店店店店店店店店店", "kept", None),
        ], "omitted": 4});
        let agent = json!({"address": "10.0.0.1:38086", "state": "up", "reason": null});
        let live = json!({"version": "0.1.0", "now_ms": 5000, "uptime_seconds": 60, "ready": true,
            "outcomes": {"accepted": 2.0, "refused": 0.0}, "addresses": {"unknown": 1.0, "kept": 2.0},
            "requests_per_second": 2.0, "latency_ms": {"p50": 1.5, "p99": 3.0},
            "agents": [{"url": "http://agent:38086", "addresses": [agent]}],
            "pods": {"known": 12, "source": "the Kubernetes API", "state": "following", "healthy": true},
            "notices": [{"key": "x", "level": "warning", "message": "look", "count": 1}]});
        let state = State {
            live: serde_json::from_value(live).unwrap(),
            services: serde_json::from_value(services).unwrap(),
        };
        Latest { state: Arc::new(state), at: Instant::now(), problem: None }
    }

    fn drawn(view: &mut View, width: usize, height: usize) -> Vec<String> {
        view.draw(&latest(), width, height).iter().map(|line| line.text.trim_end().to_owned()).collect()
    }

    fn press(view: &mut View, code: KeyCode, modifiers: KeyModifiers) -> Pressed {
        view.press(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn eighty_columns_are_enough() {
        let mut view = View::new("http://127.0.0.1:8888", true);
        let expected = [
            "podstamp 0.1.0 at http://127.0.0.1:8888, up 60s, ready",
            "2 requests/s  0 spans/s  0 B/s  p50 1.5 ms  p99 3 ms",
            "outcomes/s   accepted 2  refused 0",
            "addresses/s  kept 2  unknown 1",
            "pods         12 from the Kubernetes API, following",
            "agent        http://agent:38086, 1 of 1 up",
            "! look",
            "",
            "SERVICE           POD                        ADDRESS  FOUND          SPANS  SEEN",
            "mail?[31m         -                          0.0.0.0  unknown        ~3     3s",
            "cart              shop/cart-0                10.1.1.1 pod !          7      4s",
            "店店店店店店店店  shop/cart-0                10.1.1.1 kept           7      4s",
            "",
            "mail?[31m: nothing leads to its pod",
            "3 rows, 4 more are not shown   arrows: select   q: quit",
        ];
        assert_eq!(drawn(&mut view, 80, 15), expected);
        let lines = view.draw(&latest(), 80, 15);
        assert!(lines.iter().all(|line| columns(&line.text) == 80));
        let paints: Vec<_> = lines[9..12].iter().map(|line| line.paint).collect();
        assert_eq!(
            paints,
            [Paint::Attribute(Attribute::Reverse), Paint::Colour(Color::Yellow), Paint::Plain],
            "selected, suspicious, fine"
        );
    }

    #[test]
    fn arrows_select_a_row_and_q_or_ctrl_c_ends() {
        let mut view = View::new("u", false);
        drawn(&mut view, 100, 20);
        assert_eq!(press(&mut view, KeyCode::Down, KeyModifiers::NONE), Pressed::Stay);
        let shown = drawn(&mut view, 100, 20);
        assert!(shown[18].contains("cart, sent by 10.1.1.9: two services"), "{shown:#?}");
        press(&mut view, KeyCode::End, KeyModifiers::NONE);
        assert!(drawn(&mut view, 100, 20)[18].starts_with("店"));
        // One row fits, and it is the one that is selected.
        let low = drawn(&mut view, 100, 6);
        assert!(low[3].starts_with("店") && low[5].starts_with("3 rows"), "{low:#?}");
        assert_eq!(press(&mut view, KeyCode::Char('q'), KeyModifiers::NONE), Pressed::End);
        assert_eq!(press(&mut view, KeyCode::Char('c'), KeyModifiers::CONTROL), Pressed::End);
        assert_eq!(press(&mut view, KeyCode::Char('c'), KeyModifiers::NONE), Pressed::Stay);
    }

    #[test]
    fn any_size_is_drawn_and_a_podstamp_that_is_gone_is_told() {
        let gone = Latest { problem: Some("nobody listens".to_owned()), ..latest() };
        for (width, height) in [(0, 0), (1, 1), (20, 3), (79, 24), (300, 100)] {
            let lines = View::new("u", true).draw(&gone, width, height);
            assert_eq!(lines.len(), height);
            assert!(lines.iter().all(|line| columns(&line.text) == width));
        }
        let lines = View::new("u", true).draw(&gone, 80, 24);
        assert_eq!(lines[1].text.trim_end(), "! no answer for 0 s: nobody listens");
    }
}
