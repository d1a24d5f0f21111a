//! One lead of two, and two of one again.

mod conflicts;
mod sequences;

use reflex_proto::leads::v1::{
    CaptureLeadRequest, ClaimLeadRequest, CloseLeadRequest, ConflictResolution, FieldChoice, FollowUp, GetLeadRequest,
    GetMergeRequest, ListFollowUpsRequest, ListLeadsRequest, ListMergesRequest, Merge, MergeLeadsRequest,
    MergeLeadsResponse, NewLead, RecordFollowUpRequest, UnmergeLeadsRequest, UnmergeLeadsResponse, follow_up, lead,
    merged_field::Rule,
};
use reflex_rpc::identity::Role;
use tonic::{Code, Status};

use crate::harness::{
    Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, REUSED, WRONG_STATE, assert_refused, member,
};

pub(super) const WANG: &str = "members/wang";

/// Makes a tenant whose leads all go to one salesperson.
pub(super) async fn furnish(leads: &Leads, tenant: &str) -> Caller {
    let mut admin = leads.admin(tenant);
    admin.put_team("zhang").await;
    admin.put_member(member("wang", "zhang")).await;
    admin.route_all_to("teams/zhang").await;
    admin
}

pub(super) fn new_lead(id: &str) -> NewLead {
    NewLead {
        source: "website".into(),
        external_id: id.into(),
        company: "上海医院".into(),
        ..NewLead::default()
    }
}

/// Captures a lead and waits until it has its owner.
pub(super) async fn capture(admin: &mut Caller, lead: NewLead) -> String {
    let request = CaptureLeadRequest {
        lead: Some(lead),
        request_id: String::new(),
    };
    let name = admin.leads.capture_lead(request).await.unwrap().into_inner().name;
    admin.wait_for_owner(&name, WANG).await;
    name
}

pub(super) async fn merge(admin: &mut Caller, survivor: &str, loser: &str) -> Result<MergeLeadsResponse, Status> {
    let request = MergeLeadsRequest {
        survivor: survivor.into(),
        loser: loser.into(),
        ..MergeLeadsRequest::default()
    };
    admin.merges.merge_leads(request).await.map(tonic::Response::into_inner)
}

/// Takes a merge back; `others` is what becomes of conflicts.
pub(super) async fn unmerge(
    admin: &mut Caller,
    merge: &str,
    others: ConflictResolution,
) -> Result<UnmergeLeadsResponse, Status> {
    let request = UnmergeLeadsRequest {
        name: merge.into(),
        other_conflicts: others.into(),
        ..UnmergeLeadsRequest::default()
    };
    admin
        .merges
        .unmerge_leads(request)
        .await
        .map(tonic::Response::into_inner)
}

pub(super) async fn call(admin: &mut Caller, lead: &str) -> Result<String, Status> {
    let request = RecordFollowUpRequest {
        follow_up: Some(FollowUp {
            lead: lead.into(),
            member: WANG.into(),
            kind: follow_up::Kind::Call.into(),
            ..FollowUp::default()
        }),
        request_id: String::new(),
    };
    let recorded = admin.follow_ups.record_follow_up(request).await?.into_inner();
    Ok(recorded.follow_up.unwrap().name)
}

pub(super) async fn claim(admin: &mut Caller, lead: &str) -> Result<(), Status> {
    let fencing_token = admin.lead(lead).await.fencing_token;
    let request = ClaimLeadRequest {
        name: lead.into(),
        member: WANG.into(),
        fencing_token,
        request_id: String::new(),
    };
    admin.claims.claim_lead(request).await.map(drop)
}

pub(super) async fn close(admin: &mut Caller, lead: &str) -> Result<(), Status> {
    let request = CloseLeadRequest {
        name: lead.into(),
        outcome: lead::Outcome::Lost.into(),
        ..CloseLeadRequest::default()
    };
    admin.leads.close_lead(request).await.map(drop)
}

/// Returns every row of a tenant that says what its leads are and what happens to them next.
pub(super) async fn rows(leads: &Leads, tenant: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select 'lead ' || to_jsonb(t)::text as row from leads t where tenant_id = $1
         union all select 'timer ' || to_jsonb(t)::text from timers t where tenant_id = $1
         union all select 'follow-up ' || to_jsonb(t)::text from follow_ups t where tenant_id = $1
         union all select 'key ' || to_jsonb(t)::text from calculated_keys t where tenant_id = $1
         union all select 'decision ' || to_jsonb(t)::text from routing_decisions t where tenant_id = $1
         union all select 'escalation ' || to_jsonb(t)::text from escalations t where tenant_id = $1
         union all select 'member ' || member_id || ' holds ' || open_leads from members where tenant_id = $1
         order by row",
    )
    .bind(tenant)
    .fetch_all(&leads.owner)
    .await
    .unwrap()
}

