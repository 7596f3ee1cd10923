//! Texts of which the start is shown: clients may make them as long as they like.

/// The start of a text, whole characters of at most `most` bytes, and what stands for the rest: nothing where there is none.
pub(crate) fn shortened(text: &str, most: usize) -> (&str, &'static str) {
    let start = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
    (start, if start.len() < text.len() { "..." } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        for (text, expected) in
            [("", ("", "")), ("abc", ("abc", "")), ("abcd", ("abc", "...")), ("aüü", ("aü", "..."))]
        {
            assert_eq!(shortened(text, 3), expected);
        }
    }
}
