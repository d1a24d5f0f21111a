//! Escalation ladders: who is told when nobody calls, per product line.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{LadderId, ProductId};
use super::routing::LONGEST_TERM;
use super::violation::{Violation, Violations};

const MAX_STEPS: usize = 10;

/// Who is told when nobody calls, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// Chosen by the tenant.
    pub id: LadderId,
    /// Product line it is for; `None` for all lines without their own.
    pub product: Option<ProductId>,
    /// Time to the first contact.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub contact_within: Duration,
    /// Whether times are wall time instead of working time.
    pub wall_clock: bool,
    /// Whether a call counts as the first contact only once the needs screening form (需求初筛表) is complete.
    #[serde(default)]
    pub require_screening: bool,
    /// Whether it ends once somebody it told acknowledges.
    #[serde(default)]
    pub acknowledge_stops: bool,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// One step of a ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// After the contact is due.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub after: Duration,
    /// Who is told.
    pub audience: Audience,
    /// Ways to tell them, in order of preference.
    pub channels: Vec<Channel>,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The lead's owner.
    Owner,
    /// The supervisor of the owner's team.
    Supervisor,
    /// The director of the owner's team.
    Director,
}

impl Audience {
    /// Returns the word tables, events and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Supervisor => "supervisor",
            Self::Director => "director",
        }
    }

    /// Returns the audience a word stands for.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        [Self::Owner, Self::Supervisor, Self::Director]
            .into_iter()
            .find(|audience| audience.as_str() == word)
    }
}

/// A way to tell somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Within the application.
    Inbox,
    /// A robot of their team's chat group.
    DingTalk,
}

impl Channel {
    /// Returns the word requests, tables and events use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::DingTalk => "dingtalk",
        }
    }

    /// Returns the channel a word stands for.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        [Self::Inbox, Self::DingTalk]
            .into_iter()
            .find(|channel| channel.as_str() == word)
    }
}

/// A ladder as it was sent, not checked.
#[derive(Debug, Clone, Default)]
pub struct RawLadder {
    /// `ladders/{ladder}`.
    pub name: String,
    /// `products/{product}` or empty.
    pub product: String,
    /// Time to the first contact.
    pub contact_within: Duration,
    /// Whether times are wall time.
    pub wall_clock: bool,
    /// Whether a call counts only once the needs screening form is complete.
    pub require_screening: bool,
    /// Whether it ends once somebody it told acknowledges.
    pub acknowledge_stops: bool,
    /// The steps.
    pub steps: Vec<RawStep>,
}

/// A step as it was sent.
#[derive(Debug, Clone, Default)]
pub struct RawStep {
    /// After the contact is due.
    pub after: Duration,
    /// Who is told; must be there.
    pub audience: Option<Audience>,
    /// Words of channels.
    pub channels: Vec<String>,
}

impl Ladder {
    /// Checks a ladder. Fields of the violations start with `ladder.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: &RawLadder) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("ladder.name", &raw.name);
        let product = violations.optional_name("ladder.product", &raw.product);
        if raw.contact_within.is_zero() || raw.contact_within > LONGEST_TERM {
            violations.add("ladder.contact_within", "must be more than 0 and at most 366 days");
        }
        violations.number("ladder.steps", raw.steps.len(), 1..=MAX_STEPS);
        let mut steps: Vec<Step> = Vec::with_capacity(raw.steps.len());
        let mut ahead = Duration::ZERO;
        for (place, step) in raw.steps.iter().enumerate() {
            let at = |field: &str| format!("ladder.steps[{place}].{field}");
            if step.after < ahead {
                violations.add(at("after"), "must not be before the step ahead");
            }
            if step.after > LONGEST_TERM {
                violations.add(at("after"), "must be at most 366 days");
            }
            ahead = step.after;
            let channels = parse_channels(&mut violations, &at("channels"), &step.channels);
            match step.audience {
                Some(audience) => steps.push(Step {
                    after: step.after,
                    audience,
                    channels,
                }),
                None => violations.add(at("audience"), "must be given"),
            }
        }
        match id {
            Some(id) if violations.is_empty() => Ok(Self {
                id,
                product,
                contact_within: raw.contact_within,
                wall_clock: raw.wall_clock,
                require_screening: raw.require_screening,
                acknowledge_stops: raw.acknowledge_stops,
                steps,
            }),
            _ => Err(violations.into_vec()),
        }
    }

    /// Returns the ladder of a tenant who has made none: 240 working minutes, then owner, supervisor and director at once.
    #[must_use]
    pub fn built_in() -> Self {
        let step = |audience, channels: &[Channel]| Step {
            after: Duration::ZERO,
            audience,
            channels: channels.into(),
        };
        Self {
            id: LadderId::built_in(),
            product: None,
            contact_within: Duration::from_hours(4),
            wall_clock: false,
            require_screening: false,
            acknowledge_stops: false,
            steps: vec![
                step(Audience::Owner, &[Channel::Inbox]),
                step(Audience::Supervisor, &[Channel::DingTalk]),
                step(Audience::Director, &[Channel::Inbox, Channel::DingTalk]),
            ],
        }
    }
}

fn parse_channels(violations: &mut Violations, field: &str, words: &[String]) -> Vec<Channel> {
    let mut channels = Vec::new();
    for word in words {
        match Channel::find(word) {
            Some(channel) if channels.contains(&channel) => violations.add(field, format!("names {word} twice")),
            Some(channel) => channels.push(channel),
            None => violations.add(field, "must be \"inbox\" or \"dingtalk\""),
        }
    }
    if words.is_empty() {
        violations.add(field, "must name a channel");
    }
    channels
}

