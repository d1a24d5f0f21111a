//! Routing policies and ladders.

use reflex_proto::leads::v1::{
    GetRoutingPolicyRequest, Ladder, ListLaddersRequest, Member, Product, PutLadderRequest, PutMemberRequest,
    PutProductRequest, PutRoutingPolicyRequest, PutTerritoryRequest, RoutingPolicy, Territory, ladder, member,
    routing_policy,
};
use tonic_types::StatusExt as _;

use crate::harness::{HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, WRONG_STATE, assert_refused};

fn entry(territory: &str, product: &str, team: &str) -> routing_policy::Entry {
    routing_policy::Entry {
        territory: territory.into(),
        product: product.into(),
        team: team.into(),
        ..routing_policy::Entry::default()
    }
}

fn put(policy: RoutingPolicy) -> PutRoutingPolicyRequest {
    PutRoutingPolicyRequest {
        policy: Some(policy),
        ..PutRoutingPolicyRequest::default()
    }
}

fn minutes(minutes: i64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: minutes * 60,
        nanos: 0,
    }
}

fn ladder(id: &str, product: &str) -> PutLadderRequest {
    let step = |after, audience: ladder::Audience, channel: &str| ladder::Step {
        after: Some(minutes(after)),
        audience: audience.into(),
        channels: vec![channel.into()],
    };
    let ladder = Ladder {
        name: format!("ladders/{id}"),
        product: product.into(),
        contact_within: Some(minutes(30)),
        wall_clock: true,
        steps: vec![
            step(0, ladder::Audience::Owner, "inbox"),
            step(10, ladder::Audience::Supervisor, "dingtalk"),
        ],
        acknowledge_stops: true,
        require_screening: true,
    };
    PutLadderRequest {
        ladder: Some(ladder),
        request_id: String::new(),
    }
}

async fn put_product(leads: &Leads, id: &str) {
    let product = Product {
        name: format!("products/{id}"),
        display_name: id.into(),
        ..Product::default()
    };
    let request = PutProductRequest {
        product: Some(product),
        request_id: String::new(),
    };
    leads.admin(HUADONG).directory.put_product(request).await.unwrap();
}

#[tokio::test]
async fn each_different_policy_is_a_version_that_never_changes() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let request = GetRoutingPolicyRequest { version: 0 };
    assert_refused(
        admin.routing.get_routing_policy(request).await,
        NOT_FOUND,
        "routing policy",
    );
    for team in ["zhang", "li"] {
        admin.put_team(team).await;
    }
    put_product(&leads, "ortho").await;
    let east = Territory {
        name: "territories/east".into(),
        display_name: "华东".into(),
        ..Territory::default()
    };
    let request = PutTerritoryRequest {
        territory: Some(east),
        request_id: String::new(),
    };
    admin.directory.put_territory(request).await.unwrap();

    let first = RoutingPolicy {
        entries: vec![
            entry("territories/east", "products/ortho", "teams/zhang"),
            routing_policy::Entry {
                skills: vec!["英语".into(), "医保".into()],
                ..entry("", "", "teams/li")
            },
        ],
        default_team: "teams/li".into(),
        reassign_unclaimed: true,
        ..RoutingPolicy::default()
    };
    let stored = admin
        .routing
        .put_routing_policy(put(first.clone()))
        .await
        .unwrap()
        .into_inner()
        .policy
        .unwrap();
    assert_eq!((stored.version, stored.claim_within), (1, Some(minutes(120))));
    assert_eq!(stored.entries[1].skills, ["医保", "英语"]);
    let version = leads.version(HUADONG).await;
    let again = admin
        .routing
        .put_routing_policy(put(stored.clone()))
        .await
        .unwrap()
        .into_inner()
        .policy
        .unwrap();
    assert_eq!(again, stored, "the same policy is the same version");
    assert_eq!(leads.version(HUADONG).await, version);

    let second = RoutingPolicy {
        claim_within: Some(minutes(5)),
        claim_wall_clock: true,
        ..first
    };
    let changed = admin
        .routing
        .put_routing_policy(put(second))
        .await
        .unwrap()
        .into_inner()
        .policy
        .unwrap();
    assert_eq!((changed.version, changed.claim_within), (2, Some(minutes(5))));
    for (asked, expected) in [(0, &changed), (1, &stored), (2, &changed)] {
        let request = GetRoutingPolicyRequest { version: asked };
        let found = admin
            .routing
            .get_routing_policy(request)
            .await
            .unwrap()
            .into_inner()
            .policy
            .unwrap();
        assert_eq!(found, *expected);
    }
    let request = GetRoutingPolicyRequest { version: 3 };
    assert_refused(admin.routing.get_routing_policy(request).await, NOT_FOUND, "version 3");
    let request = GetRoutingPolicyRequest { version: 1 };
    assert_refused(
        leads.admin(HUABEI).routing.get_routing_policy(request).await,
        NOT_FOUND,
        "version 1",
    );
}

