//! A set-up is written back as a bundle: its tenant has nothing to change, and an empty one becomes the same.

use std::path::Path;

use reflex_rpc::identity::Role;
use reflex_runtime::ids::SystemIds;
use reflex_tenancy::TenantId;
use reflex_tests::suite::Suite;
use reflexctl::{
    apply::{PlanOptions, plan},
    bundle::{Bundle, Kind, Variables},
    connection::{Address, Connection},
    export::{Export, export},
};

struct Scene {
    suite: Suite,
}

impl Scene {
    fn connection(&self, tenant: &TenantId) -> Connection {
        let address = Address {
            server: Some(self.suite.leads_url()),
            notifications: Some(self.suite.notifications_url()),
            token: Some(self.suite.token(&[tenant], Role::Admin, None)),
            tenant: Some(tenant.clone()),
        };
        Connection::new(&address).unwrap()
    }

    /// Applies a bundle; returns how many resources changed.
    async fn apply(&self, bundle: &Bundle) -> usize {
        let connection = self.connection(&bundle.tenant);
        let plan = plan(&connection, bundle, PlanOptions::default()).await.unwrap();
        plan.run(&connection, &SystemIds, |_| {}).await.unwrap();
        plan.count()
    }

    async fn export(&self, tenant: &TenantId) -> Export {
        export(&self.connection(tenant), tenant).await.unwrap()
    }
}

fn parsed(text: &str) -> Bundle {
    Bundle::parse("exported.yaml", text, None, &Variables::new()).unwrap()
}

/// The demo's set-up with one more of each kind that it lacks.
fn furnished(tenant: &str) -> Bundle {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../deploy/demo/{tenant}.yaml"));
    let demo = std::fs::read_to_string(file).unwrap();
    let more = r##"
---
kind: Leave
member: MEMBER
start_time: 2026-08-03T00:00:00+08:00
end_time: 2026-08-05T00:00:00+08:00
---
kind: PoolPolicy
picks_per_day: 5
rules:
  - title: 三天无跟进
    when: 来源 = '展会'
    lacking: LACKING_FOLLOW_UP
    within: 97200s
    then: THEN_WAIT
    cooldown: 604800s
---
kind: DuplicatePolicy
threshold: 0.9
weights:
  company: 0.5
weak: [mobile]
---
kind: DecisionMapPolicy
enabled: true
roles: [采购经理, 老板]
---
kind: ChannelCost
name: channelCosts/spring-fair
source: 展会
title: 展位摊销
amount_fen: 3600000
first_month: 2026-03
month_count: 12
---
kind: GatePolicy
enabled: true
behaviour:
  dwell_over: 120s
  pages: [成功案例]
  on_unknown: OUTAGE_POLICY_PASS
industry:
  codes: [C35]
  source: SOURCE_SNAPSHOT
  on_unknown: OUTAGE_POLICY_HOLD
competitors:
  domains: [rival.example.com]
  window: 864000s
  on_unknown: OUTAGE_POLICY_NURTURE
max_hold: 7200s
after_hold: VERDICT_PASS
stale_after_days: 60
screening: SCREENING_LABEL
---
kind: Quota
name: quotas/sms
of_kind: KIND_SMS
messages_per_month: 5000
administrators: [MEMBER]
---
kind: Template
key: claim_expired
locale: en
title: "New lead {{number}}"
body: "# ${costs} nothing\n\n- {{member}} {{company}}\n---\nno: 007\n"
"##;
    // A name that the demo has; a template may say what a bundle would take for a variable.
    let member = demo
        .lines()
        .find_map(|line| line.strip_prefix("name: members/"))
        .unwrap();
    let more = more.replace("MEMBER", &format!("members/{member}"));
    let variables = Variables::from([
        ("SIMULATOR_URL".to_owned(), "http://127.0.0.1:18080".to_owned()),
        ("costs".to_owned(), "${costs}".to_owned()),
    ]);
    Bundle::parse("demo.yaml", &(demo + &more), None, &variables).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_changes_nothing_and_makes_the_same_elsewhere() {
    let scene = Scene {
        suite: Suite::start().await,
    };
    let bundle = furnished("huakang-east");
    assert!(scene.apply(&bundle).await > 30);
    let first = scene.export(&bundle.tenant).await;
    let text = first.to_yaml().unwrap();
    let read = parsed(&text);
    assert_eq!(read.resources.len(), first.documents.len());
    for kind in Kind::all() {
        let of = |bundle: &Bundle| bundle.resources.iter().filter(|it| it.kind == kind).count();
        assert_eq!(
            of(&read),
            if kind == Kind::Holidays { 0 } else { of(&bundle) },
            "{kind:?}"
        );
    }
    assert!(!text.contains("SEC"), "no secret is shown");
    assert_eq!(scene.apply(&read).await, 0, "its own tenant has nothing to change");
    assert_eq!(scene.export(&bundle.tenant).await.to_yaml().unwrap(), text);

    let elsewhere: TenantId = "huakang-west".parse().unwrap();
    let moved = text.replace("tenant: huakang-east\n", "tenant: huakang-west\n");
    let moved = parsed(&moved);
    assert_eq!(scene.apply(&moved).await, moved.resources.len());
    let second = scene.export(&elsewhere).await;
    let fields = |export: &Export| export.documents.iter().map(|it| it.fields.clone()).collect::<Vec<_>>();
    assert_eq!(fields(&second), fields(&first));
    assert_eq!(scene.apply(&parsed(&second.to_yaml().unwrap())).await, 0);
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_written_to_a_folder_and_read_from_there() {
    let scene = Scene {
        suite: Suite::start().await,
    };
    let tenant: TenantId = "huadong".parse().unwrap();
    scene.suite.set_up(&tenant, &["members/an"], 5).await;
    let folder = tempfile::tempdir().unwrap();
    let token = scene.suite.token(&[&tenant], Role::Admin, None);
    let (leads, notifications) = (scene.suite.leads_url(), scene.suite.notifications_url());
    let connection = ["--server", &leads, "--notifications", &notifications, "--token", &token];
    let folder_flag = folder.path().to_str().unwrap();
    let type_in = async |command: &[&str]| {
        let arguments = ["reflexctl"].iter().chain(command).chain(&connection);
        reflexctl::run(arguments).await.map_err(|error| format!("{error:#}"))
    };
    type_in(&["export", "--tenant", "huadong", "--dir", folder_flag])
        .await
        .unwrap();
    let bundles = Bundle::load(folder.path(), None, &Variables::new()).unwrap();
    assert_eq!((bundles.len(), &bundles[0].tenant), (1, &tenant));
    type_in(&["apply", "-f", folder_flag, "--dry-run"]).await.unwrap();
    assert_eq!(scene.apply(&bundles[0]).await, 0);
    for flags in [&["-o", "json"][..], &[]] {
        type_in(&[&["export", "--tenant", "huadong"][..], flags].concat())
            .await
            .unwrap();
    }
    let nobody = scene.export(&"huabei".parse().unwrap()).await;
    assert_eq!(nobody.documents.len(), 0, "an empty tenant has nothing");
    let file = folder.path().join("huadong.yaml");
    let refused = type_in(&["export", "--tenant", "huadong", "--dir", file.to_str().unwrap()]).await;
    assert!(refused.unwrap_err().contains("cannot be written"));
    scene.suite.stop().await;
}
