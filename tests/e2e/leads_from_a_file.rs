//! A list from a trade fair: looked at, imported by hand, mended and imported again, and each visitor gets one call.

use std::path::{Path, PathBuf};

use reflex_proto::{
    leads::v1::{
        Lead, ListImportsRequest, ListLeadsRequest, import::State, import_service_client::ImportServiceClient,
        lead::Urgency, lead_service_client::LeadServiceClient,
    },
    notifications::v1::{ListInboxItemsRequest, inbox_service_client::InboxServiceClient},
};
use reflex_rpc::identity::Role;
use reflex_tenancy::TenantId;
use reflex_testing::eventually;
use reflex_tests::suite::Suite;
use tempfile::TempDir;

struct Scene {
    suite: Suite,
    tenant: TenantId,
    folder: TempDir,
}

impl Scene {
    async fn start() -> Self {
        let suite = Suite::start().await;
        let tenant: TenantId = "huadong".parse().unwrap();
        suite.set_up(&tenant, &["members/an", "members/bo"], 100).await;
        let folder = tempfile::tempdir().unwrap();
        Self { suite, tenant, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Types `reflexctl leads import`.
    async fn import(&self, file: &Path, flags: &[&str]) -> Result<(), String> {
        self.leads_command(&[&["import", file.to_str().unwrap()], flags].concat())
            .await
    }

    /// Types a command about leads.
    async fn leads_command(&self, words: &[&str]) -> Result<(), String> {
        let token = self.suite.token(&[&self.tenant], Role::Manager, None);
        let url = self.suite.leads_url();
        let connection = ["--server", &url, "--token", &token];
        let arguments = ["reflexctl", "leads"].iter().chain(words).chain(&connection);
        let outcome = reflexctl::run(arguments).await;
        outcome.map_err(|error| format!("{error:#}"))
    }

    /// Returns what lies in the inboxes of both.
    async fn inboxes(&self) -> Vec<String> {
        let mut titles = Vec::new();
        for recipient in ["members/an", "members/bo"] {
            let wire = self.suite.notifications(&self.tenant, Role::Manager, None);
            let request = ListInboxItemsRequest {
                recipient: recipient.into(),
                ..ListInboxItemsRequest::default()
            };
            let listed = InboxServiceClient::new(wire).list_inbox_items(request).await.unwrap();
            titles.extend(listed.into_inner().items.into_iter().map(|item| item.title));
        }
        titles
    }

    async fn leads(&self) -> Vec<Lead> {
        let mut client = LeadServiceClient::new(self.suite.leads(&self.tenant, Role::Manager, None));
        let request = ListLeadsRequest {
            page_size: 1_000,
            ..ListLeadsRequest::default()
        };
        client.list_leads(request).await.unwrap().into_inner().leads
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_looked_at_imported_and_mended() {
    let scene = Scene::start().await;
    let text = "单位全称\t联系人\t手机号\t预算(万元)\t紧急程度\t展位\t内部备注\r\n\
        上海市第一人民医院\t王主任\t13800138000\t50\t红\tA-1\t=1+1\r\n\
        苏州骨科医院\t李主任\t1.39E+10\t\t黄\tA-2\t\r\n\
        \"无锡康复\r\n中心\"\t赵主任\t13700137000\t约30\t绿\tA-3\t\r\n";
    let (gbk, _, is_lossy) = encoding_rs::GBK.encode(text);
    assert!(!is_lossy);
    let (file, report) = (scene.path("展会.csv"), scene.path("refused.csv"));
    std::fs::write(&file, &gbk).unwrap();
    let report_flag = report.to_str().unwrap();
    let mapping = [
        "--map",
        "单位全称=company",
        "--map",
        "内部备注=ignore",
        "--source",
        "展会",
    ];

    let unmapped = scene.import(&file, &["--preview"]).await.unwrap_err();
    assert!(unmapped.contains("settings.source"), "{unmapped}");
    let flags = [&mapping[..], &["--preview", "--report", report_flag]].concat();
    assert_eq!(scene.import(&file, &flags).await, Err("2 rows were refused".to_owned()));
    assert_eq!(scene.leads().await.len(), 0, "a preview stores nothing");
    let told = std::fs::read_to_string(&report).unwrap();
    let lines: Vec<&str> = told.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    assert_eq!(lines[0], "行,列,值,原因");
    assert!(lines[1].starts_with("3,手机号,1.39E+10,"), "{told}");
    assert!(lines[2].starts_with("4,预算(万元),约30,"), "{told}");

    let flags = [&mapping[..], &["--lang", "en", "-o", "json"]].concat();
    assert_eq!(scene.import(&file, &flags).await, Err("2 rows were refused".to_owned()));
    assert_eq!(scene.import(&file, &flags).await, Err("2 rows were refused".to_owned()));
    let stored = scene.leads().await;
    assert_eq!(stored.len(), 1, "the same file twice");
    let lead = &stored[0];
    assert_eq!(
        (lead.company.as_str(), lead.urgency()),
        ("上海市第一人民医院", Urgency::Red)
    );
    assert_eq!(
        (lead.budget_max_fen, lead.attributes["展位"].as_str()),
        (50_000_000, "A-1")
    );
    assert!(!lead.attributes.contains_key("内部备注"));

    // Other settings under the same id would store what is stored already under other names.
    let other = scene
        .import(&file, &["--source", "官网", "--map", "单位全称=company"])
        .await;
    let other = other.unwrap_err();
    assert!(other.contains("began with another file or other settings"), "{other}");

    let mended = text
        .lines()
        .filter(|line| !line.contains("第一人民"))
        .collect::<Vec<_>>()
        .join("\n");
    let mended = mended.replace("1.39E+10", "13900139000").replace("约30", "30");
    std::fs::write(&file, mended).unwrap();
    assert_eq!(scene.import(&file, &mapping).await, Ok(()));
    let names = eventually("all have an owner", async || {
        let leads = scene.leads().await;
        let all = leads.len() == 3 && leads.iter().all(|lead| !lead.owner.is_empty());
        all.then(|| leads.into_iter().map(|lead| lead.company).collect::<Vec<_>>())
    })
    .await;
    assert!(names.contains(&"无锡康复 中心".to_owned()), "{names:?}");
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_list_is_taken_back_everywhere() {
    let scene = Scene::start().await;
    let file = scene.path("list.csv");
    let source = ["--source", "展会"];
    std::fs::write(&file, "编号,公司,电话\nA1,上海医院,1\n").unwrap();
    scene.import(&file, &source).await.unwrap();
    std::fs::write(&file, "编号,公司,电话\nA1,上海医院,2\nA2,苏州医院,3\nA3,无锡医院,4\n").unwrap();
    let flags = [&source[..], &["--on-known", "overwrite"]].concat();
    scene
        .import(&file, &[&flags[..], &["--preview"]].concat())
        .await
        .unwrap();
    scene.import(&file, &flags).await.unwrap();
    let told = eventually("all are told", async || {
        let told = scene.inboxes().await;
        (told.len() == 3).then_some(told)
    })
    .await;
    assert!(told.iter().any(|title| title.contains("苏州医院")), "{told:?}");

    scene.leads_command(&["imports", "list"]).await.unwrap();
    let mut imports = ImportServiceClient::new(scene.suite.leads(&scene.tenant, Role::Manager, None));
    let mut list = async || {
        let listed = imports.list_imports(ListImportsRequest::default()).await.unwrap();
        listed.into_inner().imports
    };
    let wrong = list().await.remove(0);
    assert_eq!((wrong.stored_count, wrong.updated_count), (2, 1));
    scene.leads_command(&["imports", "show", &wrong.name]).await.unwrap();
    scene.leads_command(&["imports", "undo", &wrong.name]).await.unwrap();
    let left = scene.leads().await;
    let left: Vec<_> = left
        .iter()
        .map(|lead| (lead.external_id.as_str(), lead.phone.as_str()))
        .collect();
    assert_eq!(left, [("A1", "1")]);
    eventually("nobody is told of leads that are gone", async || {
        (scene.inboxes().await.len() == 1).then_some(())
    })
    .await;
    assert_eq!(list().await[0].state(), State::Undone);
    let again = scene.import(&file, &flags).await.unwrap_err();
    assert!(again.contains("give it an id of its own"), "{again}");
    let cancelled = scene
        .leads_command(&["imports", "cancel", &wrong.name])
        .await
        .unwrap_err();
    assert!(cancelled.contains("is complete"), "{cancelled}");
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_is_said_and_nothing_is_stored() {
    let scene = Scene::start().await;
    let missing = scene
        .import(&scene.path("none.csv"), &["--source", "x"])
        .await
        .unwrap_err();
    assert!(missing.contains("none.csv cannot be read"), "{missing}");
    let file = scene.path("list.csv");
    for (text, flags, telling) in [
        ("", &["--source", "x"][..], "file: is empty"),
        (
            "公司\n甲\n",
            &["--source", "x", "--encoding", "klingon"],
            "settings.encoding",
        ),
        (
            "公司\n甲\n",
            &["--source", "x", "--map", "电话=phone"],
            "has no column 电话",
        ),
        (
            "公司\n甲\n",
            &["--source", "x", "--map", "公司=salary"],
            "must be one of source",
        ),
        ("公司\n甲\n", &["--source", "x", "--map", "公司"], "COLUMN=FIELD"),
        (
            "公司\n甲\n",
            &["--source", "x", "--report", "/nonexistent/r.csv"],
            "cannot be written",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let told = scene.import(&file, flags).await.unwrap_err();
        assert!(told.contains(telling), "{telling}: {told}");
    }
    assert_eq!(scene.leads().await.len(), 0);
    scene.suite.stop().await;
}
