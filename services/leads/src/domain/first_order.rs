//! The first order that a lead led to.

use jiff::Timestamp;

use super::{
    channel_cost::MAX_FEN,
    violation::{Violation, Violations},
};

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstOrder {
    /// Its number where it was made.
    pub order: String,
    /// When it was made.
    pub time: Timestamp,
    /// What it is worth.
    pub amount_fen: i64,
}

impl FirstOrder {
    /// Checks what was sent; `time` is none where it was not.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(
        order: &str,
        time: Option<Timestamp>,
        amount_fen: i64,
        now: Timestamp,
    ) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let order = violations.line("first_order.order", order, 1..=100);
        let amount_fen = violations.number("first_order.amount_fen", amount_fen, 0..=MAX_FEN);
        match time {
            None => violations.add("first_order.order_time", "must be set"),
            Some(time) if time > now => violations.add("first_order.order_time", "must not be in the future"),
            Some(_) => {}
        }
        match time {
            Some(time) if violations.is_empty() => Ok(Self {
                order,
                time,
                amount_fen,
            }),
            _ => Err(violations.into_vec()),
        }
    }

    /// Returns which of two stands, in whichever order they came: the earlier, of two at one time that with the smaller number;
    /// told again it is what was told last.
    #[must_use]
    pub fn or_earlier(self, stored: Option<Self>) -> Self {
        match stored {
            Some(stored) if stored.order != self.order && (stored.time, &stored.order) < (self.time, &self.order) => {
                stored
            }
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(number: &str, day: i64, amount_fen: i64) -> FirstOrder {
        FirstOrder {
            order: number.into(),
            time: Timestamp::from_second(day * 86_400).unwrap(),
            amount_fen,
        }
    }

    #[test]
    fn orders_are_checked() {
        let now = Timestamp::from_second(1_000).unwrap();
        assert!(FirstOrder::parse(" SO-1 ", Some(now), 0, now).is_ok_and(|order| order.order == "SO-1"));
        let later = Timestamp::from_second(1_001).unwrap();
        for (order, time, amount, field) in [
            ("", Some(now), 1, "first_order.order"),
            ("x", None, 1, "first_order.order_time"),
            ("x", Some(later), 1, "first_order.order_time"),
            ("x", Some(now), -1, "first_order.amount_fen"),
            ("x", Some(now), MAX_FEN + 1, "first_order.amount_fen"),
        ] {
            assert_eq!(FirstOrder::parse(order, time, amount, now).unwrap_err()[0].field, field);
        }
    }

    #[test]
    fn the_earliest_stands_however_they_are_told() {
        let told = [order("b", 2, 20), order("c", 3, 30), order("a", 2, 10)];
        for sequence in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let stands = sequence
                .into_iter()
                .fold(None, |stored, at: usize| Some(told[at].clone().or_earlier(stored)));
            assert_eq!(stands, Some(order("a", 2, 10)), "{sequence:?}");
        }
        let corrected = order("a", 4, 11).or_earlier(Some(order("a", 2, 10)));
        assert_eq!(corrected, order("a", 4, 11));
    }
}
