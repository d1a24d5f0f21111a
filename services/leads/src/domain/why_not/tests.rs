use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::domain::assign::route;
use crate::domain::catalogue::Node;
use crate::domain::decision::{Outcome, Trigger};
use crate::domain::directory::DirectoryRows;
use crate::domain::distribution::Turn;
use crate::domain::ids::{LeaveId, ResourceId};
use crate::domain::lead_fields::Details;
use crate::domain::leave::{Leave, Leaves};
use crate::domain::member::{Locale, Team};
use crate::domain::pool::Cooldowns;
use crate::domain::routing::{Entry, PolicySpec};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const TERRITORIES: [(&str, &str, &str); 3] = [
    ("east", "华东", ""),
    ("suzhou", "苏州市", "east"),
    ("north", "华北", ""),
];
const PRODUCTS: [(&str, &str, &str); 2] = [("ortho", "骨科耗材", ""), ("rehab", "康复设备", "")];
const TEAMS: [&str; 2] = ["zhang", "li"];
const SKILLS: [&str; 2] = ["康复", "德系"];
const MEMBERS: [&str; 4] = ["ann", "bob", "cid", "dan"];

fn id<Id: ResourceId>(id: &str) -> Id {
    Id::from_id(id).unwrap()
}

fn node<Id: ResourceId>((name, display_name, parent): (&str, &str, &str)) -> Node<Id> {
    Node {
        id: id(name),
        display_name: display_name.into(),
        parent: Id::from_id(parent).ok(),
        aliases: Vec::new(),
    }
}

/// A small tenant and a lead of it.
#[derive(Debug, Clone)]
struct Case {
    entries: Vec<Entry>,
    default_team: Option<TeamId>,
    members: Vec<Member>,
    away: Vec<bool>,
    open: Vec<u32>,
    turns: Vec<i64>,
    lead: LeadFacts,
    account_owner: Option<usize>,
}

impl Case {
    fn snapshot(&self) -> Snapshot {
        let spec = PolicySpec {
            entries: self.entries.clone(),
            default_team: self.default_team.clone(),
            claim_within: Duration::from_hours(2),
            claim_wall_clock: false,
            reassign_unclaimed: false,
        };
        let rows = DirectoryRows {
            members: self.members.clone(),
            teams: TEAMS
                .map(|name| Team {
                    id: id(name),
                    display_name: name.into(),
                    parent: None,
                    supervisor: None,
                    director: None,
                    calendar: None,
                })
                .into(),
            territories: TERRITORIES.map(node).into(),
            products: PRODUCTS.map(node).into(),
        };
        let away = self.members.iter().zip(&self.away).filter(|(_, away)| **away);
        let leave = |member: &Member| Leave {
            id: LeaveId(uuid::Uuid::nil()),
            member: member.id.clone(),
            start: NOW,
            end: NOW + jiff::SignedDuration::from_hours(1),
            reason: String::new(),
        };
        let mut turns: HashMap<Group, Turns> = HashMap::new();
        for team in TEAMS {
            for skills in [vec![], vec![SKILLS[0].to_owned()], vec![SKILLS[1].to_owned()]] {
                let taken = self
                    .members
                    .iter()
                    .zip(&self.turns)
                    .enumerate()
                    .map(|(number, (member, finish))| {
                        let number = i64::try_from(number).unwrap() + 1;
                        (
                            member.id.clone(),
                            Turn {
                                finish: *finish * 1_000_000_000,
                                number,
                            },
                        )
                    });
                turns.insert(Group::new(id(team), &skills), Turns::new(taken));
            }
        }
        let account = self
            .account_owner
            .map(|owner| ("acme".to_owned(), self.members[owner].id.clone()));
        Snapshot {
            directory: Arc::new(Directory::new(rows)),
            policy: Some(Arc::new(Policy::new(
                1,
                spec,
                &crate::domain::calculated::Names::default(),
            ))),
            leaves: Arc::new(Leaves::new(away.map(|(member, _)| leave(member)))),
            open_leads: self
                .members
                .iter()
                .map(|it| it.id.clone())
                .zip(self.open.clone())
                .collect(),
            turns,
            account_owners: account.into_iter().collect(),
            lead_owners: HashMap::new(),
            zone: TimeZone::UTC,
        }
    }

