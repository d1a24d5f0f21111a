//! What is held about a person is found everywhere, handed out, and erased for good.

use reflex_proto::leads::v1::{
    Account, AddLeadTagRequest, CaptureLeadRequest, ClaimLeadRequest, CloseLeadRequest, ConflictResolution,
    DataSubject, EraseSubjectRequest, ErasureCertificate, ExportSubjectRequest, FindSubjectRequest,
    FindSubjectResponse, FollowUp, GetErasureRequest, LeadFact, Member, MergeLeadsRequest, NewLead, OpenDisputeRequest,
    PutAccountRequest, PutRoutingPolicyRequest, RecordFollowUpRequest, RecordLeadFactsRequest, RoutingPolicy,
    UnmergeLeadsRequest, follow_up, lead, lead_file_settings, routing_policy, validity::Label,
};
use reflex_rpc::identity::Role;
use sqlx::AssertSqlSafe;
use tonic::Status;

use crate::{
    harness::{Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, assert_refused, member},
    lead_import::{IMPORT, messages, send},
    merging::{WANG, capture, furnish, new_lead},
};

const NAME: &str = "欧阳测试甲";
const PHONE: &str = "13812344321";
const EMAIL: &str = "ouyang.test@hospital.cn";

#[expect(clippy::unnecessary_wraps, reason = "requests have it optional")]
fn by_phone(phone: &str) -> Option<DataSubject> {
    Some(DataSubject {
        phone: phone.into(),
        ..DataSubject::default()
    })
}

fn request_id(number: u8) -> String {
    format!("0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a{number:02x}")
}

