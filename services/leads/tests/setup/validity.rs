//! What people say about whether leads are ones, what screening learns from it, and devices that many people come from.

use std::collections::HashMap;

use jiff::SignedDuration;
use reflex_proto::leads::v1::{
    CaptureLeadRequest, CorrectValidityRequest, CorrectValidityResponse, DataSubject, EraseSubjectRequest, GatePolicy,
    ListOwnershipRequest, ListValidityCorrectionsRequest, ListValidityCorrectionsResponse, NewLead, gate_policy, lead,
    validity::Label,
};
use reflex_rpc::identity::Role;
use tonic::Status;

use crate::{
    duplicates::settled,
    gate::staffed,
    harness::{
        Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, REUSED, WRONG_STATE, assert_refused,
    },
    merging::merge,
};

const REQUEST: &str = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";

impl Caller {
    pub(crate) async fn screen(&mut self, screening: gate_policy::Screening) {
        let policy = GatePolicy {
            screening: screening.into(),
            ..GatePolicy::default()
        };
        self.put_gate(policy).await.unwrap();
    }

    pub(crate) async fn correct(
        &mut self,
        name: &str,
        verdict: Label,
        note: &str,
        request_id: &str,
    ) -> Result<CorrectValidityResponse, Status> {
        let request = CorrectValidityRequest {
            name: name.into(),
            verdict: verdict.into(),
            note: note.into(),
            request_id: request_id.into(),
        };
        Ok(self.validity.correct_validity(request).await?.into_inner())
    }

    async fn corrections(
        &mut self,
        page_size: i32,
        page_token: &str,
    ) -> Result<ListValidityCorrectionsResponse, Status> {
        let request = ListValidityCorrectionsRequest {
            page_size,
            page_token: page_token.into(),
        };
        Ok(self.validity.list_validity_corrections(request).await?.into_inner())
    }

    /// Captures a lead of a person who used a device; a further one each time.
    async fn capture_on(&mut self, device: &str, person: &str, time: u32) -> String {
        let lead = NewLead {
            source: "website".into(),
            external_id: format!("{device} {person} {time}"),
            contact_name: person.into(),
            phone: format!("1390217{:04}", 1_000 + time),
            attributes: HashMap::from([("fingerprint".to_owned(), device.to_owned())]),
            ..NewLead::default()
        };
        let request = CaptureLeadRequest {
            lead: Some(lead),
            request_id: String::new(),
        };
        self.leads.capture_lead(request).await.unwrap().into_inner().name
    }
}

