//! Who decides, and that it is remembered.

use reflex_proto::leads::v1::{
    ConflictResolution, DataSubject, DecideDuplicateRequest, DecideDuplicateResponse, Duplicate, DuplicatePolicy,
    EraseSubjectRequest, GetDuplicateRequest, ListDuplicatesRequest, NewLead, decide_duplicate_request::Decision,
    duplicate, lead,
};
use tonic::Status;

use super::{capture, pairs, put_policy, settled, suspected, wang};
use crate::{
    harness::{Caller, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, WRONG_STATE, assert_refused},
    merging::unmerge,
};

async fn decide(
    admin: &Caller,
    name: &str,
    decision: Decision,
    survivor: &str,
) -> Result<DecideDuplicateResponse, Status> {
    let request = DecideDuplicateRequest {
        name: name.into(),
        decision: decision.into(),
        survivor: survivor.into(),
        reason: "打过电话".into(),
        ..DecideDuplicateRequest::default()
    };
    let decided = admin.duplicates.clone().decide_duplicate(request).await?;
    Ok(decided.into_inner())
}

async fn pair(admin: &Caller, name: &str) -> Result<Duplicate, Status> {
    let request = GetDuplicateRequest { name: name.into() };
    let found = admin.duplicates.clone().get_duplicate(request).await?;
    Ok(found.into_inner().duplicate.unwrap())
}

/// Captures two leads that are the same, and returns their pair.
async fn two_of_one(leads: &Leads, admin: &Caller) -> Duplicate {
    for id in ["W-1", "W-2"] {
        capture(admin, wang(id)).await;
    }
    settled(leads).await;
    let [pair] = <[Duplicate; 1]>::try_from(suspected(admin).await).unwrap();
    pair
}

#[tokio::test]
async fn who_is_distinct_is_never_suspected_again() {
    let leads = Leads::start().await;
    let admin = leads.admin(HUADONG);
    let found = two_of_one(&leads, &admin).await;
    let decided = decide(&admin, &found.name, Decision::Distinct, "").await.unwrap();
    let decided = decided.duplicate.unwrap();
    assert_eq!(
        (decided.state(), decided.reason.as_str()),
        (duplicate::State::Distinct, "打过电话")
    );
    assert!(decided.decide_time.is_some());
    put_policy(
        &admin,
        DuplicatePolicy {
            threshold: 0.6,
            ..DuplicatePolicy::default()
        },
    )
    .await;
    settled(&leads).await;
    assert_eq!(
        pair(&admin, &found.name).await.unwrap().state(),
        duplicate::State::Distinct
    );
    let third = capture(&admin, wang("W-3")).await;
    settled(&leads).await;
    let open = suspected(&admin).await;
    assert_eq!(open.len(), 2, "each is suspected of the third one alone");
    assert!(open.iter().all(|pair| pair.later.as_ref().unwrap().name == third));
    let again = decide(&admin, &found.name, Decision::Merge, "").await;
    assert_refused(again, WRONG_STATE, "is decided: distinct");
}

#[tokio::test]
async fn who_is_the_same_is_merged_and_two_again_when_that_is_undone() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let found = two_of_one(&leads, &admin).await;
    let (earlier, later) = (found.earlier.unwrap().name, found.later.unwrap().name);
    let stranger = capture(
        &admin,
        NewLead {
            company: "长沙远东食品".into(),
            contact_name: "李芳".into(),
            phone: "13900139002".into(),
            ..wang("S-1")
        },
    )
    .await;
    let refused = decide(&admin, &found.name, Decision::Merge, &stranger).await;
    assert_refused(refused, INVALID, "survivor");
    let merged = decide(&admin, &found.name, Decision::Merge, &later).await.unwrap();
    assert_eq!(merged.duplicate.unwrap().state(), duplicate::State::Merged);
    let merge = merged.merge.unwrap();
    assert_eq!((&merge.survivor, &merge.loser), (&later, &earlier));
    assert_eq!(admin.lead(&earlier).await.name, later);
    settled(&leads).await;
    let keys: i64 = sqlx::query_scalar("select count(*) from duplicate_keys where 'leads/' || lead_id = $1")
        .bind(&earlier)
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(keys, 0, "a pointer is not compared");
    let third = capture(&admin, wang("W-3")).await;
    settled(&leads).await;
    let open = suspected(&admin).await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].earlier.as_ref().unwrap().name, later);
    decide(&admin, &open[0].name, Decision::Distinct, "").await.unwrap();

    unmerge(&mut admin, &merge.name, ConflictResolution::Keep)
        .await
        .unwrap();
    settled(&leads).await;
    assert_eq!(
        pair(&admin, &found.name).await.unwrap().state(),
        duplicate::State::Distinct
    );
    let open = suspected(&admin).await;
    assert_eq!(open.len(), 1, "the restored one is compared again");
    let (one, two) = (open[0].earlier.as_ref().unwrap(), open[0].later.as_ref().unwrap());
    assert_eq!((&one.name, &two.name), (&earlier, &third));
}

#[tokio::test]
async fn merges_of_others_are_known_and_other_tenants_see_nothing() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let found = two_of_one(&leads, &admin).await;
    let other = leads.admin(HUABEI);
    capture(&other, wang("W-9")).await;
    settled(&leads).await;
    assert!(suspected(&other).await.is_empty());
    assert_refused(pair(&other, &found.name).await, NOT_FOUND, "duplicates/");
    assert_refused(
        decide(&other, &found.name, Decision::Distinct, "").await,
        NOT_FOUND,
        "duplicates/",
    );
    let (earlier, later) = (found.earlier.unwrap().name, found.later.unwrap().name);
    crate::merging::merge(&mut admin, &earlier, &later).await.unwrap();
    settled(&leads).await;
    assert_eq!(
        pair(&admin, &found.name).await.unwrap().state(),
        duplicate::State::Merged
    );
    assert!(suspected(&admin).await.is_empty());
    let by_lead = ListDuplicatesRequest {
        lead: later,
        page_size: 1,
        ..ListDuplicatesRequest::default()
    };
    assert_eq!(pairs(&admin, by_lead).await.len(), 1);
}

#[tokio::test]
async fn a_closed_lead_gives_way_to_the_open_one() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let found = two_of_one(&leads, &admin).await;
    let (earlier, later) = (found.earlier.unwrap().name, found.later.unwrap().name);
    crate::merging::close(&mut admin, &earlier).await.unwrap();
    let merged = decide(&admin, &found.name, Decision::Merge, "").await.unwrap();
    assert_eq!(merged.merge.unwrap().survivor, later);
    assert_eq!(admin.lead(&later).await.state(), lead::State::Queued);
}

#[tokio::test]
async fn who_is_erased_leaves_no_keys_and_no_pairs() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let found = two_of_one(&leads, &admin).await;
    let request = EraseSubjectRequest {
        subject: Some(DataSubject {
            phone: "13800138001".into(),
            ..DataSubject::default()
        }),
    };
    admin.privacy.erase_subject(request).await.unwrap();
    settled(&leads).await;
    assert_refused(pair(&admin, &found.name).await, NOT_FOUND, "duplicates/");
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from duplicate_keys) + (select count(*) from duplicate_records)
             + (select count(*) from lead_duplicates)",
    )
    .fetch_one(&leads.owner)
    .await
    .unwrap();
    assert_eq!(left, 0);
}
