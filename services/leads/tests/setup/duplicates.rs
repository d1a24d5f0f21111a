//! No lead twice.

mod deciding;
mod sample;

use std::collections::HashMap;

use reflex_proto::leads::v1::{
    CaptureLeadRequest, CheckLeadRequest, CheckLeadResponse, Duplicate, DuplicatePolicy, ExplainAssignmentRequest,
    GetDuplicatePolicyRequest, GetLeadRequest, Leave, ListDuplicatesRequest, Member, NewLead,
    PutDuplicatePolicyRequest, PutLeaveRequest, duplicate,
};
use reflex_rpc::identity::Role;
use reflex_testing::eventually;

use crate::harness::{Caller, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, WRONG_STATE, assert_refused, member};

/// A lead of 王建国 of a company in Suzhou.
pub(super) fn wang(id: &str) -> NewLead {
    NewLead {
        source: "website".into(),
        external_id: id.into(),
        company: "苏州宏达精密机械有限公司".into(),
        contact_name: "王建国".into(),
        phone: "13800138001".into(),
        ..NewLead::default()
    }
}

pub(super) async fn capture(admin: &Caller, lead: NewLead) -> String {
    let request = CaptureLeadRequest {
        lead: Some(lead),
        request_id: String::new(),
    };
    admin
        .leads
        .clone()
        .capture_lead(request)
        .await
        .unwrap()
        .into_inner()
        .name
}

/// Waits until every lead was compared, and as often as others asked for it. Many take their time: as long as there are ever fewer,
/// all is well.
pub(super) async fn settled(leads: &Leads) {
    let mut last = i64::MAX;
    while last > 0 {
        last = eventually("fewer leads are left to be compared", async || {
            let open: i64 = sqlx::query_scalar(
                "select (select count(*) from leads where state = 'captured') + (select count(*) from duplicate_requests)
                     + (select count(*) from duplicate_sweeps)",
            )
            .fetch_one(&leads.owner)
            .await
            .unwrap();
            (open == 0 || open < last).then_some(open)
        })
        .await;
    }
}

pub(super) async fn pairs(admin: &Caller, request: ListDuplicatesRequest) -> Vec<Duplicate> {
    let mut duplicates = Vec::new();
    let mut request = request;
    loop {
        let page = admin
            .duplicates
            .clone()
            .list_duplicates(request.clone())
            .await
            .unwrap()
            .into_inner();
        duplicates.extend(page.duplicates);
        if page.next_page_token.is_empty() {
            return duplicates;
        }
        request.page_token = page.next_page_token;
    }
}

pub(super) async fn suspected(admin: &Caller) -> Vec<Duplicate> {
    let request = ListDuplicatesRequest {
        state: duplicate::State::Suspected.into(),
        ..ListDuplicatesRequest::default()
    };
    pairs(admin, request).await
}

pub(super) async fn put_policy(admin: &Caller, policy: DuplicatePolicy) {
    let request = PutDuplicatePolicyRequest {
        policy: Some(policy),
        request_id: String::new(),
    };
    admin.duplicates.clone().put_duplicate_policy(request).await.unwrap();
}

async fn check(caller: &Caller, lead: &NewLead) -> CheckLeadResponse {
    let request = CheckLeadRequest {
        company: lead.company.clone(),
        contact_name: lead.contact_name.clone(),
        phone: lead.phone.clone(),
        email: lead.email.clone(),
        code: lead.attributes.get("credit_code").cloned().unwrap_or_default(),
        ..CheckLeadRequest::default()
    };
    caller
        .duplicates
        .clone()
        .check_lead(request)
        .await
        .unwrap()
        .into_inner()
}

/// Makes three salespeople with room for one lead each.
async fn sales_team(leads: &Leads) -> Caller {
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    for who in ["wang", "li", "zhao"] {
        let member = Member {
            capacity: 1,
            ..member(who, "zhang")
        };
        admin.put_member(member).await;
    }
    admin.route_all_to("teams/zhang").await;
    admin
}

/// Waits until a lead has an owner and returns them.
async fn owner_of(admin: &Caller, name: &str) -> String {
    eventually(&format!("{name} has an owner"), async || {
        let owner = admin.clone_lead(name).await.owner;
        (!owner.is_empty()).then_some(owner)
    })
    .await
}