fn persons_lead(id: &str) -> NewLead {
    NewLead {
        company: format!("{NAME}诊所"),
        contact_name: NAME.into(),
        phone: "+86 138-1234-4321".into(),
        email: "Ouyang.Test@Hospital.cn".into(),
        remark: format!("{NAME} 希望周五前回电 {PHONE}"),
        attributes: [("微信".into(), PHONE.into()), ("称呼".into(), NAME.into())].into(),
        raw_payload: format!(r#"{{"name":"{NAME}","tel":"{PHONE}"}}"#).into(),
        ..new_lead(id)
    }
}

async fn find(admin: &mut Caller, subject: Option<DataSubject>) -> Result<FindSubjectResponse, Status> {
    let found = admin.privacy.find_subject(FindSubjectRequest { subject }).await;
    found.map(tonic::Response::into_inner)
}

async fn erase(admin: &mut Caller, subject: Option<DataSubject>) -> Result<ErasureCertificate, Status> {
    let erased = admin.privacy.erase_subject(EraseSubjectRequest { subject }).await?;
    Ok(erased.into_inner().certificate.unwrap())
}

/// Leaves traces of the person wherever there is room for them, and returns the names of two leads.
async fn leave_traces(admin: &mut Caller) -> (String, String) {
    // An entry that does not match is told with what it lacked: a quote.
    let policy = RoutingPolicy {
        entries: vec![routing_policy::Entry {
            team: "teams/zhang".into(),
            when: "公司 = '别的'".into(),
            ..routing_policy::Entry::default()
        }],
        default_team: "teams/zhang".into(),
        ..RoutingPolicy::default()
    };
    let request = PutRoutingPolicyRequest {
        policy: Some(policy),
        ..PutRoutingPolicyRequest::default()
    };
    admin.routing.put_routing_policy(request).await.unwrap();
    let account = Account {
        name: "accounts/一院".into(),
        display_name: "一院".into(),
        attributes: [("联系电话".to_owned(), PHONE.to_owned())].into(),
        ..Account::default()
    };
    let request = PutAccountRequest {
        account: Some(account),
        ..PutAccountRequest::default()
    };
    admin.accounts.put_account(request).await.unwrap();

    let first = capture(admin, persons_lead("A")).await;
    let second = capture(admin, persons_lead(PHONE)).await;
    let third = capture(admin, persons_lead("C")).await;
    let claim = ClaimLeadRequest {
        name: first.clone(),
        member: WANG.into(),
        fencing_token: 1,
        request_id: request_id(1),
    };
    admin.claims.claim_lead(claim).await.unwrap();
    let call = RecordFollowUpRequest {
        follow_up: Some(FollowUp {
            lead: first.clone(),
            member: WANG.into(),
            kind: follow_up::Kind::Call.into(),
            note: format!("{NAME} 说改打 {PHONE}"),
            next_action: format!("回访{NAME}"),
            ..FollowUp::default()
        }),
        request_id: request_id(2),
    };
    admin.follow_ups.record_follow_up(call).await.unwrap();
    let merge = |survivor: &str, loser: &str, number| MergeLeadsRequest {
        survivor: survivor.into(),
        loser: loser.into(),
        reason: format!("{NAME} 是同一个人"),
        request_id: request_id(number),
        ..MergeLeadsRequest::default()
    };
    let merged = admin.merges.merge_leads(merge(&first, &third, 3)).await.unwrap();
    let unmerge = UnmergeLeadsRequest {
        name: merged.into_inner().merge.unwrap().name,
        other_conflicts: ConflictResolution::Keep.into(),
        reason: format!("{NAME} 不是"),
        request_id: request_id(4),
        ..UnmergeLeadsRequest::default()
    };
    admin.merges.unmerge_leads(unmerge).await.unwrap();
    admin.merges.merge_leads(merge(&first, &second, 5)).await.unwrap();
    let busy = Member {
        capacity: 0,
        ..member("li", "zhang")
    };
    admin.put_member(busy).await;
    let dispute = OpenDisputeRequest {
        lead: first.clone(),
        claimant: "members/li".into(),
        reason: format!("{NAME} 是我的客户"),
        request_id: request_id(6),
    };
    admin.ownership.open_dispute(dispute).await.unwrap();
    let close = CloseLeadRequest {
        name: third,
        outcome: lead::Outcome::Invalid.into(),
        reason: format!("{NAME} 打错了"),
        request_id: request_id(7),
    };
    admin.leads.close_lead(close).await.unwrap();
    leave_traces_of_others(admin, &first).await;
    (first, second)
}

/// Leaves those of other systems, of tags and of files.
async fn leave_traces_of_others(admin: &mut Caller, lead: &str) {
    let seen = RecordLeadFactsRequest {
        lead: lead.to_owned(),
        facts: vec![LeadFact {
            id: request_id(8),
            kind: "page_visited".into(),
            object: format!("/contact?tel={PHONE}"),
            occur_time: admin.lead(lead).await.create_time,
            ..LeadFact::default()
        }],
        ..RecordLeadFactsRequest::default()
    };
    admin.tags.record_lead_facts(seen).await.unwrap();
    let tag = AddLeadTagRequest {
        lead: lead.to_owned(),
        tag: format!("{NAME}的朋友"),
        expire_days: 30,
        request_id: request_id(9),
        ..AddLeadTagRequest::default()
    };
    admin.tags.add_lead_tag(tag).await.unwrap();
    let note = format!("{NAME} 是客户");
    admin.correct(lead, Label::Valid, &note, &request_id(10)).await.unwrap();
    // A row that changes what a lead of theirs says; it is no survivor.
    capture(admin, persons_lead("F")).await;
    let file = format!("编号,公司,备注\nF,上海医院,{NAME} 的助理来电\n");
    let mut messages = messages(IMPORT, file.as_bytes(), 1_000);
    let settings = messages[0].settings.as_mut().unwrap();
    settings.source = "website".into();
    settings.on_known = lead_file_settings::OnKnown::Overwrite.into();
    let told = send(admin, messages).await.unwrap();
    assert_eq!(told.updated_count, 1);
}

/// Returns each column of the database in which somebody's words stand, as table.column.
async fn places_of(leads: &Leads, tenant: &str, words: &[&str]) -> Vec<String> {
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "select c.table_name::text, c.column_name::text, c.data_type::text from information_schema.columns c
         where c.table_schema = 'public' and c.data_type in ('text', 'json', 'jsonb', 'bytea', 'ARRAY')
             and exists (select from information_schema.columns t where t.table_schema = 'public'
                 and t.table_name = c.table_name and t.column_name = 'tenant_id')
         order by 1, 2",
    )
    .fetch_all(&leads.owner)
    .await
    .unwrap();
    assert!(columns.len() > 100, "{columns:?}");
    let mut places = Vec::new();
    for (table, column, kind) in columns {
        let holds = if kind == "bytea" {
            format!("position(convert_to($2, 'UTF8') in {column}) > 0")
        } else {
            format!("position(lower($2) in lower({column}::text)) > 0")
        };
        let count = format!("select count(*) from {table} where tenant_id = $1 and {holds}");
        for word in words {
            let found: i64 = sqlx::query_scalar(AssertSqlSafe(count.clone()))
                .bind(tenant)
                .bind(word)
                .fetch_one(&leads.owner)
                .await
                .unwrap();
            if found > 0 {
                places.push(format!("{table}.{column}"));
                break;
            }
        }
    }
    places
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn nothing_of_an_erased_person_is_left_anywhere() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let (first, second) = leave_traces(&mut admin).await;
    let mut other = new_lead("D");
    other.contact_name = "李医生".into();
    other.remark = "也可以打 138 1234 4321 找我同事".into();
    let other = capture(&mut admin, other).await;
    let words = [NAME, PHONE, "138-1234-4321", "138 1234 4321", EMAIL];
    let before = places_of(&leads, HUADONG, &words).await;
    for place in [
        "account_profiles.attributes",
        "follow_ups.note",
        "lead_disputes.reason",
        "lead_facts.object",
        "lead_history.detail",
        "lead_import_updates.after",
        "lead_import_updates.before",
        "lead_merges.images",
        "lead_tags.tag",
        "leads.raw_payload",
        "outbox.data",
        "request_ids.response",
        "validity_corrections.note",
        "routing_decisions.decision",
        "timers.key",
    ] {
        assert!(before.contains(&place.to_owned()), "{place} is not among {before:?}");
    }

    let found = find(&mut admin, by_phone("0086 13812344321")).await.unwrap();
    assert_eq!(found.leads.len(), 4);
    let kinds: Vec<&str> = found.holdings.iter().map(|it| it.kind.as_str()).collect();
    let expected = [
        "accounts",
        "answers",
        "corrections",
        "decisions",
        "disputes",
        "duplicates",
        "facts",
        "follow_ups",
        "history",
        "imports",
        "lead_facts",
        "leads",
        "mentions",
        "merges",
        "tags",
    ];
    assert_eq!(kinds, expected);
    let exported = admin
        .privacy
        .export_subject(ExportSubjectRequest {
            subject: by_phone(PHONE),
        })
        .await
        .unwrap()
        .into_inner();
    let held: serde_json::Value = serde_json::from_str(&exported.json).unwrap();
    assert_eq!(held["leads"].as_array().unwrap().len(), 4);
    assert_eq!(held["leads"][0]["contact_name"], NAME);
    assert_eq!(held["follow_ups"][0]["next_action"], format!("回访{NAME}"));

    let subject = Some(DataSubject {
        phone: PHONE.into(),
        email: EMAIL.into(),
        lead: String::new(),
    });
    let certificate = erase(&mut admin, subject.clone()).await.unwrap();
    assert_eq!(places_of(&leads, HUADONG, &words).await, [""; 0]);
    assert_eq!(certificate.erased, found.holdings);
    assert_eq!(certificate.identifier_hash.len(), 64);
    let shown = certificate.name.clone() + &certificate.identifier_hash;
    assert!(!shown.contains(PHONE));

    // Repeated, in another spelling, it is the same certificate; and it can be shown again.
    let again = Some(DataSubject {
        phone: "+86 138 1234 4321".into(),
        email: EMAIL.to_uppercase(),
        lead: String::new(),
    });
    assert_eq!(erase(&mut admin, again).await.unwrap(), certificate);
    let request = GetErasureRequest {
        name: certificate.name.clone(),
    };
    let stored = admin.privacy.get_erasure(request.clone()).await.unwrap().into_inner();
    assert_eq!(stored.certificate.unwrap(), certificate);
    let none = find(&mut admin, by_phone(PHONE)).await.unwrap();
    assert_eq!((none.leads.len(), none.holdings.len()), (0, 0));

    // What is left works: nobody works on it, it is found by its id, and comes again as what it was.
    let left = admin.lead(&second).await;
    assert_eq!(
        (left.name.as_str(), left.state(), left.outcome()),
        (first.as_str(), lead::State::Closed, lead::Outcome::Lost)
    );
    let held: i64 = sqlx::query_scalar("select sum(open_leads) from members where tenant_id = $1")
        .bind(HUADONG)
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(held, 1, "the colleague's lead");
    assert!(admin.lead(&other).await.remark.contains("*** 找我同事"));
    let repeated = CaptureLeadRequest {
        lead: Some(new_lead("A")),
        request_id: String::new(),
    };
    assert!(admin.leads.capture_lead(repeated).await.unwrap().into_inner().existed);
    assert_eq!(leads.told("reflex.leads.v1.SubjectErased", &second).await, 1);
    let claim = ClaimLeadRequest {
        name: first.clone(),
        member: WANG.into(),
        fencing_token: 1,
        request_id: request_id(1),
    };
    let answer = admin.claims.claim_lead(claim).await.unwrap().into_inner().lead.unwrap();
    assert_eq!(
        (answer.name.as_str(), answer.phone.as_str()),
        (first.as_str(), ""),
        "the stored answer"
    );
    let mut stranger = leads.admin(HUABEI);
    assert_refused(stranger.privacy.get_erasure(request).await, NOT_FOUND, "");

    // Who comes back later is a new person, with a certificate of their own.
    capture(&mut admin, persons_lead("E")).await;
    assert_ne!(erase(&mut admin, subject).await.unwrap().name, certificate.name);
    assert_eq!(places_of(&leads, HUADONG, &words).await, [""; 0]);
}

