use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp::constant(1_771_200_000, 0);
const DAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
const CRITERIA: [Criterion; 3] = [Criterion::Behaviour, Criterion::Industry, Criterion::NoCompetitor];

fn part(criterion: Criterion, truth: Truth, on_unknown: OutagePolicy) -> SubVerdict {
    SubVerdict {
        criterion,
        truth,
        unknown: (truth == Truth::Unknown).then_some(Unknown::Down),
        on_unknown,
        evidence: Vec::new(),
    }
}

fn parts(truths: [Truth; 3], policies: [OutagePolicy; 3]) -> Vec<SubVerdict> {
    let of = CRITERIA.into_iter().zip(truths).zip(policies);
    of.map(|((criterion, truth), policy)| part(criterion, truth, policy))
        .collect()
}

/// What each of the 27 combinations comes to under hold, pass and nurture, written out by hand: behaviour, industry and no
/// competitor as T, F or U, then the verdicts as P, N or H.
const TABLE: &str = "
    TTT PPP   TTF NNN   TTU HPN   TFT NNN   TFF NNN   TFU NNN   TUT HPN   TUF NNN   TUU HPN
    FTT NNN   FTF NNN   FTU NNN   FFT NNN   FFF NNN   FFU NNN   FUT NNN   FUF NNN   FUU NNN
    UTT HPN   UTF NNN   UTU HPN   UFT NNN   UFF NNN   UFU NNN   UUT HPN   UUF NNN   UUU HPN";

#[test]
fn every_combination_under_every_outage_policy_comes_to_what_is_written() {
    let words: Vec<&str> = TABLE.split_whitespace().collect();
    let mut seen = std::collections::HashSet::new();
    for row in words.chunks(2) {
        let truths: Vec<Truth> = row[0].chars().map(truth_of).collect();
        for (policy, expected) in OutagePolicy::ALL.into_iter().zip(row[1].chars()) {
            let truths: [Truth; 3] = truths.clone().try_into().unwrap();
            let found = verdict(&parts(truths, [policy; 3]));
            assert_eq!(found, verdict_of(expected), "{} under {policy:?}", row[0]);
            seen.insert((truths, policy));
        }
    }
    assert_eq!(seen.len(), 27 * 3, "every combination is in the table");
}

fn truth_of(letter: char) -> Truth {
    match letter {
        'T' => Truth::True,
        'F' => Truth::False,
        _ => Truth::Unknown,
    }
}

fn verdict_of(letter: char) -> Verdict {
    match letter {
        'P' => Verdict::Pass,
        'N' => Verdict::Nurture,
        _ => Verdict::Hold,
    }
}

#[test]
fn each_source_has_a_policy_of_its_own() {
    for truths in combinations(Truth::ALL) {
        for policies in combinations(OutagePolicy::ALL) {
            let found = parts(truths, policies);
            let is_false = |(truth, policy): (Truth, OutagePolicy)| {
                truth == Truth::False || (truth == Truth::Unknown && policy == OutagePolicy::Nurture)
            };
            let waits =
                |(truth, policy): (Truth, OutagePolicy)| truth == Truth::Unknown && policy == OutagePolicy::Hold;
            let pairs = || truths.into_iter().zip(policies);
            let expected = if pairs().any(is_false) {
                Verdict::Nurture
            } else if pairs().any(waits) {
                Verdict::Hold
            } else {
                Verdict::Pass
            };
            assert_eq!(verdict(&found), expected, "{truths:?} {policies:?}");
            let silent = verdict(&found) == Verdict::Pass && truths.contains(&Truth::Unknown);
            assert_eq!(
                silent,
                silent && found.iter().any(SubVerdict::by_policy),
                "never silently"
            );
        }
    }
}

fn combinations<T: Copy>(all: [T; 3]) -> Vec<[T; 3]> {
    let mut found = Vec::new();
    for a in all {
        for b in all {
            for c in all {
                found.push([a, b, c]);
            }
        }
    }
    found
}

#[test]
fn while_a_source_is_asked_the_lead_waits_whatever_the_policy() {
    for policy in OutagePolicy::ALL {
        let mut found = parts([Truth::True; 3], [policy; 3]);
        found[1].truth = Truth::Unknown;
        found[1].unknown = Some(Unknown::Pending);
        assert_eq!(verdict(&found), Verdict::Hold, "{policy:?}");
        found[2].truth = Truth::False;
        assert_eq!(verdict(&found), Verdict::Nurture, "false is false whatever is asked");
    }
}

fn seen(kind: &str, object: &str, seconds: u64) -> Seen {
    Seen {
        kind: kind.into(),
        object: object.into(),
        duration: (seconds > 0).then(|| Duration::from_secs(seconds)),
        time: NOW - DAY,
    }
}

