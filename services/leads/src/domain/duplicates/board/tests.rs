//! Leads that come one by one, in batches and in other orders, over a store of a few maps.

use std::path::Path;

use super::*;

/// What somebody typed.
#[derive(Debug, Clone)]
struct Row {
    id: u128,
    company: String,
    contact: String,
    phone: String,
    email: String,
    attributes: HashMap<String, String>,
}

impl Row {
    fn compared(&self) -> Compared {
        let typed = Typed {
            company: &self.company,
            contact: &self.contact,
            phone: &self.phone,
            email: &self.email,
            attributes: &self.attributes,
        };
        Compared::new(Uuid::from_u128(self.id), &typed, ["sample", &self.id.to_string()])
    }
}

fn row(id: u128, company: &str, contact: &str, phone: &str) -> Row {
    Row {
        id,
        company: company.into(),
        contact: contact.into(),
        phone: phone.into(),
        email: String::new(),
        attributes: HashMap::new(),
    }
}

/// The store.
#[derive(Default)]
struct World {
    leads: HashMap<Uuid, Compared>,
    blocks: HashMap<u64, BTreeSet<Uuid>>,
    pairs: BTreeMap<(Uuid, Uuid), Stored>,
    requests: BTreeSet<Uuid>,
}

impl World {
    fn examine(&mut self, subjects: Vec<Subject>) {
        let weights = Weights::default();
        let keys: BTreeSet<u64> = subjects.iter().flat_map(|it| it.lead.keys.clone()).collect();
        let (mut crowded, mut found) = (HashSet::new(), BTreeMap::<Uuid, Vec<u64>>::new());
        for key in keys {
            let block = self.blocks.get(&key).cloned().unwrap_or_default();
            if block.len() > MOST_OF_A_KEY {
                crowded.insert(key);
                continue;
            }
            for lead in block {
                found.entry(lead).or_default().push(key);
            }
        }
        let found = found
            .into_iter()
            .map(|(lead, keys)| self.leads[&lead].clone().found_by(keys));
        let found: Vec<Compared> = found.collect();
        let stored: HashSet<Uuid> = self.leads.keys().copied().collect();
        for subject in &subjects {
            self.leads.insert(subject.lead.id, subject.lead.clone());
        }
        let (changed, ids): (Vec<bool>, Vec<Uuid>) = subjects.iter().map(|it| (it.is_changed(), it.lead.id)).unzip();
        let mut board = Board::new(subjects, found, crowded, &weights);
        let mut linked: BTreeSet<Uuid> = board.seeds(|lead| stored.contains(&lead)).into_iter().collect();
        let mut next: Vec<Uuid> = linked.iter().copied().collect();
        while let Some(lead) = next.pop() {
            for (one, two) in self.pairs.keys().filter(|(one, two)| *one == lead || *two == lead) {
                let other = if *one == lead { *two } else { *one };
                if self.pairs[&(*one, *two)].raw >= LEAST && linked.insert(other) {
                    next.push(other);
                }
            }
        }
        let among = self
            .pairs
            .values()
            .filter(|it| linked.contains(&it.earlier) && linked.contains(&it.later));
        let among = among.copied().collect();
        let leads = linked.iter().map(|lead| self.leads[lead].clone()).collect();
        board.add_linked(leads, among);
        for (changed, id) in changed.into_iter().zip(ids) {
            for key in changed.then(|| self.leads[&id].keys.clone()).into_iter().flatten() {
                self.blocks.entry(key).or_default().insert(id);
            }
        }
        for judged in board.judge(&weights) {
            let key = (judged.earlier, judged.later);
            if judged.is_over() {
                self.pairs.remove(&key);
                continue;
            }
            let stored = Stored {
                id: Uuid::nil(),
                earlier: judged.earlier,
                later: judged.later,
                raw: judged.raw,
                is_identified: judged.is_identified,
                score: judged.score,
                state: judged.state,
            };
            self.pairs.insert(key, stored);
        }
        self.requests.extend(board.unsettled());
    }

    fn settle(&mut self) {
        let mut rounds = 0;
        while let Some(lead) = self.requests.pop_first() {
            let subject = Subject {
                lead: self.leads[&lead].clone(),
                stored_keys: Some(self.leads[&lead].keys.clone()),
            };
            self.examine(vec![subject]);
            rounds += 1;
            assert!(rounds < 100_000, "leads are compared anew for ever");
        }
    }