#[tokio::test]
async fn other_people_and_other_tenants_keep_everything() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let mut stranger = furnish(&leads, HUABEI).await;
    let mine = capture(&mut admin, persons_lead("A")).await;
    let theirs = capture(&mut stranger, persons_lead("A")).await;
    let mut namesake = persons_lead("B");
    namesake.phone = "13912344321".into();
    namesake.email = String::new();
    namesake.remark = "订单 1381234432100".into();
    namesake.attributes.clear();
    namesake.raw_payload.clear();
    let namesake = capture(&mut admin, namesake).await;
    let of_namesake = admin.lead(&namesake).await;
    let of_theirs = stranger.lead(&theirs).await;

    let by_lead = Some(DataSubject {
        lead: mine.clone(),
        ..DataSubject::default()
    });
    assert_refused(find(&mut stranger, by_lead.clone()).await, NOT_FOUND, &mine);
    assert_refused(erase(&mut stranger, by_lead.clone()).await, NOT_FOUND, &mine);
    let certificate = erase(&mut admin, by_lead.clone()).await.unwrap();
    assert_eq!(erase(&mut admin, by_lead).await.unwrap(), certificate);
    assert_eq!(admin.lead(&namesake).await, of_namesake);
    assert_eq!(stranger.lead(&theirs).await, of_theirs);
    let lead = admin.lead(&mine).await;
    assert_eq!((lead.contact_name.as_str(), lead.company.as_str()), ("", "***诊所"));
}

