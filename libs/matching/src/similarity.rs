//! How alike two words are, between 0 and 1.

/// Longest word that is compared sign by sign; the rest of a longer one is not looked at.
const MAX_SIGNS: usize = 64;

/// Returns the similarity of Jaro and Winkler: signs in common, in about the same order, and a common beginning.
#[must_use]
pub fn jaro_winkler(left: &str, right: &str) -> f64 {
    if left == right {
        return 1.0;
    }
    let (left, right) = (signs(left), signs(right));
    let (left, right) = (left.as_slice(), right.as_slice());
    let longest = left.len().max(right.len());
    if left.is_empty() || right.is_empty() {
        return 0.0;
    }
    let window = (longest / 2).saturating_sub(1);
    let mut taken = [false; MAX_SIGNS];
    let mut common = Vec::with_capacity(left.len());
    for (at, sign) in left.iter().enumerate() {
        let from = at.saturating_sub(window);
        let to = (at + window + 1).min(right.len());
        if let Some(found) = (from..to).find(|other| !taken[*other] && right[*other] == *sign) {
            taken[found] = true;
            common.push(*sign);
        }
    }
    if common.is_empty() {
        return 0.0;
    }
    let others = right
        .iter()
        .enumerate()
        .filter(|(at, _)| taken[*at])
        .map(|(_, sign)| sign);
    let moved = common.iter().zip(others).filter(|(left, right)| left != right).count();
    let (m, l, r) = (real(common.len()), real(left.len()), real(right.len()));
    let jaro = (m / l + m / r + (m - real(moved) / 2.0) / m) / 3.0;
    let start = left
        .iter()
        .zip(right)
        .take(4)
        .take_while(|(left, right)| left == right)
        .count();
    jaro + real(start) * 0.1 * (1.0 - jaro)
}

/// Returns how many signs have to be put in, left out, changed, or swapped with their neighbour.
#[must_use]
pub fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (signs(left), signs(right));
    let width = right.len() + 1;
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..width).collect();
    for (row, sign) in left.iter().enumerate() {
        let mut next = vec![row + 1; width];
        for (column, other) in right.iter().enumerate() {
            let changed = last[column] + usize::from(sign != other);
            let mut best = changed.min(last[column + 1] + 1).min(next[column] + 1);
            if row > 0 && column > 0 && left[row - 1] == *other && right[column - 1] == *sign {
                best = best.min(before[column - 1] + 1);
            }
            next[column + 1] = best;
        }
        before = std::mem::replace(&mut last, next);
    }
    last[width - 1]
}

/// Returns whether two different words are one sign apart, or two neighbours have changed places; what `distance` calls 1.
#[must_use]
pub fn is_slip(left: &str, right: &str) -> bool {
    if left.len().abs_diff(right.len()) > 4 || left == right {
        return false;
    }
    let same = |pair: &(char, char)| pair.0 == pair.1;
    let start: usize = left
        .chars()
        .zip(right.chars())
        .take_while(same)
        .map(|(char, _)| char.len_utf8())
        .sum();
    let (left, right) = (&left[start..], &right[start..]);
    let end: usize = left
        .chars()
        .rev()
        .zip(right.chars().rev())
        .take_while(same)
        .map(|(char, _)| char.len_utf8())
        .sum();
    let (mut left, mut right) = (left[..left.len() - end].chars(), right[..right.len() - end].chars());
    match (
        [left.next(), left.next(), left.next()],
        [right.next(), right.next(), right.next()],
    ) {
        ([one, None, _], [two, None, _]) => one.is_some() || two.is_some(),
        ([Some(a), Some(b), None], [Some(c), Some(d), None]) => a == d && b == c,
        _ => false,
    }
}

/// Returns whether two words share so few signs that they cannot be alike by `jaro_winkler`, at 0.88 and above.
#[must_use]
pub(crate) fn is_hopeless(left: &str, right: &str) -> bool {
    let signs = |word: &str| word.bytes().fold(0_u64, |signs, byte| signs | 1 << (byte & 63));
    let (here, there) = (signs(left), signs(right));
    let kept = |word: &str, others: u64| {
        real(word.bytes().filter(|byte| others & (1 << (byte & 63)) != 0).count()) / real(word.len().max(1))
    };
    // The similarity is at least 0.88 only where that of Jaro is at least 0.8, which is a third of these shares and of one more.
    kept(left, there) + kept(right, here) < 1.4
}

/// Returns a small count as a number to calculate with.
#[must_use]
pub(crate) fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn signs(text: &str) -> Vec<char> {
    text.chars().take(MAX_SIGNS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared() {
        assert!((jaro_winkler("martha", "marhta") - 0.961).abs() < 0.001);
        assert!((jaro_winkler("dixon", "dicksonx") - 0.813).abs() < 0.001);
        assert!(jaro_winkler("", "a") < f64::EPSILON && jaro_winkler("abc", "xyz") < f64::EPSILON);
        assert!((jaro_winkler("", "") - 1.0).abs() < f64::EPSILON);
        let (long, longer) = ("a".repeat(100), "a".repeat(90) + "b");
        assert!(jaro_winkler(&long, &longer) > 0.99);
    }

    #[test]
    fn slips_are_counted() {
        for (left, right, count) in [
            ("", "ab", 2),
            ("abcd", "abdc", 1),
            ("进出口", "进出", 1),
            ("abc", "abc", 0),
            ("aab", "ab", 1),
            ("ab", "b", 1),
            ("abcd", "badc", 2),
        ] {
            assert_eq!(distance(left, right), count, "{left} {right}");
            assert_eq!(is_slip(left, right), count == 1, "{left} {right}");
        }
    }
}
