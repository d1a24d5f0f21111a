use super::CompanyLikeness::{
    Alike, Former, Missing, Near, Other, OtherBranch, OtherPlace, OtherTrade, Same, Short, Sounds,
};
use super::*;

#[test]
fn names_are_taken_apart() {
    for (text, brand, trade, place, branch) in [
        ("深圳市腾讯计算机系统有限公司", "腾讯", "计算机系统", "深圳", ""),
        ("廣東美的集團股份有限公司", "美的", "", "广东", ""),
        ("言雅(东莞)家具有限公司", "言雅", "家具", "东莞", ""),
        ("言雅（東莞）家具有限責任公司", "言雅", "家具", "东莞", ""),
        ("云玉（南京）科技发展有限责任公司", "云玉", "科技发展", "南京", ""),
        ("沈阳利桥家具有限公司沈阳分公司", "利桥", "家具", "沈阳", "沈阳"),
        ("云利昆明分公司", "云利", "", "", "昆明"),
        ("云利仓储昆明市分公司", "云利", "仓储", "", "昆明"),
        ("中国移动通信集团有限公司（北京分公司）", "中国移动", "通信", "", "北京"),
        (
            "浙江省杭州市余杭区好望角电子商务有限公司",
            "好望角",
            "电子商务",
            "余杭",
            "",
        ),
        ("诸暨市天马五金厂", "天马五金厂", "", "诸暨", ""),
        ("上海贸易有限公司", "上海", "贸易", "上海", ""),
        ("洲承", "洲承", "", "", ""),
        ("ＡＢＣ科技（深圳）有限公司", "abc", "科技", "深圳", ""),
        ("有限公司", "有限公司", "", "", ""),
    ] {
        let company = Company::parse(text).unwrap();
        assert_eq!(
            (
                company.brand.as_str(),
                company.trade.as_str(),
                company.place.as_str(),
                company.branch.as_str()
            ),
            (brand, trade, place, branch),
            "{text}"
        );
    }
    assert_eq!(
        Company::parse("Acme Holdings (Asia) Co., Ltd.").unwrap().words,
        ["acme", "asia"]
    );
    assert_eq!(
        Company::parse("The Company Ltd").unwrap().words,
        ["the", "company", "ltd"]
    );
    for nothing in ["", "  ", "-", "()"] {
        assert_eq!(Company::parse(nothing), None, "{nothing}");
    }
}

#[test]
fn names_are_compared() {
    for (left, right, likeness) in [
        ("言雅(东莞)家具有限公司", "东莞市言雅家具有限责任公司", Same),
        ("言雅家具", "言雅（东莞）家具股份有限公司", Same),
        ("廣州寶潔有限公司", "宝洁(广州)", Same),
        ("言雅", "言雅（东莞）家具有限公司", Short),
        ("惠心橡农业", "惠心橡（郑州）农业开发有限公司", Short),
        ("东莞市竹质家具有限公司", "东莞市珠质家具有限公司", Sounds),
        ("昆明质果进出有限公司", "昆明质果进出口有限公司", Near),
        ("福州橡农开惠农业", "福州橡农开惠农业开发", Short),
        ("天津美林集团", "天津美琳集团", Sounds),
        (
            "新名称科技有限公司（原名：老字号科技有限公司）",
            "老字号科技有限公司",
            Former,
        ),
        ("锋塔（无锡）陶瓷有限公司", "天津锋塔仓储有限公司", OtherTrade),
        ("春升陶瓷(郑州)有限公司", "春升（济南）陶瓷有限公司", OtherPlace),
        ("济南春升陶瓷有限公司", "山东春升陶瓷有限公司", Same),
        ("沈阳利桥家具有限公司", "沈阳利桥家具有限公司沈阳分公司", OtherBranch),
        ("利桥家具昆明分公司", "利桥家具大连分公司", OtherBranch),
        ("利桥家具有限公司昆明分公司", "利桥家具（昆明分公司）", Same),
        ("春白通信工程公司", "载广进出口有限公司", Other),
        ("Acme Holdings Ltd", "ACME", Same),
        ("Acme Asia Pacific", "Acme", Short),
        ("Acmee Trading", "Acme Trading", Near),
        ("art's delicatessen", "art's deli", Near),
        ("grill on the alley", "grill the", Short),
        ("fenix at the argyle", "fenix", Short),
        ("bright water cafe", "bright house cafe", Alike),
        ("Zhouxiang Ltd", "洲想有限公司", Sounds),
        ("Zeta Ltd", "洲想有限公司", Missing),
        ("Acme", "Zeta", Other),
    ] {
        let (left, right) = (Company::parse(left).unwrap(), Company::parse(right).unwrap());
        assert_eq!(left.compare(&right), likeness, "{left:?} {right:?}");
        assert_eq!(right.compare(&left), likeness, "{right:?} {left:?}");
    }
}

#[test]
fn hostile_names_are_read_too() {
    for text in [
        "(((((((",
        "))))",
        "分公司",
        "分公司分公司",
        "市市市市",
        "（原名（原名（原名",
        &"公司".repeat(50_000),
    ] {
        if let Some(company) = Company::parse(text) {
            let _ = company.compare(&Company::parse("言雅家具").unwrap());
        }
    }
}