/// The ladders of a tenant.
#[derive(Debug, Clone)]
pub struct Ladders {
    by_product: HashMap<ProductId, Ladder>,
    general: Ladder,
}

impl Ladders {
    /// Indexes ladders; of two for one product line the one with the smaller id counts.
    #[must_use]
    pub fn new(mut ladders: Vec<Ladder>) -> Self {
        ladders.sort_by(|one, other| other.id.cmp(&one.id));
        let mut by_product = HashMap::new();
        let mut general = Ladder::built_in();
        for ladder in ladders {
            match &ladder.product {
                Some(product) => drop(by_product.insert(product.clone(), ladder)),
                None => general = ladder,
            }
        }
        Self { by_product, general }
    }

    /// Returns the ladder of the first product of a path, most special first, that has one, else the general one.
    #[must_use]
    pub fn choose(&self, products: &[ProductId]) -> &Ladder {
        products
            .iter()
            .find_map(|product| self.by_product.get(product))
            .unwrap_or(&self.general)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ResourceId;

    fn raw() -> RawLadder {
        let step = |minutes, audience, channel: &str| RawStep {
            after: Duration::from_mins(minutes),
            audience: Some(audience),
            channels: vec![channel.into()],
        };
        RawLadder {
            name: "ladders/ortho".into(),
            product: "products/ortho".into(),
            contact_within: Duration::from_hours(2),
            wall_clock: true,
            require_screening: false,
            acknowledge_stops: false,
            steps: vec![
                step(0, Audience::Owner, "inbox"),
                step(30, Audience::Supervisor, "dingtalk"),
                step(30, Audience::Director, "inbox"),
            ],
        }
    }

    fn faults(change: impl FnOnce(&mut RawLadder)) -> Vec<String> {
        let mut ladder = raw();
        change(&mut ladder);
        Ladder::parse(&ladder).map_or_else(|found| found.into_iter().map(|it| it.field).collect(), |_| Vec::new())
    }

    #[test]
    fn ladders_are_checked() {
        assert!(faults(|_| ()).is_empty());
        assert_eq!(faults(|ladder| ladder.steps.clear()), ["ladder.steps"]);
        assert_eq!(
            faults(|ladder| ladder.steps = vec![ladder.steps[0].clone(); 11]),
            ["ladder.steps"]
        );
        assert_eq!(
            faults(|ladder| ladder.steps[2].after = Duration::from_mins(29)),
            ["ladder.steps[2].after"]
        );
        assert_eq!(
            faults(|ladder| ladder.steps[1].audience = None),
            ["ladder.steps[1].audience"]
        );
        assert_eq!(
            faults(|ladder| ladder.steps[1].channels.clear()),
            ["ladder.steps[1].channels"]
        );
        assert_eq!(
            faults(|ladder| ladder.steps[1].channels = vec!["fax".into()]),
            ["ladder.steps[1].channels"]
        );
        assert_eq!(
            faults(|ladder| ladder.steps[0].channels.push("inbox".into())),
            ["ladder.steps[0].channels"]
        );
        assert_eq!(
            faults(|ladder| ladder.contact_within = Duration::ZERO),
            ["ladder.contact_within"]
        );
        assert_eq!(
            faults(|ladder| ladder.contact_within = LONGEST_TERM * 2),
            ["ladder.contact_within"]
        );
        assert_eq!(faults(|ladder| ladder.name = "ortho".into()), ["ladder.name"]);
    }

    #[test]
    fn the_most_special_ladder_counts() {
        let path = ["screws", "ortho", "devices"].map(|id| ProductId::from_id(id).unwrap());
        let ortho = Ladder::parse(&raw()).unwrap();
        let general = Ladder {
            id: "ladders/general".parse().unwrap(),
            product: None,
            ..ortho.clone()
        };
        assert_eq!(Ladders::new(Vec::new()).choose(&path), &Ladder::built_in());
        let both = Ladders::new(vec![ortho.clone(), general.clone()]);
        assert_eq!(both.choose(&path), &ortho);
        assert_eq!(both.choose(&path[2..]), &general);
        assert_eq!(both.choose(&[]), &general);
    }

    #[test]
    fn the_built_in_ladder_is_one_a_tenant_could_send() {
        let ladder = Ladder::built_in();
        let raw = RawLadder {
            name: ladder.id.to_string(),
            product: String::new(),
            contact_within: ladder.contact_within,
            wall_clock: ladder.wall_clock,
            require_screening: ladder.require_screening,
            acknowledge_stops: ladder.acknowledge_stops,
            steps: ladder.steps.iter().map(raw_step).collect(),
        };
        assert_eq!(Ladder::parse(&raw), Ok(ladder.clone()));
        let json = serde_json::to_string(&ladder).unwrap();
        assert!(json.contains(r#""contact_within":"PT4H""#), "{json}");
        assert_eq!(serde_json::from_str::<Ladder>(&json).unwrap(), ladder);
    }

    fn raw_step(step: &Step) -> RawStep {
        let channels = step
            .channels
            .iter()
            .map(|channel| channel.as_str().to_owned())
            .collect();
        RawStep {
            after: step.after,
            audience: Some(step.audience),
            channels,
        }
    }
}
