//! The sample of leads.

use std::collections::BTreeMap;
use std::path::Path;

use reflex_matching::{Field, Model, Record, Values, Weights, find};

use crate::figures::Figures;

fn rows(file: &str) -> Vec<BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/leads")
        .join(file);
    let mut reader = csv::Reader::from_path(&path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn duplicates_of_the_sample_are_found() {
    let leads = rows("leads.csv");
    let columns = [
        (Field::Company, "company"),
        (Field::Contact, "contact_name"),
        (Field::Mobile, "mobile"),
        (Field::Phone, "phone"),
        (Field::Email, "email"),
        (Field::Address, "address"),
        (Field::City, "city"),
    ];
    let read = |row: &BTreeMap<String, String>| {
        let mut values = Values::default();
        for (field, column) in columns {
            values.add(field, &row[column]);
        }
        Record::read(&values)
    };
    let records: Vec<Record> = leads.iter().map(read).collect();
    let truth: Vec<String> = rows("leads_truth.csv")
        .iter()
        .map(|row| row["cluster"].clone())
        .collect();
    let place: BTreeMap<&str, usize> = leads
        .iter()
        .enumerate()
        .map(|(at, row)| (row["lead_id"].as_str(), at))
        .collect();

    let found = find(&records, Model::Leads, &Weights::default(), |_| {});
    let pairs = Figures::of_pairs(&found.clusters, &truth);
    let clusters = Figures::of_clusters(&found.clusters, &truth);
    println!("pairs {pairs:?}, clusters {clusters:?}, {} compared", found.compared);
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for row in rows("leads_hard_negatives.csv") {
        let of = |column: &str| found.clusters[place[row[column].as_str()]];
        let kind = kinds.entry(row["kind"].clone()).or_default();
        kind.0 += usize::from(of("lead_id_a") == of("lead_id_b"));
        kind.1 += 1;
    }
    for (kind, (merged, all)) in &kinds {
        println!("{kind}: {merged} of {all} merged");
    }
    assert!(
        pairs.precision >= 0.995 && pairs.recall >= 0.95 && pairs.f1 >= 0.97,
        "{pairs:?}"
    );
    assert!(clusters.f1 >= 0.95, "{clusters:?}");
    for (kind, (merged, all)) in kinds {
        assert!(merged * 100 <= all, "{kind}: {merged} of {all}");
    }
}