async fn devices(leads: &Leads) -> i64 {
    sqlx::query_scalar("select count(*) from lead_fingerprints")
        .fetch_one(&leads.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_people_say_of_leads_is_used_for_later_ones() {
    let leads = Leads::start().await;
    let (mut admin, mut other) = (staffed(&leads, HUADONG).await, staffed(&leads, HUABEI).await);
    for caller in [&mut admin, &mut other] {
        caller.screen(gate_policy::Screening::SetAside).await;
    }
    let mut corrected = Vec::new();
    for number in 1..=3 {
        let name = admin.capture_mail(&format!("x{number}@mailinator.com")).await;
        admin.wait_for_state(&name, lead::State::SetAside).await;
        corrected.push(name);
    }
    let explained = admin.explain(&corrected[0]).await.unwrap();
    let shipped = explained.validity.unwrap();
    assert_eq!(
        (shipped.correction_count, shipped.shipped_label()),
        (0, Label::Unspecified)
    );
    assert!(explained.correction.is_none());

    for (name, request) in corrected.iter().zip([REQUEST, "", ""]) {
        for _ in 0..(if request.is_empty() { 1 } else { 2 }) {
            let answer = admin
                .correct(name, Label::Valid, "客户自己的域名", request)
                .await
                .unwrap();
            let said = answer.correction.unwrap();
            assert_eq!(answer.lead.unwrap().state(), lead::State::Queued, "also a retry");
            assert_eq!((said.lead.as_str(), said.verdict()), (name.as_str(), Label::Valid));
            assert!(said.reasons.contains(&"mail_disposable".to_owned()), "{said:?}");
        }
        let routed = admin.wait_for_owner(name, "members/li").await;
        assert!(routed.contact_due_time.unwrap().seconds > routed.return_time.unwrap().seconds);
    }
    let refused = admin.correct(&corrected[1], Label::Valid, "别的", REQUEST).await;
    assert_refused(refused, REUSED, "");

    let later = admin.capture_mail("x4@mailinator.com").await;
    admin.wait_for_owner(&later, "members/li").await;
    let validity = admin.explain(&later).await.unwrap().validity.unwrap();
    assert_eq!(
        (validity.label(), validity.shipped_label(), validity.correction_count),
        (Label::Suspect, Label::Invalid, 3)
    );
    let reason = &validity.reasons[0];
    assert_eq!(reason.code, "mail_disposable");
    assert!(reason.weight < reason.shipped_weight, "{reason:?}");
    let explained = admin.explain(&corrected[0]).await.unwrap();
    assert_eq!(explained.correction.unwrap().note, "客户自己的域名");
    let kinds: Vec<&str> = explained.history.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["set_aside", "corrected", "returned"]);

    let theirs = other.capture_mail("x4@mailinator.com").await;
    other.wait_for_state(&theirs, lead::State::SetAside).await;
    assert!(other.corrections(0, "").await.unwrap().corrections.is_empty());
}

#[tokio::test]
async fn a_lead_that_is_none_is_taken_from_its_owner_and_given_back() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    let version = leads.version(HUADONG).await;
    let name = admin.capture_mail("li@duanya.cn").await;
    admin.wait_for_owner(&name, "members/li").await;
    for note in ["机器人", "还是机器人"] {
        let answer = admin.correct(&name, Label::Invalid, note, "").await.unwrap();
        let now = answer.lead.unwrap();
        assert_eq!(now.state(), lead::State::SetAside);
        assert!(now.owner.is_empty() && now.claim_due_time.is_none() && now.contact_due_time.is_none());
    }
    assert_eq!(
        leads.told("reflex.leads.v1.LeadSetAside", &name).await,
        1,
        "it moved once"
    );
    assert_eq!(
        leads.version(HUADONG).await,
        version,
        "nobody screens, so nothing is to be learned"
    );
    let open: i32 = sqlx::query_scalar("select open_leads from members where tenant_id = $1 and member_id = 'li'")
        .bind(HUADONG)
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(open, 0);
    let ladders: i64 = sqlx::query_scalar("select count(*) from timers where key like $1 and kind <> 'gate_due'")
        .bind(format!("{name}/%"))
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(ladders, 0, "no clock of it runs");

    admin.correct(&name, Label::Valid, "", "").await.unwrap();
    admin.wait_for_owner(&name, "members/li").await;
    let request = ListOwnershipRequest { lead: name.clone() };
    let owned = admin.ownership.list_ownership(request).await.unwrap().into_inner();
    let ends: Vec<&str> = owned.ownerships.iter().map(|it| it.end_reason.as_str()).collect();
    assert_eq!(ends, ["set_aside", ""]);
    // Of a lead that is nobody's to work on it is only remembered.
    let other = admin.capture_mail("wang@duanya.cn").await;
    admin.wait_for_owner(&other, "members/li").await;
    merge(&mut admin, &name, &other).await.unwrap();
    assert_refused(
        admin.correct(&other, Label::Invalid, "", "").await,
        WRONG_STATE,
        "merged",
    );
    let listed = admin.corrections(0, "").await.unwrap();
    assert_eq!(listed.corrections.len(), 1, "the last word counts");
    assert_eq!(listed.corrections[0].verdict(), Label::Valid);
    assert!(
        listed
            .weights
            .iter()
            .all(|it| it.valid_count == 1 && it.invalid_count == 0)
    );
}

