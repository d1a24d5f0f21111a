//! Customers in four dimensions: who they are, who works there, what stands there, and how often they buy.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use proptest::{prelude::*, test_runner::TestRunner};
use reflex_proto::leads::v1::{
    Account, Contact, Customer, CustomerPolicy, CustomerTrack, DataSubject, Device, EndRelationRequest,
    EraseSubjectRequest, ExportSubjectRequest, FindSubjectRequest, Freshness, GetAccountRequest,
    GetCustomerPolicyRequest, GetCustomerRequest, ListCustomersRequest, ListRelationsRequest, PurchaseCycle,
    PutAccountRequest, PutContactRequest, PutCustomerPolicyRequest, PutCustomerRequest, PutDeviceRequest,
    PutRelationRequest, Relation, relation::Object,
};
use reflex_rpc::identity::Role;
use reflex_runtime::clock::Clock as _;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::harness::{
    Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, REUSED, WRONG_STATE, assert_refused,
};

const HOSPITAL: &str = "accounts/一院";
const DAY: SignedDuration = SignedDuration::from_hours(24);
const PHONE: &str = "13812344321";

fn customer(name: &str) -> Customer {
    Customer {
        name: name.into(),
        display_name: "第一医院".into(),
        ..Customer::default()
    }
}

fn message(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: 0,
    }
}

fn relation(object: Object, role: &str, from: Option<Timestamp>, to: Option<Timestamp>) -> Relation {
    Relation {
        customer: HOSPITAL.into(),
        object: Some(object),
        role: role.into(),
        valid_from: from.map(message),
        valid_to: to.map(message),
        ..Relation::default()
    }
}

fn device_of(name: &str) -> Object {
    Object::Device(name.into())
}

impl Caller {
    async fn put_customer(&mut self, customer: Customer) -> Result<Customer, Status> {
        let request = PutCustomerRequest {
            customer: Some(customer),
            request_id: String::new(),
        };
        let response = self.customers.put_customer(request).await?;
        Ok(response.into_inner().customer.unwrap())
    }

    async fn customer(&mut self, name: &str, as_of: Option<Timestamp>) -> Result<Customer, Status> {
        let request = GetCustomerRequest {
            name: name.into(),
            as_of: as_of.map(message),
        };
        let response = self.customers.get_customer(request).await?;
        Ok(response.into_inner().customer.unwrap())
    }

    async fn put_contact(&mut self, id: &str, phones: &[&str]) -> Result<(), Status> {
        let contact = Contact {
            name: format!("contacts/{id}"),
            display_name: "欧阳测试甲".into(),
            title: "主任".into(),
            phones: phones.iter().map(ToString::to_string).collect(),
            emails: vec!["Ouyang@Hospital.cn".into()],
        };
        let request = PutContactRequest {
            contact: Some(contact),
            request_id: String::new(),
        };
        self.customers.put_contact(request).await.map(drop)
    }

    async fn put_device(&mut self, id: &str, serial: &str, install_date: &str) -> Result<Device, Status> {
        let device = Device {
            name: format!("devices/{id}"),
            model: "锻造压力机".into(),
            serial: serial.into(),
            install_date: install_date.into(),
            service_years: None,
        };
        let request = PutDeviceRequest {
            device: Some(device),
            request_id: String::new(),
        };
        let response = self.customers.put_device(request).await?;
        Ok(response.into_inner().device.unwrap())
    }

    async fn relate(&mut self, relation: Relation) -> Result<Relation, Status> {
        let request = PutRelationRequest {
            relation: Some(relation),
            request_id: String::new(),
        };
        let response = self.customers.put_relation(request).await?;
        Ok(response.into_inner().relation.unwrap())
    }

    async fn end(&mut self, name: &str, at: Option<Timestamp>) -> Result<Relation, Status> {
        let request = EndRelationRequest {
            name: name.into(),
            end_time: at.map(message),
            request_id: String::new(),
        };
        let response = self.customers.end_relation(request).await?;
        Ok(response.into_inner().relation.unwrap())
    }

    async fn relations(&mut self, as_of: Option<Timestamp>) -> Vec<Relation> {
        let request = ListRelationsRequest {
            customer: HOSPITAL.into(),
            as_of: as_of.map(message),
            ..ListRelationsRequest::default()
        };
        let response = self.customers.list_relations(request).await.unwrap();
        response.into_inner().relations
    }

