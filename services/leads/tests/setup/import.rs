//! Members from CSV.

use reflex_proto::leads::v1::{
    GetMemberRequest, ImportMembersRequest, ImportMembersResponse, ListMembersRequest, MemberChange,
    member_change::Kind,
};
use tonic::{Response, Status};

use crate::harness::{Caller, HUADONG, INVALID, Leads, REUSED, assert_refused, member};

const HEAD: &str = "id,display_name,team,role,supervisor,deputy,capacity,weight,active";

fn import(rows: &str) -> ImportMembersRequest {
    ImportMembersRequest {
        csv: format!("{HEAD}\n{rows}\n").into_bytes(),
        ..ImportMembersRequest::default()
    }
}

async fn imported(admin: &mut Caller, request: ImportMembersRequest) -> ImportMembersResponse {
    admin.directory.import_members(request).await.unwrap().into_inner()
}

async fn refusal(admin: &mut Caller, rows: &str) -> Result<Response<ImportMembersResponse>, Status> {
    admin.directory.import_members(import(rows)).await
}

fn change(id: &str, kind: Kind, fields: &[&str]) -> MemberChange {
    MemberChange {
        member: format!("members/{id}"),
        kind: kind.into(),
        fields: fields.iter().map(ToString::to_string).collect(),
    }
}

async fn names(admin: &mut Caller) -> Vec<String> {
    let members = admin
        .directory
        .list_members(ListMembersRequest::default())
        .await
        .unwrap()
        .into_inner()
        .members;
    members.into_iter().map(|member| member.name).collect()
}

#[tokio::test]
async fn a_dry_run_tells_what_the_import_then_does() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    for id in ["gone", "kept", "same"] {
        admin.put_member(member(id, "zhang")).await;
    }
    let version = leads.version(HUADONG).await;
    // The supervisor stands below those who name them.
    let request = ImportMembersRequest {
        deactivate_missing: true,
        ..import(
            "same,same 先生,zhang,sales,,,10,,\n\
             kept,凯特,zhang,sales,boss,same,20,50,true\n\
             boss,老板,zhang,supervisor,,,0,,",
        )
    };
    let expected = ImportMembersResponse {
        changes: vec![
            change(
                "kept",
                Kind::Updated,
                &["display_name", "supervisor", "deputy", "weight", "capacity"],
            ),
            change("boss", Kind::Created, &[]),
            change("gone", Kind::Deactivated, &["active"]),
        ],
        unchanged_count: 1,
        rehomed_leads: 0,
    };
    let dry_run = ImportMembersRequest {
        dry_run: true,
        ..request.clone()
    };
    assert_eq!(imported(&mut admin, dry_run).await, expected);
    assert_eq!(leads.version(HUADONG).await, version);
    assert_eq!(
        names(&mut admin).await,
        ["members/gone", "members/kept", "members/same"]
    );

    assert_eq!(imported(&mut admin, request.clone()).await, expected);
    assert!(leads.version(HUADONG).await > version);
    let kept = GetMemberRequest {
        name: "members/kept".into(),
    };
    let kept = admin
        .directory
        .get_member(kept)
        .await
        .unwrap()
        .into_inner()
        .member
        .unwrap();
    assert_eq!(
        (kept.supervisor.as_str(), kept.weight, kept.capacity),
        ("members/boss", 50, 20)
    );
    for (id, told) in [("kept", 2), ("boss", 1), ("gone", 2), ("same", 1)] {
        assert_eq!(
            leads
                .told("reflex.leads.v1.MemberChanged", &format!("members/{id}"))
                .await,
            told,
            "{id}"
        );
    }
    let again = imported(&mut admin, request).await;
    assert_eq!(
        (again.changes.len(), again.unchanged_count),
        (0, 3),
        "gone is gone already"
    );
}

#[tokio::test]
async fn all_rows_or_none() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    for (rows, telling) in [
        (
            "wang,王强,zhang,sales,,,10,,\nli,李娜,zhang,boss,,,10,,",
            "line 3, column role: must be given",
        ),
        (
            "wang,王强,zhang,sales,,,10,,\nli,李娜,mars,sales,,,10,,",
            "line 3, column team: teams/mars does not exist",
        ),
        (
            "wang,王强,zhang,sales,no,,10,,",
            "line 2, column supervisor: members/no does not exist",
        ),
        (
            "wang,王强,zhang,sales,,no,10,,",
            "line 2, column deputy: members/no does not exist",
        ),
        (
            "a,甲,zhang,sales,b,,1,,\nb,乙,zhang,sales,,,1,,\na,甲,zhang,sales,,,1,,",
            "line 4, column id",
        ),
    ] {
        assert_refused(refusal(&mut admin, rows).await, INVALID, telling);
    }
    // Each of the two closes the circle.
    let circle = refusal(&mut admin, "a,甲,zhang,sales,b,,1,,\nb,乙,zhang,sales,a,,1,,").await;
    assert_refused(circle, INVALID, "2 fields");
    assert_eq!(names(&mut admin).await, [""; 0]);
    let unknown = ImportMembersRequest {
        csv: "id,display_name,team,role,capacity,calendar\nwang,王强,zhang,sales,1,no\n".into(),
        ..ImportMembersRequest::default()
    };
    let answer = admin.directory.import_members(unknown).await;
    assert_refused(answer, INVALID, "line 2, column calendar: calendars/no does not exist");
}

#[tokio::test]
async fn columns_that_are_absent_stay_as_they_are() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    admin
        .put_member(reflex_proto::leads::v1::Member {
            weight: 300,
            ..member("wang", "zhang")
        })
        .await;
    let request = ImportMembersRequest {
        csv: "\u{feff}工号,容量\r\nwang,7\r\n".into(),
        ..ImportMembersRequest::default()
    };
    let answer = imported(&mut admin, request).await;
    assert_eq!(answer.changes, [change("wang", Kind::Updated, &["capacity"])]);
}

#[tokio::test]
async fn an_import_is_done_once() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    let request_id = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
    let request = ImportMembersRequest {
        request_id: request_id.into(),
        ..import("wang,王强,zhang,sales,,,10,,")
    };
    let first = imported(&mut admin, request.clone()).await;
    assert_eq!(first.changes.len(), 1);
    assert_eq!(imported(&mut admin, request.clone()).await, first);
    let other = ImportMembersRequest {
        deactivate_missing: true,
        ..request
    };
    assert_refused(admin.directory.import_members(other).await, REUSED, "request_id");
}

#[tokio::test]
async fn thousands_of_members_are_imported_at_once() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    let rows: Vec<String> = (0..5_000)
        .map(|number| {
            format!(
                "m{number},成员{number},zhang,sales,m{},,10,,",
                if number == 0 { 4_999 } else { 0 }
            )
        })
        .collect();
    let circle = refusal(&mut admin, &rows.join("\n")).await;
    assert_refused(circle, INVALID, "2 fields");
    let rows: Vec<String> = (0..5_000)
        .map(|number| {
            format!(
                "m{number},成员{number},zhang,sales,{},,10,,",
                if number == 0 { "" } else { "m0" }
            )
        })
        .collect();
    assert_eq!(
        imported(&mut admin, import(&rows.join("\n"))).await.changes.len(),
        5_000
    );
    assert_eq!(
        imported(&mut admin, import(&rows.join("\n"))).await.unchanged_count,
        5_000
    );
}
