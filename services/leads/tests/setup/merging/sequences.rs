//! Whatever people do in whatever order, nothing gets lost, and what was only merged comes back as it was.

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use reflex_proto::leads::v1::{ConflictResolution, ListMergesRequest, Merge, lead};

use super::{call, capture, claim, close, furnish, merge, new_lead, rows, unmerge};
use crate::harness::{Caller, Leads};

const LEADS: usize = 5;
const CASES: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Step {
    Merge(usize, usize),
    /// Undoes one of the merges that hold.
    Unmerge(usize),
    Call(usize),
    Claim(usize),
    Close(usize),
}

fn steps(with_work: bool) -> impl Strategy<Value = Vec<Step>> {
    let merge = (0..LEADS, 0..LEADS).prop_map(|(survivor, loser)| Step::Merge(survivor, loser));
    let unmerge = any::<usize>().prop_map(Step::Unmerge);
    let work = prop_oneof![
        3 => (0..LEADS).prop_map(Step::Call),
        2 => (0..LEADS).prop_map(Step::Claim),
        1 => (0..LEADS).prop_map(Step::Close),
    ];
    let weight = u32::from(with_work) * 4;
    let step = prop_oneof![4 => merge, 2 => unmerge, weight => work];
    prop::collection::vec(step, 5..18)
}

/// Captures leads that differ, some of them called.
async fn leads_of(admin: &mut Caller) -> Vec<String> {
    let mut names = Vec::new();
    for number in 0..LEADS {
        let mut lead = new_lead(&format!("E{number}"));
        lead.phone = if number % 2 == 0 {
            String::new()
        } else {
            format!("1380013800{number}")
        };
        lead.remark = format!("remark {number}");
        lead.attributes = [(format!("a{}", number % 2), number.to_string())].into();
        names.push(capture(admin, lead).await);
    }
    call(admin, &names[3]).await.unwrap();
    claim(admin, &names[1]).await.unwrap();
    names
}

async fn holding(admin: &mut Caller) -> Vec<Merge> {
    let listed = admin.merges.list_merges(ListMergesRequest::default()).await.unwrap();
    let merges = listed.into_inner().merges.into_iter();
    merges.filter(|merge| merge.unmerge_time.is_none()).collect()
}

/// Does a step as far as it can be done.
async fn take(admin: &mut Caller, names: &[String], step: Step) -> bool {
    match step {
        Step::Merge(survivor, loser) => merge(admin, &names[survivor], &names[loser]).await.is_ok(),
        Step::Unmerge(which) => match &holding(admin).await[..] {
            [] => false,
            merges => {
                let name = &merges[which % merges.len()].name;
                unmerge(admin, name, ConflictResolution::Restore).await.is_ok()
            }
        },
        Step::Call(lead) => call(admin, &names[lead]).await.is_ok(),
        Step::Claim(lead) => claim(admin, &names[lead]).await.is_ok(),
        Step::Close(lead) => close(admin, &names[lead]).await.is_ok(),
    }
}

/// Undoes what holds, the newest first or the oldest that can be.
async fn undo_all(admin: &mut Caller, newest_first: bool) {
    loop {
        let mut merges = holding(admin).await;
        if merges.is_empty() {
            return;
        }
        if !newest_first {
            merges.reverse();
        }
        let mut done = false;
        for merge in merges {
            done |= unmerge(admin, &merge.name, ConflictResolution::Restore).await.is_ok();
        }
        assert!(done, "a merge whose survivor is a lead of its own can be undone");
    }
}

/// Fails unless everything that holds between the tables does.
async fn check(leads: &Leads, tenant: &str) {
    let findings: Vec<String> = sqlx::query_scalar(
        "select 'pointer without merge: ' || l.lead_id from leads l where l.tenant_id = $1 and l.state = 'merged'
             and not exists (select from lead_merges m where m.tenant_id = $1 and m.loser = l.lead_id
                 and m.survivor = l.merged_into and m.unmerge_time is null)
         union all
         select 'merge without pointer: ' || m.merge_id from lead_merges m where m.tenant_id = $1
             and m.unmerge_time is null and not exists (select from leads l where l.tenant_id = $1
                 and l.lead_id = m.loser and l.merged_into = m.survivor)
         union all
         select 'pointer to nowhere: ' || l.lead_id from leads l where l.tenant_id = $1
             and survivor_of($1, l.lead_id) is null
         union all
         select m.member_id || ' holds ' || m.open_leads from members m where m.tenant_id = $1
             and m.open_leads <> (select count(*) from leads l where l.tenant_id = $1 and l.owner = m.member_id
                 and l.state in ('assigned', 'claimed', 'contacted'))
         union all
         select 'timer of a pointer: ' || t.key from timers t join leads l on l.tenant_id = $1 and l.state = 'merged'
             and starts_with(t.key, 'leads/' || l.lead_id) where t.tenant_id = $1",
    )
    .bind(tenant)
    .fetch_all(&leads.owner)
    .await
    .unwrap();
    assert_eq!(findings, [""; 0]);
}

async fn count(leads: &Leads, tenant: &str) -> i64 {
    sqlx::query_scalar("select count(*) from follow_ups where tenant_id = $1")
        .bind(tenant)
        .fetch_one(&leads.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn merges_alone_are_undone_without_a_trace() {
    let leads = Leads::start().await;
    let mut runner = TestRunner::deterministic();
    for case in 0..CASES {
        let tenant = format!("t{case}");
        let mut admin = furnish(&leads, &tenant).await;
        let names = leads_of(&mut admin).await;
        let before = rows(&leads, &tenant).await;
        let steps = steps(false).new_tree(&mut runner).unwrap().current();
        for step in &steps {
            take(&mut admin, &names, *step).await;
            check(&leads, &tenant).await;
        }
        undo_all(&mut admin, case % 2 == 0).await;
        assert_eq!(rows(&leads, &tenant).await, before, "{steps:?}");
    }
}

#[tokio::test]
async fn whatever_is_done_between_nothing_is_lost() {
    let leads = Leads::start().await;
    let mut runner = TestRunner::deterministic();
    for case in 0..CASES {
        let tenant = format!("t{case}");
        let mut admin = furnish(&leads, &tenant).await;
        let names = leads_of(&mut admin).await;
        let steps = steps(true).new_tree(&mut runner).unwrap().current();
        let mut calls = 1;
        for step in &steps {
            let done = take(&mut admin, &names, *step).await;
            calls += i64::from(done && matches!(step, Step::Call(_)));
            check(&leads, &tenant).await;
            for name in &names {
                assert_ne!(admin.lead(name).await.state(), lead::State::Merged, "{steps:?}");
            }
        }
        undo_all(&mut admin, case % 2 == 0).await;
        check(&leads, &tenant).await;
        assert_eq!(count(&leads, &tenant).await, calls, "{steps:?}");
        for name in &names {
            let lead = admin.lead(name).await;
            assert_eq!((&lead.name, lead.merged_into.as_str()), (name, ""), "{steps:?}");
        }
    }
}
