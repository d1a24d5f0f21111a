//! Members, teams, territories and products.

use reflex_proto::leads::v1::{
    GetMemberRequest, ListMembersRequest, ListProductsRequest, ListTeamsRequest, ListTerritoriesRequest, Member,
    Product, PutMemberRequest, PutProductRequest, PutTeamRequest, PutTerritoryRequest, Team, Territory, member,
};
use reflex_rpc::identity::Role;

use crate::harness::{
    DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, REUSED, WRONG_STATE, assert_refused, member, team,
};

const CHANGED: &str = "reflex.leads.v1.MemberChanged";
const REQUEST: &str = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";

fn put(member: Member) -> PutMemberRequest {
    PutMemberRequest {
        member: Some(member),
        request_id: String::new(),
    }
}

#[tokio::test]
async fn a_member_is_stored_told_and_changed() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    let sent = Member {
        supervisor: "members/li".into(),
        deputy: "members/li".into(),
        skills: vec!["骨科".into(), "医保".into()],
        calendar: "calendars/default".into(),
        mobile: "13800000000".into(),
        email: "wang@example.cn".into(),
        ..member("wang", "zhang")
    };
    admin
        .put_member(Member {
            role: member::Role::Supervisor.into(),
            ..member("li", "zhang")
        })
        .await;
    let stored = admin
        .directory
        .put_member(put(sent.clone()))
        .await
        .unwrap()
        .into_inner()
        .member
        .unwrap();
    let expected = Member {
        weight: 100,
        locale: "zh-CN".into(),
        skills: vec!["医保".into(), "骨科".into()],
        ..sent.clone()
    };
    assert_eq!(stored, expected);
    let request = GetMemberRequest {
        name: "members/wang".into(),
    };
    assert_eq!(
        admin
            .directory
            .get_member(request)
            .await
            .unwrap()
            .into_inner()
            .member
            .unwrap(),
        expected
    );
    assert_eq!(leads.told(CHANGED, "members/wang").await, 1);

    let version = leads.version(HUADONG).await;
    admin.put_member(sent.clone()).await;
    assert_eq!(leads.version(HUADONG).await, version, "nothing changed");
    admin
        .put_member(Member {
            weight: 50,
            ..sent.clone()
        })
        .await;
    assert!(leads.version(HUADONG).await > version);
    assert_eq!(
        leads.told(CHANGED, "members/wang").await,
        1,
        "weights are nobody else's business"
    );
    admin
        .put_member(Member {
            mobile: String::new(),
            ..sent
        })
        .await;
    assert_eq!(leads.told(CHANGED, "members/wang").await, 2);
}

#[tokio::test]
async fn references_must_lead_somewhere() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    for (member, telling) in [
        (member("wang", "mars"), "teams/mars does not exist"),
        (
            Member {
                supervisor: "members/no".into(),
                ..member("wang", "zhang")
            },
            "members/no does not exist",
        ),
        (
            Member {
                deputy: "members/no".into(),
                ..member("wang", "zhang")
            },
            "members/no does not exist",
        ),
        (
            Member {
                calendar: "calendars/no".into(),
                ..member("wang", "zhang")
            },
            "calendars/no does not exist",
        ),
        (
            Member {
                supervisor: "members/wang".into(),
                ..member("wang", "zhang")
            },
            "circle",
        ),
    ] {
        assert_refused(admin.directory.put_member(put(member)).await, WRONG_STATE, telling);
    }
    let empty = PutMemberRequest::default();
    assert_refused(
        admin.directory.put_member(empty).await,
        INVALID,
        "member: must be given",
    );
    assert_refused(
        admin.directory.put_member(put(member("Wang", "zhang"))).await,
        INVALID,
        "member.name",
    );
    let nobody = ListMembersRequest::default();
    assert_eq!(
        admin.directory.list_members(nobody).await.unwrap().into_inner().members,
        []
    );
}

