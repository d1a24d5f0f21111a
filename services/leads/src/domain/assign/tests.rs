mod laws;

use std::time::Duration;

use super::*;
use crate::domain::calculated::Names;
use crate::domain::catalogue::Node;
use crate::domain::directory::DirectoryRows;
use crate::domain::ids::{LeaveId, TeamId};
use crate::domain::leave::Leave;
use crate::domain::member::{Locale, Role, Team};
use crate::domain::pool::Cooldown;
use crate::domain::routing::{Entry, PolicySpec};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn id<Id: ResourceId>(id: &str) -> Id {
    Id::from_id(id).unwrap()
}

fn member(name: &str, team: &str) -> Member {
    Member {
        id: id(name),
        display_name: name.into(),
        team: id(team),
        role: Role::Sales,
        supervisor: None,
        deputy: None,
        weight: 100,
        capacity: 1000,
        skills: Vec::new(),
        calendar: None,
        active: true,
        mobile: String::new(),
        email: String::new(),
        locale: Locale::ZhCn,
    }
}

fn node<Id: ResourceId>((name, display_name, parent): (&str, &str, &str)) -> Node<Id> {
    Node {
        id: id(name),
        display_name: display_name.into(),
        parent: Id::from_id(parent).ok(),
        aliases: Vec::new(),
    }
}

fn team(name: &str) -> Team {
    Team {
        id: id(name),
        display_name: name.into(),
        parent: None,
        supervisor: None,
        director: None,
        calendar: None,
    }
}

fn entry(territory: &str, product: &str, team: &str, skills: &[&str]) -> Entry {
    Entry {
        territory: ResourceId::from_id(territory).ok(),
        product: ResourceId::from_id(product).ok(),
        team: id(team),
        skills: skills.iter().map(ToString::to_string).collect(),
        when: None,
    }
}

fn policy(entries: Vec<Entry>, default_team: Option<TeamId>) -> Policy {
    let claim_within = Duration::from_hours(2);
    let spec = PolicySpec {
        entries,
        default_team,
        claim_within,
        claim_wall_clock: false,
        reassign_unclaimed: false,
    };
    Policy::new(3, spec, &Names::default())
}

/// East and North China, orthopaedics and rehab; a team each for what the requirement names.
fn snapshot(members: Vec<Member>) -> Snapshot {
    let territories = [
        ("east", "华东", ""),
        ("jiangsu", "江苏省", "east"),
        ("suzhou", "苏州市", "jiangsu"),
        ("shanghai", "上海市", "east"),
        ("north", "华北", ""),
        ("beijing", "北京市", "north"),
    ];
    let products = [
        ("devices", "医疗器械", ""),
        ("ortho", "骨科耗材", "devices"),
        ("screws", "接骨螺钉", "ortho"),
        ("rehab", "康复设备", "devices"),
    ];
    let rows = DirectoryRows {
        members,
        teams: ["zhang", "li", "suzhou", "head-office"].map(team).into(),
        territories: territories.map(node).into(),
        products: products.map(node).into(),
    };
    let matrix = vec![
        entry("east", "ortho", "zhang", &[]),
        entry("north", "rehab", "li", &[]),
        entry("suzhou", "", "suzhou", &[]),
        entry("", "rehab", "li", &["康复"]),
    ];
    Snapshot {
        directory: Arc::new(Directory::new(rows)),
        policy: Some(Arc::new(policy(matrix, Some(id("head-office"))))),
        leaves: Arc::default(),
        open_leads: HashMap::new(),
        turns: HashMap::new(),
        account_owners: HashMap::new(),
        lead_owners: HashMap::new(),
        zone: TimeZone::UTC,
    }
}

fn lead(territory: &str, product: &str) -> LeadFacts {
    LeadFacts {
        territory: territory.into(),
        product: product.into(),
        account: String::new(),
        trigger: Trigger::Captured,
        previous_owner: None,
        cooldowns: Cooldowns::default(),
        lead: uuid::Uuid::nil(),
        twins: Vec::new(),
        details: Details::default(),
    }
}

fn owner(decision: &Decision) -> Option<&str> {
    match &decision.outcome {
        Outcome::Assigned { owner, .. } => Some(owner.id()),
        Outcome::Queued { .. } => None,
    }
}

