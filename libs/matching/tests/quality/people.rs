//! People as registers have them: names, addresses and birth dates, mistyped, swapped and left out.

use reflex_matching::{Field, Model, Record, Values, Weights, find};

use crate::chance::Chance;
use crate::figures::Figures;

const GIVEN: [&str; 48] = [
    "emily",
    "jack",
    "isabella",
    "joshua",
    "sophie",
    "lachlan",
    "olivia",
    "thomas",
    "charlotte",
    "daniel",
    "jessica",
    "benjamin",
    "georgia",
    "samuel",
    "chloe",
    "matthew",
    "hannah",
    "nicholas",
    "ruby",
    "alexander",
    "sarah",
    "luke",
    "madison",
    "jacob",
    "lucy",
    "ethan",
    "grace",
    "harrison",
    "maya",
    "finn",
    "zoe",
    "oscar",
    "imogen",
    "hugo",
    "abbey",
    "callum",
    "bridget",
    "declan",
    "tahlia",
    "marcus",
    "jorja",
    "riley",
    "phoebe",
    "angus",
    "stephanie",
    "kyle",
    "amelia",
    "toby",
];
const SURNAMES: [&str; 60] = [
    "white",
    "clarke",
    "campbell",
    "green",
    "ryan",
    "webb",
    "morrison",
    "nguyen",
    "matthews",
    "reid",
    "coleman",
    "hawkins",
    "berry",
    "stephenson",
    "lombardi",
    "goldsworthy",
    "paterson",
    "dolan",
    "vassiliou",
    "mccarthy",
    "rowe",
    "bishop",
    "chandler",
    "donaldson",
    "eglinton",
    "fitzpatrick",
    "gallagher",
    "hutchinson",
    "ingram",
    "jolly",
    "kowalski",
    "leung",
    "maynard",
    "noble",
    "oakley",
    "pascoe",
    "quinlan",
    "rudd",
    "sandercock",
    "tonkin",
    "underwood",
    "vickers",
    "wheatley",
    "xu",
    "yates",
    "zammit",
    "ashby",
    "bretag",
    "crouch",
    "dixon",
    "everett",
    "farmer",
    "glasson",
    "heaslip",
    "ivory",
    "jarvis",
    "knappstein",
    "lodge",
    "mead",
    "zollo",
];
const STREETS: [&str; 40] = [
    "barlow",
    "macrossan",
    "tardent",
    "kosciuszko",
    "belmore",
    "chauvel",
    "hargraves",
    "dalley",
    "eyre",
    "fadden",
    "gellibrand",
    "hackett",
    "innes",
    "jukes",
    "kidston",
    "lyttleton",
    "mugga",
    "novar",
    "ormonde",
    "paterson",
    "quandong",
    "ratcliffe",
    "sternberg",
    "theodore",
    "ulverstone",
    "verbrugghen",
    "wandoo",
    "yallourn",
    "zeal",
    "arabana",
    "bangalay",
    "clianthus",
    "dryandra",
    "euree",
    "fremantle",
    "gawler",
    "hoddle",
    "ijong",
    "jamieson",
    "kalgoorlie",
];
const KINDS: [&str; 6] = ["street", "place", "crescent", "circuit", "avenue", "close"];
const SUBURBS: [&str; 30] = [
    "kangaroo flat",
    "bellingen",
    "mount gravatt",
    "pennant hills",
    "toowoomba",
    "warrnambool",
    "leschenault",
    "queanbeyan",
    "figtree",
    "noosaville",
    "sunbury",
    "bayswater",
    "coorparoo",
    "devonport",
    "engadine",
    "floreat",
    "glenroy",
    "hillarys",
    "ivanhoe",
    "jindalee",
    "karrinyup",
    "lilydale",
    "mornington",
    "nerang",
    "orange",
    "palmwoods",
    "quakers hill",
    "rockdale",
    "seaford",
    "taree",
];

#[derive(Clone)]
struct Somebody {
    given: String,
    surname: String,
    number: String,
    street: String,
    suburb: String,
    postcode: String,
    born: String,
}

fn somebody(chance: &mut Chance) -> Somebody {
    let suburb = chance.below(SUBURBS.len());
    Somebody {
        given: chance.pick_common(&GIVEN).to_owned(),
        surname: chance.pick_common(&SURNAMES).to_owned(),
        number: (1 + chance.below(200)).to_string(),
        street: format!("{} {}", chance.pick(&STREETS), chance.pick(&KINDS)),
        suburb: SUBURBS[suburb].to_owned(),
        postcode: format!("{}", 2000 + suburb * 37),
        born: format!(
            "19{:02}{:02}{:02}",
            chance.below(99),
            1 + chance.below(12),
            1 + chance.below(28)
        ),
    }
}

/// Returns the same person as somebody else typed them: `slips` mistakes, and now and then a field left out.
fn typed_again(mut who: Somebody, slips: usize, chance: &mut Chance) -> Somebody {
    for _ in 0..slips {
        match chance.below(9) {
            0 => who.given = chance.mistype(&who.given),
            1 => who.surname = chance.mistype(&who.surname),
            2 => who.street = chance.mistype(&who.street),
            3 => who.suburb = chance.mistype(&who.suburb),
            4 => who.postcode = chance.mistype(&who.postcode),
            5 => who.born = chance.mistype(&who.born),
            6 => std::mem::swap(&mut who.given, &mut who.surname),
            7 => who.number = chance.mistype(&who.number),
            _ => match chance.below(4) {
                0 => who.given.clear(),
                1 => who.born.clear(),
                2 => who.street.clear(),
                _ => who.postcode.clear(),
            },
        }
    }
    who
}

fn record(who: &Somebody) -> Record {
    let values = Values::default()
        .with(Field::Contact, &who.given)
        .with(Field::Contact, &who.surname)
        .with(Field::Address, &who.number)
        .with(Field::Address, &who.street)
        .with(Field::City, &who.suburb)
        .with(Field::Postcode, &who.postcode)
        .with(Field::BirthDate, &who.born);
    Record::read(&values)
}

#[test]
fn mistyped_people_are_found_without_labels() {
    for (seed, slips) in [(1, 2), (2, 3), (3, 1)] {
        let mut chance = Chance::new(seed);
        let (mut records, mut truth) = (Vec::new(), Vec::new());
        for person in 0..1_200 {
            let who = somebody(&mut chance);
            records.push(record(&who));
            truth.push(person);
            let copies = if chance.percent(45) { 1 + chance.below(3) } else { 0 };
            for _ in 0..copies {
                let count = 1 + chance.below(slips);
                records.push(record(&typed_again(who.clone(), count, &mut chance)));
                truth.push(person);
            }
        }
        let model = Model::suited(&[
            Field::Contact,
            Field::Address,
            Field::City,
            Field::Postcode,
            Field::BirthDate,
        ]);
        let found = find(&records, model, &Weights::default(), |_| {});
        let figures = Figures::of_pairs(&found.clusters, &truth);
        println!(
            "seed {seed}, at most {slips} slips: {figures:?}, {} records, {} compared",
            records.len(),
            found.compared
        );
        assert!(figures.f1 >= 0.97 && figures.precision >= 0.98, "{seed}: {figures:?}");
    }
}

#[test]
fn people_without_duplicates_are_left_alone() {
    let mut chance = Chance::new(7);
    let records: Vec<Record> = (0..1_500).map(|_| record(&somebody(&mut chance))).collect();
    let found = find(&records, Model::Learned, &Weights::default(), |_| {});
    assert!(found.pairs.len() <= 3, "{:?}", found.pairs);
}
