//! Leads of companies that no table knows, distorted in other ways than those of the sample.

use std::collections::BTreeMap;

use reflex_matching::spelling::{spell, syllables};
use reflex_matching::{Field, Model, Record, Values, Weights, find};

use crate::chance::Chance;
use crate::figures::Figures;

const BRANDS: &str = "安邦昌诚达鼎发丰富格冠光贵海瀚豪浩恒弘鸿华辉汇佳嘉建捷金锦晋京景久聚骏凯康科坤朗乐力利联隆茂美明铭南能宁鹏启千强\
                      庆荣瑞润森尚神升胜盛世顺思泰腾天通威伟文祥欣新信星兴雄旭雅亚阳耀益银永优友宇裕元远悦云泽展正志智中众卓";
/// Some are in the tables, some are not.
const TRADES: [&str; 16] = [
    "精密机械",
    "电子科技",
    "医疗器械",
    "木门",
    "涂装",
    "暖通设备",
    "生物医药",
    "供应链管理",
    "钣金",
    "净水",
    "信息技术",
    "食品",
    "喷码设备",
    "国际物流",
    "新材料",
    "律师事务所",
];
const CITIES: [(&str, &str, &str); 8] = [
    ("苏州", "江苏", "0512"),
    ("宁波", "浙江", "0574"),
    ("佛山", "广东", "0757"),
    ("成都", "四川", "028"),
    ("西安", "陕西", "029"),
    ("长沙", "湖南", "0731"),
    ("合肥", "安徽", "0551"),
    ("青岛", "山东", "0532"),
];
const SURNAMES: [&str; 24] = [
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马",
    "罗", "欧阳", "曾", "单", "吕",
];
const GIVEN: &str = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文辉力玲斌浩宇欣怡雨涵子轩晨思远嘉";

struct Contact {
    surname: &'static str,
    given: String,
    mobile: String,
    email: String,
}

struct Firm {
    brand: String,
    trade: &'static str,
    city: usize,
    line: String,
    domain: String,
    street: String,
}

fn firm(chance: &mut Chance, number: usize) -> Firm {
    let chars: Vec<char> = BRANDS.chars().filter(|char| !char.is_whitespace()).collect();
    let brand: String = (0..2 + chance.below(2))
        .map(|_| chars[chance.below(chars.len())])
        .collect();
    let city = chance.below(CITIES.len());
    Firm {
        domain: format!("{}{number}.com", spell(&brand)),
        brand,
        trade: chance.pick(&TRADES),
        city,
        line: format!("{}8{}", CITIES[city].2, chance.digits(7)),
        street: format!(
            "{}路{}号",
            ["人民", "建设", "滨江", "创业", "长江"][chance.below(5)],
            1 + chance.below(900)
        ),
    }
}

fn contact(chance: &mut Chance, firm: &Firm) -> Contact {
    let chars: Vec<char> = GIVEN.chars().collect();
    let surname = chance.pick_common(&SURNAMES);
    let given: String = (0..=usize::from(chance.percent(75)))
        .map(|_| chars[chance.below(chars.len())])
        .collect();
    let local = if chance.percent(50) {
        format!("{}.{}", spell(&given), spell(surname))
    } else {
        let initials: String = syllables(&given).iter().map(|part| &part[..1]).collect();
        format!("{}{initials}", spell(surname))
    };
    Contact {
        surname,
        mobile: format!(
            "1{}{}",
            ["38", "59", "77", "86", "99"][chance.below(5)],
            chance.digits(8)
        ),
        email: format!("{local}@{}", firm.domain),
        given,
    }
}