#[tokio::test]
async fn a_policy_names_only_what_exists() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    let policy = RoutingPolicy {
        entries: vec![
            entry("territories/mars", "products/no", "teams/zhang"),
            entry("", "", "teams/no"),
        ],
        ..RoutingPolicy::default()
    };
    let refused = admin.routing.put_routing_policy(put(policy)).await;
    let details = refused.as_ref().unwrap_err().get_error_details();
    let found: Vec<_> = details.precondition_failure().unwrap().violations.iter().collect();
    let codes: Vec<_> = found
        .iter()
        .map(|it| (it.r#type.as_str(), it.subject.as_str()))
        .collect();
    assert_eq!(
        codes,
        [
            ("UNKNOWN_TERRITORY", "policy.entries[0].territory"),
            ("UNKNOWN_PRODUCT", "policy.entries[0].product"),
            ("UNKNOWN_TEAM", "policy.entries[1].team"),
        ]
    );
    assert!(found[0].description.contains("地域 territories/mars 不存在"));
    assert!(
        found[0]
            .description
            .contains(" / entry 1 (mars × no): territory territories/mars does not exist")
    );
    assert_refused(refused, WRONG_STATE, "3 things stand in the way");
    let twice = RoutingPolicy {
        entries: vec![entry("", "", "teams/zhang"), entry("", "", "teams/zhang")],
        ..RoutingPolicy::default()
    };
    assert_refused(
        admin.routing.put_routing_policy(put(twice)).await,
        INVALID,
        "policy.entries[1]",
    );
    let negative = RoutingPolicy {
        claim_within: Some(minutes(-1)),
        ..RoutingPolicy::default()
    };
    assert_refused(
        admin.routing.put_routing_policy(put(negative)).await,
        INVALID,
        "policy.claim_within",
    );
}

#[tokio::test]
async fn conditions_are_stored_as_written_and_refused_with_their_place() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    let conditional = |when: &str| routing_policy::Entry {
        when: when.into(),
        ..entry("", "", "teams/zhang")
    };
    let policy = |entries| RoutingPolicy {
        entries,
        ..RoutingPolicy::default()
    };
    let wanted = vec![
        conditional("来源 = '展会' 且 预算 >= 50万"),
        entry("", "", "teams/zhang"),
    ];
    let stored = admin
        .routing
        .put_routing_policy(put(policy(wanted.clone())))
        .await
        .unwrap()
        .into_inner()
        .policy
        .unwrap();
    assert_eq!(stored.entries, wanted);
    let request = GetRoutingPolicyRequest { version: 0 };
    let found = admin.routing.get_routing_policy(request).await.unwrap().into_inner();
    assert_eq!(found.policy.unwrap(), stored);

    let mistaken = policy(vec![
        conditional("来源 = '展会'"),
        conditional("预算 > 1 且 来园 = '展会'"),
    ]);
    assert_refused(
        admin.routing.put_routing_policy(put(mistaken)).await,
        INVALID,
        "policy.entries[1].when: 第 2 条（任何地域 × 任何产品）：条件第 1 行第 10 列有误：没有字段“来园”，是否应为 来源 ？ / entry 2 \
         (any territory × any product): the condition has a mistake at line 1, column 10: there is no field 来园",
    );
}