    async fn listed(&mut self, freshness: Freshness, track: CustomerTrack) -> Vec<String> {
        let request = ListCustomersRequest {
            freshness: freshness.into(),
            track: track.into(),
            ..ListCustomersRequest::default()
        };
        let response = self.customers.list_customers(request).await.unwrap().into_inner();
        response.customers.into_iter().map(|customer| customer.name).collect()
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn a_customer_is_its_account_with_what_people_know_of_it() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let account = Account {
        name: HOSPITAL.into(),
        display_name: "一院".into(),
        attributes: [("设备型号".to_owned(), "锻造压力机".to_owned())].into(),
        ..Account::default()
    };
    let request = PutAccountRequest {
        account: Some(account),
        request_id: String::new(),
    };
    admin.accounts.put_account(request).await.unwrap();
    let known = admin.customer(HOSPITAL, None).await.unwrap();
    assert_eq!(
        (known.display_name.as_str(), known.since_date.as_str()),
        ("一院", "2026-03-02")
    );
    assert_eq!(known.missing, ["credit_code", "industry", "contact"]);

    let sent = Customer {
        credit_code: "9135 0100-m000 100y43".into(),
        since_date: "2019-05-01".into(),
        ..customer(HOSPITAL)
    };
    let request = PutCustomerRequest {
        customer: Some(sent.clone()),
        request_id: Uuid::from_u128(7).to_string(),
    };
    for _ in 0..2 {
        let put = admin
            .customers
            .put_customer(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(put.customer.unwrap().credit_code, "91350100M000100Y43");
    }
    let other = PutCustomerRequest {
        customer: Some(customer(HOSPITAL)),
        ..request
    };
    assert_refused(admin.customers.put_customer(other).await, REUSED, "");
    assert_eq!(
        leads.told("reflex.leads.v1.CustomerChanged", HOSPITAL).await,
        1,
        "once for both calls"
    );
    let account = GetAccountRequest { name: HOSPITAL.into() };
    let account = admin
        .accounts
        .get_account(account)
        .await
        .unwrap()
        .into_inner()
        .account
        .unwrap();
    assert_eq!(account.display_name, "第一医院");
    assert_eq!(
        account.attributes["设备型号"], "锻造压力机",
        "formulas keep what they read"
    );
    let kept = admin
        .put_customer(Customer {
            since_date: String::new(),
            ..sent.clone()
        })
        .await
        .unwrap();
    assert_eq!(kept.since_date, "2019-05-01");

    let twin = Customer {
        name: "accounts/二院".into(),
        ..sent.clone()
    };
    let status = admin.put_customer(twin.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists, "{status}");
    leads.admin(HUABEI).put_customer(twin).await.unwrap();
    for (wrong, field) in [
        (
            Customer {
                credit_code: "91350100M000100Y44".into(),
                ..sent.clone()
            },
            "credit_code",
        ),
        (
            Customer {
                name: "customers/x".into(),
                ..sent.clone()
            },
            "name",
        ),
        (
            Customer {
                display_name: "长".repeat(301),
                ..sent.clone()
            },
            "display_name",
        ),
    ] {
        assert_refused(admin.put_customer(wrong).await, INVALID, field);
    }
    let unknown = Customer {
        industry: "C36".into(),
        ..sent
    };
    assert_refused(admin.put_customer(unknown).await, WRONG_STATE, "C36");
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(sales.put_customer(customer(HOSPITAL)).await, DENIED, "accounts.write");
    assert_refused(admin.customer("accounts/无", None).await, NOT_FOUND, "accounts/无");
}

fn works() -> Object {
    Object::Contact("contacts/ouyang".into())
}

fn buys() -> Object {
    Object::PurchaseCycle(PurchaseCycle {
        product: "骨科耗材".into(),
        period_days: 90,
        last_purchase_date: "2026-01-31".into(),
        next_expected_date: String::new(),
    })
}

/// Has two customers; the first one has a contact in two roles, a cycle, and for ten days a device, whose relation is returned.
async fn furnish(leads: &Leads, admin: &mut Caller) -> Relation {
    for name in [HOSPITAL, "accounts/二院"] {
        admin.put_customer(customer(name)).await.unwrap();
    }
    admin.put_contact("ouyang", &[PHONE]).await.unwrap();
    let device = admin.put_device("press-1", "S-1", "2021-03-02").await.unwrap();
    assert_eq!(device.service_years, Some(5.0), "on the anniversary");
    for role in ["采购经理", "使用工程师"] {
        admin.relate(relation(works(), role, None, None)).await.unwrap();
    }
    admin.relate(relation(buys(), "", None, None)).await.unwrap();
    let since = Some(leads.clock.now() - DAY * 10);
    let stands = relation(device_of("devices/press-1"), "一号车间", since, None);
    admin.relate(stands).await.unwrap()
}

#[tokio::test]
async fn what_excludes_each_other_is_refused() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let now = leads.clock.now();
    furnish(&leads, &mut admin).await;
    for (again, telling) in [
        (relation(works(), "采购经理", Some(now + DAY), None), "role"),
        (relation(buys(), "别的", None, None), "cycle"),
        (
            relation(
                device_of("devices/press-1"),
                "",
                Some(now - DAY * 20),
                Some(now - DAY * 9),
            ),
            "stands",
        ),
        (
            Relation {
                customer: "accounts/二院".into(),
                ..relation(device_of("devices/press-1"), "", None, None)
            },
            "stands",
        ),
        (relation(device_of("devices/none"), "", None, None), "devices/none"),
        (
            Relation {
                customer: "accounts/无".into(),
                ..relation(buys(), "", None, None)
            },
            "accounts/无",
        ),
    ] {
        assert_refused(admin.relate(again).await, WRONG_STATE, telling);
    }
    let taken = admin.put_device("press-2", "S-1", "").await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    assert_eq!(admin.put_device("press-2", "", "").await.unwrap().service_years, None);
}

#[tokio::test]
async fn a_customer_is_shown_with_what_is_related_to_it() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    furnish(&leads, &mut admin).await;
    let shown = admin.customer(HOSPITAL, None).await.unwrap();
    assert_eq!(shown.relations.len(), 4);
    assert_eq!(shown.missing, ["credit_code", "industry"]);
    let find = |shown: &Customer, is: fn(&Object) -> bool| {
        let found = shown.relations.iter().find(|it| is(it.object.as_ref().unwrap()));
        found.unwrap().clone()
    };
    let person = find(&shown, |object| matches!(object, Object::Contact(_)));
    assert_eq!(person.contact_details.unwrap().phones, [PHONE]);
    let press = find(&shown, |object| matches!(object, Object::Device(_)));
    assert_eq!(press.device_details.unwrap().service_years, Some(5.0));
    let Some(Object::PurchaseCycle(cycle)) = find(&shown, |it| matches!(it, Object::PurchaseCycle(_))).object else {
        panic!("a cycle was put")
    };
    assert_eq!(cycle.next_expected_date, "2026-05-01");
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    let masked = viewer.customer(HOSPITAL, None).await.unwrap();
    let masked = find(&masked, |object| matches!(object, Object::Contact(_)))
        .contact_details
        .unwrap();
    assert_eq!(
        (masked.phones[0].as_str(), masked.emails[0].as_str()),
        ("138****4321", "O***@Hospital.cn")
    );
}

