//! The known word that somebody may have meant.

/// The known word nearest to `word`, where one is near enough to be meant.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // One typing error in three letters and three in all, no more, or anything would resemble anything.
    let limit = word.chars().count().div_ceil(3).min(3);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean X?`, or nothing.
pub(crate) fn hint<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(word, known).map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

/// Levenshtein's distance, without regard to case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut last = index + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&right) {
            let same = from.eq_ignore_ascii_case(to);
            // `cell` still is the row above, `last` the cell to the left.
            let next = (*cell + 1).min(last + 1).min(diagonal + usize::from(!same));
            diagonal = std::mem::replace(cell, next);
            last = next;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_the_word_that_was_meant() {
        let known = ["from_attribute", "from_context", "value", "key"];
        assert_eq!(nearest("from_atribute", known), Some("from_attribute"));
        assert_eq!(nearest("vaule", known), Some("value"));
        assert_eq!(nearest("v", known), None);
        assert_eq!(nearest("KEY", known), Some("key"));
        assert_eq!(nearest("completely_different", known), None);
    }

    #[test]
    fn the_distance_counts_insertions_removals_and_replacements() {
        for (left, right, expected) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
