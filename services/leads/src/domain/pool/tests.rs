//! Pool policies are checked; clocks, cooldowns and days follow from what happened.

use reflex_calendar::CalendarSpec;

use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn member(id: &str) -> MemberId {
    format!("members/{id}").parse().unwrap()
}

fn rule(title: &str, lacking: Lacking) -> RawRule {
    RawRule {
        title: title.into(),
        lacking: Some(lacking),
        within: HOUR,
        then: Some(Then::Route),
        ..RawRule::default()
    }
}

fn fields(raw: &RawPool) -> Vec<String> {
    let parsed = PoolSpec::parse(raw, &Names::default());
    parsed.map_or_else(|found| found.into_iter().map(|it| it.field).collect(), |_| Vec::new())
}

fn pool(rules: Vec<RawRule>) -> RawPool {
    RawPool {
        picks_per_day: 3,
        rules,
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let good = RawRule {
        when: "来源 = '展会' 且 等待小时 > 2".into(),
        then: Some(Then::Wait),
        ..rule("展会无跟进", Lacking::FollowUp)
    };
    assert!(fields(&pool(vec![good.clone(), rule("无人领取", Lacking::Claim)])).is_empty());
    assert!(
        fields(&RawPool::default()).is_empty(),
        "nobody picks, nothing goes back"
    );

    let empty = fields(&pool(vec![RawRule::default()]));
    let place = |field: &str| format!("policy.rules[0].{field}");
    assert_eq!(empty, ["title", "lacking", "then", "within"].map(place));
    let wrong = RawRule {
        when: "来原 = '展会'".into(),
        within: LONGEST_TERM * 2,
        cooldown: LONGEST_TERM * 2,
        ..rule("甲", Lacking::Claim)
    };
    assert_eq!(fields(&pool(vec![wrong])), ["within", "cooldown", "when"].map(place));
    let never = RawRule {
        when: "预算 > 5 且 预算 < 3".into(),
        ..rule("甲", Lacking::Claim)
    };
    assert_eq!(fields(&pool(vec![never])), ["policy.rules[0].when"]);
    let twice = vec![rule("甲", Lacking::Claim), rule(" 甲 ", Lacking::FollowUp)];
    assert_eq!(fields(&pool(twice)), ["policy.rules[1].title"]);
    let many = (0..51).map(|number| rule(&number.to_string(), Lacking::Claim));
    assert_eq!(fields(&pool(many.collect())), ["policy.rules"]);
    for picks_per_day in [-1, 1001] {
        let raw = RawPool {
            picks_per_day,
            rules: Vec::new(),
        };
        assert_eq!(fields(&raw), ["policy.picks_per_day"]);
    }
    let nobody_picks = RawPool {
        picks_per_day: 0,
        rules: vec![good],
    };
    assert_eq!(fields(&nobody_picks), ["policy.rules[0].then"]);
}

#[test]
fn a_policy_is_kept_as_json() {
    let raw = pool(vec![RawRule {
        cooldown: HOUR * 72,
        ..rule("甲", Lacking::Claim)
    }]);
    let spec = PoolSpec::parse(&raw, &Names::default()).unwrap();
    let json = serde_json::to_string(&spec).unwrap();
    assert!(json.contains(r#""within":"PT1H""#) && !json.contains("when"), "{json}");
    assert_eq!(serde_json::from_str::<PoolSpec>(&json).unwrap(), spec);
}

#[test]
fn a_claim_satisfies_for_good_and_a_follow_up_starts_anew() {
    let raw = pool(vec![
        rule("无人领取", Lacking::Claim),
        rule("无跟进", Lacking::FollowUp),
    ]);
    let pool = Pool::new(PoolSpec::parse(&raw, &Names::default()).unwrap(), &Names::default());
    let since = at("2026-03-05T10:00:00+08:00");
    let follow_up = since + jiff::SignedDuration::from_mins(30);
    let running = |state, last_follow_up| {
        let held = Ownership {
            owner: member("li"),
            since,
            state,
            last_follow_up,
        };
        let rules = pool.running(&held);
        rules.map(|(place, _, since)| (place, since)).collect::<Vec<_>>()
    };
    assert_eq!(running(State::Assigned, None), [(0, since), (1, since)]);
    assert_eq!(running(State::Claimed, None), [(1, since)]);
    for state in [State::Assigned, State::Contacted] {
        assert_eq!(running(state, Some(follow_up)), [(1, follow_up)]);
    }
    for state in [State::Queued, State::Closed, State::Captured] {
        assert!(running(state, None).is_empty(), "nobody has it");
    }
}

#[test]
fn a_cooldown_holds_from_the_loss_to_its_end() {
    let (lost, over) = (at("2026-03-05T10:00:00Z"), at("2026-03-07T10:00:00Z"));
    let mut cooldowns = Cooldowns::default();
    cooldowns.add(Cooldown {
        member: member("li"),
        since: lost,
        until: over,
    });
    let nanosecond = jiff::SignedDuration::from_nanos(1);
    let until = |id: &str, now| cooldowns.until(&member(id), now);
    assert_eq!(until("li", lost - nanosecond), None);
    assert_eq!(until("li", lost), Some(over));
    assert_eq!(until("li", over - nanosecond), Some(over));
    assert_eq!(until("li", over), None);
    assert_eq!(until("wang", lost), None);
    assert!(cooldowns.began(&member("li"), lost, lost));
    assert!(!cooldowns.began(&member("li"), lost + nanosecond, over));
    for _ in 0..200 {
        cooldowns.add(Cooldown {
            member: member("wang"),
            since: lost,
            until: over,
        });
    }
    assert_eq!(cooldowns.0.len(), MOST_COOLDOWNS);
    assert_eq!(cooldowns.until(&member("li"), lost), None, "the oldest is forgotten");
}

#[test]
fn what_is_picked_on_a_closed_day_counts_for_the_next_open_one() {
    let spec = "{time_zone: Asia/Shanghai, days: [Mon-Fri], windows: [['09:00', '18:00']], statutory: CN}";
    let calendar = WorkingCalendar::from_spec(&CalendarSpec::parse(spec).unwrap()).unwrap();
    let day = |text| business_day(&calendar, at(text)).to_string();
    assert_eq!(
        day("2026-03-05T23:59:59+08:00"),
        "2026-03-05",
        "after hours is still the day"
    );
    assert_eq!(
        day("2026-03-05T16:00:00Z"),
        "2026-03-06",
        "days begin in the calendar's zone"
    );
    assert_eq!(
        day("2026-03-07T10:00:00+08:00"),
        "2026-03-09",
        "a Saturday counts for Monday"
    );
    assert_eq!(
        day("2026-02-14T10:00:00+08:00"),
        "2026-02-14",
        "a make-up workday is one"
    );
}
