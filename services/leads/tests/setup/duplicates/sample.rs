//! The sample of leads with known duplicates, through the service.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use reflex_proto::leads::v1::NewLead;
use tokio::task::JoinSet;

use super::{capture, settled, suspected};
use crate::harness::{Caller, HUABEI, HUADONG, Leads};

fn rows(file: &str) -> Vec<BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/leads")
        .join(file);
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// How many leads are posted; built with `REFLEX_DUPLICATE_LEADS=10000`, the sample and four variations of it.
fn wanted() -> usize {
    let set = option_env!("REFLEX_DUPLICATE_LEADS");
    set.map_or(1_000, |count| count.parse().expect("a number of leads"))
}

/// Makes the leads: the sample, then the same with other companies, numbers and mailboxes.
fn leads(count: usize) -> Vec<NewLead> {
    let sample = rows("leads.csv");
    let lead = |number: usize| {
        let (row, variation) = (&sample[number % sample.len()], number / sample.len());
        let text = |column: &str| varied(&row[column], variation);
        let named = |column: &str, name: &str| (name.to_owned(), text(column));
        let company = ["", "甲", "乙", "丙", "丁", "戊"][variation % 6].to_owned() + &row["company"];
        NewLead {
            source: "sample".into(),
            external_id: format!("{number}"),
            company: if row["company"].is_empty() {
                String::new()
            } else {
                company
            },
            contact_name: row["contact_name"].clone(),
            phone: text("mobile"),
            email: text("email"),
            attributes: HashMap::from([
                named("phone", "landline"),
                ("address".to_owned(), row["address"].clone()),
                ("city".to_owned(), row["city"].clone()),
            ]),
            remark: "x".into(),
            ..NewLead::default()
        }
    };
    (0..count).map(lead).collect()
}

/// Changes the digits behind the first five, and the first letter, in the same way in all texts.
fn varied(text: &str, variation: usize) -> String {
    if variation == 0 {
        return text.to_owned();
    }
    let mut digits = 0;
    let prefix = if text.contains('@') {
        format!("v{variation}")
    } else {
        String::new()
    };
    let vary = |char: char| match char.to_digit(10) {
        Some(digit) => {
            digits += 1;
            let turned = (digit + u32::try_from(variation).unwrap()) % 10;
            if digits > 5 {
                char::from_digit(turned, 10).unwrap()
            } else {
                char
            }
        }
        None => char,
    };
    prefix + &text.chars().map(vary).collect::<String>()
}

fn first(of: &[usize], mut at: usize) -> usize {
    while of[at] != at {
        at = of[at];
    }
    at
}

/// Returns the clusters of several leads, by external ids.
async fn clusters(
    leads: &Leads,
    admin: &Caller,
    tenant: &str,
    count: usize,
) -> (Vec<usize>, BTreeSet<BTreeSet<usize>>) {
    let numbers: Vec<(String, String)> =
        sqlx::query_as("select 'leads/' || lead_id, external_id from leads where tenant_id = $1")
            .bind(tenant)
            .fetch_all(&leads.owner)
            .await
            .unwrap();
    let numbers: HashMap<String, usize> = numbers
        .into_iter()
        .map(|(name, id)| (name, id.parse().unwrap()))
        .collect();
    assert_eq!(numbers.len(), count);
    let mut of: Vec<usize> = (0..count).collect();
    for pair in suspected(admin).await {
        let [one, two] = [pair.earlier, pair.later].map(|lead| first(&of, numbers[&lead.unwrap().name]));
        of[one.max(two)] = one.min(two);
    }
    let of: Vec<usize> = (0..count).map(|at| first(&of, at)).collect();
    let mut members: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (at, cluster) in of.iter().enumerate() {
        members.entry(*cluster).or_default().insert(at);
    }
    let several = members.into_values().filter(|members| members.len() > 1).collect();
    (of, several)
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_make_the_clusters_that_one_makes() {
    const WRITERS: usize = 64;
    let count = wanted();
    let service = Leads::start().await;
    let sent = Arc::new(leads(count));
    let one = service.admin(HUADONG);
    for lead in sent.iter() {
        capture(&one, lead.clone()).await;
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (many, sent) = (service.admin(HUABEI), Arc::clone(&sent));
        writers.spawn(async move {
            for lead in sent.iter().skip(writer).step_by(WRITERS) {
                capture(&many, lead.clone()).await;
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    settled(&service).await;
    let (_, alone) = clusters(&service, &one, HUADONG, count).await;
    let (_, together) = clusters(&service, &service.admin(HUABEI), HUABEI, count).await;
    println!("{count} leads, {} clusters", alone.len());
    assert!(alone.len() > count / 20);
    let differ: Vec<_> = alone.symmetric_difference(&together).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand pairs")]
#[tokio::test(flavor = "multi_thread")]
async fn duplicates_of_the_sample_are_suspected_and_look_alikes_are_not() {
    let service = Leads::start().await;
    let truth: Vec<String> = rows("leads_truth.csv")
        .iter()
        .map(|row| row["cluster"].clone())
        .collect();
    let sent = leads(truth.len());
    let admin = service.admin(HUADONG);
    let mut writers = JoinSet::new();
    for lead in sent {
        let admin = service.admin(HUADONG);
        writers.spawn(async move { capture(&admin, lead).await });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    settled(&service).await;
    let (of, several) = clusters(&service, &admin, HUADONG, truth.len()).await;
    let pairs = |of: &[String]| {
        let mut members: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
        for (at, cluster) in of.iter().enumerate() {
            members.entry(cluster).or_default().push(at);
        }
        let mut pairs = BTreeSet::new();
        for members in members.values() {
            for (at, one) in members.iter().enumerate() {
                pairs.extend(members[at + 1..].iter().map(|two| (*one, *two)));
            }
        }
        pairs
    };
    let figures = |right: usize, found: usize, there: usize| {
        let (precision, recall) = (right as f64 / found as f64, right as f64 / there as f64);
        (precision, recall, 2.0 * precision * recall / (precision + recall))
    };
    let found = pairs(&of.iter().map(ToString::to_string).collect::<Vec<_>>());
    let there = pairs(&truth);
    let by_pair = figures(found.intersection(&there).count(), found.len(), there.len());
    let mut clusters: BTreeMap<&String, BTreeSet<usize>> = BTreeMap::new();
    for (at, cluster) in truth.iter().enumerate() {
        clusters.entry(cluster).or_default().insert(at);
    }
    let clusters: BTreeSet<BTreeSet<usize>> = clusters.into_values().filter(|members| members.len() > 1).collect();
    let by_cluster = figures(several.intersection(&clusters).count(), several.len(), clusters.len());
    println!("pairs {by_pair:?}, clusters {by_cluster:?}");
    assert!(
        by_pair.0 >= 0.995 && by_pair.1 >= 0.95 && by_pair.2 >= 0.97,
        "{by_pair:?}"
    );
    assert!(by_cluster.2 >= 0.95, "{by_cluster:?}");
    let place = |name: &str| name[1..].parse::<usize>().unwrap() - 1;
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for row in rows("leads_hard_negatives.csv") {
        let kind = kinds.entry(row["kind"].clone()).or_default();
        kind.0 += usize::from(of[place(&row["lead_id_a"])] == of[place(&row["lead_id_b"])]);
        kind.1 += 1;
    }
    assert!(kinds.values().all(|(taken, all)| taken * 100 <= *all), "{kinds:?}");
    let merged: i64 = sqlx::query_scalar("select count(*) from lead_merges")
        .fetch_one(&service.owner)
        .await
        .unwrap();
    assert_eq!(merged, 0, "nobody but people merges");
}
