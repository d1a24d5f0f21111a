//! Leads as customers send them: some 250 bytes of Chinese, each another one.

use std::collections::HashMap;

use reflex_proto::leads::v1::{NewLead, lead::Urgency};

const PLACES: [&str; 6] = ["上海市", "杭州", "江苏省", "武汉市", "成都", "广东"];
const TRADES: [&str; 5] = ["医疗器械", "生物科技", "骨科医院", "康复中心", "精密制造"];
const SURNAMES: [&str; 8] = ["张", "王", "李", "赵", "陈", "刘", "周", "欧阳"];
const GIVEN_NAMES: [&str; 6] = ["伟", "敏", "建国", "晓燕", "志强", "丽娟"];
const PRODUCTS: [&str; 4] = ["骨科耗材", "关节假体", "手术导航", "锻造件"];
const REMARKS: [&str; 4] = [
    "想了解报价和交货期，请尽快联系。",
    "下个月招标，需要参数和注册证。",
    "展会上看过样品，想约时间演示。",
    "旧设备要换，问以旧换新的条件。",
];

/// Returns the lead of a number; two numbers never have the same external id, phone or company.
pub(super) fn lead(source: &str, number: usize) -> NewLead {
    fn pick<'a>(choices: &[&'a str], number: usize) -> &'a str {
        choices[number % choices.len()]
    }
    let place = pick(&PLACES, number);
    let product = pick(&PRODUCTS, number / 3);
    NewLead {
        source: source.to_owned(),
        external_id: format!("{source}-{number}"),
        company: format!("{place}{}{number}有限公司", pick(&TRADES, number / 7)),
        contact_name: format!("{}{}", pick(&SURNAMES, number / 5), pick(&GIVEN_NAMES, number / 11)),
        phone: format!("138{:08}", number % 100_000_000),
        email: format!("kh{number}@example.com"),
        territory: place.to_owned(),
        product: product.to_owned(),
        urgency: [Urgency::Red, Urgency::Yellow, Urgency::Green][number % 3].into(),
        budget_min_fen: 5_000_000,
        budget_max_fen: 20_000_000,
        remark: pick(&REMARKS, number / 2).to_owned(),
        attributes: HashMap::from([("科室".to_owned(), "骨科".to_owned())]),
        ..NewLead::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use prost::Message as _;

    use super::*;

    #[test]
    fn leads_differ_and_have_the_size_of_real_ones() {
        let leads: Vec<NewLead> = (0..1_000).map(|number| lead("官网", number)).collect();
        let ids: HashSet<&str> = leads.iter().map(|lead| lead.external_id.as_str()).collect();
        assert_eq!(ids.len(), leads.len());
        for lead in &leads {
            let size = lead.encoded_len();
            assert!((180..=320).contains(&size), "{size} bytes: {lead:?}");
        }
    }
}
