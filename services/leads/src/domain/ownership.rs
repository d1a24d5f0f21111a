//! Whose lead it was, told from what is on record: decisions, losses, merges. Nothing is kept twice.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::ids::{LeadId, MemberId, TeamId};

/// Something that happened to a lead and may have changed whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It was routed: to somebody, or to nobody for now.
    Decided {
        /// Who got it, with their team.
        owner: Option<(MemberId, TeamId)>,
        /// Trigger and reason.
        reason: String,
    },
    /// Its owner may have lost it: only what follows tells.
    Expired,
    /// Its owner lost it, for this reason.
    Lost(&'static str),
    /// A dispute gave it to somebody.
    Awarded {
        /// Who got it, with their team.
        owner: (MemberId, TeamId),
    },
    /// It was merged into another lead, which it stood for until it was one of its own again.
    Merged {
        /// The other lead.
        survivor: LeadId,
        /// Until when, and whether the owner had it back.
        until: Option<Timestamp>,
    },
}

/// What is on record of a lead.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// What happened, with when and its id, in that order.
    pub happened: Vec<(Timestamp, Uuid, Happened)>,
    /// Whether it has an owner now, closed leads included.
    pub is_owned: bool,
}

/// A time in which a lead was somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The lead whose record this is.
    pub lead: LeadId,
    /// Whose.
    pub owner: MemberId,
    /// Their team.
    pub team: TeamId,
    /// Since when.
    pub start: Timestamp,
    /// Why.
    pub start_reason: String,
    /// Until when and why; `None` while it holds.
    pub end: Option<(Timestamp, &'static str)>,
}

impl Span {
    /// Tells whether the lead was theirs at `time`: from its start up to, not including, its end.
    #[must_use]
    pub fn holds_at(&self, time: Timestamp) -> bool {
        self.start <= time && self.end.is_none_or(|(end, _)| time < end)
    }

    /// Returns the part of it within a time, if there is one.
    fn within(mut self, start: Timestamp, end: Option<Timestamp>) -> Option<Self> {
        if self.start < start {
            self.start = start;
            self.start_reason = "merged".into();
        }
        if let Some(end) = end
            && self.end.is_none_or(|(own, _)| own > end)
        {
            self.end = Some((end, "unmerged"));
        }
        self.end.is_none_or(|(end, _)| self.start < end).then_some(self)
    }
}

/// Tells whose a lead was, in order; while it was merged, whose the other lead was. `records` has the lead and all that it was
/// ever merged into, directly or by way of others.
#[must_use]
pub fn spans(lead: LeadId, records: &BTreeMap<LeadId, Record>) -> Vec<Span> {
    spans_within(lead, records, (Timestamp::MIN, None))
}

/// Tells whose a lead was, where merges outside of a time need not be looked into: those within it are shorter than it, so
/// looking ends even where two leads were merged into each other at different times.
fn spans_within(
    lead: LeadId,
    records: &BTreeMap<LeadId, Record>,
    (start, end): (Timestamp, Option<Timestamp>),
) -> Vec<Span> {
    let Some(record) = records.get(&lead) else {
        return Vec::new();
    };
    let mut told = Telling {
        lead,
        spans: Vec::new(),
        held: None,
        expired: None,
    };
    for (time, _, happened) in &record.happened {
        let time = *time;
        match happened {
            Happened::Decided { owner, reason } => {
                told.lose_expired();
                told.end(time, "rerouted");
                if let Some((owner, team)) = owner {
                    told.begin(time, owner, team, reason.clone());
                }
            }
            Happened::Expired => told.expired = Some(time),
            Happened::Lost(reason) => told.end(time, reason),
            Happened::Awarded { owner: (owner, team) } => {
                told.end(time, "dispute");
                told.begin(time, owner, team, "dispute".into());
            }
            Happened::Merged { survivor, until } => {
                let before = told.held.clone();
                told.end(time, "merged");
                let from = time.max(start);
                let to = (*until).into_iter().chain(end).min();
                if to.is_none_or(|to| from < to) {
                    let meanwhile = spans_within(*survivor, records, (from, to)).into_iter();
                    told.spans
                        .extend(meanwhile.filter_map(|span| span.within(time, *until)));
                }
                if let (Some(until), Some(Span { owner, team, .. })) = (until, before) {
                    told.begin(*until, &owner, &team, "unmerged".into());
                }
            }
        }
    }
    if !record.is_owned {
        told.lose_expired();
    }
    told.spans.extend(told.held);
    told.spans
}

struct Telling {
    lead: LeadId,
    spans: Vec<Span>,
    held: Option<Span>,
    /// When the owner had not claimed it in time.
    expired: Option<Timestamp>,
}

impl Telling {
    fn begin(&mut self, start: Timestamp, owner: &MemberId, team: &TeamId, start_reason: String) {
        self.held = Some(Span {
            lead: self.lead,
            owner: owner.clone(),
            team: team.clone(),
            start,
            start_reason,
            end: None,
        });
    }

    fn end(&mut self, time: Timestamp, reason: &'static str) {
        self.expired = None;
        if let Some(mut span) = self.held.take() {
            span.end = Some((time, reason));
            self.spans.push(span);
        }
    }