#[tokio::test]
async fn corrections_are_the_tenants_own_and_have_pages() {
    let leads = Leads::start().await;
    let (mut admin, mut other) = (staffed(&leads, HUADONG).await, staffed(&leads, HUABEI).await);
    let mut names = Vec::new();
    for person in ["li", "wang", "zhao"] {
        let name = admin.capture_mail(&format!("{person}@duanya.cn")).await;
        admin.wait_for_owner(&name, "members/li").await;
        admin.correct(&name, Label::Valid, "", "").await.unwrap();
        names.push(name);
    }
    let page = admin.corrections(2, "").await.unwrap();
    let rest = admin.corrections(2, &page.next_page_token).await.unwrap();
    let listed: Vec<_> = page
        .corrections
        .iter()
        .chain(&rest.corrections)
        .map(|it| it.lead.clone())
        .collect();
    names.reverse();
    assert_eq!((listed, rest.next_page_token.as_str()), (names.clone(), ""));
    assert_refused(other.corrections(2, &page.next_page_token).await, OTHER_PAGE, "");
    assert_refused(
        other.correct(&names[0], Label::Invalid, "", "").await,
        NOT_FOUND,
        "leads/",
    );
    for verdict in [Label::Unspecified, Label::Suspect] {
        assert_refused(admin.correct(&names[0], verdict, "", "").await, INVALID, "verdict");
    }
    let long = "长".repeat(501);
    assert_refused(admin.correct(&names[0], Label::Valid, &long, "").await, INVALID, "note");
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(sales.correct(&names[0], Label::Valid, "", "").await, DENIED, "");
}

#[tokio::test]
async fn many_people_from_one_device_are_suspicious_for_a_day() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    admin.screen(gate_policy::Screening::SetAside).await;
    let mut labels = Vec::new();
    for (person, time) in ["赵一", "钱二", "孙三", "周四", "赵一", "吴五"].into_iter().zip(1..) {
        let name = admin.capture_on("f-1", person, time).await;
        let state = if person == "吴五" {
            lead::State::SetAside
        } else {
            lead::State::Assigned
        };
        admin.wait_for_state(&name, state).await;
        let validity = admin.explain(&name).await.unwrap().validity.unwrap_or_default();
        labels.push(
            validity
                .reasons
                .first()
                .map(|reason| reason.code.clone())
                .unwrap_or_default(),
        );
    }
    // Whoever comes again is nobody new; a few people alone are not enough.
    assert_eq!(labels, ["", "", "", "", "", "repeated_often"]);
    let elsewhere = admin.capture_on("f-2", "郑六", 1).await;
    admin.wait_for_owner(&elsewhere, "members/li").await;
    assert_eq!(devices(&leads).await, 7);

    leads.advance(SignedDuration::from_hours(25));
    reflex_testing::eventually("what is old was dropped", async || {
        (devices(&leads).await == 0).then_some(())
    })
    .await;
    let name = admin.capture_on("f-1", "王七", 1).await;
    admin.wait_for_owner(&name, "members/li").await;
    assert!(admin.explain(&name).await.unwrap().validity.is_none());
    // Nothing is kept where nobody screens.
    admin.screen(gate_policy::Screening::Off).await;
    let name = admin.capture_on("f-1", "冯八", 1).await;
    admin.wait_for_owner(&name, "members/li").await;
    assert_eq!(devices(&leads).await, 1);
}

#[tokio::test]
async fn a_device_is_kept_of_fifty_leads_at_most_and_of_nobody_who_was_erased() {
    let leads = Leads::start().await;
    let mut admin = staffed(&leads, HUADONG).await;
    admin.screen(gate_policy::Screening::Label).await;
    let mut names = Vec::new();
    for time in 1..=55 {
        names.push(admin.capture_on("f-1", &format!("王{time}号"), time).await);
    }
    settled(&leads).await;
    assert_eq!(devices(&leads).await, 50);
    let validity = admin.explain(&names[54]).await.unwrap().validity.unwrap();
    let many = validity.reasons.iter().any(|reason| reason.code == "repeated_often");
    assert!(many, "{validity:?}");

    let subject = DataSubject {
        lead: names[0].clone(),
        ..DataSubject::default()
    };
    let request = EraseSubjectRequest { subject: Some(subject) };
    admin.privacy.erase_subject(request).await.unwrap();
    assert_eq!(devices(&leads).await, 49);
}
