//! Tags: given by rules at the capture and on later facts, by people, and as the progress of a sale.

use jiff::SignedDuration;
use reflex_proto::leads::v1::{
    AddLeadTagRequest, CloseLeadRequest, FollowUp, Lead, LeadFact, LeadTag, ListFollowUpsRequest, ListLeadsRequest,
    ListTagRulesRequest, ProgressStage, ProgressTag, PutProgressTagRequest, PutRoutingPolicyRequest, PutTagRuleRequest,
    RecordFollowUpRequest, RecordLeadFactsRequest, RecordLeadFactsResponse, RemoveLeadTagRequest, RoutingPolicy,
    SetLeadProgressRequest, TagRule, follow_up, lead, routing_policy::Entry,
};
use reflex_rpc::identity::Role;
use reflex_runtime::clock::Clock as _;
use reflex_testing::eventually;
use tonic::Status;
use uuid::Uuid;

use crate::harness::{
    Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, REUSED, WRONG_STATE, assert_refused, member,
};

const WHITEPAPER: &str = "whitepaper_downloaded";

fn rule(id: &str, tag: &str, condition: &str, event: &str) -> TagRule {
    TagRule {
        name: format!("tagRules/{id}"),
        tag: tag.into(),
        condition: condition.into(),
        event: event.into(),
        enabled: true,
        ..TagRule::default()
    }
}

impl Caller {
    async fn put_rule(&mut self, rule: TagRule) -> Result<TagRule, Status> {
        let request = PutTagRuleRequest {
            tag_rule: Some(rule),
            request_id: String::new(),
        };
        let response = self.tags.put_tag_rule(request).await?;
        Ok(response.into_inner().tag_rule.unwrap())
    }

    async fn put_progress(&mut self, id: &str, label: &str, stage: ProgressStage) -> Result<(), Status> {
        let progress_tag = ProgressTag {
            name: format!("progressTags/{id}"),
            label: label.into(),
            stage: stage.into(),
            enabled: true,
        };
        self.put_progress_tag(progress_tag).await
    }

    async fn put_progress_tag(&mut self, progress_tag: ProgressTag) -> Result<(), Status> {
        let request = PutProgressTagRequest {
            progress_tag: Some(progress_tag),
            request_id: String::new(),
        };
        self.tags.put_progress_tag(request).await.map(drop)
    }

    async fn record(&mut self, lead: &str, facts: Vec<LeadFact>) -> Result<RecordLeadFactsResponse, Status> {
        let request = RecordLeadFactsRequest {
            lead: lead.into(),
            facts,
            request_id: String::new(),
        };
        Ok(self.tags.record_lead_facts(request).await?.into_inner())
    }

    async fn tag(&mut self, lead: &str, tag: &str) -> Result<Lead, Status> {
        let request = AddLeadTagRequest {
            lead: lead.into(),
            tag: tag.into(),
            ..AddLeadTagRequest::default()
        };
        Ok(self.tags.add_lead_tag(request).await?.into_inner().lead.unwrap())
    }

    async fn untag(&mut self, lead: &str, tag: &str) -> Result<Lead, Status> {
        let request = RemoveLeadTagRequest {
            lead: lead.into(),
            tag: tag.into(),
            ..RemoveLeadTagRequest::default()
        };
        Ok(self.tags.remove_lead_tag(request).await?.into_inner().lead.unwrap())
    }

    async fn progress(&mut self, lead: &str, id: &str) -> Result<Lead, Status> {
        let request = SetLeadProgressRequest {
            lead: lead.into(),
            progress_tag: format!("progressTags/{id}"),
            ..SetLeadProgressRequest::default()
        };
        Ok(self.tags.set_lead_progress(request).await?.into_inner().lead.unwrap())
    }

    /// Lists the companies of the leads with a tag.
    async fn tagged(&mut self, tag: &str, page_size: i32) -> Vec<String> {
        let mut request = ListLeadsRequest {
            tag: tag.into(),
            page_size,
            ..ListLeadsRequest::default()
        };
        let mut companies = Vec::new();
        loop {
            let page = self.leads.list_leads(request.clone()).await.unwrap().into_inner();
            companies.extend(page.leads.into_iter().map(|lead| lead.company));
            if page.next_page_token.is_empty() {
                return companies;
            }
            request.page_token = page.next_page_token;
        }
    }
}

impl Leads {
    fn fact(&self, id: u128, kind: &str) -> LeadFact {
        let now = self.clock.now();
        LeadFact {
            id: Uuid::from_u128(id).to_string(),
            kind: kind.into(),
            occur_time: Some(prost_types::Timestamp {
                seconds: now.as_second(),
                nanos: now.subsec_nanosecond(),
            }),
            ..LeadFact::default()
        }
    }
}

