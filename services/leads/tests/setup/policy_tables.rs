//! The policy's entries as a decision table, out and in.

use reflex_proto::leads::v1::{
    ExportRoutingTableRequest, GetRoutingPolicyRequest, ImportRoutingTableRequest, ImportRoutingTableResponse,
    PutRoutingPolicyRequest, PutTerritoryRequest, RoutingPolicy, RoutingPolicyFinding, Territory, routing_policy,
    routing_policy_finding::Code,
};
use reflex_rpc::identity::Role;
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

use crate::{
    harness::{Caller, DENIED, HUABEI, HUADONG, INVALID, NOT_FOUND, WRONG_STATE, assert_refused},
    policies::{entry, policy, two_teams},
};

impl Caller {
    async fn export(&mut self, version: i32, language: &str) -> Result<Vec<u8>, Status> {
        let request = ExportRoutingTableRequest {
            version,
            language: language.into(),
        };
        let exported = self.routing.export_routing_table(request).await;
        exported.map(|response| response.into_inner().csv)
    }

    async fn import(&mut self, request: ImportRoutingTableRequest) -> Result<ImportRoutingTableResponse, Status> {
        self.routing
            .import_routing_table(request)
            .await
            .map(Response::into_inner)
    }

    async fn stored(&mut self, version: i32) -> RoutingPolicy {
        let request = GetRoutingPolicyRequest { version };
        let found = self.routing.get_routing_policy(request).await.unwrap();
        found.into_inner().policy.unwrap()
    }
}

fn table(rows: &str) -> ImportRoutingTableRequest {
    ImportRoutingTableRequest {
        csv: format!("地域,产品,条件,团队,技能\n{rows}\n").into_bytes(),
        ..ImportRoutingTableRequest::default()
    }
}

#[tokio::test]
async fn a_table_comes_back_as_it_went() {
    let (_leads, mut admin) = two_teams().await;
    let east = Territory {
        name: "territories/east".into(),
        display_name: "华东".into(),
        ..Territory::default()
    };
    let put = PutTerritoryRequest {
        territory: Some(east),
        request_id: String::new(),
    };
    admin.directory.put_territory(put).await.unwrap();
    let in_the_east = routing_policy::Entry {
        territory: "territories/east".into(),
        ..entry("-预算 < 0\n且 备注 <> '=1+1'", "zhang")
    };
    let original = RoutingPolicy {
        default_team: "teams/li".into(),
        claim_within: Some(prost_types::Duration { seconds: 300, nanos: 0 }),
        claim_wall_clock: true,
        reassign_unclaimed: true,
        ..policy(&[in_the_east, entry("", "li")])
    };
    let put = PutRoutingPolicyRequest {
        policy: Some(original),
        ..PutRoutingPolicyRequest::default()
    };
    admin.routing.put_routing_policy(put).await.unwrap();
    let original = admin.stored(1).await;
    for language in ["", "zh", "en"] {
        let csv = admin.export(0, language).await.unwrap();
        assert!(csv.starts_with("\u{feff}".as_bytes()));
        let request = ImportRoutingTableRequest {
            csv,
            ..ImportRoutingTableRequest::default()
        };
        assert_eq!(admin.import(request).await.unwrap().policy.unwrap(), original);
    }
    let text = String::from_utf8(admin.export(1, "zh").await.unwrap()).unwrap();
    assert!(
        text.contains("华东,,\"'-预算 < 0\n且 备注 <> '=1+1'\",zhang 团队,"),
        "{text}"
    );

    let drafted = ImportRoutingTableRequest {
        draft: true,
        note: "只留一条".into(),
        request_id: "0190f3b2-0000-7000-8000-000000000002".into(),
        ..table(",,,li,")
    };
    let stored = admin.import(drafted.clone()).await.unwrap();
    let policy = stored.policy.clone().unwrap();
    assert_eq!(
        (policy.version, policy.entries.len(), policy.claim_wall_clock),
        (2, 1, true)
    );
    assert_eq!(policy.default_team, "teams/li");
    assert_eq!(admin.active().await, 1);
    assert_eq!(admin.import(drafted).await.unwrap(), stored, "a retry stores nothing");

    let on_base = ImportRoutingTableRequest {
        base_version: 2,
        ..table("")
    };
    let emptied = admin.import(on_base).await.unwrap().policy.unwrap();
    assert_eq!((emptied.version, emptied.entries.len()), (3, 0));
    assert_eq!(admin.active().await, 3);
}

#[tokio::test]
async fn a_wrong_table_is_refused_by_line_and_column() {
    let (leads, mut admin) = two_teams().await;
    for (rows, telling) in [
        (
            ",,,王组,",
            "csv: 第 2 行“团队”列：没有叫“王组”的；请写完整名称、别名或编号 / line 2, column team: nothing is called 王组",
        ),
        (
            ",,有电话,li,\n,,来园 = 1,li,",
            "csv: 第 3 行“条件”列 / line 3, column when: 第 2 条（任何地域 × 任何产品）：条件第 1 行第 1 列有误：没有字段“来园”",
        ),
        (
            ",,,li,\n,,有电话,zhang,",
            "csv: 第 3 行“条件”列 / line 3, column when: 第 2 条",
        ),
    ] {
        assert_refused(admin.import(table(rows)).await, INVALID, telling);
    }
    let refused = admin.import(table(",,,teams/no,")).await;
    let details = refused.as_ref().unwrap_err().get_error_details();
    assert_eq!(
        details.precondition_failure().unwrap().violations[0].r#type,
        "UNKNOWN_TEAM"
    );
    assert_refused(
        refused,
        WRONG_STATE,
        "csv: 第 2 行“团队”列 / line 2, column team: 第 1 条",
    );

    let validated = ImportRoutingTableRequest {
        validate_only: true,
        ..table(",,来园 = 1,teams/no,\n,,,zhang,法语")
    };
    let told = admin.import(validated).await.unwrap();
    let codes: Vec<_> = told.findings.iter().map(RoutingPolicyFinding::code).collect();
    assert_eq!(codes, [Code::ConditionMistake, Code::UnknownTeam, Code::NobodySkilled]);
    assert_eq!(told.policy.unwrap().version, 0);
    assert_refused(admin.export(0, "").await, NOT_FOUND, "routing policy");

    assert_refused(admin.export(0, "fr").await, INVALID, "language");
    let request = ImportRoutingTableRequest {
        base_version: 9,
        ..table("")
    };
    assert_refused(admin.import(request).await, NOT_FOUND, "version 9");
    admin.import(table(",,,li,")).await.unwrap();
    let mut stranger = leads.admin(HUABEI);
    assert_refused(stranger.export(1, "").await, NOT_FOUND, "version 1");
    assert_refused(
        stranger.import(table(",,,li 团队,")).await,
        INVALID,
        "没有叫“li 团队”的",
    );
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    viewer.export(1, "").await.unwrap();
    assert_refused(viewer.import(table(",,,li,")).await, DENIED, "routing.write");
}
