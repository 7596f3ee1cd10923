//! The order in which a client writes fields.

use super::fields::MOST_FIELDS;
use crate::message::{MESSAGES, Message};

/// For each message, which field came after which one when that was met last. At first, what the tables have.
#[derive(Debug)]
pub(super) struct Order {
    next: [[u8; MOST_FIELDS + 1]; MESSAGES],
}

impl Order {
    pub(super) fn new() -> Self {
        const AT_FIRST: [[u8; MOST_FIELDS + 1]; MESSAGES] = [at_first(); MESSAGES];
        Self { next: AT_FIRST }
    }

    /// Index of the field that likely comes after another, or first of all.
    #[inline(always)]
    pub(super) fn after(&self, message: Message, last: Option<usize>) -> usize {
        let of_message = self.next.get(message as usize);
        of_message.and_then(|next| next.get(place(last))).copied().unwrap_or_default().into()
    }

    /// Notes which field came after another.
    pub(super) fn note(&mut self, message: Message, last: Option<usize>, index: usize) {
        let of_message = self.next.get_mut(message as usize);
        if let Some(next) = of_message.and_then(|next| next.get_mut(place(last))) {
            *next = index as u8;
        }
    }
}

#[inline(always)]
fn place(last: Option<usize>) -> usize {
    last.map_or(0, |last| last + 1)
}

/// Each field comes after the one ahead of it in the table.
#[expect(clippy::indexing_slicing, reason = "at compile time, where a mistake does not build")]
const fn at_first() -> [u8; MOST_FIELDS + 1] {
    let mut next = [0; MOST_FIELDS + 1];
    let mut index = 0;
    while index < next.len() {
        next[index] = index as u8;
        index += 1;
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_expected_in_the_order_of_the_table_and_then_in_that_of_the_client() {
        let mut order = Order::new();
        assert_eq!(order.after(Message::LogRecord, None), 0);
        assert_eq!(order.after(Message::LogRecord, Some(4)), 5);
        order.note(Message::LogRecord, None, 2);
        order.note(Message::LogRecord, Some(4), 9);
        assert_eq!(order.after(Message::LogRecord, None), 2);
        assert_eq!(order.after(Message::LogRecord, Some(4)), 9);
        assert_eq!(order.after(Message::Request, None), 0);
        // Nothing comes after the last field of the largest message.
        assert_eq!(order.after(Message::Span, Some(MOST_FIELDS - 1)), MOST_FIELDS);
    }
}