#[tokio::test]
async fn bad_requests_are_told_apart() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let subject = |phone: &str, email: &str, lead: &str| {
        Some(DataSubject {
            phone: phone.into(),
            email: email.into(),
            lead: lead.into(),
        })
    };
    for (subject, telling) in [
        (None, "subject: must be set"),
        (subject("", "", ""), "must have a phone, an email or a lead"),
        (subject("123456", "", ""), "subject.phone"),
        (subject("", "%@", ""), "subject.email"),
        (subject("", "", "members/wang"), "subject.lead"),
    ] {
        assert_refused(erase(&mut admin, subject).await, INVALID, telling);
    }
    assert_refused(
        erase(&mut admin, by_phone(PHONE)).await,
        NOT_FOUND,
        "data of this person",
    );
    let nobody = find(&mut admin, by_phone(PHONE)).await.unwrap();
    assert_eq!(nobody, FindSubjectResponse::default());
    // What would mean something in a pattern means itself.
    assert_eq!(
        find(&mut admin, subject("", ".*@(x)+.cn", "")).await.unwrap(),
        FindSubjectResponse::default()
    );
    for role in [Role::Sales, Role::Viewer, Role::Service] {
        let mut caller = leads.caller(HUADONG, role);
        assert_refused(find(&mut caller, by_phone(PHONE)).await, DENIED, "privacy.read");
        assert_refused(erase(&mut caller, by_phone(PHONE)).await, DENIED, "privacy.erase");
    }
}