    fn suspected(&self) -> BTreeMap<(Uuid, Uuid), i64> {
        let of = self.pairs.iter().filter(|(_, pair)| pair.state == State::Suspected);
        #[expect(clippy::cast_possible_truncation, reason = "nine digits fit")]
        let rounded = of.map(|(key, pair)| (*key, (pair.score * 1e9) as i64));
        rounded.collect()
    }
}

fn taken_in(rows: &[Row], batch: usize) -> World {
    let mut world = World::default();
    for rows in rows.chunks(batch) {
        let subject = |row: &Row| Subject {
            lead: row.compared(),
            stored_keys: None,
        };
        world.examine(rows.iter().map(subject).collect());
        if batch == 1 {
            world.settle();
        }
    }
    world.settle();
    world
}

/// Returns the rows in another order, always the same of a seed.
fn shuffled(rows: &[Row], seed: u64) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| {
        let mixed = (u64::try_from(row.id).unwrap() + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    });
    rows
}

fn sample(file: &str) -> Vec<BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/leads")
        .join(file);
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn sample_rows() -> Vec<Row> {
    let named = |row: &BTreeMap<String, String>, id: usize| {
        let attributes = ["phone", "address", "city"].map(|column| {
            let name = if column == "phone" { "landline" } else { column };
            (name.to_owned(), row[column].clone())
        });
        Row {
            id: u128::try_from(id).unwrap() + 1,
            email: row["email"].clone(),
            attributes: attributes.into(),
            ..row_of(row)
        }
    };
    sample("leads.csv")
        .iter()
        .enumerate()
        .map(|(id, row)| named(row, id))
        .collect()
}

fn row_of(values: &BTreeMap<String, String>) -> Row {
    row(0, &values["company"], &values["contact_name"], &values["mobile"])
}

fn first(of: &[usize], mut at: usize) -> usize {
    while of[at] != at {
        at = of[at];
    }
    at
}

/// Returns the cluster of each lead of the sample: whoever is suspected of somebody is in theirs.
fn clusters(world: &World, count: usize) -> Vec<usize> {
    let mut of: Vec<usize> = (0..=count).collect();
    for (one, two) in world.suspected().keys() {
        let [one, two] = [one, two].map(|id| first(&of, usize::try_from(id.as_u128()).unwrap()));
        of[one.max(two)] = one.min(two);
    }
    (1..=count).map(|at| first(&of, at)).collect()
}