fn one_each() -> Vec<Member> {
    let mut members = vec![
        member("z", "zhang"),
        member("l", "li"),
        member("s", "suzhou"),
        member("h", "head-office"),
    ];
    members[1].skills = vec!["康复".into()];
    members
}

#[test]
fn the_matrix_falls_back_from_special_to_general() {
    let snapshot = snapshot(one_each());
    for (territory, product, chosen, entry) in [
        ("华东", "骨科耗材", "z", Some("east × ortho")),
        ("上海", "骨科耗材", "z", Some("east × ortho")),
        ("上海", "接骨螺钉", "z", Some("east × ortho")),
        ("华北", "康复设备", "l", Some("north × rehab")),
        ("北京市朝阳区", "康复设备", "l", Some("north × rehab")),
        ("江苏省苏州市", "骨科耗材", "s", Some("suzhou × any")),
        ("苏州", "", "s", Some("suzhou × any")),
        ("上海", "康复设备", "l", Some("any × rehab")),
        ("", "康复设备", "l", Some("any × rehab")),
        ("华北", "骨科耗材", "h", None),
        ("火星", "骨科耗材", "h", None),
        ("", "", "h", None),
        ("上海和北京", "骨科耗材", "h", None),
    ] {
        let decision = route(&lead(territory, product), &snapshot, NOW);
        assert_eq!(owner(&decision), Some(chosen), "{territory} × {product}");
        assert_eq!(
            decision.trace.matched_entry.as_deref(),
            entry,
            "{territory} × {product}"
        );
        assert_eq!(decision.trace.policy_version, 3);
    }
}

#[test]
fn the_trace_shows_what_was_looked_up() {
    let snapshot = snapshot(one_each());
    let trace = route(&lead("苏州", "接骨螺钉"), &snapshot, NOW).trace;
    assert_eq!(trace.territory_path, ["suzhou", "jiangsu", "east"].map(id));
    assert_eq!(trace.product_path, ["screws", "ortho", "devices"].map(id));
    let unclear = route(&lead("上海和北京", ""), &snapshot, NOW).trace;
    assert_eq!(unclear.territory_unclear, ["beijing", "shanghai"].map(id));
    let json = serde_json::to_string(&trace).unwrap();
    assert_eq!(serde_json::from_str::<Trace>(&json).unwrap(), trace);
}

#[test]
fn the_trace_tells_which_conditions_did_not_hold() {
    let mut snapshot = snapshot(one_each());
    let when = |entry: Entry, when: &str| Entry {
        when: Some(when.to_owned()),
        ..entry
    };
    let mut matrix = vec![
        when(entry("east", "ortho", "suzhou", &[]), "预算 >= 50万"),
        when(entry("suzhou", "", "suzhou", &[]), "来源 = '展会' 且 预算 > 1万"),
        when(entry("east", "ortho", "zhang", &[]), "属性.科室 = '骨科'"),
        entry("east", "ortho", "li", &[]),
    ];
    snapshot.policy = Some(Arc::new(policy(matrix.clone(), None)));
    let details = Details {
        source: "官网".into(),
        budget_max_fen: 2_000_000,
        attributes: [("科室".to_owned(), "骨科".to_owned())].into(),
        ..Details::default()
    };
    let lead = LeadFacts {
        details,
        ..lead("苏州", "接骨螺钉")
    };
    let decision = route(&lead, &snapshot, NOW);
    assert_eq!(owner(&decision), Some("z"));
    let trace = decision.trace;
    assert_eq!(
        (
            trace.matched_entry.as_deref(),
            trace.matched_number,
            trace.matched_when.as_deref()
        ),
        (Some("east × ortho"), Some(3), Some("属性.科室 = '骨科'"))
    );
    let skipped: Vec<_> = trace
        .skipped
        .iter()
        .map(|it| {
            (
                it.number,
                it.entry.as_str(),
                it.when.as_str(),
                it.missing.zh.as_str(),
                it.missing.en.as_str(),
            )
        })
        .collect();
    assert_eq!(
        skipped,
        [
            (
                2,
                "suzhou × any",
                "来源 = '展会' 且 预算 > 1万",
                "需要 来源 = '展会'（来源 现为 官网）",
                "needs 来源 = '展会' (来源 is 官网)"
            ),
            (
                1,
                "east × ortho",
                "预算 >= 50万",
                "需要 预算 >= 500000（预算 现为 20000）",
                "needs 预算 >= 500000 (预算 is 20000)"
            ),
        ]
    );
    assert_eq!(trace.skipped_count, 2);
    let json = serde_json::to_string(&trace).unwrap();
    assert_eq!(serde_json::from_str::<Trace>(&json).unwrap(), trace);

    matrix.splice(
        3..,
        (0..20).map(|n| when(entry("east", "ortho", "li", &[]), &format!("来源 = '{n}'"))),
    );
    matrix.remove(2);
    snapshot.policy = Some(Arc::new(policy(matrix, None)));
    let decision = route(&lead, &snapshot, NOW);
    assert_eq!(
        decision.outcome,
        Outcome::Queued {
            reason: QueueReason::NoEntry,
            team: None
        }
    );
    assert_eq!(
        (decision.trace.skipped.len(), decision.trace.skipped_count),
        (Skipped::KEPT, 22)
    );
}