    /// Ends what an expired claim ended.
    fn lose_expired(&mut self) {
        if let Some(time) = self.expired {
            self.end(time, "claim_expired");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn lead(number: u128) -> LeadId {
        LeadId(Uuid::from_u128(number))
    }

    fn somebody(id: &str) -> (MemberId, TeamId) {
        (format!("members/{id}").parse().unwrap(), "teams/zhang".parse().unwrap())
    }

    fn assigned(id: &str) -> Happened {
        Happened::Decided {
            owner: Some(somebody(id)),
            reason: "captured: next_turn".into(),
        }
    }

    fn waits() -> Happened {
        Happened::Decided {
            owner: None,
            reason: "released: at_capacity".into(),
        }
    }

    fn record(is_owned: bool, happened: Vec<(i64, Happened)>) -> Record {
        let happened = happened.into_iter().map(|(second, it)| (at(second), Uuid::nil(), it));
        Record {
            happened: happened.collect(),
            is_owned,
        }
    }

    /// Lead, owner, start, and end with its reason.
    type Told = (u128, String, i64, Option<(i64, &'static str)>);

    /// Returns what spans tell.
    fn told(of: LeadId, records: &BTreeMap<LeadId, Record>) -> Vec<Told> {
        let spans = spans(of, records).into_iter();
        spans
            .map(|it| {
                let end = it.end.map(|(end, reason)| (end.as_second(), reason));
                (it.lead.0.as_u128(), it.owner.id().to_owned(), it.start.as_second(), end)
            })
            .collect()
    }

    #[test]
    fn a_lead_goes_from_hand_to_hand() {
        use Happened::{Awarded, Expired, Lost};
        let an = |start, end| (1, "an".to_owned(), start, end);
        let bo = |start, end| (1, "bo".to_owned(), start, end);
        for (is_owned, happened, expected) in [
            (false, vec![], vec![]),
            (false, vec![(1, waits())], vec![]),
            (true, vec![(1, assigned("an"))], vec![an(1, None)]),
            (
                true,
                vec![
                    (1, assigned("an")),
                    (3, Lost("released")),
                    (4, waits()),
                    (5, assigned("bo")),
                ],
                vec![an(1, Some((3, "released"))), bo(5, None)],
            ),
            // Whoever keeps an expired lead keeps it, whoever is asked again lost it when it expired.
            (true, vec![(1, assigned("an")), (3, Expired)], vec![an(1, None)]),
            (
                false,
                vec![(1, assigned("an")), (3, Expired)],
                vec![an(1, Some((3, "claim_expired")))],
            ),
            (
                true,
                vec![(1, assigned("an")), (3, Expired), (7, assigned("bo"))],
                vec![an(1, Some((3, "claim_expired"))), bo(7, None)],
            ),
            (
                true,
                vec![
                    (1, assigned("an")),
                    (2, Expired),
                    (9, Lost("owner_left")),
                    (9, assigned("bo")),
                ],
                vec![an(1, Some((9, "owner_left"))), bo(9, None)],
            ),
            (
                true,
                vec![(1, assigned("an")), (6, Awarded { owner: somebody("bo") })],
                vec![an(1, Some((6, "dispute"))), bo(6, None)],
            ),
        ] {
            let records = BTreeMap::from([(lead(1), record(is_owned, happened.clone()))]);
            assert_eq!(told(lead(1), &records), expected, "{happened:?}");
        }
    }

    #[test]
    fn while_merged_it_is_whose_the_other_one_is() {
        let merged = |survivor, until: Option<i64>| Happened::Merged {
            survivor: lead(survivor),
            until: until.map(at),
        };
        let mut records = BTreeMap::from([
            (
                lead(1),
                record(true, vec![(1, assigned("an")), (10, merged(2, Some(20)))]),
            ),
            (
                lead(2),
                record(
                    true,
                    vec![
                        (2, assigned("bo")),
                        (12, merged(3, Some(15))),
                        (18, Happened::Lost("released")),
                    ],
                ),
            ),
            // It was merged into the first one itself, at another time.
            (
                lead(3),
                record(true, vec![(3, assigned("chen")), (30, merged(1, None))]),
            ),
        ]);
        let span = |lead: u128, owner: &str, start, end| (lead, owner.to_owned(), start, end);
        let expected = [
            span(1, "an", 1, Some((10, "merged"))),
            span(2, "bo", 10, Some((12, "merged"))),
            span(3, "chen", 12, Some((15, "unmerged"))),
            span(2, "bo", 15, Some((18, "released"))),
            span(1, "an", 20, None),
        ];
        assert_eq!(told(lead(1), &records), expected);
        assert_eq!(told(lead(3), &records)[1], span(1, "an", 30, None));
        records.remove(&lead(2));
        assert_eq!(told(lead(1), &records).len(), 2, "what is not known is left out");
        let spans = spans(lead(1), &records);
        assert!(spans[0].holds_at(at(1)) && spans[0].holds_at(at(9)));
        assert!(!spans[0].holds_at(at(0)) && !spans[0].holds_at(at(10)));
    }
}