fn rules(merge: &Merge) -> Vec<(&str, &str, Rule)> {
    let fields = merge.fields.iter();
    fields
        .map(|field| (field.field.as_str(), field.lead.as_str(), field.rule()))
        .collect()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn two_leads_become_one_and_two_again() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let mut first = new_lead("A");
    first.phone = "13800138000".into();
    first.budget_max_fen = 20_000_000;
    first.attributes = [("科室".into(), "骨科".into()), ("营销同意".into(), "是".into())].into();
    let mut second = new_lead("B");
    second.phone = "13900139000".into();
    second.email = "wang@hospital.cn".into();
    second.remark = "请尽快联系".into();
    second.attributes = [("职务".into(), "主任".into()), ("营销同意".into(), "否".into())].into();
    let survivor = capture(&mut admin, first).await;
    let loser = capture(&mut admin, second.clone()).await;
    claim(&mut admin, &loser).await.unwrap();
    let before = rows(&leads, HUADONG).await;

    let request = MergeLeadsRequest {
        survivor: survivor.clone(),
        loser: loser.clone(),
        choices: vec![FieldChoice {
            field: "phone".into(),
            lead: survivor.clone(),
        }],
        reason: "同一个人".into(),
        request_id: "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".into(),
    };
    let merged = admin.merges.merge_leads(request.clone()).await.unwrap().into_inner();
    let again = admin.merges.merge_leads(request.clone()).await.unwrap().into_inner();
    assert_eq!(merged, again, "a retry gets the stored answer");
    let other = MergeLeadsRequest {
        reason: "另一个原因".into(),
        ..request
    };
    assert_refused(admin.merges.merge_leads(other).await, REUSED, "");
    let (told, lead) = (merged.merge.unwrap(), merged.lead.unwrap());
    assert_eq!(
        (
            lead.phone.as_str(),
            lead.email.as_str(),
            lead.remark.as_str(),
            lead.budget_max_fen
        ),
        ("13800138000", "wang@hospital.cn", "请尽快联系", 20_000_000)
    );
    let attributes = [("科室", "骨科"), ("职务", "主任"), ("营销同意", "否")];
    assert_eq!(lead.attributes, attributes.map(|(a, b)| (a.into(), b.into())).into());
    assert_eq!(
        rules(&told),
        [
            ("attributes.科室", survivor.as_str(), Rule::Filled),
            ("attributes.职务", &loser, Rule::Filled),
            ("attributes.营销同意", &loser, Rule::Stricter),
            ("budget", &survivor, Rule::Filled),
            ("email", &loser, Rule::Filled),
            ("phone", &survivor, Rule::Chosen),
            ("remark", &loser, Rule::Filled),
        ]
    );

    // The one that went is found as the other one, whoever asks for it.
    let shown = admin.leads.get_lead(GetLeadRequest { name: loser.clone() }).await;
    let shown = shown.unwrap().into_inner();
    assert_eq!(
        (shown.lead.unwrap().name, shown.merged_lead),
        (survivor.clone(), loser.clone())
    );
    let repeat = CaptureLeadRequest {
        lead: Some(second),
        request_id: String::new(),
    };
    let repeat = admin.leads.capture_lead(repeat).await.unwrap().into_inner();
    assert_eq!(
        (repeat.name, repeat.number, repeat.existed),
        (survivor.clone(), lead.number.clone(), true)
    );
    let listed = async |state: lead::State| {
        let request = ListLeadsRequest {
            state: state.into(),
            ..ListLeadsRequest::default()
        };
        let found = admin
            .leads
            .clone()
            .list_leads(request)
            .await
            .unwrap()
            .into_inner()
            .leads;
        found
            .into_iter()
            .map(|lead| (lead.name, lead.merged_into))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        listed(lead::State::Unspecified).await,
        [(survivor.clone(), String::new())]
    );
    assert_eq!(listed(lead::State::Merged).await, [(loser.clone(), survivor.clone())]);
    let into = format!("was merged into {survivor}");
    assert_refused(call(&mut admin, &loser).await, WRONG_STATE, &into);
    assert_refused(close(&mut admin, &loser).await, WRONG_STATE, &into);
    let now = rows(&leads, HUADONG).await;
    assert!(now.contains(&"member wang holds 1".to_owned()));
    assert!(!now.iter().any(|row| row.starts_with("timer") && row.contains(&loser)));
    assert_eq!(leads.told("reflex.leads.v1.LeadMerged", &loser).await, 1);

    let two = unmerge(&mut admin, &told.name, ConflictResolution::Unspecified)
        .await
        .unwrap();
    assert_eq!(two.restored.unwrap().state(), lead::State::Claimed);
    assert!(two.merge.unwrap().unmerge_time.is_some());
    assert_eq!(rows(&leads, HUADONG).await, before);
    assert_eq!(leads.told("reflex.leads.v1.LeadUnmerged", &loser).await, 1);
    let undone = unmerge(&mut admin, &told.name, ConflictResolution::Unspecified).await;
    assert_refused(undone, WRONG_STATE, "was undone before");
}