#[test]
fn nobody_is_excluded_without_a_reason() {
    let mut members: Vec<_> = [
        "gone", "helper", "novice", "before", "away", "full", "fits", "cools", "cooled",
    ]
    .map(|name| member(name, "li"))
    .into();
    for member in &mut members {
        member.skills = vec!["康复".into()];
    }
    members[0].active = false;
    members[1].role = Role::Assistant;
    members[2].skills.clear();
    members[5].capacity = 2;
    let mut snapshot = snapshot(members);
    let end = NOW + Duration::from_hours(1);
    let leave = Leave {
        id: LeaveId(uuid::Uuid::nil()),
        member: id("away"),
        start: NOW,
        end,
        reason: String::new(),
    };
    snapshot.leaves = Arc::new(Leaves::new([leave]));
    snapshot.open_leads.insert(id("full"), 2);
    let mut cooldowns = Cooldowns::default();
    for (member, until) in [("cools", end), ("cooled", NOW), ("novice", end)] {
        cooldowns.add(Cooldown {
            member: id(member),
            since: NOW - Duration::from_hours(1),
            until,
        });
    }
    let released = LeadFacts {
        cooldowns,
        trigger: Trigger::Released,
        previous_owner: Some(id("before")),
        ..lead("", "康复设备")
    };
    let decision = route(&released, &snapshot, NOW);
    assert_eq!(
        owner(&decision),
        Some("cooled"),
        "the smallest id of those who can take it"
    );
    let found: Vec<_> = decision
        .trace
        .exclusions
        .iter()
        .map(|it| (it.member.id(), it.reason.as_str(), it.detail.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("away", "on_leave", "until 1970-01-01T01:00:00Z"),
            ("before", "previous_owner", "released"),
            ("cools", "cooldown", "until 1970-01-01T01:00:00Z"),
            ("full", "at_capacity", "2 of 2"),
            ("gone", "inactive", ""),
            ("helper", "role", "assistant"),
            ("novice", "missing_skill", "康复"),
        ]
    );
}

#[test]
fn a_lead_nobody_can_take_waits_for_its_team() {
    let queued = |change: &dyn Fn(&mut Member), lead: &LeadFacts| {
        let mut only = member("z", "zhang");
        change(&mut only);
        match route(lead, &snapshot(vec![only]), NOW).outcome {
            Outcome::Queued { reason, team } => (reason.as_str(), team.map(|team| team.id().to_owned())),
            assigned @ Outcome::Assigned { .. } => panic!("{assigned:?}"),
        }
    };
    let ortho = lead("上海", "骨科耗材");
    let team = |name: &str| Some(name.to_owned());
    assert_eq!(
        queued(&|member| member.capacity = 0, &ortho),
        ("at_capacity", team("zhang"))
    );
    assert_eq!(
        queued(&|member| member.active = false, &ortho),
        ("no_members", team("zhang"))
    );
    let released = LeadFacts {
        previous_owner: Some(id("z")),
        ..ortho.clone()
    };
    assert_eq!(queued(&|_| (), &released), ("previous_owner", team("zhang")));
    let mut recycled = ortho.clone();
    recycled.cooldowns.add(Cooldown {
        member: id("z"),
        since: NOW,
        until: NOW + Duration::from_hours(1),
    });
    assert_eq!(queued(&|_| (), &recycled), ("cooldown", team("zhang")));
    assert_eq!(queued(&|_| (), &lead("", "康复设备")), ("no_members", team("li")));
}