#[tokio::test]
async fn a_lead_that_comes_again_is_suspected_told_once_and_goes_to_who_has_the_first() {
    let leads = Leads::start().await;
    let mut admin = sales_team(&leads).await;
    let first = capture(&admin, wang("W-1")).await;
    let owner = owner_of(&admin, &first).await;
    let again = NewLead {
        company: "宏达精密机械".into(),
        contact_name: "王总".into(),
        phone: "+86 138-0013-8001".into(),
        ..wang("W-2")
    };
    let second = capture(&admin, again).await;
    // Their room is taken, but the customer is theirs.
    admin.wait_for_owner(&second, &owner).await;
    let shown = admin
        .leads
        .get_lead(GetLeadRequest { name: second.clone() })
        .await
        .unwrap()
        .into_inner();
    let [pair] = shown.duplicates.as_slice() else {
        panic!("{:?}", shown.duplicates)
    };
    assert_eq!(pair.earlier.as_ref().unwrap().name, first);
    assert_eq!(pair.later.as_ref().unwrap().name, second);
    assert_eq!(pair.state(), duplicate::State::Suspected);
    assert!(pair.score >= 0.85 && pair.decide_time.is_none() && pair.suspect_time.is_some());
    let mobile = pair.fields.iter().find(|field| field.field == "mobile").unwrap();
    assert_eq!(mobile.finding, "decides");
    assert!(!mobile.finding_zh.is_empty() && !mobile.finding_en.is_empty());
    let explained = admin
        .routing
        .explain_assignment(ExplainAssignmentRequest { name: second.clone() })
        .await
        .unwrap()
        .into_inner();
    let decision = &explained.decisions[0];
    assert_eq!(
        (decision.reason.as_str(), decision.chosen.as_str()),
        ("duplicate_owner", owner.as_str())
    );
    assert_eq!(decision.suspected_duplicates[0].lead, first);
    assert_eq!(leads.told("reflex.leads.v1.LeadDuplicateSuspected", &second).await, 1);
    put_policy(
        &admin,
        DuplicatePolicy {
            threshold: 0.8,
            ..DuplicatePolicy::default()
        },
    )
    .await;
    settled(&leads).await;
    assert_eq!(
        leads.told("reflex.leads.v1.LeadDuplicateSuspected", &second).await,
        1,
        "not told again"
    );
}

#[tokio::test]
async fn whoever_is_away_does_not_keep_a_duplicate_waiting() {
    let leads = Leads::start().await;
    let mut admin = sales_team(&leads).await;
    let first = capture(&admin, wang("W-1")).await;
    let owner = owner_of(&admin, &first).await;
    let away = Leave {
        member: owner.clone(),
        start_time: Some(prost_types::Timestamp {
            seconds: reflex_testing::fixture_time().as_second() - 60,
            nanos: 0,
        }),
        end_time: Some(prost_types::Timestamp {
            seconds: reflex_testing::fixture_time().as_second() + 86_400,
            nanos: 0,
        }),
        ..Leave::default()
    };
    admin
        .directory
        .put_leave(PutLeaveRequest {
            leave: Some(away),
            ..PutLeaveRequest::default()
        })
        .await
        .unwrap();
    let third = capture(&admin, wang("W-3")).await;
    assert_ne!(owner_of(&admin, &third).await, owner);
    let explained = admin
        .routing
        .explain_assignment(ExplainAssignmentRequest { name: third })
        .await
        .unwrap()
        .into_inner();
    let exclusion = &explained.decisions[0].exclusions[0];
    assert!(
        exclusion.detail.starts_with("owner of a suspected duplicate"),
        "{exclusion:?}"
    );
}

#[tokio::test]
async fn a_check_says_what_the_capture_finds_and_writes_nothing() {
    let leads = Leads::start().await;
    let admin = leads.admin(HUADONG);
    let code = HashMap::from([("credit_code".to_owned(), "91350100M000100Y43".to_owned())]);
    let known = NewLead {
        attributes: code.clone(),
        email: "wang.jianguo@hongda.example.com".into(),
        ..wang("W-1")
    };
    let first = capture(&admin, known).await;
    settled(&leads).await;
    let rows = async || -> Vec<i64> {
        let tables = [
            "lead_duplicates",
            "duplicate_keys",
            "duplicate_records",
            "outbox",
            "leads",
        ];
        let mut counts = Vec::new();
        for table in tables {
            let statement = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
            counts.push(sqlx::query_scalar(statement).fetch_one(&leads.owner).await.unwrap());
        }
        counts
    };
    let before = rows().await;
    let typed = [
        wang("C-1"),
        NewLead {
            phone: String::new(),
            ..wang("C-2")
        },
        NewLead {
            company: "苏州宏达".into(),
            contact_name: "王总".into(),
            phone: "138 0013 8001".into(),
            ..wang("C-3")
        },
        NewLead {
            company: "宏达集团".into(),
            contact_name: String::new(),
            phone: String::new(),
            attributes: code,
            ..wang("C-4")
        },
        NewLead {
            contact_name: "李美丽".into(),
            phone: "13900139002".into(),
            ..wang("C-5")
        },
        NewLead {
            source: "website".into(),
            external_id: "C-6".into(),
            company: "x".into(),
            ..NewLead::default()
        },
    ];
    let mut answers = Vec::new();
    for lead in &typed {
        answers.push(check(&admin, lead).await);
    }
    assert_eq!(rows().await, before);
    let found: Vec<usize> = answers.iter().map(|answer| answer.candidates.len()).collect();
    assert_eq!(found, [1, 1, 1, 1, 0, 0]);
    for (lead, answer) in typed.into_iter().zip(answers) {
        let name = capture(&admin, lead).await;
        settled(&leads).await;
        let request = ListDuplicatesRequest {
            lead: name,
            ..ListDuplicatesRequest::default()
        };
        let pair = pairs(&admin, request)
            .await
            .into_iter()
            .find(|pair| pair.earlier.as_ref().unwrap().name == first);
        let told = answer
            .candidates
            .first()
            .map(|candidate| (candidate.score, candidate.fields.clone()));
        let taken = pair
            .filter(|pair| pair.state() == duplicate::State::Suspected)
            .map(|pair| (pair.score, pair.fields));
        if let (Some(told), Some(taken)) = (&told, &taken) {
            assert_eq!(told.1, taken.1);
        }
        assert_eq!(told.is_some(), taken.is_some());
    }
}

