//! Sets of values of one field, as stretches of an order.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

/// A value; all those of one field are of one variant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Point {
    Bool(bool),
    Number(Decimal),
    Text(String),
    Date(Date),
    Time(Timestamp),
}

/// A place between values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Start,
    At(Point, Side),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Before,
    After,
}

/// A set of values. The order counts as dense: between two days there is thought to be another, so that a set may be
/// empty and nobody knows, but none that is called empty has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    blank: bool,
    /// Stretches from one cut to another, in order, that neither overlap nor touch.
    stretches: Vec<(Cut, Cut)>,
}

impl Set {
    pub(super) fn everything() -> Self {
        Self {
            blank: true,
            stretches: vec![(Cut::Start, Cut::End)],
        }
    }

    pub(super) fn blank() -> Self {
        Self {
            blank: true,
            stretches: Vec::new(),
        }
    }

    pub(super) fn of(point: Point) -> Self {
        Self::of_all(vec![point])
    }

    pub(super) fn of_all(mut points: Vec<Point>) -> Self {
        points.sort_unstable();
        points.dedup();
        let stretch = |point: Point| (Cut::At(point.clone(), Side::Before), Cut::At(point, Side::After));
        Self {
            blank: false,
            stretches: points.into_iter().map(stretch).collect(),
        }
    }

    pub(super) fn below(point: Point, inclusive: bool) -> Self {
        let side = if inclusive { Side::After } else { Side::Before };
        Self {
            blank: false,
            stretches: vec![(Cut::Start, Cut::At(point, side))],
        }
    }

    pub(super) fn above(point: Point, inclusive: bool) -> Self {
        let side = if inclusive { Side::Before } else { Side::After };
        Self {
            blank: false,
            stretches: vec![(Cut::At(point, side), Cut::End)],
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.blank && self.stretches.is_empty()
    }

    pub(super) fn is_subset_of(&self, other: &Self) -> bool {
        self.intersection(&other.complement()).is_empty()
    }

    pub(super) fn complement(&self) -> Self {
        let mut stretches = Vec::with_capacity(self.stretches.len() + 1);
        let mut from = Cut::Start;
        for (start, end) in &self.stretches {
            if from < *start {
                stretches.push((from, start.clone()));
            }
            from = end.clone();
        }
        if from < Cut::End {
            stretches.push((from, Cut::End));
        }
        Self {
            blank: !self.blank,
            stretches,
        }
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        self.complement().intersection(&other.complement()).complement()
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        let mut stretches = Vec::new();
        let (mut left, mut right) = (self.stretches.iter().peekable(), other.stretches.iter().peekable());
        while let (Some((left_start, left_end)), Some((right_start, right_end))) = (left.peek(), right.peek()) {
            let (start, end) = (left_start.max(right_start), left_end.min(right_end));
            if start < end {
                stretches.push((start.clone(), end.clone()));
            }
            if left_end <= right_end {
                left.next();
            } else {
                right.next();
            }
        }
        Self {
            blank: self.blank && other.blank,
            stretches,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: i64) -> Point {
        Point::Number(value.into())
    }

    #[test]
    fn sets_obey_their_laws() {
        let sets = [
            Set::everything(),
            Set::blank(),
            Set::of_all(vec![number(3), number(1), number(3)]),
            Set::below(number(1), false),
            Set::below(number(1), true),
            Set::above(number(1), true).intersection(&Set::below(number(3), false)),
            Set::of_all(vec![]),
        ];
        for a in &sets {
            assert_eq!(a.complement().complement(), *a);
            assert!(a.is_subset_of(a) && a.intersection(&a.complement()).is_empty());
            assert_eq!(a.union(&a.complement()), Set::everything());
            for b in &sets {
                assert_eq!(a.union(b), b.union(a));
                assert!(a.intersection(b).is_subset_of(a) && a.is_subset_of(&a.union(b)));
            }
        }
        assert!(
            Set::below(number(1), false)
                .intersection(&Set::above(number(1), true))
                .is_empty()
        );
        assert!(
            !Set::below(number(1), true)
                .intersection(&Set::above(number(1), true))
                .is_empty()
        );
    }
}