#[tokio::test]
async fn circles_are_refused_with_their_path() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("a").await;
    let below = |id: &str, parent: &str| PutTeamRequest {
        team: Some(Team {
            parent: format!("teams/{parent}"),
            ..team(id)
        }),
        request_id: String::new(),
    };
    admin.directory.put_team(below("b", "a")).await.unwrap();
    let circle = admin.directory.put_team(below("a", "b")).await;
    assert_refused(circle, WRONG_STATE, "teams/a → teams/b → teams/a");
    assert_refused(
        admin.directory.put_team(below("c", "mars")).await,
        WRONG_STATE,
        "teams/mars does not exist",
    );

    let place = |id: &str, parent: &str| PutTerritoryRequest {
        territory: Some(Territory {
            name: format!("territories/{id}"),
            display_name: id.into(),
            parent: parent.into(),
            aliases: vec!["沪".into()],
        }),
        request_id: String::new(),
    };
    admin.directory.put_territory(place("east", "")).await.unwrap();
    admin
        .directory
        .put_territory(place("shanghai", "territories/east"))
        .await
        .unwrap();
    assert_refused(
        admin
            .directory
            .put_territory(place("east", "territories/shanghai"))
            .await,
        WRONG_STATE,
        "circle",
    );
    assert_refused(
        admin.directory.put_territory(place("x", "territories/mars")).await,
        WRONG_STATE,
        "mars",
    );

    let product = |id: &str, parent: &str| PutProductRequest {
        product: Some(Product {
            name: format!("products/{id}"),
            display_name: id.into(),
            parent: parent.into(),
            aliases: Vec::new(),
        }),
        request_id: String::new(),
    };
    admin.directory.put_product(product("ortho", "")).await.unwrap();
    admin
        .directory
        .put_product(product("screws", "products/ortho"))
        .await
        .unwrap();
    assert_refused(
        admin.directory.put_product(product("ortho", "products/screws")).await,
        WRONG_STATE,
        "circle",
    );
    let stored = admin
        .directory
        .list_products(ListProductsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .products;
    assert_eq!(
        stored,
        [product("ortho", ""), product("screws", "products/ortho")].map(|it| it.product.unwrap())
    );
}

#[tokio::test]
async fn two_who_would_supervise_each_other_do_not_slip_through_together() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    for id in ["a", "b"] {
        admin.put_member(member(id, "zhang")).await;
    }
    for _ in 0..5 {
        let put = |id: &str, supervisor: &str| {
            let mut client = admin.directory.clone();
            let request = put(Member {
                supervisor: supervisor.into(),
                ..member(id, "zhang")
            });
            async move { client.put_member(request).await }
        };
        let (one, other) = tokio::join!(put("a", "members/b"), put("b", "members/a"));
        assert!(one.is_ok() != other.is_ok(), "exactly one may win: {one:?}, {other:?}");
        assert_refused(if one.is_err() { one } else { other }, WRONG_STATE, "circle");
        let (one, other) = tokio::join!(put("a", ""), put("b", ""));
        assert!(one.is_ok() && other.is_ok());
    }
}

