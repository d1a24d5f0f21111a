//! Chance that comes out the same each time, and the mistakes of people who type.

/// Numbers by xorshift.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % end as u64).unwrap()
    }

    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// Picks the first ones more often than the last ones, as names are.
    pub(crate) fn pick_common<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let most = self.below(of.len()) + 1;
        of[self.below(most)]
    }

    pub(crate) fn digits(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap()))
            .collect()
    }

    /// Leaves out, doubles, changes or swaps one sign.
    pub(crate) fn mistype(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        if chars.len() < 2 {
            return text.to_owned();
        }
        let at = self.below(chars.len() - 1);
        match self.below(4) {
            0 => {
                chars.remove(at);
            }
            1 => chars.insert(at, chars[at]),
            2 if chars[at].is_ascii_digit() => chars[at] = char::from(b'0' + u8::try_from(self.below(10)).unwrap()),
            2 => chars[at] = char::from(b'a' + u8::try_from(self.below(26)).unwrap()),
            _ => chars.swap(at, at + 1),
        }
        chars.into_iter().collect()
    }
}
