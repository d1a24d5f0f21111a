//! What could have been otherwise, in the words of a sales manager.

use std::fmt::Write as _;

use super::{Change, MOST_CHANGES, Remedy, WhyNot, World};
use crate::domain::assign::{LeadFacts, Snapshot};
use crate::domain::decision::Missing;
use crate::domain::ids::TeamId;
use crate::domain::member::Member;
use crate::domain::routing::{Entry, number, shortened};
use jiff::Timestamp;

/// The words for one question.
pub struct Words<'a> {
    world: World<'a>,
}

impl<'a> Words<'a> {
    /// Makes the words for the question that [`super::why_not`] answers.
    #[must_use]
    pub fn new(lead: &'a LeadFacts, snapshot: &'a Snapshot, now: Timestamp, member: &'a Member) -> Self {
        Self {
            world: World::new(lead, snapshot, now, member),
        }
    }

    /// Says a change as a clause.
    #[must_use]
    pub fn clause(&self, change: &Change) -> Missing {
        let member = &self.world.member.display_name;
        let said = |zh: String, en: String| Missing { zh, en };
        match change {
            Change::LeadTerritory(id) => {
                let node = self.world.snapshot.directory.territories.find(id);
                let name = node.map_or(id.id(), |node| &node.display_name);
                said(format!("线索的地域是“{name}”"), format!("the lead came from {name}"))
            }
            Change::LeadProduct(id) => {
                let node = self.world.snapshot.directory.products.find(id);
                let name = node.map_or(id.id(), |node| &node.display_name);
                said(format!("线索的产品是“{name}”"), format!("the lead asked for {name}"))
            }
            Change::LeadAccount => said(
                format!("线索属于{member}负责的客户"),
                format!("the lead were of an account that {member} owns"),
            ),
            Change::LeadWithoutAccount => said(
                "线索不属于已有负责人的客户".into(),
                "the lead were of no account that somebody owns".into(),
            ),
            Change::LeadMeets(place) => {
                let (entry_zh, entry_en) = self.entry(*place);
                let missing = self.world.missing(*place);
                let (zh, en) = missing.map(|it| (it.zh, it.en)).unwrap_or_default();
                said(
                    format!("线索符合{entry_zh}的条件（{zh}）"),
                    format!("the lead met the condition of {entry_en} ({en})"),
                )
            }
            Change::LeadMisses(place) => {
                let (entry_zh, entry_en) = self.entry(*place);
                let when = self.when(*place);
                said(
                    format!("线索不符合{entry_zh}的条件“{when}”"),
                    format!("the lead did not meet the condition of {entry_en}, \"{when}\""),
                )
            }
            Change::EntryTeam(place) => {
                let ((entry_zh, entry_en), team) = (self.entry(*place), self.team(&self.world.member.team));
                said(format!("{entry_zh}改为分给{team}"), format!("{entry_en} named {team}"))
            }
            Change::EntryRemoved(place) => {
                let (zh, en) = self.entry(*place);
                said(format!("删去{zh}"), format!("there were no {en}"))
            }
            Change::EntryWithoutCondition(place) => {
                let (zh, en) = self.entry(*place);
                said(format!("{zh}不设条件"), format!("{en} had no condition"))
            }
            Change::EntryWithoutSkill(place, skill) => {
                let (zh, en) = self.entry(*place);
                said(
                    format!("{zh}不要求技能“{skill}”"),
                    format!("{en} did not ask for the skill {skill}"),
                )
            }
            Change::EntryWithSkill(place, skill) => {
                let (zh, en) = self.entry(*place);
                said(
                    format!("{zh}要求技能“{skill}”"),
                    format!("{en} asked for the skill {skill}"),
                )
            }
            Change::DefaultTeam => {
                let team = self.team(&self.world.member.team);
                said(format!("默认团队改为{team}"), format!("the default team were {team}"))
            }
            Change::MemberActive => said(format!("{member}在职"), format!("{member} still worked here")),
            Change::MemberRole => said(
                format!("{member}的角色可以接线索"),
                format!("{member} had a role that gets leads"),
            ),
            Change::MemberSkill(skill) => said(
                format!("{member}具备技能“{skill}”"),
                format!("{member} had the skill {skill}"),
            ),
            Change::MemberPresent => said(format!("{member}没有请假"), format!("{member} were not on leave")),
            Change::MemberCapacity => {
                let (open, most) = (
                    self.world.snapshot.open_leads_of(&self.world.member.id),
                    self.world.member.capacity,
                );
                said(
                    format!("{member}还能再接一条线索（手上 {open} 条，上限 {most} 条）"),
                    format!("{member} could hold one more lead (they held {open} of {most})"),
                )
            }
            Change::MemberAgain => said(
                format!("允许{member}再次得到这条线索"),
                format!("{member}, who had the lead before, might have it again"),
            ),
        }
    }