    fn chooses(&self, member: usize) -> bool {
        let decision = route(&self.lead, &self.snapshot(), NOW);
        matches!(decision.outcome, Outcome::Assigned { owner, .. } if owner == self.members[member].id)
    }

    /// Everything that could be otherwise, whether it has a part or not.
    fn all_changes(&self, member: usize) -> Vec<Change> {
        let who = &self.members[member];
        let mut all = vec![Change::LeadAccount, Change::LeadWithoutAccount, Change::DefaultTeam];
        all.extend([
            Change::MemberActive,
            Change::MemberRole,
            Change::MemberPresent,
            Change::MemberCapacity,
            Change::MemberAgain,
        ]);
        all.extend(
            self.entries
                .iter()
                .filter_map(|it| it.territory.clone())
                .map(Change::LeadTerritory),
        );
        all.extend(
            self.entries
                .iter()
                .filter_map(|it| it.product.clone())
                .map(Change::LeadProduct),
        );
        for (place, entry) in self.entries.iter().enumerate() {
            all.extend([Change::EntryTeam(place), Change::EntryRemoved(place)]);
            if entry.when.is_some() {
                all.extend([
                    Change::LeadMeets(place),
                    Change::LeadMisses(place),
                    Change::EntryWithoutCondition(place),
                ]);
            }
            for skill in &entry.skills {
                if !who.skills.contains(skill) {
                    all.push(Change::EntryWithoutSkill(place, skill.clone()));
                    all.push(Change::MemberSkill(skill.clone()));
                }
            }
            let more = who.skills.iter().filter(|skill| !entry.skills.contains(skill));
            all.extend(more.map(|skill| Change::EntryWithSkill(place, skill.clone())));
        }
        all.sort();
        all.dedup();
        all
    }

    /// Does what a change says, with means of its own.
    fn with(&self, changes: &Remedy, member: usize) -> Self {
        let mut case = self.clone();
        for change in changes {
            case.apply(change, member);
        }
        // Last, as the others name entries by their places.
        let removed = |place: usize| changes.contains(&Change::EntryRemoved(place));
        let kept = case.entries.iter().enumerate().filter(|(place, _)| !removed(*place));
        case.entries = kept.map(|(_, entry)| entry.clone()).collect();
        case
    }

    fn apply(&mut self, change: &Change, member: usize) {
        let own_team = self.members[member].team.clone();
        let display = |all: &[(&str, &str, &str)], id: &str| all.iter().find(|it| it.0 == id).unwrap().1.to_owned();
        match change {
            Change::LeadTerritory(id) => self.lead.territory = display(&TERRITORIES, id.id()),
            Change::LeadProduct(id) => self.lead.product = display(&PRODUCTS, id.id()),
            Change::LeadAccount => {
                self.lead.account = "acme".into();
                self.account_owner = Some(member);
            }
            Change::LeadWithoutAccount => self.lead.account = String::new(),
            Change::LeadMeets(place) => drop(self.lead.details.attributes.insert(format!("c{place}"), "是".into())),
            Change::LeadMisses(place) => drop(self.lead.details.attributes.remove(&format!("c{place}"))),
            Change::EntryTeam(place) => self.entries[*place].team = own_team,
            Change::EntryRemoved(_) => {}
            Change::EntryWithoutCondition(place) => self.entries[*place].when = None,
            Change::EntryWithoutSkill(place, skill) => self.entries[*place].skills.retain(|it| it != skill),
            Change::EntryWithSkill(place, skill) => {
                self.entries[*place].skills.push(skill.clone());
                self.entries[*place].skills.sort();
            }
            Change::DefaultTeam => self.default_team = Some(own_team),
            Change::MemberActive => self.members[member].active = true,
            Change::MemberRole => self.members[member].role = Role::Sales,
            Change::MemberSkill(skill) => self.members[member].skills.push(skill.clone()),
            Change::MemberPresent => self.away[member] = false,
            Change::MemberCapacity => self.members[member].capacity = self.open[member] + 1,
            Change::MemberAgain => self.lead.previous_owner = None,
        }
    }