fn names(lead: &Lead) -> Vec<&str> {
    lead.tags.iter().map(|tag| tag.tag.as_str()).collect()
}

fn tag<'a>(lead: &'a Lead, name: &str) -> &'a LeadTag {
    lead.tags.iter().find(|tag| tag.tag == name).unwrap()
}

#[tokio::test]
async fn rules_tag_new_leads_and_routing_reads_the_tags() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    for team in ["keen", "rest"] {
        admin.put_team(team).await;
        admin.put_member(member(&format!("of-{team}"), team)).await;
    }
    let stored = admin
        .put_rule(rule("a-forging", "锻造", "CONTAINS(公司, '锻')", "captured"))
        .await
        .unwrap();
    assert_eq!((stored.version, stored.update_time.is_some()), (1, true));
    admin
        .put_rule(rule("b-all", "官网", "来源 = 'website'", ""))
        .await
        .unwrap();
    let policy = RoutingPolicy {
        entries: vec![Entry {
            team: "teams/keen".into(),
            when: "CONTAINS(标签, '锻造')".into(),
            ..Entry::default()
        }],
        default_team: "teams/rest".into(),
        ..RoutingPolicy::default()
    };
    let request = PutRoutingPolicyRequest {
        policy: Some(policy),
        ..PutRoutingPolicyRequest::default()
    };
    admin.routing.put_routing_policy(request).await.unwrap();
    let forge = admin.capture("苏州锻压").await;
    let other = admin.capture("无锡机床").await;
    let routed = admin.wait_for_owner(&forge, "members/of-keen").await;
    assert_eq!(names(&routed), ["官网", "锻造"]);
    let given = tag(&routed, "锻造");
    assert_eq!(
        (given.tag_rule.as_str(), given.tag_rule_version, given.evidence.as_str()),
        ("tagRules/a-forging", 1, forge.as_str())
    );
    assert!(given.expire_time.is_none() && given.member.is_empty() && given.tag_time.is_some());
    assert_eq!(names(&admin.wait_for_owner(&other, "members/of-rest").await), ["官网"]);

    assert_eq!(admin.tagged("官网", 1).await, ["无锡机床", "苏州锻压"], "newest first");
    assert_eq!(admin.tagged("锻造", 10).await, ["苏州锻压"]);
    assert!(admin.tagged("锻", 10).await.is_empty());
    let token = ListLeadsRequest {
        tag: "官网".into(),
        page_size: 1,
        ..ListLeadsRequest::default()
    };
    let page_token = admin
        .leads
        .list_leads(token)
        .await
        .unwrap()
        .into_inner()
        .next_page_token;
    let elsewhere = ListLeadsRequest {
        tag: "锻造".into(),
        page_token,
        ..ListLeadsRequest::default()
    };
    assert_refused(admin.leads.list_leads(elsewhere).await, OTHER_PAGE, "");
    assert!(leads.admin(HUABEI).tagged("官网", 10).await.is_empty());
}

#[tokio::test]
async fn a_download_tags_the_lead_once_for_each_fact_until_it_expires() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let expiring = TagRule {
        expire_days: 30,
        ..rule("wp", "技术决策者-初步关注", "", WHITEPAPER)
    };
    admin.put_rule(expiring.clone()).await.unwrap();
    let name = admin.capture("苏州锻压").await;
    assert!(admin.wait_for_owner(&name, "").await.tags.is_empty());

    let other = admin.record(&name, vec![leads.fact(1, "page_visited")]).await.unwrap();
    assert_eq!((other.recorded_count, other.tags), (1, Vec::new()));
    let facts = vec![leads.fact(2, WHITEPAPER), leads.fact(1, "page_visited")];
    let recorded = admin.record(&name, facts.clone()).await.unwrap();
    assert_eq!((recorded.recorded_count, recorded.existed_count), (1, 1));
    assert_eq!(recorded.tags, ["技术决策者-初步关注"]);
    let first = admin.lead(&name).await;
    let given = tag(&first, "技术决策者-初步关注");
    assert_eq!(given.evidence, format!("leadFacts/{}", Uuid::from_u128(2)));
    let again = admin.record(&name, facts).await.unwrap();
    assert_eq!((again.recorded_count, again.existed_count, again.tags.len()), (0, 2, 0));
    assert_eq!(admin.lead(&name).await.tags, first.tags, "a repeat changes nothing");

    // A later fact renews it; the rule has another version by then.
    let day = SignedDuration::from_hours(24);
    leads.advance(day * 20);
    let renamed = TagRule {
        condition: "来源 = 'website'".into(),
        ..expiring
    };
    assert_eq!(admin.put_rule(renamed.clone()).await.unwrap().version, 2);
    assert_eq!(
        admin.put_rule(renamed).await.unwrap().version,
        2,
        "the same again makes none"
    );
    admin.record(&name, vec![leads.fact(3, WHITEPAPER)]).await.unwrap();
    leads.advance(day * 20);
    let renewed = admin.lead(&name).await;
    let given = tag(&renewed, "技术决策者-初步关注");
    assert_eq!(given.tag_rule_version, 2);
    let due = given.expire_time.unwrap().seconds;
    assert!(due > leads.clock.now().as_second());
    leads.advance(day * 11);
    eventually("the tag is over", async || {
        let lead = leads.admin(HUADONG).lead(&name).await;
        lead.tags.is_empty().then_some(())
    })
    .await;
    assert!(admin.tagged("技术决策者-初步关注", 10).await.is_empty());
}

