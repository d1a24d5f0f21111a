//! How two names of companies relate.

use super::{Company, CompanyLikeness};
use crate::similarity::{is_slip, real};
use crate::spelling::{reads_as, sounds_alike};
use crate::tables::tables;
use crate::word_pairs::{WordLikeness, is_near_or_short};

impl Company {
    /// Compares two names.
    #[must_use]
    pub fn compare(&self, other: &Self) -> CompanyLikeness {
        let likeness = self.compare_present(other);
        let is_weak = matches!(
            likeness,
            CompanyLikeness::Other | CompanyLikeness::Alike | CompanyLikeness::OtherTrade
        );
        let was_called_so = || {
            self.former.iter().any(|former| is_one(former.compare_present(other)))
                || other.former.iter().any(|former| is_one(self.compare_present(former)))
        };
        if is_weak && was_called_so() {
            CompanyLikeness::Former
        } else {
            likeness
        }
    }

    fn compare_present(&self, other: &Self) -> CompanyLikeness {
        use CompanyLikeness::{Near, Other, OtherBranch, OtherPlace, OtherTrade, Same, Short, Sounds};
        if !self.words.is_empty() || !other.words.is_empty() {
            return self.compare_words(other);
        }
        let same_brand = self.brand == other.brand;
        let sounds = sounds_alike(&self.brand, &other.brand);
        let likeness = if same_brand {
            match trades(&self.trade, &other.trade) {
                Trades::Same => Same,
                Trades::Less => Short,
                Trades::Slip => Near,
                Trades::Other => OtherTrade,
            }
        } else if sounds {
            match trades(&self.trade, &other.trade) {
                Trades::Same | Trades::Less | Trades::Slip => Sounds,
                Trades::Other => Other,
            }
        } else {
            self.compare_cores(other)
        };
        if likeness == Other || likeness == OtherTrade {
            return likeness;
        }
        if places_differ(&self.place, &other.place) {
            return OtherPlace;
        }
        let is_head = |company: &Self| company.branch.is_empty();
        let is_unnamed = |company: &Self| company.branch.starts_with('分');
        let either = |is: &dyn Fn(&Self) -> bool| is(self) || is(other);
        if self.branch != other.branch && (either(&is_head) || !either(&is_unnamed)) {
            OtherBranch
        } else {
            likeness
        }
    }

    /// Compares two names whose brands differ, as nothing may say where a brand ends.
    fn compare_cores(&self, other: &Self) -> CompanyLikeness {
        let (left, right) = (self.core(), other.core());
        if left == right {
            return CompanyLikeness::Same;
        }
        let (shorter, longer) = if left.len() < right.len() {
            (&left, &right)
        } else {
            (&right, &left)
        };
        let count = shorter.chars().count();
        if count >= 4 && is_slip(&left, &right) {
            return CompanyLikeness::Near;
        }
        let is_start = count >= 2 && count < longer.chars().count() && longer.starts_with(shorter.as_str());
        if is_start || (count >= 4 && is_scattered(shorter, longer)) {
            CompanyLikeness::Short
        } else {
            CompanyLikeness::Other
        }
    }

    fn compare_words(&self, other: &Self) -> CompanyLikeness {
        use CompanyLikeness::{Alike, Near, Other, Same, Short, Sounds};
        if self.brand == other.brand {
            return Same;
        }
        let (left, right) = (&self.words, &other.words);
        if left.is_empty() || right.is_empty() {
            // One in characters, one in letters.
            let (han, letters) = if left.is_empty() { (self, other) } else { (other, self) };
            let first = letters.words.first().map(String::as_str).unwrap_or_default();
            let reads = reads_as(&han.brand, first) || reads_as(&han.brand, &letters.brand);
            return if reads { Sounds } else { CompanyLikeness::Missing };
        }
        let pairs = WordLikeness::of(left, right, is_near_or_short);
        let (shortest, longest) = (left.len().min(right.len()), left.len().max(right.len()));
        if pairs.equal + pairs.near == longest && (pairs.equal > 0 || pairs.near > 1 || longest == 1) {
            return if pairs.equal == longest { Same } else { Near };
        }
        if self.brand.len() >= 6 && is_slip(&self.brand, &other.brand) {
            return Near;
        }
        if pairs.equal + pairs.near == shortest && pairs.equal > 0 {
            return Short;
        }
        let share = 2.0 * real(pairs.equal + pairs.near) / real(left.len() + right.len());
        if share >= 0.5 { Alike } else { Other }
    }

    /// Returns how alike two names are, between 0 and 1.
    #[must_use]
    pub fn similarity(&self, other: &Self, likeness: CompanyLikeness) -> f64 {
        use CompanyLikeness::{
            Alike, Former, Missing, Near, Other, OtherBranch, OtherPlace, OtherTrade, Same, Short, Sounds,
        };
        match likeness {
            Same | Former => 1.0,
            Short => 0.9,
            Sounds => 0.92,
            Near => 0.88,
            OtherBranch => 0.5,
            OtherPlace | OtherTrade => 0.4,
            Alike | Other => {
                // Signs in common; how many have to change would take ten times as long, for each pair that is compared.
                let (left, right) = (&self.brand, &other.brand);
                let common = |one: &str, two: &str| one.chars().filter(|char| two.contains(*char)).count();
                let length = left.chars().count() + right.chars().count();
                (real(common(left, right) + common(right, left)) / real(length.max(1))).min(0.8)
            }
            Missing => 0.0,
        }
    }
}

/// Returns whether a likeness says that both are one company.
fn is_one(likeness: CompanyLikeness) -> bool {
    use CompanyLikeness::{Former, Near, Same, Short, Sounds};
    matches!(likeness, Same | Short | Sounds | Near | Former)
}

enum Trades {
    Same,
    /// One says less.
    Less,
    /// One slip apart.
    Slip,
    Other,
}

fn trades(left: &str, right: &str) -> Trades {
    if left == right {
        return Trades::Same;
    }
    let (shorter, longer) = if left.len() < right.len() {
        (left, right)
    } else {
        (right, left)
    };
    if shorter.is_empty() || longer.starts_with(shorter) || longer.ends_with(shorter) {
        return Trades::Less;
    }
    let is_long = shorter.chars().count() >= 2 && longer.chars().count() >= 3;
    if sounds_alike(left, right) || (is_long && is_slip(left, right)) || is_scattered(shorter, longer) {
        return Trades::Slip;
    }
    Trades::Other
}

/// Returns whether a short form, 上海一医院, takes its characters from the long one in their order.
fn is_scattered(shorter: &str, longer: &str) -> bool {
    let mut rest = longer.chars();
    shorter.chars().count() >= 3
        && shorter.chars().next() == longer.chars().next()
        && shorter.chars().all(|char| rest.any(|other| other == char))
}

fn places_differ(left: &str, right: &str) -> bool {
    if left.is_empty() || right.is_empty() || left == right {
        return false;
    }
    let province_of = &tables().province_of;
    let (province, other) = (province_of.get(left), province_of.get(right));
    // 山东 holds 济南.
    !(province == Some(&right) || other == Some(&left))
}
