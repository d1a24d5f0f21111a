//! What keeps a version of the policy from becoming active, and how that is told.

use reflex_proto::leads::v1::{
    CheckRoutingPolicyRequest, ListRoutingPoliciesRequest, ListRoutingPolicyActivationsRequest, Member, routing_policy,
    routing_policy_finding::Code,
};
use tonic_types::StatusExt as _;

use crate::{
    harness::{HUABEI, HUADONG, INVALID, NOT_FOUND, OTHER_PAGE, WRONG_STATE, assert_refused, member},
    policies::{entry, policy, to_team, two_teams},
};

#[tokio::test]
async fn a_wrong_version_is_kept_as_a_draft_and_refused_with_every_reason() {
    let (_leads, mut admin) = two_teams().await;
    admin.put(to_team("zhang"), false, "").await.unwrap();
    admin.put_team("idle").await;
    admin
        .put_member(Member {
            capacity: 0,
            ..member("zo", "idle")
        })
        .await;
    let skilled = routing_policy::Entry {
        skills: vec!["德系车企经验".into()],
        ..entry("", "zhang")
    };
    let at = |territory: &str, product: &str| routing_policy::Entry {
        territory: territory.into(),
        product: product.into(),
        ..entry("", "zhang")
    };
    for (entries, code, zh) in [
        (vec![entry("真 且 假", "zhang")], Code::NeverHolds, "永远不会成立"),
        (
            vec![entry("", "zhang"), entry("有电话", "li")],
            Code::Shadowed,
            "请把这一条移到第 1 条之前",
        ),
        (
            vec![entry("", "zhang"), entry("", "li")],
            Code::Shadowed,
            "又都没有条件",
        ),
        (
            vec![at("territories/mars", "")],
            Code::UnknownTerritory,
            "地域 territories/mars 不存在",
        ),
        (
            vec![at("", "products/no")],
            Code::UnknownProduct,
            "产品 products/no 不存在",
        ),
        (vec![entry("", "no")], Code::UnknownTeam, "团队 teams/no 不存在"),
        (vec![entry("", "idle")], Code::NobodyTakes, "里没有人能接线索"),
        (vec![skilled], Code::NobodySkilled, "都不具备技能“德系车企经验”"),
    ] {
        let (version, found) = admin.draft(policy(&entries)).await;
        assert_eq!(found, [code]);
        let checked = admin
            .routing
            .check_routing_policy(CheckRoutingPolicyRequest { policy: None, version })
            .await
            .unwrap()
            .into_inner();
        assert!(!checked.activatable && checked.findings[0].refuses);
        let refused = admin.activate(version, "").await;
        let details = refused.as_ref().unwrap_err().get_error_details();
        let obstacle = &details.precondition_failure().unwrap().violations[0];
        assert_eq!(format!("CODE_{}", obstacle.r#type), code.as_str_name());
        assert!(obstacle.description.contains(&checked.findings[0].en), "{obstacle:?}");
        assert!(
            obstacle
                .description
                .starts_with(&format!("第 {} 条（", checked.findings[0].number)),
            "{obstacle:?}"
        );
        assert_refused(refused, WRONG_STATE, zh);
    }
    assert_eq!((admin.active().await, admin.activations().await.len()), (1, 1));
}

#[tokio::test]
async fn all_reasons_come_at_once() {
    let (_leads, mut admin) = two_teams().await;
    // The policy's own faults make it the request that is at fault.
    let wrong = policy(&[entry("真 且 假", "zhang"), entry("", "no"), entry("", "li")]);
    let refused = admin.put(wrong, false, "").await;
    let details = refused.as_ref().unwrap_err().get_error_details();
    let fields: Vec<_> = details
        .bad_request()
        .unwrap()
        .field_violations
        .iter()
        .map(|it| it.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "policy.entries[0].when",
            "policy.entries[1].team",
            "policy.entries[2].when"
        ]
    );
    assert_refused(refused, INVALID, "3 fields are not valid");
}

#[tokio::test]
async fn a_condition_nobody_can_read_is_not_even_a_draft() {
    let (leads, mut admin) = two_teams().await;
    admin.put(to_team("zhang"), false, "").await.unwrap();
    let mistaken = policy(&[entry("来园 = '展会'", "zhang")]);
    assert_refused(admin.put(mistaken.clone(), true, "").await, INVALID, "没有字段“来园”");
    let request = CheckRoutingPolicyRequest {
        policy: Some(mistaken),
        version: 0,
    };
    let checked = admin.routing.check_routing_policy(request).await.unwrap().into_inner();
    assert_eq!(checked.findings[0].code(), Code::ConditionMistake);
    // An older release may have read what this one cannot.
    sqlx::query(
        "insert into routing_policies (tenant_id, version, definition, author, note, create_time)
         select tenant_id, 100, jsonb_set(definition, '{entries,0,when}', '\"来园 = 1\"'), 'x', '', now()
         from routing_policies where tenant_id = $1 and version = 1",
    )
    .bind(HUADONG)
    .execute(&leads.owner)
    .await
    .unwrap();
    assert_refused(admin.activate(100, "").await, WRONG_STATE, "没有字段“来园”");
}

#[tokio::test]
async fn what_passes_by_itself_is_a_warning() {
    let (_leads, mut admin) = two_teams().await;
    admin
        .put_member(Member {
            capacity: 1,
            ..member("wang", "zhang")
        })
        .await;
    admin.put_team("new").await;
    admin.put(to_team("zhang"), false, "").await.unwrap();
    let lead = admin.capture("一院").await;
    admin.wait_for_owner(&lead, "members/wang").await;
    let both = policy(&[entry("有电话", "zhang"), entry("", "new")]);
    let (draft, found) = admin.draft(both).await;
    assert_eq!(found, [Code::EveryoneAtCapacity, Code::NoMembers]);
    let activated = admin.activate(draft, "").await.unwrap();
    let told: Vec<_> = activated
        .findings
        .iter()
        .map(|it| (it.code(), it.refuses, it.number))
        .collect();
    assert_eq!(
        told,
        [(Code::EveryoneAtCapacity, false, 1), (Code::NoMembers, false, 2)]
    );
}

#[tokio::test]
async fn requests_are_checked() {
    let (leads, mut admin) = two_teams().await;
    for version in [0, -1] {
        assert_refused(admin.activate(version, "").await, INVALID, "version");
    }
    assert_refused(admin.activate(7, "").await, NOT_FOUND, "version 7");
    assert_refused(admin.activate(7, &"长".repeat(1001)).await, INVALID, "note");
    assert_refused(admin.put(to_team("zhang"), true, "\0").await, INVALID, "note");
    let both = CheckRoutingPolicyRequest {
        policy: Some(to_team("zhang")),
        version: 1,
    };
    assert_refused(admin.routing.check_routing_policy(both).await, INVALID, "version");
    for team in ["zhang", "li", "zhang"] {
        admin.put(to_team(team), false, "").await.unwrap();
    }
    let mut page = ListRoutingPoliciesRequest {
        page_size: 2,
        ..ListRoutingPoliciesRequest::default()
    };
    let first = admin
        .routing
        .list_routing_policies(page.clone())
        .await
        .unwrap()
        .into_inner();
    page.page_token = first.next_page_token;
    let second = admin
        .routing
        .list_routing_policies(page.clone())
        .await
        .unwrap()
        .into_inner();
    let versions: Vec<_> = first
        .versions
        .iter()
        .chain(&second.versions)
        .map(|it| it.version)
        .collect();
    assert_eq!(
        (versions.as_slice(), second.next_page_token.as_str()),
        (&[3, 2, 1][..], "")
    );
    let mut stranger = leads.admin(HUABEI).routing;
    assert_refused(
        stranger.list_routing_policies(page.clone()).await,
        OTHER_PAGE,
        "page_token",
    );
    let elsewhere = ListRoutingPolicyActivationsRequest {
        page_token: page.page_token,
        ..ListRoutingPolicyActivationsRequest::default()
    };
    let refused = admin.routing.list_routing_policy_activations(elsewhere).await;
    assert_refused(refused, OTHER_PAGE, "page_token");
}
