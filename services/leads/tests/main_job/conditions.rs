//! Conditions of a policy read the leads as they are stored.

use reflex_proto::leads::v1::{
    ExplainAssignmentRequest, PutRoutingPolicyRequest, RoutingDecision, RoutingPolicy, lead, routing_policy,
};
use reflex_rpc::identity::Role;

use crate::world::{World, new_lead, request_id};

/// Every field of a stored lead, in both languages.
const WHEN: &str = "来源 = 'website' 且 CONTAINS(company, '人民医院') 且 产品 = '骨科耗材' 且 territory = '上海' \
    且 包含(备注, '报价') 且 urgency = 'red' 且 紧急程度 = '红' 且 预算 >= 50万 且 budget_min = 100000.5 且 有电话 \
    且 NOT has_email 且 属性.科室 = '骨科' 且 account = 'acme' 且 等待小时 >= 0 且 YEAR(录入时间) = 2026 且 ISBLANK(form)";

#[tokio::test]
async fn conditions_read_every_field_of_a_lead() {
    let world = World::start().await;
    world.set_up(&["members/an"], 100).await;
    let policy = RoutingPolicy {
        entries: vec![routing_policy::Entry {
            team: "teams/sales".into(),
            when: WHEN.into(),
            ..routing_policy::Entry::default()
        }],
        ..RoutingPolicy::default()
    };
    let put = PutRoutingPolicyRequest {
        policy: Some(policy),
        request_id: request_id(),
        ..PutRoutingPolicyRequest::default()
    };
    world.routing(Role::Admin).put_routing_policy(put).await.unwrap();

    // First, for once the account has an owner its leads are theirs.
    let decision = decision_about(&world, "does-not", "内科").await;
    assert_eq!((decision.chosen.as_str(), decision.reason.as_str()), ("", "no_entry"));
    assert_eq!((decision.matched_number, decision.skipped_count), (0, 1));
    let skipped = &decision.skipped_entries[0];
    assert_eq!((skipped.number, skipped.entry.as_str()), (1, "any × any"));
    assert!(WHEN.starts_with(skipped.when.trim_end_matches('…')));
    assert_eq!(skipped.missing_zh, "需要 属性.科室 = '骨科'（属性.科室 现为 内科）");
    assert_eq!(skipped.missing_en, "needs 属性.科室 = '骨科' (属性.科室 is 内科)");

    let decision = decision_about(&world, "fits", "骨科").await;
    assert_eq!(decision.chosen, "members/an", "{:#?}", decision.skipped_entries);
    assert_eq!((decision.matched_number, decision.matched_when.as_str()), (1, WHEN));
    world.stop().await;
}

/// Captures a lead and returns the decision about it.
async fn decision_about(world: &World, external_id: &str, department: &str) -> RoutingDecision {
    let mut request = new_lead(external_id);
    let new = request.lead.as_mut().unwrap();
    new.territory = "上海".into();
    new.remark = "要求本周报价".into();
    new.urgency = lead::Urgency::Red.into();
    (new.budget_min_fen, new.budget_max_fen) = (10_000_050, 50_000_000);
    new.account = "acme".into();
    new.attributes = [("科室".to_owned(), department.to_owned())].into();
    let captured = world.leads(Role::Integration).capture_lead(request).await.unwrap();
    let name = captured.into_inner().name;
    world.until(&name, |lead| lead.state() != lead::State::Captured).await;
    let explained = world
        .routing(Role::Manager)
        .explain_assignment(ExplainAssignmentRequest { name })
        .await
        .unwrap();
    explained.into_inner().decisions.remove(0)
}