fn pairs_of<T: Ord + Clone>(clusters: &[T]) -> BTreeSet<(usize, usize)> {
    let mut members: BTreeMap<T, Vec<usize>> = BTreeMap::new();
    for (at, cluster) in clusters.iter().enumerate() {
        members.entry(cluster.clone()).or_default().push(at);
    }
    let pairs = members.into_values().flat_map(|members| {
        let seconds = members.clone();
        members.into_iter().flat_map(move |one| {
            seconds
                .clone()
                .into_iter()
                .filter(move |two| one < *two)
                .map(move |two| (one, two))
        })
    });
    pairs.collect()
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand pairs")]
#[test]
fn duplicates_of_the_sample_are_suspected_and_look_alikes_are_not() {
    let rows = sample_rows();
    let world = taken_in(&rows, 200);
    let found = pairs_of(&clusters(&world, rows.len()));
    let truth: Vec<String> = sample("leads_truth.csv")
        .iter()
        .map(|row| row["cluster"].clone())
        .collect();
    let truth = pairs_of(&truth);
    let right = found.intersection(&truth).count() as f64;
    let (precision, recall) = (right / found.len() as f64, right / truth.len() as f64);
    let f1 = 2.0 * precision * recall / (precision + recall);
    println!("precision {precision:.4}, recall {recall:.4}, F1 {f1:.4}");
    assert!(
        precision >= 0.995 && recall >= 0.95 && f1 >= 0.97,
        "{precision} {recall} {f1}"
    );
    let place = |name: &str| name[1..].parse::<usize>().unwrap() - 1;
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for look_alike in sample("leads_hard_negatives.csv") {
        let (one, two) = (place(&look_alike["lead_id_a"]), place(&look_alike["lead_id_b"]));
        let kind = kinds.entry(look_alike["kind"].clone()).or_default();
        kind.0 += usize::from(found.contains(&(one.min(two), one.max(two))));
        kind.1 += 1;
    }
    println!("{kinds:?}");
    assert!(kinds.values().all(|(taken, all)| taken * 100 <= *all), "{kinds:?}");
}

#[test]
fn the_order_in_which_leads_come_changes_nothing() {
    let rows = sample_rows();
    let all = taken_in(&rows, rows.len()).suspected();
    assert!(all.len() > 1_000);
    for (seed, batch) in [(1, 1), (2, 7), (3, 64)] {
        let other = taken_in(&shuffled(&rows, seed), batch).suspected();
        let missing: Vec<_> = all
            .iter()
            .filter(|(key, score)| other.get(key) != Some(score))
            .collect();
        assert!(missing.is_empty() && other.len() == all.len(), "{seed}: {missing:?}");
    }
}

#[test]
fn what_gets_common_is_judged_again() {
    // Companies of one building: the switchboard says less with each.
    let mut rows: Vec<Row> = (1..=12)
        .map(|id| {
            row(
                id,
                &format!(
                    "{}机械有限公司",
                    ["宏达", "安邦", "金石", "远东"][usize::try_from(id % 4).unwrap()]
                ),
                "",
                "",
            )
        })
        .collect();
    for row in &mut rows {
        row.attributes.insert("landline".into(), "021-58881234".into());
    }
    // And a number that everybody leaves.
    let names = ["王伟", "李强", "张敏", "刘洋", "陈静", "杨帆", "赵磊", "黄丽"];
    rows.extend((20..28).map(|id| row(id, "", names[usize::try_from(id - 20).unwrap()], "13800138000")));
    let at_once = taken_in(&rows, rows.len()).suspected();
    for seed in 1..6 {
        assert_eq!(taken_in(&shuffled(&rows, seed), 1).suspected(), at_once, "{seed}");
    }
}

#[test]
fn a_key_that_everybody_has_says_nothing_whoever_came_first() {
    let rows: Vec<Row> = (1..=140).map(|id| row(id, "", "王小明", "13800138000")).collect();
    let few = taken_in(&rows[..20], 1);
    assert_eq!(few.suspected().len(), 20 * 19 / 2);
    let many = taken_in(&rows, 1);
    assert!(many.suspected().is_empty(), "{}", many.suspected().len());
    assert!(
        many.pairs.values().all(|pair| pair.state == State::Withdrawn),
        "they were told before"
    );
    assert!(taken_in(&shuffled(&rows, 5), 50).suspected().is_empty());
}

#[test]
fn what_is_decided_stays() {
    let rows = [
        row(1, "苏州宏达机械有限公司", "王建国", "13800138001"),
        row(2, "宏达机械", "王建国", "13800138001"),
    ];
    let mut world = taken_in(&rows, 1);
    let key = (Uuid::from_u128(1), Uuid::from_u128(2));
    world.pairs.get_mut(&key).unwrap().state = State::Distinct;
    world.requests.extend([key.0, key.1]);
    world.settle();
    assert_eq!(world.pairs[&key].state, State::Distinct);
    let third = Subject {
        lead: row(3, "宏达机械", "王建国", "13800138001").compared(),
        stored_keys: None,
    };
    world.examine(vec![third]);
    assert_eq!(world.pairs[&key].state, State::Distinct);
    assert_eq!(world.suspected().len(), 2, "each is suspected of the third one");
}

#[test]
fn whoever_changes_or_goes_is_compared_anew() {
    let rows = [
        row(1, "苏州宏达机械有限公司", "王建国", "13800138001"),
        row(2, "宏达机械", "王建国", "13800138001"),
    ];
    let mut world = taken_in(&rows, 1);
    assert_eq!(world.suspected().len(), 1);
    let stored_keys = Some(world.leads[&Uuid::from_u128(2)].keys.clone());
    world.examine(vec![Subject {
        lead: Compared::gone(Uuid::from_u128(2)),
        stored_keys,
    }]);
    assert!(world.suspected().is_empty());
    assert_eq!(world.pairs.len(), 1, "what was told is withdrawn, not forgotten");
}