#[tokio::test]
async fn a_request_id_does_its_work_once() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    let first = PutMemberRequest {
        member: Some(member("wang", "zhang")),
        request_id: REQUEST.into(),
    };
    let stored = admin.directory.put_member(first.clone()).await.unwrap().into_inner();
    admin
        .put_member(Member {
            capacity: 99,
            ..member("wang", "zhang")
        })
        .await;
    let again = admin.directory.put_member(first.clone()).await.unwrap().into_inner();
    assert_eq!(again, stored, "the answer of then, whatever happened since");
    let request = GetMemberRequest {
        name: "members/wang".into(),
    };
    assert_eq!(
        admin
            .directory
            .get_member(request)
            .await
            .unwrap()
            .into_inner()
            .member
            .unwrap()
            .capacity,
        99
    );

    let other = PutMemberRequest {
        member: Some(member("zhao", "zhang")),
        request_id: REQUEST.into(),
    };
    assert_refused(admin.directory.put_member(other.clone()).await, REUSED, "request_id");
    let malformed = PutMemberRequest {
        request_id: "1".into(),
        ..other
    };
    assert_refused(admin.directory.put_member(malformed).await, INVALID, "request_id");

    let mut others = leads.admin(HUABEI);
    others.put_team("zhang").await;
    others
        .directory
        .put_member(first)
        .await
        .expect("another tenant's ids are its own");
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let leads = Leads::start().await;
    let (mut one, mut other) = (leads.admin(HUADONG), leads.admin(HUABEI));
    one.put_team("zhang").await;
    one.put_member(member("wang", "zhang")).await;
    let request = GetMemberRequest {
        name: "members/wang".into(),
    };
    assert_refused(other.directory.get_member(request).await, NOT_FOUND, "members/wang");
    assert_eq!(
        other
            .directory
            .list_teams(ListTeamsRequest::default())
            .await
            .unwrap()
            .into_inner()
            .teams,
        []
    );
    assert_refused(
        other.directory.put_member(put(member("wang", "zhang"))).await,
        WRONG_STATE,
        "teams/zhang",
    );
    assert_eq!(leads.version(HUABEI).await, 0, "a refused write leaves no trace");
    other.put_team("zhang").await;
    other
        .put_member(Member {
            display_name: "另一个人".into(),
            ..member("wang", "zhang")
        })
        .await;
    let request = GetMemberRequest {
        name: "members/wang".into(),
    };
    assert_eq!(
        one.directory
            .get_member(request)
            .await
            .unwrap()
            .into_inner()
            .member
            .unwrap()
            .display_name,
        "wang 先生"
    );
}

#[tokio::test]
async fn lists_page_in_order_of_their_names() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    for id in ["b", "a", "c"] {
        admin.put_team(id).await;
    }
    for id in ["e.2", "a-1", "d_9", "b", "e"] {
        admin.put_member(member(id, if id == "b" { "b" } else { "a" })).await;
    }
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let request = ListMembersRequest {
            page_size: 2,
            page_token: token,
            team: "teams/a".into(),
        };
        let page = admin.directory.list_members(request).await.unwrap().into_inner();
        assert!(page.members.len() <= 2);
        names.extend(page.members.into_iter().map(|member| member.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["members/a-1", "members/d_9", "members/e", "members/e.2"]);

    let request = ListTeamsRequest {
        page_size: 2,
        page_token: String::new(),
    };
    let page = admin.directory.list_teams(request).await.unwrap().into_inner();
    assert_eq!(
        page.teams.iter().map(|team| team.name.as_str()).collect::<Vec<_>>(),
        ["teams/a", "teams/b"]
    );
    let request = ListTeamsRequest {
        page_size: 2,
        page_token: page.next_page_token.clone(),
    };
    let rest = admin.directory.list_teams(request.clone()).await.unwrap().into_inner();
    assert_eq!(
        (rest.teams[0].name.as_str(), rest.next_page_token.as_str()),
        ("teams/c", "")
    );

    let mut other = leads.admin(HUABEI);
    assert_refused(other.directory.list_teams(request).await, OTHER_PAGE, "page_token");
    let request = ListTerritoriesRequest {
        page_size: 0,
        page_token: page.next_page_token,
    };
    assert_refused(
        admin.directory.list_territories(request).await,
        OTHER_PAGE,
        "page_token",
    );
    let request = ListTeamsRequest {
        page_size: -1,
        page_token: String::new(),
    };
    assert_refused(admin.directory.list_teams(request).await, INVALID, "page_size");
}

#[tokio::test]
async fn only_managers_write() {
    let leads = Leads::start().await;
    for role in [Role::Sales, Role::Viewer, Role::Integration] {
        let mut caller = leads.caller(HUADONG, role);
        assert_refused(
            caller.directory.put_member(put(member("wang", "zhang"))).await,
            DENIED,
            "directory.write",
        );
    }
    let mut manager = leads.caller(HUADONG, Role::Manager);
    manager.put_team("zhang").await;
    manager.put_member(member("wang", "zhang")).await;
}
