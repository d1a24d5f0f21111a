//! What `deploy/demo` holds can be read and fits together.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use reflexctl::bundle::{Bundle, Kind, Resource, Variables};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/demo")
}

fn bundles() -> Vec<Bundle> {
    let variables = Variables::from([("SIMULATOR_URL".to_owned(), "http://127.0.0.1:18080".to_owned())]);
    Bundle::load(&folder(), None, &variables).unwrap()
}

fn text(resource: &Resource, field: &str) -> String {
    resource
        .message
        .get_field_by_name(field)
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn of(bundle: &Bundle, kind: Kind) -> Vec<&Resource> {
    bundle
        .resources
        .iter()
        .filter(|resource| resource.kind == kind)
        .collect()
}

#[test]
fn three_subsidiaries_can_be_set_up() {
    let bundles = bundles();
    let tenants: Vec<&str> = bundles.iter().map(|bundle| bundle.tenant.as_str()).collect();
    assert_eq!(tenants, ["huakang-east", "huakang-north", "huakang-south"]);
    for bundle in &bundles {
        let tenant = &bundle.tenant;
        let counts = |kind| of(bundle, kind).len();
        assert!(
            (4..=5).contains(&counts(Kind::Team)) && (10..=16).contains(&counts(Kind::Member)),
            "{tenant}"
        );
        let one_each = [Kind::Calendar, Kind::RoutingPolicy];
        assert!(one_each.into_iter().all(|kind| counts(kind) == 1), "{tenant}");
        for form in of(bundle, Kind::Form) {
            assert!(
                text(form, "write_key").starts_with(&format!("wk_{tenant}_demo")),
                "{}",
                form.origin
            );
        }
        for team in of(bundle, Kind::Team)
            .into_iter()
            .filter(|team| !text(team, "parent").is_empty())
        {
            assert_ne!(
                (text(team, "supervisor"), text(team, "director")),
                Default::default(),
                "{}",
                team.origin
            );
        }
    }
}

#[test]
fn the_simulator_knows_every_robot() {
    let robots = std::fs::read_to_string(folder().join("robots.json")).unwrap();
    let robots: Vec<BTreeMap<String, String>> = serde_json::from_str(&robots).unwrap();
    let known: BTreeSet<(String, String)> = robots
        .iter()
        .map(|robot| (robot["token"].clone(), robot["secret"].clone()))
        .collect();
    let mut used = BTreeSet::new();
    for bundle in bundles() {
        for channel in of(&bundle, Kind::Channel) {
            let endpoint = text(channel, "endpoint");
            let token = endpoint
                .strip_prefix("http://127.0.0.1:18080/robot/send?access_token=")
                .unwrap();
            used.insert((token.to_owned(), text(channel, "secret")));
        }
    }
    assert_eq!(used, known);
}

#[test]
fn leads_are_of_the_three_and_mostly_of_their_regions() {
    let places: BTreeMap<String, Vec<String>> = bundles()
        .iter()
        .map(|bundle| {
            let names = of(bundle, Kind::Territory)
                .into_iter()
                .map(|place| text(place, "display_name").replace(['省', '市'], ""));
            (bundle.tenant.to_string(), names.collect())
        })
        .collect();
    let forms: BTreeSet<(String, String)> = bundles()
        .iter()
        .flat_map(|bundle| {
            of(bundle, Kind::Form)
                .into_iter()
                .map(|form| (bundle.tenant.to_string(), text(form, "name")))
                .collect::<Vec<_>>()
        })
        .collect();
    let mut reader = csv::Reader::from_path(folder().join("leads.csv")).unwrap();
    let (mut count, mut of_region, mut ids) = (0, 0, BTreeSet::new());
    for row in reader.deserialize() {
        let row: BTreeMap<String, String> = row.unwrap();
        count += 1;
        of_region += i32::from(
            places[&row["tenant"]]
                .iter()
                .any(|place| row["territory"].contains(place.as_str())),
        );
        let form = (row["tenant"].clone(), row["form"].clone());
        assert!(form.1.is_empty() || forms.contains(&form), "{form:?}");
        assert!(ids.insert(row["external_id"].clone()));
    }
    assert_eq!(count, 2_000);
    assert!(of_region > 1_800, "{of_region} leads name a place of their subsidiary");
}
