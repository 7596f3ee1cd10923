//! The terminal: taken for a screen, painted, and given back.

use std::io::{self, Stdout, Write};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use crossterm::style::{Attribute, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};

use super::screen::{Paint, Painted};

/// A terminal that is taken. Dropped, it is as it was.
pub(super) struct Terminal {
    out: Stdout,
}

impl Terminal {
    pub(super) fn take() -> io::Result<Self> {
        // So that the message of a panic is not lost with the screen.
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            usual(panic);
        }));
        let mut terminal = Self { out: io::stdout() };
        enable_raw_mode()?;
        execute!(terminal.out, EnterAlternateScreen, Hide)?;
        Ok(terminal)
    }

    /// Columns and lines.
    pub(super) fn size(&self) -> io::Result<(usize, usize)> {
        let (columns, lines) = size()?;
        Ok((usize::from(columns), usize::from(lines)))
    }

    /// Paints lines from the top, each as wide as the screen, so that nothing has to be cleared.
    pub(super) fn paint(&mut self, lines: &[Painted]) -> io::Result<()> {
        queue!(self.out, BeginSynchronizedUpdate)?;
        for (line, y) in lines.iter().zip(0_u16..) {
            queue!(self.out, MoveTo(0, y), SetAttribute(Attribute::Reset), ResetColor)?;
            match line.paint {
                Paint::Plain => (),
                Paint::Colour(colour) => queue!(self.out, SetForegroundColor(colour))?,
                Paint::Attribute(attribute) => queue!(self.out, SetAttribute(attribute))?,
            }
            queue!(self.out, Print(&line.text))?;
        }
        queue!(self.out, SetAttribute(Attribute::Reset), ResetColor, EndSynchronizedUpdate)?;
        self.out.flush()
    }

    /// The next key, if one is pressed within `wait`. Anything else that happens ends the wait, too.
    pub(super) fn key(&self, wait: Duration) -> io::Result<Option<KeyEvent>> {
        if !event::poll(wait)? {
            return Ok(None);
        }
        Ok(match event::read()? {
            Event::Key(key) if key.kind != KeyEventKind::Release => Some(key),
            _ => None,
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// A terminal that is gone needs nothing.
fn give_back() {
    execute!(io::stdout(), LeaveAlternateScreen, Show).unwrap_or_default();
    disable_raw_mode().unwrap_or_default();
}
