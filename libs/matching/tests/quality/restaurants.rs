//! Restaurants of two guides: names cut short, streets abbreviated, chains with several houses.

use reflex_matching::{Field, Model, Record, Values, Weights, find};

use crate::chance::Chance;
use crate::figures::Figures;

const FIRST: [&str; 40] = [
    "golden",
    "arnie",
    "campanile",
    "chinois",
    "citrus",
    "fenix",
    "granita",
    "locanda",
    "matsuhisa",
    "spago",
    "valentino",
    "yujean",
    "aureole",
    "carmine",
    "dawat",
    "felidia",
    "gramercy",
    "jojo",
    "lespinasse",
    "manhattan",
    "nobu",
    "oceana",
    "palm",
    "rosa",
    "shun",
    "tavern",
    "union",
    "vong",
    "abruzzi",
    "bertolini",
    "bistro",
    "brasserie",
    "coyote",
    "dante",
    "hedgerose",
    "kathleen",
    "mary",
    "morton",
    "ruth",
    "toulouse",
];
const SECOND: [&str; 24] = [
    "grill",
    "cafe",
    "bistro",
    "garden",
    "house",
    "steakhouse",
    "kitchen",
    "on main",
    "delicatessen",
    "oyster bar",
    "trattoria",
    "on the alley",
    "mortons",
    "room",
    "corner",
    "pizzeria",
    "palace",
    "seafood",
    "noodles",
    "chophouse",
    "bakery",
    "diner",
    "club",
    "west",
];
const STREETS: [&str; 30] = [
    "la cienega blvd.",
    "ventura blvd.",
    "main street",
    "melrose avenue",
    "sunset boulevard",
    "wilshire blvd.",
    "peachtree road",
    "piedmont avenue",
    "broadway",
    "lexington avenue",
    "west 44th street",
    "east 58th street",
    "las vegas blvd. s.",
    "hayes street",
    "columbus avenue",
    "folsom street",
    "grant avenue",
    "spring street",
    "mulberry street",
    "canyon drive",
    "ocean avenue",
    "pico blvd.",
    "third street",
    "fairfax avenue",
    "robertson blvd.",
    "highland avenue",
    "roswell road",
    "pharr road",
    "washington square",
    "bleecker street",
];
const CITIES: [(&str, &str); 6] = [
    ("los angeles", "hollywood"),
    ("new york", "new york city"),
    ("atlanta", "atlanta"),
    ("san francisco", "san francisco"),
    ("las vegas", "las vegas"),
    ("santa monica", "los angeles"),
];

struct House {
    name: String,
    number: usize,
    street: &'static str,
    city: usize,
    phone: String,
}

impl House {
    fn in_first_guide(&self) -> Record {
        let phone = format!("{}/{}-{}", &self.phone[..3], &self.phone[3..6], &self.phone[6..]);
        restaurant(
            &self.name,
            &format!("{} {}", self.number, self.street),
            CITIES[self.city].0,
            &phone,
        )
    }

    /// Returns the house as the other guide has it.
    fn in_second_guide(&self, chance: &mut Chance) -> Record {
        let mut name = self.name.clone();
        match chance.below(6) {
            0 => name = format!("the {name}"),
            1 => name = format!("{name} restaurant"),
            2 => {
                name = name
                    .replace("delicatessen", "deli")
                    .replace("steakhouse", "steak house");
            }
            3 => name = chance.mistype(&name),
            _ => {}
        }
        let mut street = self
            .street
            .replace("boulevard", "blvd")
            .replace("blvd.", "blv.")
            .replace("avenue", "ave.")
            .replace("street", "st.");
        if chance.percent(30) {
            street.push_str(" near 3rd");
        }
        let number = if chance.percent(6) {
            self.number + 2
        } else {
            self.number
        };
        let phone = if chance.percent(12) {
            chance.digits(10)
        } else {
            self.phone.clone()
        };
        let phone = format!("{}-{}-{}", &phone[..3], &phone[3..6], &phone[6..]);
        let city = if chance.percent(30) {
            CITIES[self.city].1
        } else {
            CITIES[self.city].0
        };
        restaurant(&name, &format!("{number} {street}"), city, &phone)
    }
}

fn restaurant(name: &str, address: &str, city: &str, phone: &str) -> Record {
    let values = Values::default()
        .with(Field::Company, name)
        .with(Field::Address, address)
        .with(Field::City, city)
        .with(Field::Phone, phone);
    Record::read(&values)
}

#[test]
fn restaurants_of_two_guides_are_found_without_labels() {
    for seed in 1..=3 {
        let mut chance = Chance::new(seed * 31);
        let (mut records, mut truth) = (Vec::new(), Vec::new());
        for id in 0..700 {
            // A tenth are further houses of a chain: the name is the same, the place is not.
            let name = if chance.percent(10) {
                "ruth's chris steakhouse".to_owned()
            } else {
                format!("{} {}", chance.pick(&FIRST), chance.pick(&SECOND))
            };
            let house = House {
                name,
                number: 1 + chance.below(9_000),
                street: chance.pick(&STREETS),
                city: chance.below(CITIES.len()),
                phone: format!(
                    "{}{}",
                    ["310", "212", "404", "415", "702"][chance.below(5)],
                    chance.digits(7)
                ),
            };
            records.push(house.in_first_guide());
            truth.push(id);
            if chance.percent(17) {
                records.push(house.in_second_guide(&mut chance));
                truth.push(id);
            }
        }
        let model = Model::suited(&[Field::Company, Field::Address, Field::City, Field::Phone]);
        let found = find(&records, model, &Weights::default(), |_| {});
        let figures = Figures::of_pairs(&found.clusters, &truth);
        println!(
            "seed {seed}: {figures:?}, {} records, {} compared",
            records.len(),
            found.compared
        );
        assert!(figures.f1 >= 0.95, "{seed}: {figures:?}");
    }
}
