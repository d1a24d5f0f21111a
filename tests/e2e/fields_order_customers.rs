//! A formula over customers, from a bundle to the order of a board and the owner of a lead; over gRPC and as JSON.

use reflex_rpc::identity::Role;
use reflex_runtime::ids::SystemIds;
use reflex_tenancy::TenantId;
use reflex_testing::eventually;
use reflex_tests::suite::Suite;
use reflexctl::{
    apply::{PlanOptions, plan},
    bundle::{Bundle, Variables},
    connection::{Address, Connection},
};
use serde_json::{Value, json};
use tonic::Code;

use crate::any_rpc::Wires;

const BUNDLE: &str = "
tenant: huadong
---
{kind: Team, name: teams/forging, display_name: 锻造组}
---
{kind: Team, name: teams/sales, display_name: 销售组}
---
{kind: Member, name: members/an, display_name: 安, team: teams/forging, role: ROLE_SALES, capacity: 100, active: true}
---
{kind: Member, name: members/bo, display_name: 博, team: teams/sales, role: ROLE_SALES, capacity: 100, active: true}
---
{kind: Account, name: accounts/宁波, display_name: 宁波注塑, attributes: {设备型号: 注塑机}}
---
{kind: Account, name: accounts/苏州, display_name: 苏州锻压, attributes: {设备型号: 锻造压力机}}
---
{kind: Account, name: accounts/无锡, display_name: 无锡精工, attributes: {设备型号: 五轴机加工中心}}
---
kind: CalculatedField
name: calculatedFields/process-match
entity: ENTITY_ACCOUNT
field_name: 工艺匹配度
formula: IF(CONTAINS(客户.设备型号,'锻造'),0.8,IF(CONTAINS(客户.设备型号,'机加工'),0.6,0.3))
---
kind: CalculatedField
name: calculatedFields/board-weight
entity: ENTITY_LEAD
field_name: 看板权重
formula: 客户.工艺匹配度
---
kind: RoutingPolicy
entries:
  - team: teams/forging
    when: 客户.工艺匹配度 >= 0.8
  - team: teams/sales
";

struct Scene {
    suite: Suite,
    wires: Wires,
    tenant: TenantId,
}

impl Scene {
    async fn start() -> Self {
        let suite = Suite::start().await;
        Self {
            wires: Wires::to(&suite),
            tenant: "huadong".parse().unwrap(),
            suite,
        }
    }

    async fn apply(&self, text: &str) -> Result<usize, String> {
        let address = Address {
            server: Some(self.suite.leads_url()),
            notifications: Some(self.suite.notifications_url()),
            token: Some(self.suite.token(&[&self.tenant], Role::Admin, None)),
            tenant: Some(self.tenant.clone()),
        };
        let connection = Connection::new(&address).unwrap();
        let bundle = Bundle::parse("huadong.yaml", text, None, &Variables::new()).unwrap();
        let plan = plan(&connection, &bundle, PlanOptions::default()).await.unwrap();
        let report = plan.run(&connection, &SystemIds, |_| {}).await;
        report
            .map(|report| report.created + report.updated)
            .map_err(|error| format!("{error:?}"))
    }

    async fn ask(&self, method: &str, request: Value) -> Value {
        self.wires
            .ask(&self.suite, &self.tenant, &format!("reflex.leads.v1.{method}"), request)
            .await
    }

    /// Lists resources in an order as pairs of a name and a value.
    async fn ordered(&self, method: &str, (list, name, field): (&str, &str, &str)) -> Vec<(String, Value)> {
        let listed = self.ask(method, json!({"orderBy": format!("{field} desc")})).await;
        let pair = |item: &Value| {
            let values = item["calculatedValues"].as_array().unwrap();
            let value = values.iter().find(|value| value["field"] == field).unwrap();
            (item[name].as_str().unwrap().to_owned(), value["value"].clone())
        };
        listed[list].as_array().unwrap().iter().map(pair).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_formula_orders_the_board_and_decides_who_calls() {
    let scene = Scene::start().await;
    assert_eq!(scene.apply(BUNDLE).await, Ok(10));
    assert_eq!(scene.apply(BUNDLE).await, Ok(0), "the second time nothing differs");
    eventually("both fields are ready", async || {
        let listed = scene.ask("FieldService/ListCalculatedFields", json!({})).await;
        let fields = listed["fields"].as_array().unwrap();
        fields.len() == 2 && fields.iter().all(|field| field["ready"] == true)
    })
    .await;
    let expected = [("accounts/苏州", 0.8), ("accounts/无锡", 0.6), ("accounts/宁波", 0.3)];
    let expected = expected.map(|(name, value)| (name.to_owned(), json!(value)));
    let by_match = ("accounts", "name", "工艺匹配度");
    assert_eq!(scene.ordered("AccountService/ListAccounts", by_match).await, expected);

    for (account, owner) in [("宁波", "members/bo"), ("苏州", "members/an"), ("无锡", "members/bo")] {
        let lead = json!({"source": "展会", "externalId": account, "company": account, "account": account});
        let captured = scene.ask("LeadService/CaptureLead", json!({"lead": lead})).await;
        eventually(&format!("the lead of {account} is with {owner}"), async || {
            let got = scene
                .ask("LeadService/GetLead", json!({"name": captured["name"]}))
                .await;
            got["lead"]["owner"] == owner
        })
        .await;
    }
    let by_weight = ("leads", "company", "看板权重");
    let expected = [("苏州", 0.8), ("无锡", 0.6), ("宁波", 0.3)];
    let expected = expected.map(|(company, value)| (company.to_owned(), json!(value)));
    assert_eq!(scene.ordered("LeadService/ListLeads", by_weight).await, expected);

    // The customer buys another machine, and the board follows.
    let bought =
        json!({"name": "accounts/宁波", "displayName": "宁波注塑", "attributes": {"设备型号": "锻造锤与机加工"}});
    scene.ask("AccountService/PutAccount", json!({"account": bought})).await;
    eventually(
        "the lead of 宁波 leads the board, as the youngest of equals comes first or second",
        async || {
            let board = scene.ordered("LeadService/ListLeads", by_weight).await;
            board[2].0 == "无锡"
        },
    )
    .await;
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_field_is_refused_with_the_nearest_name() {
    let scene = Scene::start().await;
    let refusal = scene
        .apply(&BUNDLE.replacen("客户.设备型号", "客户.设备型好", 1))
        .await
        .unwrap_err();
    assert!(refusal.contains("是否应为 客户.设备型号 ？"), "{refusal}");
    let field =
        json!({"name": "calculatedFields/x", "entity": "ENTITY_LEAD", "fieldName": "错字", "formula": "预算 + 来园"});
    let status = scene
        .wires
        .try_ask(
            &scene.suite,
            &scene.tenant,
            "reflex.leads.v1.FieldService/PutCalculatedField",
            &json!({"field": field}),
        )
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status
            .message()
            .contains("第 1 行第 6 列：没有字段“来园”，是否应为 来源 ？"),
        "{status:?}"
    );
    scene.suite.stop().await;
}