#[tokio::test]
async fn a_call_to_one_of_them_is_a_call_to_both_until_they_are_two() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let survivor = capture(&mut admin, new_lead("A")).await;
    let mut called = new_lead("B");
    called.company = "上海第一医院".into();
    let loser = capture(&mut admin, called).await;
    call(&mut admin, &loser).await.unwrap();
    let before = rows(&leads, HUADONG).await;
    let merged = merge(&mut admin, &survivor, &loser).await.unwrap();
    let (told, lead) = (merged.merge.unwrap(), merged.lead.unwrap());
    assert_eq!(lead.state(), lead::State::Contacted);
    assert_eq!(rules(&told), [("company", loser.as_str(), Rule::Confirmed)]);
    assert!(!rows(&leads, HUADONG).await.iter().any(|row| row.starts_with("timer")));
    let reader = leads.admin(HUADONG);
    let listed = async |lead: &str| {
        let request = ListFollowUpsRequest {
            lead: lead.into(),
            ..ListFollowUpsRequest::default()
        };
        let listed = reader
            .follow_ups
            .clone()
            .list_follow_ups(request)
            .await
            .unwrap()
            .into_inner();
        listed.follow_ups.into_iter().map(|it| it.lead).collect::<Vec<_>>()
    };
    assert_eq!(listed(&survivor).await, [loser.as_str()]);
    assert_eq!(listed(&loser).await, [loser.as_str()]);
    unmerge(&mut admin, &told.name, ConflictResolution::Unspecified)
        .await
        .unwrap();
    assert_eq!(rows(&leads, HUADONG).await, before);
    assert!(listed(&survivor).await.is_empty());
}

#[tokio::test]
async fn pointers_make_no_circles_and_chains_end_at_one_lead() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let mut names = Vec::new();
    for id in ["A", "B", "C"] {
        names.push(capture(&mut admin, new_lead(id)).await);
    }
    let [a, b, c] = [&names[0], &names[1], &names[2]];
    let before = rows(&leads, HUADONG).await;
    let inner = merge(&mut admin, b, a).await.unwrap().merge.unwrap().name;
    assert_refused(merge(&mut admin, a, b).await, WRONG_STATE, "was merged into");
    assert_refused(merge(&mut admin, c, a).await, WRONG_STATE, "was merged into");
    let outer = merge(&mut admin, c, b).await.unwrap().merge.unwrap().name;
    assert_eq!(&admin.lead(a).await.name, c);
    let inner_first = unmerge(&mut admin, &inner, ConflictResolution::Unspecified).await;
    assert_refused(inner_first, WRONG_STATE, "was merged into");
    for merge in [&outer, &inner] {
        unmerge(&mut admin, merge, ConflictResolution::Unspecified)
            .await
            .unwrap();
    }
    assert_eq!(rows(&leads, HUADONG).await, before);

    // Two who merge the same pair crosswise at once: one wins, the other is told.
    let (mut one, mut other) = (leads.admin(HUADONG), leads.admin(HUADONG));
    let outcomes = tokio::join!(merge(&mut one, a, b), merge(&mut other, b, a));
    let (won, lost) = match outcomes {
        (Ok(won), lost) | (lost, Ok(won)) => (won, lost),
        both => panic!("{both:?}"),
    };
    assert_refused(lost, WRONG_STATE, "was merged into");
    unmerge(&mut admin, &won.merge.unwrap().name, ConflictResolution::Unspecified)
        .await
        .unwrap();
    assert_eq!(rows(&leads, HUADONG).await, before);
}