    /// Tries every set of changes up to two, and returns the smallest that suffice.
    fn by_brute_force(&self, member: usize) -> Vec<Remedy> {
        let all = self.all_changes(member);
        let suffices = |remedy: &Remedy| self.with(remedy, member).chooses(member);
        let single: Vec<Remedy> = all
            .iter()
            .map(|change| Remedy::from([change.clone()]))
            .filter(suffices)
            .collect();
        if !single.is_empty() {
            return single;
        }
        let mut pairs = Vec::new();
        for (place, one) in all.iter().enumerate() {
            pairs.extend(
                all[place + 1..]
                    .iter()
                    .map(|other| Remedy::from([one.clone(), other.clone()])),
            );
        }
        pairs.into_iter().filter(suffices).collect()
    }
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    let one = (
        0_usize..2,
        0_u8..10,
        0_u8..10,
        proptest::bits::u8::between(0, 2),
        0_u32..3,
    );
    proptest::collection::vec(one, MEMBERS.len()).prop_map(|rows| {
        let member = |(name, (team, active, role, skills, capacity)): (&str, (usize, u8, u8, u8, u32))| Member {
            id: id(name),
            display_name: name.into(),
            team: id(TEAMS[team]),
            role: if role == 0 { Role::Assistant } else { Role::Sales },
            supervisor: None,
            deputy: None,
            weight: 100,
            capacity,
            skills: (0..2)
                .filter(|bit| skills >> bit & 1 == 1)
                .map(|bit| SKILLS[bit].to_owned())
                .collect(),
            calendar: None,
            active: active > 0,
            mobile: String::new(),
            email: String::new(),
            locale: Locale::ZhCn,
        };
        MEMBERS.into_iter().zip(rows).map(member).collect()
    })
}