#[tokio::test]
async fn relations_hold_for_their_time_and_stay_in_the_history() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let now = leads.clock.now();
    let stands = furnish(&leads, &mut admin).await;
    // Half-open: what begins where another ends does not overlap it.
    let ended = admin.end(&stands.name, Some(now)).await.unwrap();
    assert_eq!(ended.valid_to, Some(message(now)));
    admin.end(&stands.name, Some(now)).await.unwrap();
    assert_refused(admin.end(&stands.name, Some(now + DAY)).await, WRONG_STATE, "ended");
    assert_refused(admin.end(&stands.name, Some(now - DAY * 10)).await, INVALID, "end_time");
    let moved = Relation {
        customer: "accounts/二院".into(),
        ..relation(device_of("devices/press-1"), "", Some(now), None)
    };
    admin.relate(moved).await.unwrap();
    let is_there = |relations: &[Relation]| relations.iter().any(|it| it.name == stands.name);
    assert!(is_there(&admin.relations(None).await), "history keeps it");
    assert!(!is_there(&admin.relations(Some(now)).await));
    assert!(is_there(
        &admin.relations(Some(now - SignedDuration::from_secs(1))).await
    ));
    let before = admin.customer(HOSPITAL, Some(now - DAY)).await.unwrap();
    assert_eq!(before.relations.len(), 1);
    let served = before.relations[0]
        .device_details
        .as_ref()
        .unwrap()
        .service_years
        .unwrap();
    assert!((served - (4.0 + 364.0 / 365.0)).abs() < 1e-9, "on that day: {served}");

    let mut page = ListRelationsRequest {
        customer: HOSPITAL.into(),
        page_size: 3,
        ..ListRelationsRequest::default()
    };
    let first = admin.customers.list_relations(page.clone()).await.unwrap().into_inner();
    page.page_token = first.next_page_token;
    let second = admin.customers.list_relations(page.clone()).await.unwrap().into_inner();
    assert_eq!((first.relations.len(), second.relations.len()), (3, 1));
    let mut foreign = leads.admin(HUABEI);
    assert_refused(foreign.customers.list_relations(page).await, OTHER_PAGE, "");
    assert!(foreign.relations(None).await.is_empty());
    assert_refused(foreign.end(&stands.name, None).await, NOT_FOUND, "relations/");
    assert_refused(
        foreign.relate(relation(works(), "", None, None)).await,
        WRONG_STATE,
        "does not exist",
    );
}