#[test]
fn behaviour_needs_more_than_the_dwell_time_and_the_success_cases() {
    let table: [(&[Seen], Truth); 9] = [
        (&[], Truth::Unknown),
        (&[seen("whitepaper_downloaded", "成功案例", 900)], Truth::Unknown),
        (&[seen("page_viewed", "https://x.cn/成功案例/1", 181)], Truth::True),
        (&[seen("page_viewed", "https://x.cn/成功案例/1", 180)], Truth::False),
        (&[seen("page_viewed", "https://x.cn/products", 900)], Truth::False),
        (
            &[
                seen("page_viewed", "https://x.cn/Success-Cases", 100),
                seen("page_viewed", "/", 81),
            ],
            Truth::True,
        ),
        // The same visits, measured twice.
        (
            &[seen("page_viewed", "/cases/7", 100), seen("site_visited", "x.cn", 100)],
            Truth::False,
        ),
        (&[seen("page_viewed", "/cases/7", 0)], Truth::Unknown),
        (&[seen("page_viewed", "/products", 0)], Truth::False),
    ];
    for (facts, expected) in table {
        let facts = GateFacts {
            seen: facts.to_vec(),
            ..GateFacts::default()
        };
        let part = judge_behaviour(&BehaviourSpec::default(), &facts);
        assert_eq!(part.truth, expected, "{:?}", facts.seen);
        assert_eq!(part.unknown.is_some(), expected == Truth::Unknown);
        assert!(!part.evidence.is_empty());
    }
}

fn known(code: &str, age: jiff::SignedDuration) -> CompanyAnswer {
    CompanyAnswer::Known(Known {
        company: (code != "-").then(|| Company {
            name: "苏州锻压机床有限公司".into(),
            domain: "duanya.cn".into(),
            industry_code: code.into(),
        }),
        as_of: NOW - age,
    })
}

#[test]
fn industry_goes_by_the_registry_and_says_when_that_cannot_tell() {
    let unknown = |why| (Truth::Unknown, Some(why));
    let no = (Truth::False, None);
    let yes = (Truth::True, None);
    let table = [
        ("li@duanya.cn", known("C3421", DAY), yes),
        ("li@duanya.cn", known("3421", DAY), yes),
        ("li@duanya.cn", known("13", DAY), yes),
        ("li@duanya.cn", known("43", DAY), yes),
        ("li@duanya.cn", known("4411", DAY), no),
        ("li@duanya.cn", known("F5162", DAY), no),
        ("li@duanya.cn", known("0610", DAY), no),
        ("li@duanya.cn", known("", DAY), unknown(Unknown::NoData)),
        ("li@duanya.cn", known("-", DAY), unknown(Unknown::NoData)),
        ("li@duanya.cn", known("C34", DAY * 367), unknown(Unknown::Stale)),
        ("li@duanya.cn", CompanyAnswer::Pending, unknown(Unknown::Pending)),
        ("li@duanya.cn", CompanyAnswer::Down("x".into()), unknown(Unknown::Down)),
        ("li@duanya.cn", CompanyAnswer::NoSource, unknown(Unknown::Down)),
        ("", known("C34", DAY), unknown(Unknown::NoData)),
        ("not an address", known("C34", DAY), unknown(Unknown::NoData)),
        ("li@qq.com", CompanyAnswer::NoSource, no),
        ("li@yahoo.com.cn", CompanyAnswer::NoSource, no),
    ];
    for (email, company, expected) in table {
        let facts = GateFacts {
            email: email.into(),
            company,
            ..GateFacts::default()
        };
        let part = judge_industry(&IndustrySpec::default(), &facts, NOW);
        assert_eq!((part.truth, part.unknown), expected, "{facts:?}");
        assert_eq!(part.evidence.len(), 1);
    }
    let medical = IndustrySpec {
        codes: vec!["C358".into(), "Q".into()],
        ..IndustrySpec::default()
    };
    assert!(medical.wants("C3581") && medical.wants("Q8411") && !medical.wants("C3421"));
}

