use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NEWER_LOSER: Preference = Preference {
    side: Side::Loser,
    because: Because::Newer,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn content(fields: &[(&str, &str)]) -> Content {
    let pair = |(field, value): &(&str, &str)| ((*field).to_owned(), (*value).to_owned());
    Content(fields.iter().map(pair).collect())
}

#[test]
fn who_was_reached_last_is_believed_then_who_came_last() {
    let evidence = |confirmed: Option<i64>, captured| Evidence {
        confirmed: confirmed.map(at),
        captured: at(captured),
    };
    for (survivor, loser, side, because) in [
        (evidence(None, 1), evidence(None, 2), Side::Loser, Because::Newer),
        (evidence(None, 2), evidence(None, 1), Side::Survivor, Because::Newer),
        (evidence(None, 1), evidence(None, 1), Side::Survivor, Because::Newer),
        (
            evidence(Some(5), 1),
            evidence(None, 9),
            Side::Survivor,
            Because::Confirmed,
        ),
        (
            evidence(Some(5), 1),
            evidence(Some(6), 0),
            Side::Loser,
            Because::Confirmed,
        ),
        (evidence(Some(5), 1), evidence(Some(5), 2), Side::Loser, Because::Newer),
    ] {
        assert_eq!(prefer(survivor, loser), Preference { side, because });
    }
}

#[test]
fn each_field_has_its_rule() {
    let survivor = content(&[
        ("company", "华康"),
        ("contact_name", ""),
        ("phone", "138"),
        ("email", "a@x"),
        ("remark", ""),
        ("attributes.科室", "骨科"),
    ]);
    let loser = content(&[
        ("company", "华康"),
        ("contact_name", "王主任"),
        ("phone", "139"),
        ("email", "b@x"),
        ("remark", ""),
        ("attributes.职务", "主任"),
    ]);
    let choices = BTreeMap::from([("email".to_owned(), Side::Survivor)]);
    let (merged, fields) = merge(&survivor, &loser, NEWER_LOSER, &choices);
    let expected = content(&[
        ("company", "华康"),
        ("contact_name", "王主任"),
        ("phone", "139"),
        ("email", "a@x"),
        ("remark", ""),
        ("attributes.科室", "骨科"),
        ("attributes.职务", "主任"),
    ]);
    assert_eq!(merged, expected);
    let told: Vec<_> = fields.iter().map(|it| (it.field.as_str(), it.side, it.rule)).collect();
    assert_eq!(
        told,
        [
            ("attributes.科室", Side::Survivor, Rule::Filled),
            ("attributes.职务", Side::Loser, Rule::Filled),
            ("contact_name", Side::Loser, Rule::Filled),
            ("email", Side::Survivor, Rule::Chosen),
            ("phone", Side::Loser, Rule::Newer),
        ]
    );
}

#[test]
fn of_consents_the_stricter_one_holds() {
    for (ours, theirs, merged) in [
        (Some("是"), Some("否"), Some("否")),
        (Some("no"), Some("yes"), Some("no")),
        (Some("同意"), None, None),
        (None, Some("TRUE"), None),
        (None, Some("拒绝"), Some("拒绝")),
        (Some("yes"), Some("同意"), Some("同意")),
    ] {
        let of = |value: Option<&str>| {
            let mut content = Content::default();
            content.set("attributes.Marketing_Consent", value);
            content
        };
        let (told, fields) = merge(&of(ours), &of(theirs), NEWER_LOSER, &Choices::new());
        assert_eq!(told, of(merged), "{ours:?} and {theirs:?}");
        assert_eq!(fields[0].rule, Rule::Stricter);
    }
    assert!(is_consent("attributes.营销同意") && !is_consent("remark") && !is_consent("attributes.科室"));
}

#[test]
fn what_changed_since_is_a_conflict_only_where_the_merge_had_changed_it() {
    let before = content(&[("phone", "1"), ("remark", "a"), ("company", "x")]);
    let loser = content(&[("phone", "2"), ("remark", "b"), ("company", "x")]);
    let merges = chain(&before, &[loser]);
    let mut now = merges[0].0.after.clone();
    now.set("company", Some("y"));
    now.set("phone", Some("3"));
    let undone = without(&merges, 0, &now);
    assert_eq!(
        undone.content,
        content(&[("phone", "3"), ("remark", "a"), ("company", "y")])
    );
    let conflict = FieldConflict {
        field: "phone".into(),
        kept: Some("3".into()),
        restored: Some("1".into()),
    };
    assert_eq!(undone.conflicts, [conflict]);
    now.set("phone", Some("1"));
    assert_eq!(without(&merges, 0, &now).conflicts, [], "somebody undid it by hand");
}

#[test]
fn a_contact_is_told_apart_from_one_that_a_merge_gave() {
    let images = |before: Option<i64>, after: Option<i64>| Images {
        contact_before: before.map(at),
        contact_after: after.map(at),
        ..chain(&Content::default(), &[Content::default()]).remove(0).0
    };
    for (merges, now, own) in [
        (vec![images(Some(3), Some(2))], Some(2), Some(3)),
        (vec![images(None, Some(2))], Some(2), None),
        (vec![images(None, None)], Some(4), Some(4)),
        (vec![images(None, None), images(Some(4), Some(1))], Some(1), Some(4)),
        (vec![images(None, Some(2)), images(Some(2), Some(1))], Some(1), None),
        (vec![images(None, None)], None, None),
    ] {
        assert_eq!(own_contact(&merges, now.map(at)), own.map(at));
    }
}

/// Merges leads into one, one after the other.
fn chain(first: &Content, losers: &[Content]) -> Vec<(Images, Preference, Choices)> {
    let mut told = first.clone();
    let step = |loser: &Content| {
        let (after, fields) = merge(&told, loser, NEWER_LOSER, &Choices::new());
        let images = Images {
            before: std::mem::replace(&mut told, after.clone()),
            after,
            loser: loser.clone(),
            fields,
            contact_before: None,
            contact_after: None,
            contact_loser: None,
            survivor_state: State::Assigned,
            loser_state: State::Assigned,
            loser_queue_reason: None,
            loser_close_time: None,
        };
        (images, NEWER_LOSER, Choices::new())
    };
    losers.iter().map(step).collect()
}

fn contents() -> impl Strategy<Value = Content> {
    let value = prop::sample::select(vec!["", "a", "b", "是", "否"]);
    let field = prop::sample::select(vec!["phone", "remark", "attributes.x", "attributes.consent"]);
    prop::collection::btree_map(field, value, 0..4)
        .prop_map(|fields| Content(fields.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()))
}

proptest! {
    #[test]
    fn merges_undone_in_any_order_leave_what_was_before(
        first in contents(),
        losers in prop::collection::vec(contents(), 1..5),
        order in prop::collection::vec(any::<prop::sample::Index>(), 5),
    ) {
        let mut merges = chain(&first, &losers);
        let mut now = merges.last().unwrap().0.after.clone();
        let mut left = losers;
        for index in order {
            if merges.is_empty() {
                break;
            }
            let at = index.index(merges.len());
            let undone = without(&merges, at, &now);
            prop_assert_eq!(&undone.conflicts, &[]);
            merges.remove(at);
            left.remove(at);
            for ((images, ..), rebased) in merges[at..].iter_mut().zip(undone.later) {
                *images = rebased;
            }
            now = undone.content;
            // As if the lead taken back had never been merged.
            prop_assert_eq!(&merges, &chain(&first, &left));
        }
        prop_assert!(!merges.is_empty() || now == first);
    }
}