#[tokio::test]
async fn a_policy_nobody_could_work_by_is_refused() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    for team in ["zhang", "li"] {
        admin.put_team(team).await;
    }
    let to = |team: &str| RoutingPolicy {
        default_team: team.into(),
        ..RoutingPolicy::default()
    };
    let put_member = |name: &str, capacity| PutMemberRequest {
        member: Some(Member {
            name: name.into(),
            display_name: "王".into(),
            team: "teams/zhang".into(),
            role: member::Role::Sales.into(),
            capacity,
            active: true,
            ..Member::default()
        }),
        request_id: String::new(),
    };
    // Its members may come later.
    admin.routing.put_routing_policy(put(to("teams/zhang"))).await.unwrap();
    admin.directory.put_member(put_member("members/wang", 0)).await.unwrap();
    // Once active, a policy is not questioned again.
    admin.routing.put_routing_policy(put(to("teams/zhang"))).await.unwrap();
    admin.routing.put_routing_policy(put(to("teams/li"))).await.unwrap();
    assert_refused(
        admin.routing.put_routing_policy(put(to("teams/zhang"))).await,
        WRONG_STATE,
        "（teams/zhang）里没有人能接线索",
    );
    admin.directory.put_member(put_member("members/sun", 5)).await.unwrap();
    admin.routing.put_routing_policy(put(to("teams/zhang"))).await.unwrap();

    let shadowed = RoutingPolicy {
        entries: vec![
            entry("", "", "teams/li"),
            routing_policy::Entry {
                when: "有电话".into(),
                ..entry("", "", "teams/zhang")
            },
        ],
        ..RoutingPolicy::default()
    };
    assert_refused(
        admin.routing.put_routing_policy(put(shadowed)).await,
        INVALID,
        "policy.entries[1].when: 第 2 条（任何地域 × 任何产品）：地域和产品相同的第 1 条没有条件，总是先匹配",
    );
}

#[tokio::test]
async fn ladders_are_stored_and_listed_one_a_product_line() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    put_product(&leads, "ortho").await;
    let general = admin
        .routing
        .put_ladder(ladder("general", ""))
        .await
        .unwrap()
        .into_inner()
        .ladder;
    assert_eq!(general, ladder("general", "").ladder);
    admin
        .routing
        .put_ladder(ladder("ortho", "products/ortho"))
        .await
        .unwrap();
    let version = leads.version(HUADONG).await;
    admin
        .routing
        .put_ladder(ladder("ortho", "products/ortho"))
        .await
        .unwrap();
    assert_eq!(leads.version(HUADONG).await, version, "nothing changed");

    assert_refused(
        admin.routing.put_ladder(ladder("x", "products/ortho")).await,
        INVALID,
        "ladders/ortho",
    );
    assert_refused(
        admin.routing.put_ladder(ladder("x", "")).await,
        INVALID,
        "ladders/general",
    );
    assert_refused(
        admin.routing.put_ladder(ladder("x", "products/no")).await,
        INVALID,
        "products/no",
    );
    let mut backwards = ladder("general", "");
    backwards.ladder.as_mut().unwrap().steps.reverse();
    assert_refused(
        admin.routing.put_ladder(backwards).await,
        INVALID,
        "ladder.steps[1].after",
    );

    let request = ListLaddersRequest {
        page_size: 1,
        page_token: String::new(),
    };
    let page = admin.routing.list_ladders(request).await.unwrap().into_inner();
    assert_eq!(page.ladders, [general.unwrap()]);
    let request = ListLaddersRequest {
        page_size: 1,
        page_token: page.next_page_token,
    };
    let page = admin.routing.list_ladders(request.clone()).await.unwrap().into_inner();
    assert_eq!(
        (page.ladders[0].name.as_str(), page.next_page_token.as_str()),
        ("ladders/ortho", "")
    );
    assert_refused(
        leads.admin(HUABEI).routing.list_ladders(request).await,
        OTHER_PAGE,
        "page_token",
    );
}
