//! Customers that nobody knows, some of whom come again as they typed it then.

use std::collections::HashMap;
use std::fmt::Write as _;

use reflex_leads::domain::duplicates::{Typed, board::Compared};
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::TenantId;

const SIGNS: &str = "安邦昌诚达鼎发丰富格冠光贵海瀚豪浩恒弘鸿华辉汇佳嘉建捷金锦晋京景久聚骏凯康科坤朗乐力利联隆茂美明铭南能宁鹏启千强\
                     庆荣瑞润森尚神升胜盛世顺思泰腾天通威伟文祥欣新信星兴雄旭雅亚阳耀益银永优友宇裕元远悦云泽展正志智中众卓";
const GIVEN: &str = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文辉力玲斌浩宇欣怡雨涵子轩晨思远嘉";
const SURNAMES: &str = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕";
const TRADES: [&str; 10] = [
    "精密机械",
    "电子科技",
    "医疗器械",
    "暖通设备",
    "生物医药",
    "供应链管理",
    "净水设备",
    "信息技术",
    "食品",
    "新材料",
];
const CITIES: [&str; 8] = ["苏州", "宁波", "佛山", "成都", "西安", "长沙", "合肥", "青岛"];

/// What somebody typed.
#[derive(Debug, Clone)]
pub(super) struct Customer {
    pub(super) company: String,
    pub(super) contact: String,
    pub(super) mobile: String,
    pub(super) email: String,
    pub(super) city: String,
}

/// Customers in a row, always the same; each fourth one comes again.
pub(super) struct Customers {
    number: u64,
    count: u64,
}

impl Customers {
    pub(super) fn of(count: usize) -> Self {
        Self {
            number: 0,
            count: count as u64,
        }
    }
}

impl Iterator for Customers {
    type Item = Customer;

    fn next(&mut self) -> Option<Customer> {
        if self.number == self.count {
            return None;
        }
        let number = self.number;
        self.number += 1;
        let repeats = number % 4 == 3;
        let customer = Customer::new(if repeats { number - 2 } else { number });
        Some(if repeats { customer.again() } else { customer })
    }
}

/// Mixes a number and what it is for into another one (`SplitMix64`).
fn mixed(number: u64, of: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ of.wrapping_mul(0xd1b5_4a32_d192_ed03);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn sign(of: &str, number: u64) -> char {
    let signs = of.chars().filter(|sign| !sign.is_whitespace());
    let at = usize::try_from(number % signs.clone().count() as u64).unwrap_or_default();
    signs.clone().nth(at).unwrap_or('中')
}

fn pick(of: &[&'static str], number: u64) -> &'static str {
    of[usize::try_from(number % of.len() as u64).unwrap_or_default()]
}

impl Customer {
    fn new(number: u64) -> Self {
        // Three customers a company on the average.
        let company = mixed(number, 1) % (number / 3 + 50);
        let signs = 2 + mixed(company, 2) % 2;
        let brand: String = (0..signs)
            .map(|place| sign(SIGNS, mixed(company, 10 + place)))
            .collect();
        let city = pick(&CITIES, mixed(company, 3));
        let given: String = (0..=mixed(number, 4) % 2)
            .map(|place| sign(GIVEN, mixed(number, 20 + place)))
            .collect();
        Self {
            company: format!("{city}{brand}{}有限公司", pick(&TRADES, mixed(company, 5))),
            contact: format!("{}{given}", sign(SURNAMES, mixed(number, 6))),
            mobile: format!("1{}{:08}", 30 + mixed(number, 7) % 70, mixed(number, 8) % 100_000_000),
            email: format!("k{:x}@c{company}.example.com", mixed(number, 9) % 0xffff_ffff),
            city: city.to_owned(),
        }
    }

    /// Returns what they type the next time: less, and in another way.
    pub(super) fn again(self) -> Self {
        let short = self
            .company
            .trim_start_matches(self.city.as_str())
            .trim_end_matches("有限公司");
        Self {
            company: short.to_owned(),
            mobile: format!("+86 {} {} {}", &self.mobile[..3], &self.mobile[3..7], &self.mobile[7..]),
            email: String::new(),
            ..self
        }
    }
}

/// Rows of three tables as COPY reads them; none of their words needs an escape.
#[derive(Default)]
pub(super) struct Rows {
    leads: String,
    records: String,
    keys: String,
}

impl Rows {
    pub(super) fn add(&mut self, tenant: &TenantId, number: usize, customer: &Customer) {
        let id = SystemIds.next();
        let attributes = HashMap::from([("city".to_owned(), customer.city.clone())]);
        let typed = Typed {
            company: &customer.company,
            contact: &customer.contact,
            phone: &customer.mobile,
            email: &customer.email,
            attributes: &attributes,
        };
        let keys: Vec<i64> = Compared::new(id, &typed, ["bench", ""])
            .keys
            .iter()
            .map(|key| key.cast_signed())
            .collect();
        let Customer {
            company,
            contact,
            mobile,
            email,
            city,
        } = customer;
        let _ = writeln!(
            self.leads,
            "{tenant}\t{id}\t0\t{}\tclosed\tbench\t\\\\x00\t{company}\t{contact}\t{mobile}\t{email}\t\t\t0\t0\t\t\t\
             {{\"city\": \"{city}\"}}\t\\\\x\t2026-01-01T00:00:00Z",
            number + 1
        );
        let listed: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let _ = writeln!(self.records, "{tenant}\t{id}\t{{{}}}", listed.join(","));
        for key in keys {
            let _ = writeln!(self.keys, "{tenant}\t{key}\t{id}");
        }
    }

    /// Returns the statements and what they read.
    pub(super) fn copies(self) -> [(&'static str, String); 3] {
        [
            (
                "copy leads (tenant_id, lead_id, shard, number, state, source, payload_hash, company, contact_name, phone, email,
                     territory, product, budget_min_fen, budget_max_fen, remark, account, attributes, raw_payload, create_time)
                 from stdin",
                self.leads,
            ),
            ("copy duplicate_records (tenant_id, lead_id, keys) from stdin", self.records),
            ("copy duplicate_keys (tenant_id, key, lead_id) from stdin", self.keys),
        ]
    }
}