#[test]
fn no_two_relations_of_a_device_ever_overlap() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let leads = runtime.block_on(Leads::start());
    let now = leads.clock.now();
    runtime.block_on(async {
        let mut admin = leads.admin(HUADONG);
        admin.put_customer(customer(HOSPITAL)).await.unwrap();
    });
    let spans = proptest::collection::vec((0..20_i32, 1..8_i32, any::<bool>()), 1..12);
    let case = Cell::new(0);
    TestRunner::new(ProptestConfig::with_cases(24))
        .run(&spans, |spans| {
            case.set(case.get() + 1);
            runtime.block_on(async {
                let device = format!("press-{}", case.get());
                let mut admin = leads.admin(HUADONG);
                admin.put_device(&device, "", "").await.unwrap();
                let mut model: Vec<(i32, Option<i32>)> = Vec::new();
                for (from, length, open) in spans {
                    let to = (!open).then_some(from + length);
                    let at = |day: i32| now + DAY * day;
                    let sent = relation(device_of(&format!("devices/{device}")), "", Some(at(from)), to.map(at));
                    let before = |end: Option<i32>, start: i32| end.is_some_and(|end| end <= start);
                    let free = model
                        .iter()
                        .all(|(start, end)| before(*end, from) || before(to, *start));
                    let kept = admin.relate(sent).await;
                    prop_assert_eq!(kept.is_ok(), free, "{:?} beside {:?}", (from, to), &model);
                    if free {
                        model.push((from, to));
                    }
                }
                Ok(())
            })
        })
        .unwrap();
    runtime.block_on(async {
        let overlaps: i64 = sqlx::query_scalar(
            "select count(*) from account_relations a join account_relations b using (tenant_id, object)
             where a.relation_id < b.relation_id
                 and tstzrange(a.valid_from, a.valid_to) && tstzrange(b.valid_from, b.valid_to)",
        )
        .fetch_one(&leads.owner)
        .await
        .unwrap();
        assert_eq!(overlaps, 0);
    });
}