#[tokio::test]
async fn merges_are_listed_and_strangers_see_none() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let a = capture(&mut admin, new_lead("A")).await;
    let mut merges = Vec::new();
    for id in ["B", "C", "D"] {
        let loser = capture(&mut admin, new_lead(id)).await;
        merges.push(merge(&mut admin, &a, &loser).await.unwrap().merge.unwrap());
    }
    merges.reverse();
    let list = |lead: &str, page_size, page_token: &str| ListMergesRequest {
        lead: lead.into(),
        page_size,
        page_token: page_token.into(),
    };
    let page = admin.merges.list_merges(list(&a, 2, "")).await.unwrap().into_inner();
    assert_eq!(page.merges, merges[..2]);
    let rest = admin.merges.list_merges(list(&a, 2, &page.next_page_token)).await;
    let rest = rest.unwrap().into_inner();
    assert_eq!((rest.merges, rest.next_page_token.as_str()), (merges[2..].to_vec(), ""));
    let of_loser = admin.merges.list_merges(list(&merges[0].loser, 0, "")).await;
    assert_eq!(of_loser.unwrap().into_inner().merges, merges[..1]);

    let mut stranger = leads.admin(HUABEI);
    let found = stranger.merges.list_merges(list("", 0, "")).await.unwrap().into_inner();
    assert_eq!(found.merges, []);
    let name = merges[0].name.clone();
    assert_refused(
        stranger.merges.get_merge(GetMergeRequest { name: name.clone() }).await,
        NOT_FOUND,
        "",
    );
    assert_refused(
        unmerge(&mut stranger, &name, ConflictResolution::Keep).await,
        NOT_FOUND,
        "",
    );
    assert_refused(merge(&mut stranger, &a, &merges[0].loser).await, NOT_FOUND, &a);
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(merge(&mut sales, &a, &merges[0].loser).await, DENIED, "leads.merge");
}

#[tokio::test]
async fn bad_requests_are_told_apart() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let a = capture(&mut admin, new_lead("A")).await;
    let b = capture(&mut admin, new_lead("B")).await;
    let closed = capture(&mut admin, new_lead("C")).await;
    close(&mut admin, &closed).await.unwrap();
    let good = MergeLeadsRequest {
        survivor: a.clone(),
        loser: b.clone(),
        ..MergeLeadsRequest::default()
    };
    let choosing = |field: &str, lead: &str| MergeLeadsRequest {
        choices: vec![FieldChoice {
            field: field.into(),
            lead: lead.into(),
        }],
        ..good.clone()
    };
    let twice = [choosing("phone", &a).choices, choosing("phone", &b).choices].concat();
    for (request, telling) in [
        (MergeLeadsRequest::default(), "survivor"),
        (
            MergeLeadsRequest {
                loser: a.clone(),
                ..good.clone()
            },
            "another lead",
        ),
        (
            MergeLeadsRequest {
                reason: "长".repeat(501),
                ..good.clone()
            },
            "at most 500",
        ),
        (
            MergeLeadsRequest {
                request_id: "7".into(),
                ..good.clone()
            },
            "request_id",
        ),
        (choosing("phone", &closed), "choices[0].lead: must be one of the two"),
        (choosing("owner", &a), "choices[0].field: must be one of"),
        (choosing("attributes.营销同意", &a), "stricter"),
        (choosing("attributes.nothing", &a), "neither lead has"),
        (
            MergeLeadsRequest {
                choices: twice,
                ..good.clone()
            },
            "choices[1].field: is chosen twice",
        ),
    ] {
        assert_refused(admin.merges.merge_leads(request).await, INVALID, telling);
    }
    assert_refused(merge(&mut admin, &closed, &b).await, WRONG_STATE, "other way round");
    let nobody = "leads/0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
    assert_refused(merge(&mut admin, &a, nobody).await, NOT_FOUND, nobody);
    let none = unmerge(
        &mut admin,
        "merges/0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
        ConflictResolution::Keep,
    )
    .await;
    assert_eq!(none.unwrap_err().code(), Code::NotFound);
    // A closed lead may go: its story stays with the one that goes on.
    merge(&mut admin, &a, &closed).await.unwrap();
}
