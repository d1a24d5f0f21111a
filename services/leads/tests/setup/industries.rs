//! The tree of industries: versions that never change, found by code and name, and compared.

use reflex_proto::leads::v1::{
    Customer, ImportIndustriesRequest, IndustryVersion, ListIndustriesRequest, ListIndustriesResponse,
    ListIndustryVersionsRequest, MapIndustriesRequest, PutCustomerRequest, industry_move::Kind,
};
use reflex_rpc::identity::Role;
use tonic::Status;
use uuid::Uuid;

use crate::harness::{
    Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, REUSED, WRONG_STATE, assert_refused,
};

/// The tree that is shipped with the demo.
const SHIPPED: &[u8] = include_bytes!("../../../../deploy/demo/industries.csv");
const OTHER: &str = "代码,上级,中文名,英文名\nC36,,汽车制造业,Manufacture of automobiles\n\
    C3671,C36,转向节,Steering knuckle\n";

impl Caller {
    async fn import_tree(&mut self, csv: &[u8], title: &str) -> Result<IndustryVersion, Status> {
        let request = ImportIndustriesRequest {
            csv: csv.to_vec(),
            title: title.into(),
            request_id: String::new(),
        };
        let response = self.industries.import_industries(request).await?;
        Ok(response.into_inner().version.unwrap())
    }

    async fn find(&mut self, version: i32, text: &str) -> Result<ListIndustriesResponse, Status> {
        let request = ListIndustriesRequest {
            version,
            text: text.into(),
            ..ListIndustriesRequest::default()
        };
        Ok(self.industries.list_industries(request).await?.into_inner())
    }

    async fn put_into(&mut self, industry: &str, version: i32) -> Result<Customer, Status> {
        let customer = Customer {
            name: "accounts/a".into(),
            display_name: "苏州锻压".into(),
            industry: industry.into(),
            industry_version: version,
            ..Customer::default()
        };
        let request = PutCustomerRequest {
            customer: Some(customer),
            request_id: String::new(),
        };
        let response = self.customers.put_customer(request).await?;
        Ok(response.into_inner().customer.unwrap())
    }
}

#[tokio::test]
async fn the_shipped_tree_is_imported_once_and_found_by_code_and_name() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    assert_refused(admin.find(0, "").await, NOT_FOUND, "version 0");
    let request = ImportIndustriesRequest {
        csv: SHIPPED.to_vec(),
        title: "GB/T 4754-2017".into(),
        request_id: Uuid::from_u128(7).to_string(),
    };
    for _ in 0..2 {
        let version = admin.industries.import_industries(request.clone()).await.unwrap();
        assert_eq!(version.into_inner().version.unwrap().version, 1);
    }
    let reused = ImportIndustriesRequest {
        csv: OTHER.into(),
        ..request
    };
    assert_refused(admin.industries.import_industries(reused).await, REUSED, "");
    assert_eq!(
        admin.import_tree(SHIPPED, "GB/T 4754-2017").await.unwrap().version,
        1,
        "the same tree again"
    );
    let divisions = admin.find(0, "").await.unwrap();
    let top: Vec<_> = divisions.industries.iter().filter(|it| it.level == 1).collect();
    assert_eq!(top.len(), 31);
    assert_eq!((top[0].code.as_str(), top[30].code.as_str()), ("C13", "C43"));
    for (text, code) in [("转向节", "C367-1"), ("control ARM", "C367-2"), ("c36", "C36")] {
        let found = admin.find(1, text).await.unwrap().industries;
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].code, code);
    }
    let arm = admin.find(1, "控制臂").await.unwrap().industries.remove(0);
    assert_eq!((arm.parent.as_str(), arm.level), ("C367", 3));
    let mut foreign = leads.admin(HUABEI);
    assert_refused(foreign.find(1, "").await, NOT_FOUND, "version 1");
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    assert_refused(viewer.import_tree(SHIPPED, "x").await, DENIED, "accounts.write");
    assert_eq!(viewer.find(0, "转向节").await.unwrap().industries.len(), 1);

    let granted: bool = sqlx::query_scalar(
        "select has_table_privilege('reflex_app', 'industries', 'update')
             or has_table_privilege('reflex_app', 'industry_versions', 'update')
             or has_table_privilege('reflex_app', 'industries', 'delete')",
    )
    .fetch_one(&leads.owner)
    .await
    .unwrap();
    assert!(!granted, "not even the service can change a version");
}

#[tokio::test]
async fn customers_keep_the_version_of_their_industry_and_versions_are_mapped() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.import_tree(SHIPPED, "GB/T 4754-2017").await.unwrap();
    let put = admin.put_into("C367-1", 0).await.unwrap();
    assert_eq!((put.industry.as_str(), put.industry_version), ("C367-1", 1));
    let second = admin.import_tree(OTHER.as_bytes(), "2030").await.unwrap();
    assert_eq!((second.version, second.industry_count), (2, 2));
    assert_eq!(
        admin.put_into("C367-1", 1).await.unwrap().industry_version,
        1,
        "an old one still counts"
    );
    assert_refused(admin.put_into("C367-1", 0).await, WRONG_STATE, "C367-1");
    assert_refused(admin.put_into("C36", 3).await, WRONG_STATE, "C36");
    assert_eq!(admin.put_into("C36", 0).await.unwrap().industry_version, 2);

    let map = MapIndustriesRequest {
        from_version: 1,
        to_version: 0,
    };
    let mapped = admin.industries.map_industries(map).await.unwrap().into_inner();
    assert_eq!(mapped.same_count, 1);
    let told = mapped.moves.iter().find(|it| it.from_code == "C367-1").unwrap();
    assert_eq!((told.to_code.as_str(), told.kind()), ("C3671", Kind::Moved));
    assert!(
        mapped
            .moves
            .iter()
            .any(|it| it.from_code == "C367-2" && it.kind() == Kind::Removed)
    );
    let absent = MapIndustriesRequest {
        from_version: 9,
        to_version: 1,
    };
    assert_refused(admin.industries.map_industries(absent).await, NOT_FOUND, "version 9");
    assert_refused(
        leads.admin(HUABEI).industries.map_industries(map).await,
        NOT_FOUND,
        "version 1",
    );

    let list = |page_token: &str| ListIndustryVersionsRequest {
        page_size: 1,
        page_token: page_token.into(),
    };
    let first = admin
        .industries
        .list_industry_versions(list(""))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.versions[0].version, 2, "the newest first");
    let token = first.next_page_token;
    let rest = admin
        .industries
        .list_industry_versions(list(&token))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (rest.versions[0].title.as_str(), rest.next_page_token.as_str()),
        ("GB/T 4754-2017", "")
    );
    let mut foreign = leads.admin(HUABEI);
    assert_refused(
        foreign.industries.list_industry_versions(list(&token)).await,
        OTHER_PAGE,
        "",
    );
}

#[tokio::test]
async fn a_wrong_file_is_refused_whole() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    for (csv, title, telling) in [
        (&b"code,parent,name_zh\nA,B,x"[..], "x", "line 2"),
        (b"code,parent,name_zh\nA,,x\nA,,y", "x", "line 3"),
        (b"", "x", "columns"),
        (b"code,parent,name_zh\nA,,x", " ", "title"),
    ] {
        assert_refused(admin.import_tree(csv, title).await, INVALID, telling);
    }
    assert_refused(admin.find(0, "").await, NOT_FOUND, "version");
}