#[tokio::test]
async fn two_tracks_part_at_the_cutover_and_knowledge_ages() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let get = GetCustomerPolicyRequest {};
    assert_refused(admin.customers.get_customer_policy(get).await, NOT_FOUND, "policy");
    let put = |cutover: &str, fresh_days, stale_days| PutCustomerPolicyRequest {
        policy: Some(CustomerPolicy {
            cutover_date: cutover.into(),
            fresh_days,
            stale_days,
            update_time: None,
        }),
        request_id: String::new(),
    };
    assert_refused(
        admin.customers.put_customer_policy(put("", 9, 9)).await,
        INVALID,
        "stale_days",
    );
    let policy = admin
        .customers
        .put_customer_policy(put("2026-01-01", 0, 90))
        .await
        .unwrap();
    let policy = policy.into_inner().policy.unwrap();
    assert_eq!((policy.fresh_days, policy.stale_days), (30, 90));
    for (id, since) in [("a", "2025-12-31"), ("b", "2026-01-01"), ("c", "")] {
        let name = format!("accounts/{id}");
        let put = Customer {
            since_date: since.into(),
            ..customer(&name)
        };
        admin.put_customer(put).await.unwrap();
    }
    let any = (Freshness::Unspecified, CustomerTrack::Unspecified);
    assert_eq!(admin.listed(any.0, CustomerTrack::Lazy).await, ["accounts/a"]);
    assert_eq!(
        admin.listed(any.0, CustomerTrack::Full).await,
        ["accounts/b", "accounts/c"]
    );
    let old = admin.customer("accounts/a", None).await.unwrap();
    assert!(old.missing.is_empty(), "nothing is asked of those from before");

    admin.put_contact("ouyang", &[PHONE]).await.unwrap();
    let works = Relation {
        customer: "accounts/b".into(),
        ..relation(Object::Contact("contacts/ouyang".into()), "", None, None)
    };
    admin.relate(works).await.unwrap();
    leads.advance(DAY * 31);
    assert_eq!(admin.listed(Freshness::Ageing, any.1).await.len(), 3);
    let told = leads.told("reflex.leads.v1.CustomerChanged", "accounts/b").await;
    admin.put_contact("ouyang", &[]).await.unwrap();
    assert_eq!(
        leads.told("reflex.leads.v1.CustomerChanged", "accounts/b").await,
        told + 1
    );
    assert_eq!(
        admin.listed(Freshness::Fresh, any.1).await,
        ["accounts/b"],
        "a contact is part of the customer"
    );
    leads.advance(DAY * 60);
    assert_eq!(
        admin.listed(Freshness::Stale, any.1).await,
        ["accounts/a", "accounts/c"]
    );
    assert_eq!(
        admin.listed(Freshness::Stale, CustomerTrack::Full).await,
        ["accounts/c"]
    );

    let mut page = ListCustomersRequest {
        page_size: 1,
        freshness: Freshness::Stale.into(),
        ..ListCustomersRequest::default()
    };
    let mut seen = Vec::new();
    loop {
        let listed = admin.customers.list_customers(page.clone()).await.unwrap().into_inner();
        seen.extend(listed.customers.into_iter().map(|it| it.name));
        page.page_token = listed.next_page_token;
        if page.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["accounts/a", "accounts/c"]);
    assert!(leads.admin(HUABEI).listed(any.0, any.1).await.is_empty());
}

#[tokio::test]
async fn a_contact_is_found_handed_out_and_erased() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_customer(customer(HOSPITAL)).await.unwrap();
    admin.put_contact("ouyang", &["+86 138-1234-4321"]).await.unwrap();
    admin.put_contact("li", &["13900000000"]).await.unwrap();
    let role = format!("回电 {PHONE}");
    for id in ["ouyang", "li"] {
        let works = relation(Object::Contact(format!("contacts/{id}")), &role, None, None);
        admin.relate(works).await.unwrap();
    }
    let subject = || {
        Some(DataSubject {
            phone: PHONE.into(),
            ..DataSubject::default()
        })
    };
    let found = admin
        .privacy
        .find_subject(FindSubjectRequest { subject: subject() })
        .await
        .unwrap();
    let holdings = found.into_inner().holdings;
    let holdings: Vec<_> = holdings.iter().map(|it| (it.kind.as_str(), it.count)).collect();
    assert_eq!(holdings, [("contacts", 1), ("relations", 2)]);
    let held = admin
        .privacy
        .export_subject(ExportSubjectRequest { subject: subject() })
        .await
        .unwrap();
    assert!(held.into_inner().json.contains("欧阳测试甲"));
    admin
        .privacy
        .erase_subject(EraseSubjectRequest { subject: subject() })
        .await
        .unwrap();
    let found = admin
        .privacy
        .find_subject(FindSubjectRequest { subject: subject() })
        .await
        .unwrap();
    assert!(found.into_inner().holdings.is_empty());
    let shown = admin.customer(HOSPITAL, None).await.unwrap();
    assert_eq!(shown.relations.len(), 2, "that somebody worked there stays");
    let names: Vec<_> = shown
        .relations
        .iter()
        .map(|it| it.contact_details.as_ref().unwrap())
        .collect();
    assert_eq!(
        names
            .iter()
            .filter(|it| it.display_name.is_empty() && it.phones.is_empty())
            .count(),
        1
    );
    assert!(!format!("{shown:?}").contains(PHONE));
}