#[tokio::test]
async fn a_check_shows_only_what_its_caller_may_see() {
    let leads = Leads::start().await;
    let admin = leads.admin(HUADONG);
    capture(&admin, wang("W-1")).await;
    settled(&leads).await;
    let viewer = leads.caller(HUADONG, Role::Viewer);
    let seen = check(&viewer, &wang("C-9")).await.candidates;
    assert!(
        seen.iter()
            .all(|it| it.lead.as_ref().unwrap().phone.contains('*') || it.lead.as_ref().unwrap().phone.is_empty())
    );
    assert!(!seen.is_empty());
    let other = leads.admin(HUABEI);
    assert!(
        check(&other, &wang("C-9")).await.candidates.is_empty(),
        "tenants are apart"
    );
    let long = CheckLeadRequest {
        company: "长".repeat(501),
        ..CheckLeadRequest::default()
    };
    assert_refused(admin.duplicates.clone().check_lead(long).await, INVALID, "company");
}

#[tokio::test]
async fn policies_hold_from_then_on_also_for_leads_that_were_there() {
    let leads = Leads::start().await;
    let admin = leads.admin(HUADONG);
    let own = async || {
        let request = GetDuplicatePolicyRequest {};
        admin.duplicates.clone().get_duplicate_policy(request).await
    };
    assert_refused(own().await, NOT_FOUND, "policy");
    put_policy(
        &admin,
        DuplicatePolicy {
            disabled: true,
            ..DuplicatePolicy::default()
        },
    )
    .await;
    for id in ["W-1", "W-2"] {
        capture(&admin, wang(id)).await;
    }
    settled(&leads).await;
    assert!(suspected(&admin).await.is_empty());
    let keys: i64 = sqlx::query_scalar("select count(*) from duplicate_keys")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(keys, 0, "who does not want it pays nothing");
    let refused = admin.duplicates.clone().check_lead(CheckLeadRequest::default()).await;
    assert_refused(refused, WRONG_STATE, "not compared");

    put_policy(&admin, DuplicatePolicy::default()).await;
    settled(&leads).await;
    assert_eq!(
        suspected(&admin).await.len(),
        1,
        "old leads are compared in the background"
    );
    let strict = DuplicatePolicy {
        threshold: 0.99,
        weights: [("contact".to_owned(), 0.0), ("company".to_owned(), 0.0)].into(),
        weak: vec!["mobile".into()],
        ..DuplicatePolicy::default()
    };
    put_policy(&admin, strict).await;
    settled(&leads).await;
    let stored = own().await.unwrap().into_inner().policy.unwrap();
    assert_eq!(
        (stored.threshold.to_string().as_str(), stored.weak.as_slice()),
        ("0.99", &["mobile".to_owned()][..])
    );
    let all = pairs(&admin, ListDuplicatesRequest::default()).await;
    assert_eq!(all.len(), 1);
    let wrong = PutDuplicatePolicyRequest {
        policy: Some(DuplicatePolicy {
            threshold: 0.4,
            weak: vec!["email".into()],
            ..DuplicatePolicy::default()
        }),
        request_id: String::new(),
    };
    let refused = admin.duplicates.clone().put_duplicate_policy(wrong).await;
    assert_refused(refused, INVALID, "2 fields");
}

impl Caller {
    /// Returns a lead as it is now.
    async fn clone_lead(&self, name: &str) -> reflex_proto::leads::v1::Lead {
        let request = GetLeadRequest { name: name.into() };
        self.leads
            .clone()
            .get_lead(request)
            .await
            .unwrap()
            .into_inner()
            .lead
            .unwrap()
    }
}
