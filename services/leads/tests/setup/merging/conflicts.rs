//! What was done while two leads were one is decided by people, never guessed.

use reflex_proto::leads::v1::{
    ConflictDecision, ConflictResolution, GetMergeRequest, PutMemberRequest, UnmergeLeadsRequest, lead,
};
use reflex_proto::platform::v1::Reason;
use reflex_rpc::identity::Role;
use tonic::Code;

use super::{call, capture, close, furnish, merge, new_lead, unmerge};
use crate::harness::{HUADONG, INVALID, Leads, assert_refused, member};

const UNMET: (Code, Reason) = (Code::FailedPrecondition, Reason::WrongState);

#[tokio::test]
async fn what_was_done_since_is_listed_and_goes_where_the_caller_says() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let survivor = capture(&mut admin, new_lead("A")).await;
    let mut second = new_lead("B");
    second.phone = "13900139000".into();
    let loser = capture(&mut admin, second).await;
    let merged = merge(&mut admin, &survivor, &loser).await.unwrap().merge.unwrap();
    let (mine, theirs) = (
        call(&mut admin, &survivor).await.unwrap(),
        call(&mut admin, &survivor).await.unwrap(),
    );
    // Somebody corrects what the merge had filled in.
    sqlx::query("update leads set phone = '13700137000' where external_id = 'A'")
        .execute(&leads.owner)
        .await
        .unwrap();
    close(&mut admin, &survivor).await.unwrap();

    let ask = GetMergeRequest {
        name: merged.name.clone(),
    };
    let conflicts = admin
        .merges
        .get_merge(ask.clone())
        .await
        .unwrap()
        .into_inner()
        .conflicts;
    let names: Vec<&str> = conflicts.iter().map(|conflict| conflict.name.as_str()).collect();
    assert_eq!(names, ["phone", &mine, &theirs, "closed"]);
    assert_eq!(
        (conflicts[0].kept_value.as_str(), conflicts[0].restored_value.as_str()),
        ("13700137000", "")
    );
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    let seen = viewer.merges.get_merge(ask).await.unwrap().into_inner().conflicts;
    assert!(seen[0].kept_value.contains('*'), "{seen:?}");

    let refused = unmerge(&mut admin, &merged.name, ConflictResolution::Unspecified).await;
    let status = refused.unwrap_err();
    assert_eq!(status.code(), UNMET.0);
    let decide = |conflict: &str, resolution: ConflictResolution| ConflictDecision {
        conflict: conflict.into(),
        resolution: resolution.into(),
    };
    let keep = ConflictResolution::Keep;
    let request = UnmergeLeadsRequest {
        name: merged.name.clone(),
        decisions: vec![decide("phone", keep), decide(&mine, keep)],
        other_conflicts: ConflictResolution::Restore.into(),
        ..UnmergeLeadsRequest::default()
    };
    for (decisions, telling) in [
        (vec![decide("email", keep)], "is no conflict of this merge"),
        (vec![decide("phone", keep), decide("phone", keep)], "is decided twice"),
        (
            vec![decide("phone", ConflictResolution::Unspecified)],
            "must be KEEP or RESTORE",
        ),
    ] {
        let wrong = UnmergeLeadsRequest {
            decisions,
            ..request.clone()
        };
        assert_refused(admin.merges.unmerge_leads(wrong).await, INVALID, telling);
    }
    let two = admin.merges.unmerge_leads(request).await.unwrap().into_inner();
    let (survivor, restored) = (two.survivor.unwrap(), two.restored.unwrap());
    assert_eq!(
        (survivor.phone.as_str(), survivor.state()),
        ("13700137000", lead::State::Closed)
    );
    assert!(survivor.first_contact_time.is_some());
    assert_eq!(
        (restored.phone.as_str(), restored.state()),
        ("13900139000", lead::State::Contacted),
        "the call that is now theirs was their first contact"
    );
    let moved: Vec<String> =
        sqlx::query_scalar("select 'followUps/' || follow_up_id from follow_ups where lead_id = $1::uuid")
            .bind(restored.name.trim_start_matches("leads/"))
            .fetch_all(&leads.owner)
            .await
            .unwrap();
    assert_eq!(moved, [theirs]);
}

#[tokio::test]
async fn a_closed_survivor_may_take_the_other_along() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let survivor = capture(&mut admin, new_lead("A")).await;
    let loser = capture(&mut admin, new_lead("B")).await;
    let merged = merge(&mut admin, &survivor, &loser).await.unwrap().merge.unwrap();
    close(&mut admin, &survivor).await.unwrap();
    let two = unmerge(&mut admin, &merged.name, ConflictResolution::Keep)
        .await
        .unwrap();
    let restored = two.restored.unwrap();
    assert_eq!(
        (restored.state(), restored.outcome(), restored.merged_into.as_str()),
        (lead::State::Closed, lead::Outcome::Lost, "")
    );
    let held: i32 = sqlx::query_scalar("select open_leads from members where member_id = 'wang'")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(held, 0);
}

#[tokio::test]
async fn whose_owner_left_meanwhile_finds_another_one() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let survivor = capture(&mut admin, new_lead("A")).await;
    let loser = capture(&mut admin, new_lead("B")).await;
    let merged = merge(&mut admin, &survivor, &loser).await.unwrap().merge.unwrap();
    admin.put_member(member("li", "zhang")).await;
    let mut left = member("wang", "zhang");
    left.active = false;
    let request = PutMemberRequest {
        member: Some(left),
        request_id: String::new(),
    };
    admin.directory.put_member(request).await.unwrap();
    admin.wait_for_owner(&survivor, "members/li").await;
    unmerge(&mut admin, &merged.name, ConflictResolution::Unspecified)
        .await
        .unwrap();
    let lead = admin.wait_for_owner(&loser, "members/li").await;
    assert_eq!(lead.fencing_token, 3, "the owner who left cannot claim it");
}
