//! Conditions of a policy, in Chinese, from a bundle to the owner and the explanation.

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
kind: Team
name: teams/key-accounts
display_name: 大客户部
---
kind: Team
name: teams/sales
display_name: 销售一部
---
kind: Member
name: members/an
display_name: 安
team: teams/key-accounts
role: ROLE_SALES
capacity: 100
active: true
---
kind: Member
name: members/bo
display_name: 博
team: teams/sales
role: ROLE_SALES
capacity: 100
active: true
---
kind: RoutingPolicy
entries:
  - team: teams/key-accounts
    when: 来源 = '展会' 且 预算 >= 50万 且 包含(属性.科室, '骨科')
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

    fn connection(&self) -> Connection {
        let address = Address {
            server: Some(self.suite.leads_url()),
            notifications: Some(self.suite.notifications_url()),
            token: Some(self.suite.token(&[&self.tenant], Role::Admin, None)),
            tenant: Some(self.tenant.clone()),
        };
        Connection::new(&address).unwrap()
    }

    /// Applies a bundle and returns how many resources changed, or what was said against it.
    async fn apply(&self, text: &str) -> Result<usize, String> {
        let bundle = Bundle::parse("huadong.yaml", text, None, &Variables::new()).unwrap();
        let connection = self.connection();
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

    /// Captures a lead and returns the decision about it.
    async fn decision(&self, company: &str, details: Value) -> Value {
        let mut lead = json!({"source": "展会", "externalId": company, "company": company});
        lead.as_object_mut()
            .unwrap()
            .extend(details.as_object().unwrap().clone());
        let captured = self.ask("LeadService/CaptureLead", json!({"lead": lead})).await;
        let name = captured["name"].clone();
        eventually("the lead is routed", async || {
            let explained = self
                .ask("RoutingService/ExplainAssignment", json!({"name": name}))
                .await;
            explained.pointer("/decisions/0").cloned()
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chinese_condition_decides_and_is_explained() {
    let scene = Scene::start().await;
    assert_eq!(scene.apply(BUNDLE).await, Ok(5));
    assert_eq!(scene.apply(BUNDLE).await, Ok(0), "the second time nothing differs");

    let fits = json!({"budgetMaxFen": "60000000", "attributes": {"科室": "骨科二病区"}});
    let decision = scene.decision("上海某某医院", fits).await;
    assert_eq!(decision["chosen"], "members/an", "{decision}");
    assert_eq!(decision["matchedNumber"], 1);
    assert_eq!(decision["matchedEntry"], "any × any");
    assert_eq!(
        decision["matchedWhen"],
        "来源 = '展会' 且 预算 >= 50万 且 包含(属性.科室, '骨科')"
    );

    let too_small = json!({"budgetMaxFen": "20000000", "attributes": {"科室": "骨科"}});
    let decision = scene.decision("苏州某某诊所", too_small).await;
    assert_eq!(decision["chosen"], "members/bo", "{decision}");
    assert_eq!(
        (&decision["matchedNumber"], &decision["skippedCount"]),
        (&json!(2), &json!(1))
    );
    let skipped = &decision["skippedEntries"][0];
    assert_eq!(skipped["missingZh"], "需要 预算 >= 500000（预算 现为 200000）");
    assert_eq!(skipped["missingEn"], "needs 预算 >= 500000 (预算 is 200000)");
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_a_condition_is_refused_with_its_place() {
    let scene = Scene::start().await;
    let mistaken = BUNDLE.replace("来源 =", "来园 =");
    let refusal = scene.apply(&mistaken).await.unwrap_err();
    assert!(refusal.contains("来源"), "{refusal}");

    let policy = json!({"entries": [{"team": "teams/sales", "when": "属性.科室 = '骨科' 且 来园 = '展会'"}]});
    let status = scene
        .wires
        .try_ask(
            &scene.suite,
            &scene.tenant,
            "reflex.leads.v1.RoutingService/PutRoutingPolicy",
            &json!({"policy": policy}),
        )
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let said = "policy.entries[0].when: 第 1 条（任何地域 × 任何产品）：条件第 1 行第 16 列有误：没有字段“来园”，是否应为 来源 ？ / \
                entry 1 (any territory × any product): the condition has a mistake at line 1, column 16: there is no field \
                来园, did you mean 来源 ?";
    assert_eq!(status.message(), said);
    scene.suite.stop().await;
}