#[tokio::test]
async fn people_give_and_take_tags() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_rule(rule("wp", "重点", "", WHITEPAPER)).await.unwrap();
    let name = admin.capture("苏州锻压").await;
    admin.wait_for_owner(&name, "").await;
    let request = AddLeadTagRequest {
        lead: name.clone(),
        tag: " 重点 ".into(),
        expire_days: 0,
        member: "members/wang".into(),
        request_id: Uuid::from_u128(7).to_string(),
    };
    for _ in 0..2 {
        let response = admin.tags.add_lead_tag(request.clone()).await.unwrap().into_inner();
        let lead = response.lead.unwrap();
        assert_eq!(tag(&lead, "重点").member, "members/wang");
    }
    let reused = AddLeadTagRequest {
        tag: "别的".into(),
        ..request
    };
    assert_refused(admin.tags.add_lead_tag(reused).await, REUSED, "");
    let untouched = admin.record(&name, vec![leads.fact(1, WHITEPAPER)]).await.unwrap();
    assert!(untouched.tags.is_empty(), "what somebody gave no rule touches");
    assert_eq!(tag(&admin.lead(&name).await, "重点").tag_rule, "");

    let taken = admin.untag(&name, "重点").await.unwrap();
    assert!(taken.tags.is_empty());
    assert_refused(admin.untag(&name, "重点").await, NOT_FOUND, "重点");
    let given = admin.record(&name, vec![leads.fact(2, WHITEPAPER)]).await.unwrap();
    assert_eq!(given.tags, ["重点"], "a later fact gives it again");

    for at in 0..50 {
        admin.tag(&name, &format!("标签{at}")).await.unwrap();
    }
    assert_refused(admin.tag(&name, "再来").await, WRONG_STATE, "at most 50");
    assert!(
        admin.tag(&name, "标签7").await.is_ok(),
        "one that is there may be given anew"
    );
    assert_refused(admin.tag(&name, "\n").await, INVALID, "tag");
    assert_refused(leads.admin(HUABEI).tag(&name, "x").await, NOT_FOUND, "leads/");
    assert_refused(leads.admin(HUABEI).untag(&name, "重点").await, NOT_FOUND, "leads/");
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    assert_refused(viewer.tag(&name, "x").await, DENIED, "leads.tag");
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(sales.put_rule(rule("x", "x", "", "")).await, DENIED, "tags.write");

    let close = CloseLeadRequest {
        name: name.clone(),
        outcome: lead::Outcome::Lost.into(),
        ..CloseLeadRequest::default()
    };
    admin.leads.close_lead(close).await.unwrap();
    assert_refused(admin.tag(&name, "x").await, WRONG_STATE, "closed");
}