#[test]
fn a_visit_counts_within_the_window_and_no_visit_only_where_somebody_looked() {
    let spec = CompetitorSpec {
        domains: vec!["rival.com".into()],
        ..CompetitorSpec::default()
    };
    let at = |kind: &str, object: &str, age: jiff::SignedDuration| Seen {
        time: NOW - age,
        ..seen(kind, object, 0)
    };
    let visits = |as_of: Option<jiff::SignedDuration>, last: Option<jiff::SignedDuration>| VisitAnswer {
        source: VisitSource::Imported,
        as_of: as_of.map(|age| NOW - age),
        last: last.map(|age| ("rival.com".to_owned(), NOW - age)),
    };
    let none = || visits(None, None);
    let table = [
        (vec![], none(), (Truth::Unknown, Some(Unknown::NoData))),
        (vec![], visits(Some(DAY), None), (Truth::True, None)),
        (
            vec![],
            visits(Some(DAY * 8), None),
            (Truth::Unknown, Some(Unknown::Stale)),
        ),
        (vec![], visits(Some(DAY), Some(DAY * 30)), (Truth::False, None)),
        (vec![], visits(Some(DAY), Some(DAY * 31)), (Truth::True, None)),
        // A visit that is on record counts, however old the list is.
        (vec![], visits(Some(DAY * 8), Some(DAY * 9)), (Truth::False, None)),
        (
            vec![at("referred", "https://www.Rival.com/a?b", DAY)],
            none(),
            (Truth::False, None),
        ),
        (
            vec![at("outbound_link", "rival.com:8080", DAY)],
            visits(Some(DAY), None),
            (Truth::False, None),
        ),
        (
            vec![at("referred", "https://rival.com.cn/", DAY)],
            none(),
            (Truth::True, None),
        ),
        (
            vec![at("referred", "https://notrival.com/", DAY)],
            none(),
            (Truth::True, None),
        ),
        (
            vec![at("referred", "https://rival.com/", DAY * 31)],
            none(),
            (Truth::Unknown, Some(Unknown::NoData)),
        ),
        (
            vec![at("competitor_visited", "别家官网", DAY)],
            none(),
            (Truth::False, None),
        ),
    ];
    for (seen, visits, expected) in table {
        let facts = GateFacts {
            visits: vec![visits, own_visits(&seen, &spec.domains)],
            ..GateFacts::default()
        };
        let part = judge_competitors(&spec, &facts, NOW);
        assert_eq!((part.truth, part.unknown), expected, "{facts:?}");
    }
}

#[test]
fn a_lead_waits_no_longer_than_the_longest_hold() {
    let spec = GateSpec {
        enabled: true,
        ..GateSpec::default()
    };
    let facts = GateFacts::default();
    let judged = |spec: &GateSpec, since| judge(spec, 3, &facts, since, NOW);
    assert_eq!(judged(&spec, None).verdict, Verdict::Hold);
    assert_eq!(
        judged(&spec, Some(NOW - DAY + jiff::SignedDuration::from_secs(1))).verdict,
        Verdict::Hold
    );
    let over = judged(&spec, Some(NOW - DAY));
    assert_eq!(
        (over.verdict, over.hold_over, over.by_policy()),
        (Verdict::Nurture, true, true)
    );
    let passes = GateSpec {
        after_hold: Some(Verdict::Pass),
        ..spec
    };
    assert_eq!(judged(&passes, Some(NOW - DAY)).verdict, Verdict::Pass);
    assert_eq!(judge(&GateSpec::default(), 0, &facts, None, NOW), Judgement::off(0));
    assert_eq!(
        over.summary(),
        "behaviour unknown(no_data), industry unknown(no_data), no_competitor unknown(no_data)"
    );
}

#[test]
fn hosts_are_found_in_addresses() {
    for (address, expected) in [
        ("https://www.Example.com/a?b#c", Some("www.example.com")),
        ("li@mail.example.cn", Some("mail.example.cn")),
        ("example.com:443", Some("example.com")),
        ("user:pw@example.com/x", Some("example.com")),
        ("localhost", None),
        ("https://", None),
        ("一个网站", None),
        ("-x.com", None),
    ] {
        assert_eq!(host_of(address).as_deref(), expected, "{address}");
    }
}

#[test]
fn everything_wrong_with_a_gate_is_told_at_once() {
    let raw = RawGate {
        spec: GateSpec {
            max_hold: Duration::from_secs(1),
            stale_after_days: -1,
            competitors: CompetitorSpec {
                domains: vec!["https://rival.com".into(), "Rival.com".into()],
                ..CompetitorSpec::default()
            },
            industry: IndustrySpec {
                codes: vec![String::new()],
                ..IndustrySpec::default()
            },
            ..GateSpec::default()
        },
        unknown: vec!["policy.after_hold"],
    };
    let fields: Vec<String> = GateSpec::parse(raw)
        .unwrap_err()
        .into_iter()
        .map(|it| it.field)
        .collect();
    assert_eq!(
        fields,
        [
            "policy.after_hold",
            "policy.max_hold",
            "policy.stale_after_days",
            "policy.industry.codes[0]",
            "policy.competitors.domains[0]"
        ]
    );
}