#[test]
fn without_a_policy_or_an_entry_nothing_is_guessed() {
    let mut snapshot = snapshot(one_each());
    snapshot.policy = Some(Arc::new(policy(Vec::new(), None)));
    let outcome = |snapshot: &Snapshot| route(&lead("上海", "骨科耗材"), snapshot, NOW).outcome;
    assert_eq!(
        outcome(&snapshot),
        Outcome::Queued {
            reason: QueueReason::NoEntry,
            team: None
        }
    );
    snapshot.policy = None;
    assert_eq!(
        outcome(&snapshot),
        Outcome::Queued {
            reason: QueueReason::NoPolicy,
            team: None
        }
    );
}

#[test]
fn a_known_account_goes_to_its_owner() {
    let mut members = one_each();
    members.push(member("z2", "zhang"));
    members.push(member("key", "head-office"));
    let mut state = snapshot(members.clone());
    state.account_owners.insert("协和医院".into(), id("key"));
    let known = LeadFacts {
        account: "协和医院".into(),
        ..lead("上海", "骨科耗材")
    };
    let decision = route(&known, &state, NOW);
    assert_eq!(owner(&decision), Some("key"));
    assert!(matches!(
        decision.outcome,
        Outcome::Assigned {
            chosen_by: ChosenBy::AccountOwner,
            ..
        }
    ));
    assert_eq!(
        (decision.turn, decision.opens_account),
        (None, false),
        "the account's leads are no turns"
    );

    state.open_leads.insert(id("key"), 1000);
    let decision = route(&known, &state, NOW);
    assert_eq!(
        owner(&decision),
        Some("z"),
        "the matrix decides while the owner is full"
    );
    assert!(!decision.opens_account, "and the account stays theirs");
    assert_eq!(decision.trace.exclusions[0].detail, "account owner 1000 of 1000");

    members.last_mut().unwrap().active = false;
    let mut state = Snapshot {
        account_owners: state.account_owners,
        ..snapshot(members)
    };
    let decisions = route_batch(&[known.clone(), known.clone(), known], &mut state, NOW);
    let owners: Vec<_> = decisions.iter().map(owner).collect();
    assert_eq!(
        owners,
        [Some("z"); 3],
        "who gets the first lead of an account without owner gets the others"
    );
    let opens: Vec<_> = decisions.iter().map(|decision| decision.opens_account).collect();
    assert_eq!(opens, [true, false, false]);
}

#[test]
fn who_is_chosen_is_first_of_the_candidates_and_has_the_reason() {
    let mut members = ["a", "b", "c"].map(|name| member(name, "zhang"));
    members[2].weight = 200;
    let mut state = snapshot(members.into());
    let leads = vec![lead("上海", "骨科耗材"); 5];
    let decisions = route_batch(&leads, &mut state, NOW);
    let seen: Vec<_> = decisions
        .iter()
        .map(|decision| match &decision.outcome {
            Outcome::Assigned { chosen_by, .. } => (decision.trace.candidates[0].member.id(), chosen_by.as_str()),
            Outcome::Queued { .. } => panic!("somebody can take it"),
        })
        .collect();
    let expected = [
        ("c", "next_turn"),
        ("a", "smallest_id"),
        ("b", "longest_wait"),
        ("c", "next_turn"),
        ("c", "next_turn"),
    ];
    for decision in &decisions {
        let sum: f64 = decision
            .trace
            .candidates
            .iter()
            .map(|candidate| candidate.deficit)
            .sum();
        assert!(sum.abs() < 1e-9, "deficits balance, got {sum}");
    }
    assert_eq!(seen, expected);
}