fn cases() -> impl Strategy<Value = Case> {
    let entry = (0_usize..4, 0_usize..3, 0_usize..2, 0_usize..4, any::<bool>());
    let entries = proptest::collection::vec(entry, 0..4).prop_map(|rows| {
        let entry =
            |(place, (territory, product, team, skill, when)): (usize, (usize, usize, usize, usize, bool))| Entry {
                territory: TERRITORIES.get(territory).map(|it| id(it.0)),
                product: PRODUCTS.get(product).map(|it| id(it.0)),
                team: id(TEAMS[team]),
                skills: SKILLS.get(skill).map(ToString::to_string).into_iter().collect(),
                when: when.then(|| format!("属性.c{place} = '是'")),
            };
        rows.into_iter().enumerate().map(entry).collect::<Vec<_>>()
    });
    let lead = (
        0_usize..4,
        0_usize..3,
        proptest::bits::u8::between(0, 4),
        proptest::option::weighted(0.2, 0..4_usize),
    )
        .prop_map(|(territory, product, meets, previous)| LeadFacts {
            territory: TERRITORIES.get(territory).map(|it| it.1.to_owned()).unwrap_or_default(),
            product: PRODUCTS.get(product).map(|it| it.1.to_owned()).unwrap_or_default(),
            account: String::new(),
            trigger: Trigger::Captured,
            previous_owner: previous.map(|who| id(MEMBERS[who])),
            cooldowns: Cooldowns::default(),
            lead: uuid::Uuid::nil(),
            twins: Vec::new(),
            details: Details {
                attributes: (0..4)
                    .filter(|bit| meets >> bit & 1 == 1)
                    .map(|bit| (format!("c{bit}"), "是".to_owned()))
                    .collect(),
                ..Details::default()
            },
        });
    let away = proptest::collection::vec(proptest::bool::weighted(0.2), MEMBERS.len());
    let open = proptest::collection::vec(0_u32..3, MEMBERS.len());
    let turns = proptest::collection::vec(0_i64..4, MEMBERS.len());
    let default_team = proptest::option::of(0_usize..2);
    let owner = proptest::option::weighted(0.3, 0_usize..4);
    (entries, members(), away, open, turns, lead, default_team, owner).prop_map(
        |(entries, members, away, open, turns, mut lead, default_team, account_owner)| {
            if account_owner.is_some() {
                lead.account = "acme".into();
            }
            Case {
                entries,
                default_team: default_team.map(|team| id(TEAMS[team])),
                members,
                away,
                open,
                turns,
                lead,
                account_owner,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn the_search_finds_what_brute_force_finds(case in cases(), member in 0_usize..4) {
        let snapshot = case.snapshot();
        let answer = why_not(&case.lead, &snapshot, NOW, &case.members[member]);
        prop_assert_eq!(answer.chosen, case.chooses(member));
        if answer.chosen {
            return Ok(());
        }
        for remedy in answer.remedies.iter().chain(&answer.lead_or_policy) {
            prop_assert!(case.with(remedy, member).chooses(member), "{remedy:?} does not suffice");
        }
        prop_assert!(answer.lead_or_policy.iter().flatten().all(|change| !change.is_of_member()));
        let expected = case.by_brute_force(member);
        let found = answer.remedies.first().map(BTreeSet::len);
        match expected.first() {
            Some(smallest) => {
                prop_assert_eq!(found, Some(smallest.len()), "{:?} instead of {:?}", answer.remedies, expected);
                for remedy in &answer.remedies {
                    prop_assert!(expected.contains(remedy));
                }
            }
            None => prop_assert!(found.is_none_or(|size| size > 2), "{:?}", answer.remedies),
        }
    }
}

#[test]
fn a_manager_is_told_in_both_languages() {
    let member = |name: &str, team: &str, capacity| Member {
        id: id(name),
        display_name: if name == "ann" { "张三".into() } else { name.into() },
        team: id(team),
        role: Role::Sales,
        supervisor: None,
        deputy: None,
        weight: 100,
        capacity,
        skills: Vec::new(),
        calendar: None,
        active: true,
        mobile: String::new(),
        email: String::new(),
        locale: Locale::ZhCn,
    };
    let case = Case {
        entries: vec![Entry {
            territory: Some(id("east")),
            product: None,
            team: id("zhang"),
            skills: Vec::new(),
            when: None,
        }],
        default_team: Some(id("li")),
        members: vec![member("ann", "zhang", 2), member("bob", "li", 9)],
        away: vec![false, false],
        open: vec![2, 0],
        turns: vec![0, 0],
        lead: LeadFacts {
            territory: "苏州".into(),
            product: String::new(),
            account: String::new(),
            trigger: Trigger::Captured,
            previous_owner: None,
            cooldowns: Cooldowns::default(),
            lead: uuid::Uuid::nil(),
            twins: Vec::new(),
            details: Details::default(),
        },
        account_owner: None,
    };
    let snapshot = case.snapshot();
    let ann = &case.members[0];
    let answer = why_not(&case.lead, &snapshot, NOW, ann);
    assert_eq!(answer.remedies, [Remedy::from([Change::MemberCapacity])]);
    assert!(
        answer.lead_or_policy.is_empty(),
        "who is full gets nothing, whatever the policy says"
    );
    let said = text::Words::new(&case.lead, &snapshot, NOW, ann).summary(&answer);
    assert_eq!(
        said.zh,
        "以下任何一项成立，这条线索就会分给张三：(1) 张三还能再接一条线索（手上 2 条，上限 2 条）。"
    );
    assert_eq!(
        said.en,
        "张三 would have got the lead if 张三 could hold one more lead (they held 2 of 2)."
    );

    let bob = &case.members[1];
    let answer = why_not(&case.lead, &snapshot, NOW, bob);
    let said = text::Words::new(&case.lead, &snapshot, NOW, bob).summary(&answer);
    assert_eq!(
        said.zh,
        "以下任何一项成立，这条线索就会分给bob：(1) 线索属于bob负责的客户；(2) 第 1 条（territories/east × any）改为分给li；\
         (3) 删去第 1 条（territories/east × any）。"
            .replace("territories/", "")
    );
}