#[tokio::test]
async fn progress_is_one_of_the_presets_and_replaces_what_was_said_before() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    for (id, label, stage) in [
        ("quoted", "已报价", ProgressStage::Quotation),
        ("sample", "等待样品测试", ProgressStage::Evaluation),
        ("boss", "需老板审批", ProgressStage::Approval),
    ] {
        admin.put_progress(id, label, stage).await.unwrap();
    }
    assert_refused(
        admin.put_progress("other", "已报价", ProgressStage::Contact).await,
        INVALID,
        "progressTags/quoted",
    );
    assert_refused(
        admin.put_progress("other", "新", ProgressStage::Unspecified).await,
        INVALID,
        "stage",
    );
    admin
        .put_rule(rule("visited", "已拜访", "", "follow_up_recorded"))
        .await
        .unwrap();
    let name = admin.capture("苏州锻压").await;
    admin.wait_for_owner(&name, "").await;
    admin.progress(&name, "quoted").await.unwrap();
    let visit = FollowUp {
        lead: name.clone(),
        member: "members/wang".into(),
        kind: follow_up::Kind::Visit.into(),
        progress_tag: "progressTags/sample".into(),
        ..FollowUp::default()
    };
    let request = RecordFollowUpRequest {
        follow_up: Some(visit.clone()),
        request_id: String::new(),
    };
    let recorded = admin.follow_ups.record_follow_up(request).await.unwrap().into_inner();
    let recorded = recorded.follow_up.unwrap();
    assert_eq!(recorded.progress_tag, "progressTags/sample");
    let lead = admin.lead(&name).await;
    assert_eq!(names(&lead), ["已拜访", "等待样品测试"], "one progress at a time");
    let progress = tag(&lead, "等待样品测试");
    assert_eq!(progress.stage(), ProgressStage::Evaluation);
    assert_eq!(
        (&progress.evidence, progress.member.as_str()),
        (&recorded.name, "members/wang")
    );
    assert_eq!(tag(&lead, "已拜访").evidence, recorded.name);
    let list = ListFollowUpsRequest {
        lead: name.clone(),
        ..ListFollowUpsRequest::default()
    };
    let listed = admin.follow_ups.list_follow_ups(list).await.unwrap().into_inner();
    assert_eq!(listed.follow_ups[0].progress_tag, "progressTags/sample");

    assert_refused(admin.tag(&name, "等待样品测试").await, WRONG_STATE, "progress");
    assert_refused(
        admin.progress(&name, "unknown").await,
        NOT_FOUND,
        "progressTags/unknown",
    );
    let withdrawn = ProgressTag {
        name: "progressTags/boss".into(),
        label: "需老板审批".into(),
        stage: ProgressStage::Approval.into(),
        enabled: false,
    };
    admin.put_progress_tag(withdrawn).await.unwrap();
    assert_refused(admin.progress(&name, "boss").await, WRONG_STATE, "not offered");
    let wrong = FollowUp {
        progress_tag: "progressTags/boss".into(),
        ..visit
    };
    let request = RecordFollowUpRequest {
        follow_up: Some(wrong),
        request_id: String::new(),
    };
    assert_refused(
        admin.follow_ups.record_follow_up(request).await,
        WRONG_STATE,
        "not offered",
    );
    let still = admin.lead(&name).await;
    assert_eq!(
        names(&still),
        ["已拜访", "等待样品测试"],
        "nothing of what was refused is kept"
    );
    let mut foreign = leads.admin(HUABEI);
    assert_refused(foreign.progress(&name, "quoted").await, NOT_FOUND, "leads/");
}

#[tokio::test]
async fn a_waiting_lead_is_looked_at_again_when_its_tags_change() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("keen").await;
    admin.put_member(member("wang", "keen")).await;
    let policy = RoutingPolicy {
        entries: vec![Entry {
            team: "teams/keen".into(),
            when: "CONTAINS(标签, '重点') 且 NOT CONTAINS(标签, '暂缓')".into(),
            ..Entry::default()
        }],
        ..RoutingPolicy::default()
    };
    let request = PutRoutingPolicyRequest {
        policy: Some(policy),
        ..PutRoutingPolicyRequest::default()
    };
    admin.routing.put_routing_policy(request).await.unwrap();
    let name = admin.capture("苏州锻压").await;
    admin.wait_for_owner(&name, "").await;
    let brief = AddLeadTagRequest {
        lead: name.clone(),
        tag: "暂缓".into(),
        expire_days: 1,
        ..AddLeadTagRequest::default()
    };
    admin.tags.add_lead_tag(brief).await.unwrap();
    admin.tag(&name, "重点").await.unwrap();
    assert!(admin.wait_for_owner(&name, "").await.owner.is_empty());
    leads.advance(SignedDuration::from_hours(26));
    admin.wait_for_owner(&name, "members/wang").await;
}

#[tokio::test]
async fn rules_are_checked_listed_and_counted() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    assert_refused(
        admin.put_rule(rule("a", "x", "来园 = '展会'", "")).await,
        INVALID,
        "来源",
    );
    assert_refused(admin.put_rule(rule("A", "", "", "X")).await, INVALID, "");
    let before = leads.version(HUADONG).await;
    for at in 0..200 {
        admin
            .put_rule(rule(&format!("r{at:03}"), "x", "", WHITEPAPER))
            .await
            .unwrap();
    }
    assert!(leads.version(HUADONG).await > before);
    assert_refused(admin.put_rule(rule("more", "x", "", "")).await, INVALID, "200");
    assert!(admin.put_rule(rule("r007", "y", "", "")).await.is_ok());
    let mut request = ListTagRulesRequest {
        page_size: 150,
        page_token: String::new(),
    };
    let first = admin.tags.list_tag_rules(request.clone()).await.unwrap().into_inner();
    request.page_token = first.next_page_token;
    let second = admin.tags.list_tag_rules(request.clone()).await.unwrap().into_inner();
    assert_eq!((first.tag_rules.len(), second.tag_rules.len()), (150, 50));
    assert_refused(leads.admin(HUABEI).tags.list_tag_rules(request).await, OTHER_PAGE, "");
}