    /// Says the whole answer.
    #[must_use]
    pub fn summary(&self, answer: &WhyNot) -> Missing {
        let member = &self.world.member.display_name;
        if answer.chosen {
            return Missing {
                zh: format!("这次分配选中的正是{member}。"),
                en: format!("The decision chose {member}."),
            };
        }
        if answer.remedies.is_empty() {
            return Missing {
                zh: format!("改动 {MOST_CHANGES} 处以内，这条线索都不会分给{member}。"),
                en: format!("Not even {MOST_CHANGES} changes would have given the lead to {member}."),
            };
        }
        let mut summary = Missing {
            zh: format!(
                "以下任何一项成立，这条线索就会分给{member}：{}。",
                self.listed(&answer.remedies).zh
            ),
            en: format!(
                "{member} would have got the lead if {}.",
                self.listed(&answer.remedies).en
            ),
        };
        if !answer.lead_or_policy.is_empty() {
            let other = self.listed(&answer.lead_or_policy);
            let _ = write!(summary.zh, "{member}本人不变的话：{}。", other.zh);
            let _ = write!(summary.en, " With {member} as they were: if {}.", other.en);
        }
        summary
    }

    fn listed(&self, remedies: &[Remedy]) -> Missing {
        const SAID: usize = 5;
        let mut said = Missing {
            zh: String::new(),
            en: String::new(),
        };
        for (place, remedy) in remedies.iter().take(SAID).enumerate() {
            if place > 0 {
                said.zh.push('；');
                said.en.push_str(", or if ");
            }
            let clauses: Vec<Missing> = remedy.iter().map(|change| self.clause(change)).collect();
            let zh: Vec<&str> = clauses.iter().map(|clause| clause.zh.as_str()).collect();
            let en: Vec<&str> = clauses.iter().map(|clause| clause.en.as_str()).collect();
            let _ = write!(said.zh, "({}) {}", place + 1, zh.join("，并且"));
            said.en.push_str(&en.join(" and "));
        }
        if let Some(more) = remedies.len().checked_sub(SAID).filter(|more| *more > 0) {
            let _ = write!(said.zh, "；另有 {more} 种改法");
            let _ = write!(said.en, ", or in {more} other ways");
        }
        said
    }

    fn entry(&self, place: usize) -> (String, String) {
        let entry = self.world.policy.and_then(|policy| policy.spec().entries.get(place));
        let (number, label) = (number(place), entry.map(Entry::label).unwrap_or_default());
        (
            format!("第 {number} 条（{label}）"),
            format!("entry {number} ({label})"),
        )
    }

    fn when(&self, place: usize) -> String {
        let entry = self.world.policy.and_then(|policy| policy.spec().entries.get(place));
        shortened(entry.and_then(|entry| entry.when.as_deref()).unwrap_or_default())
    }

    fn team(&self, id: &TeamId) -> String {
        let team = self.world.snapshot.directory.find_team(id);
        team.map_or_else(|| id.id().to_owned(), |team| team.display_name.clone())
    }
}
