//! Lists in the order of a field.

use super::*;

#[tokio::test]
async fn the_match_of_process_orders_customers_and_their_leads() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_customers().await;
    let early = admin.capture_of("wuxi", "早来的", 100).await;
    leads.admin(HUADONG).wait_for_owner(&early, "").await;
    let stored = admin
        .put_field(of_account("match", "工艺匹配度/process_match", MATCH))
        .await
        .unwrap();
    assert_eq!((stored.version, stored.r#type()), (1, calculated_field::Type::Number));
    assert_eq!(stored.formula, MATCH, "kept as it was typed");
    admin
        .put_field(of_lead("weight", "权重", "客户.工艺匹配度 * 10"))
        .await
        .unwrap();
    admin.settled("match").await;
    admin.settled("weight").await;
    for (key, _, expected) in CUSTOMERS {
        let account = admin.account(key).await;
        assert_eq!(
            values(&account.calculated_values),
            [("工艺匹配度", Some(expected))].into(),
            "{key}"
        );
    }
    // One that comes later has its value at once.
    let late = admin.put_account(account("anhui", &[("设备型号", "自由锻造锤")])).await;
    assert_eq!(values(&late.calculated_values), [("工艺匹配度", Some(0.8))].into());

    for (order_by, expected) in [
        ("工艺匹配度 desc", ["suzhou", "anhui", "wuxi", "ningbo"]),
        ("process_match", ["ningbo", "wuxi", "anhui", "suzhou"]),
        ("", ["anhui", "ningbo", "suzhou", "wuxi"]),
    ] {
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListAccountsRequest {
                page_size: 3,
                page_token,
                order_by: order_by.into(),
            };
            let page = admin.accounts.list_accounts(request).await.unwrap().into_inner();
            seen.extend(page.accounts.into_iter().map(|account| account.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, expected.map(|key| format!("accounts/{key}")), "{order_by:?}");
    }

    for (key, _, value) in CUSTOMERS {
        let name = admin.capture_of(key, &format!("{key} 询价"), 100).await;
        admin.until_value(&name, "权重", Some(value * 10.0)).await;
    }
    let descending = admin.ordered(2, &order("权重 desc")).await;
    assert_eq!(descending, ["suzhou 询价", "wuxi 询价", "早来的", "ningbo 询价"]);
}

#[tokio::test]
async fn pages_are_stable_over_ties_blanks_and_newcomers() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_field(of_lead("amount", "金额/amount", "预算")).await.unwrap();
    admin.settled("amount").await;
    let budgets = [300_u16, 0, 100, 300, 0, 200, 300, 0, 100];
    let mut names = Vec::new();
    for (at, budget) in budgets.into_iter().enumerate() {
        let name = admin.capture_of("", &format!("{budget}-{at}"), budget.into()).await;
        let value = (budget > 0).then_some(f64::from(budget) / 100.0);
        admin.until_value(&name, "金额", value).await;
        names.push(name);
    }
    let descending = [
        "300-6", "300-3", "300-0", "200-5", "100-8", "100-2", "0-7", "0-4", "0-1",
    ];
    let ascending = [
        "100-2", "100-8", "200-5", "300-0", "300-3", "300-6", "0-1", "0-4", "0-7",
    ];
    for size in [1, 2, 3, 4, 6, 7, 9, 100] {
        assert_eq!(
            admin.ordered(size, &order("金额 desc")).await,
            descending,
            "{size} a page"
        );
        assert_eq!(
            admin.ordered(size, &order("amount asc")).await,
            ascending,
            "{size} a page"
        );
    }
    let queued = ListLeadsRequest {
        state: lead::State::Queued.into(),
        ..order("金额 desc")
    };
    assert_eq!(admin.ordered(2, &queued).await, descending, "with a filter, too");
    let closed = ListLeadsRequest {
        state: lead::State::Closed.into(),
        ..order("金额 desc")
    };
    assert!(admin.ordered(2, &closed).await.is_empty());

    // Newcomers between two pages move nobody: those before the place are not seen, those behind it are.
    let first = admin
        .leads
        .list_leads(ListLeadsRequest {
            page_size: 4,
            ..order("金额 desc")
        })
        .await
        .unwrap()
        .into_inner();
    for budget in [900_u16, 150, 0] {
        let name = admin.capture_of("", &format!("new-{budget}"), budget.into()).await;
        admin
            .until_value(&name, "金额", (budget > 0).then_some(f64::from(budget) / 100.0))
            .await;
    }
    let second = ListLeadsRequest {
        page_size: 100,
        page_token: first.next_page_token.clone(),
        ..order("金额 desc")
    };
    let second = admin.leads.list_leads(second).await.unwrap().into_inner();
    let second: Vec<_> = second.leads.into_iter().map(|lead| lead.company).collect();
    assert_eq!(second, ["new-150", "100-8", "100-2", "new-0", "0-7", "0-4", "0-1"]);
    let other_order = ListLeadsRequest {
        page_token: first.next_page_token,
        ..order("金额")
    };
    assert_refused(admin.leads.list_leads(other_order).await, OTHER_PAGE, "");
}