/// Returns simplified text in traditional characters.
fn traditional(text: &str) -> String {
    let table: BTreeMap<char, char> = include_str!("../../data/simplified.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split(' '))
        .filter_map(|pair| Some((pair.chars().nth(1)?, pair.chars().next()?)))
        .collect();
    text.chars().map(|char| *table.get(&char).unwrap_or(&char)).collect()
}

fn wide(text: &str) -> String {
    let widen = |char: char| {
        if char.is_ascii_graphic() {
            char::from_u32(char as u32 + 0xfee0).unwrap()
        } else {
            char
        }
    };
    text.chars().map(widen).collect()
}

fn company_as_typed(firm: &Firm, chance: &mut Chance) -> String {
    let (city, province, _) = CITIES[firm.city];
    let legal = ["有限公司", "有限责任公司", "股份有限公司", "（集团）有限公司"][chance.below(4)];
    let name = match chance.below(8) {
        0 => format!("{}{}", firm.brand, firm.trade),
        1 => format!("{}{}（{city}）{legal}", firm.brand, firm.trade),
        2 => format!("{province}省{city}市{}{}{legal}", firm.brand, firm.trade),
        3 => format!("{}({city}){}{legal}", firm.brand, firm.trade),
        4 => format!(
            "{city}市{}{}{legal}（原名：{city}旭日东升公司）",
            firm.brand, firm.trade
        ),
        _ => format!("{city}{}{}{legal}", firm.brand, firm.trade),
    };
    match chance.below(8) {
        0 => traditional(&name),
        1 => wide(&name),
        _ => name,
    }
}

fn lead(firm: &Firm, contact: &Contact, chance: &mut Chance) -> Record {
    let name = format!("{}{}", contact.surname, contact.given);
    let typed = match chance.below(10) {
        0 => format!("{}总", contact.surname),
        1 => format!("{name}女士"),
        2 => format!("{} {}", spell(contact.surname), spell(&contact.given)),
        3 => traditional(&name),
        4 => String::new(),
        _ => name,
    };
    let mobile = match chance.below(6) {
        0 => String::new(),
        1 => format!(
            "+86 {} {} {}",
            &contact.mobile[..3],
            &contact.mobile[3..7],
            &contact.mobile[7..]
        ),
        2 => wide(&contact.mobile),
        3 => format!("0086-{}", contact.mobile),
        _ => contact.mobile.clone(),
    };
    let mut values = Values::default()
        .with(Field::Company, &company_as_typed(firm, chance))
        .with(Field::Contact, &typed)
        .with(Field::Mobile, &mobile);
    if chance.percent(60) {
        values.add(
            Field::Email,
            &if chance.percent(20) {
                contact.email.to_uppercase()
            } else {
                contact.email.clone()
            },
        );
    }
    if chance.percent(50) {
        let line = &firm.line;
        let area = line.len() - 8;
        values.add(
            Field::Phone,
            &[
                line.clone(),
                format!("({}){}", &line[..area], &line[area..]),
                format!("{line}转80{}", chance.below(99)),
            ][chance.below(3)],
        );
    }
    if chance.percent(50) {
        values.add(Field::City, CITIES[firm.city].0);
        values.add(Field::Address, &firm.street);
    }
    Record::read(&values)
}

#[test]
fn leads_that_no_rule_was_written_for_are_found() {
    for seed in 1..=4 {
        let mut chance = Chance::new(seed * 17);
        let (mut records, mut truth) = (Vec::new(), Vec::new());
        let mut people = 0;
        let mut last: Option<Firm> = None;
        for number in 0..500 {
            let mut firm = firm(&mut chance, number);
            // Sister companies: the same brand in another trade or town, one domain and sometimes one switchboard.
            if let Some(sister) = last.take().filter(|_| chance.percent(20)) {
                firm.brand = sister.brand;
                firm.domain = sister.domain;
                if chance.percent(30) {
                    (firm.line, firm.city) = (sister.line, sister.city);
                }
            }
            let colleagues = 1 + if chance.percent(35) { chance.below(4) } else { 0 };
            let mut mobile: Option<u64> = None;
            for _ in 0..colleagues {
                let mut who = contact(&mut chance, &firm);
                // Company phones have numbers in a row.
                if let Some(before) = mobile.filter(|_| chance.percent(40)) {
                    who.mobile = (before + 1).to_string();
                }
                mobile = who.mobile.parse().ok();
                let copies = if chance.percent(45) { chance.below(4) } else { 0 };
                for _ in 0..=copies {
                    records.push(lead(&firm, &who, &mut chance));
                    truth.push(people);
                }
                people += 1;
            }
            last = Some(firm);
        }
        let found = find(&records, Model::Leads, &Weights::default(), |_| {});
        let figures = Figures::of_pairs(&found.clusters, &truth);
        println!(
            "seed {seed}: {figures:?}, {} leads, {} compared",
            records.len(),
            found.compared
        );
        assert!(
            figures.precision >= 0.99 && figures.recall >= 0.93,
            "{seed}: {figures:?}"
        );
    }
}

#[test]
fn the_order_of_the_records_changes_no_cluster() {
    let mut chance = Chance::new(99);
    let (mut records, mut marks) = (Vec::new(), Vec::new());
    for number in 0..120 {
        let firm = firm(&mut chance, number);
        let who = contact(&mut chance, &firm);
        for _ in 0..=chance.below(3) {
            records.push(lead(&firm, &who, &mut chance));
            marks.push(marks.len());
        }
    }
    let clusters = |records: &[Record]| find(records, Model::Leads, &Weights::default(), |_| {}).clusters;
    let forward = clusters(&records);
    let mut turned: Vec<Record> = records.clone();
    turned.reverse();
    let mut backward = clusters(&turned);
    backward.reverse();
    let figures = Figures::of_pairs(&forward, &backward);
    assert!((figures.f1 - 1.0).abs() < f64::EPSILON, "{figures:?}");
}
