//! What is known of a lead, and what each part of the gate makes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::spec::{BehaviourSpec, CompetitorSpec, IndustrySpec, reads_as_domain};
use super::{Criterion, OutagePolicy, SubVerdict, Truth, Unknown};

/// What kinds of facts about a site begin with: pages seen and visits of it.
const ON_SITE: [&str; 3] = ["page", "site", "visit"];
/// Kinds of facts that say where somebody came from or went to.
const ELSEWHERE: [&str; 4] = ["referr", "outbound", "link", "competitor"];
/// What somebody reported as a visit of a competitor, whatever domain it names.
const COMPETITOR: &str = "competitor";
/// Pages quoted as evidence.
const MOST_QUOTED: usize = 3;
/// Characters of a quoted page.
const LONGEST_QUOTE: usize = 80;

/// A reason in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// Something that was seen of a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it was.
    pub kind: String,
    /// What it was about: a page, an address.
    pub object: String,
    /// How long it took.
    pub duration: Option<Duration>,
    /// When.
    pub time: Timestamp,
}

/// A company, as a registry has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Company {
    /// Its name.
    pub name: String,
    /// Domain under which it was found: that of the mail, or one above it.
    pub domain: String,
    /// Its industry, by GB/T 4754: `C3421`, or `3421` without the section.
    pub industry_code: String,
}

/// What a registry said, and when that was true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The company; `None` where the registry does not list the domain.
    pub company: Option<Company>,
    /// As of when.
    pub as_of: Timestamp,
}

/// What is known of the company behind a domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CompanyAnswer {
    /// What the registry said.
    Known(Known),
    /// It is being asked.
    Pending,
    /// It did not answer.
    Down(String),
    /// There is none to ask.
    #[default]
    NoSource,
}

/// Who knows of visits to competitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitSource {
    /// The imported list.
    Imported,
    /// What was seen of the lead itself.
    Own,
}

/// What a source knows of a lead's visits to competitors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitAnswer {
    /// Which source.
    pub source: VisitSource,
    /// As of when it can say that there was none; `None` when it cannot.
    pub as_of: Option<Timestamp>,
    /// The latest visit it knows of: to whom, when.
    pub last: Option<(String, Timestamp)>,
}

/// Everything the gate looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateFacts {
    /// The lead's mail address, or empty.
    pub email: String,
    /// What was seen of it.
    pub seen: Vec<Seen>,
    /// What is known of its company.
    pub company: CompanyAnswer,
    /// What each source says of visits to competitors.
    pub visits: Vec<VisitAnswer>,
    /// Version of the imported companies.
    pub company_version: i32,
    /// Version of the imported visits.
    pub visit_version: i32,
}

/// Returns the host of an address, of a mail address too, in small letters; `None` where there is none.
#[must_use]
pub fn host_of(address: &str) -> Option<String> {
    let rest = address.trim();
    let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches('.');
    let host = host.to_ascii_lowercase();
    reads_as_domain(&host).then_some(host)
}

/// Returns the competitor that an address belongs to.
#[must_use]
pub fn competitor_of<'a>(address: &str, competitors: &'a [String]) -> Option<&'a str> {
    let host = host_of(address)?;
    let belongs = |domain: &&String| host == **domain || host.ends_with(&format!(".{domain}"));
    competitors.iter().find(belongs).map(String::as_str)
}

/// Long enough on the site, and on the success cases; false once something was seen that does not amount to it.
#[must_use]
pub fn judge_behaviour(spec: &BehaviourSpec, facts: &GateFacts) -> SubVerdict {
    let on_site = |seen: &&Seen| ON_SITE.iter().any(|kind| seen.kind.starts_with(kind));
    let seen: Vec<&Seen> = facts.seen.iter().filter(on_site).collect();
    if seen.is_empty() {
        let evidence = Evidence {
            zh: "没有网站行为记录".into(),
            en: "nothing was seen on the site".into(),
        };
        return unknown(Criterion::Behaviour, spec.on_unknown, Unknown::NoData, evidence);
    }
    // Kinds measure the same visits in their own ways, so times are added up within a kind only.
    let mut dwells: BTreeMap<&str, Duration> = BTreeMap::new();
    for fact in seen.iter().filter(|fact| fact.duration.is_some()) {
        let dwell = dwells.entry(&fact.kind).or_default();
        *dwell = dwell.saturating_add(fact.duration.unwrap_or_default());
    }
    let dwell = dwells.values().max().copied();
    let pages: Vec<&str> = seen
        .iter()
        .filter(|fact| spec.wants(&fact.object) || spec.wants(&fact.kind))
        .map(|fact| fact.object.as_str())
        .collect();
    let stayed = dwell.map_or(Truth::Unknown, |dwell| Truth::from(dwell > spec.dwell_over()));
    let truth = stayed.and(Truth::from(!pages.is_empty()));
    let limit = spec.dwell_over().as_secs();
    let stay = match dwell {
        None => Evidence {
            zh: "停留时长未知".into(),
            en: "the dwell time is not known".into(),
        },
        Some(dwell) => Evidence {
            zh: format!("停留 {} 秒（须超过 {limit} 秒）", dwell.as_secs()),
            en: format!("stayed {} s (must be more than {limit} s)", dwell.as_secs()),
        },
    };
    let cases = if pages.is_empty() {
        Evidence {
            zh: "未访问成功案例页".into(),
            en: "did not see the success cases".into(),
        }
    } else {
        let quoted: Vec<String> = pages.iter().take(MOST_QUOTED).map(|page| quote(page)).collect();
        let quoted = quoted.join("、");
        Evidence {
            zh: format!("访问过成功案例页：{quoted}"),
            en: format!("saw the success cases: {quoted}"),
        }
    };
    SubVerdict {
        criterion: Criterion::Behaviour,
        truth,
        unknown: (truth == Truth::Unknown).then_some(Unknown::NoData),
        on_unknown: spec.on_unknown,
        evidence: vec![stay, cases],
    }
}

/// The mail's domain belongs to a company of a wanted industry. A public mail provider's belongs to nobody's company.
#[must_use]
pub fn judge_industry(spec: &IndustrySpec, facts: &GateFacts, now: Timestamp) -> SubVerdict {
    let part = |truth, evidence| SubVerdict {
        criterion: Criterion::Industry,
        truth,
        unknown: None,
        on_unknown: spec.on_unknown,
        evidence: vec![evidence],
    };
    let unknown = |why, zh: String, en: String| unknown(Criterion::Industry, spec.on_unknown, why, Evidence { zh, en });
    let Some(domain) = facts.email.contains('@').then(|| host_of(&facts.email)).flatten() else {
        return unknown(Unknown::NoData, "没有邮箱域名".into(), "there is no mail domain".into());
    };
    if is_public_mail(&domain) {
        let (zh, en) = (
            format!("{domain} 是公共邮箱，不属于任何企业"),
            format!("{domain} is a public mail provider's"),
        );
        return part(Truth::False, Evidence { zh, en });
    }
    let known = match &facts.company {
        CompanyAnswer::Known(known) => known,
        CompanyAnswer::Pending => {
            let (zh, en) = (format!("正在查询 {domain}"), format!("{domain} is being looked up"));
            return unknown(Unknown::Pending, zh, en);
        }
        CompanyAnswer::Down(why) => {
            let zh = format!("企业登记查询不可用：{why}");
            return unknown(Unknown::Down, zh, format!("the registry does not answer: {why}"));
        }
        CompanyAnswer::NoSource => {
            let en = "no companies were imported and no registry is connected".to_owned();
            return unknown(Unknown::Down, "没有企业名录，也未接入企业登记查询".into(), en);
        }
    };
    if is_older(known.as_of, spec.max_age(), now) {
        let (zh, en) = (
            format!("企业名录截至 {}，已过期", known.as_of),
            format!("the companies are as of {}, which is too old", known.as_of),
        );
        return unknown(Unknown::Stale, zh, en);
    }
    let Some(company) = &known.company else {
        let (zh, en) = (
            format!("企业名录中没有 {domain}"),
            format!("{domain} is not among the companies"),
        );
        return unknown(Unknown::NoData, zh, en);
    };
    let code = full_code(&company.industry_code);
    if code.is_empty() {
        let (zh, en) = (
            format!("{} 没有行业代码", company.name),
            format!("{} has no industry code", company.name),
        );
        return unknown(Unknown::NoData, zh, en);
    }
    let wanted = spec.wants(&code);
    let (name, found) = (&company.name, &company.domain);
    let verb = if wanted {
        ("属于", "is")
    } else {
        ("不属于", "is not")
    };
    let evidence = Evidence {
        zh: format!("{found} 属于 {name}，行业代码 {code}，{}目标行业", verb.0),
        en: format!("{found} belongs to {name}, industry {code}, which {} wanted", verb.1),
    };
    part(Truth::from(wanted), evidence)
}

/// Returns what facts about a lead say of visits to competitors: of where it came from and went to, and what somebody
/// reported. They can say that there was none only where competitors are named.
#[must_use]
pub fn own_visits(seen: &[Seen], competitors: &[String]) -> VisitAnswer {
    let own = || {
        seen.iter()
            .filter(|seen| ELSEWHERE.iter().any(|kind| seen.kind.starts_with(kind)))
    };
    let visit = |seen: &Seen| {
        let named = competitor_of(&seen.object, competitors).map(str::to_owned);
        let reported = || seen.kind.starts_with(COMPETITOR).then(|| quote(&seen.object));
        Some((named.or_else(reported)?, seen.time))
    };
    VisitAnswer {
        source: VisitSource::Own,
        as_of: own().map(|seen| seen.time).max().filter(|_| !competitors.is_empty()),
        last: own().filter_map(visit).max_by_key(|(_, time)| *time),
    }
}

/// No competitor was visited within the window, by any source. That nothing is known of a visit says so only where somebody
/// looked: a list that is young enough, or facts within the window of where the lead came from.
#[must_use]
pub fn judge_competitors(spec: &CompetitorSpec, facts: &GateFacts, now: Timestamp) -> SubVerdict {
    let part = |truth, evidence| SubVerdict {
        criterion: Criterion::NoCompetitor,
        truth,
        unknown: None,
        on_unknown: spec.on_unknown,
        evidence: vec![evidence],
    };
    let days = spec.window().as_secs() / 86_400;
    let visits = facts.visits.iter().filter_map(|answer| answer.last.as_ref());
    let visits = visits.filter(|(_, time)| !is_older(*time, spec.window(), now));
    if let Some((competitor, time)) = visits.max_by_key(|(_, time)| *time) {
        let evidence = Evidence {
            zh: format!("{days} 天内访问过竞品：{competitor}（{time}）"),
            en: format!("visited a competitor within {days} days: {competitor} ({time})"),
        };
        return part(Truth::False, evidence);
    }
    let looked = facts
        .visits
        .iter()
        .filter_map(|answer| Some((answer.source, answer.as_of?)));
    let fresh = looked.clone().find(|(source, as_of)| {
        let most = match source {
            VisitSource::Imported => spec.max_age(),
            VisitSource::Own => spec.window(),
        };
        !is_older(*as_of, most, now)
    });
    match fresh {
        Some((VisitSource::Imported, as_of)) => {
            let evidence = Evidence {
                zh: format!("竞品访问名单（截至 {as_of}）中 {days} 天内无记录"),
                en: format!("the visits of competitors as of {as_of} have none within {days} days"),
            };
            return part(Truth::True, evidence);
        }
        Some((VisitSource::Own, time)) => {
            let evidence = Evidence {
                zh: format!("自有来源与外链记录（最近 {time}）未见竞品"),
                en: format!("own referrers and outbound links (latest {time}) show no competitor"),
            };
            return part(Truth::True, evidence);
        }
        None => {}
    }
    let list = looked.clone().find(|(source, _)| *source == VisitSource::Imported);
    let (why, evidence) = match list {
        Some((_, as_of)) => (
            Unknown::Stale,
            Evidence {
                zh: format!("竞品访问名单截至 {as_of}，已过期"),
                en: format!("the visits of competitors are as of {as_of}, which is too old"),
            },
        ),
        None => (
            Unknown::NoData,
            Evidence {
                zh: "没有竞品访问数据".into(),
                en: "nothing is known of visits to competitors".into(),
            },
        ),
    };
    unknown(Criterion::NoCompetitor, spec.on_unknown, why, evidence)
}

fn unknown(criterion: Criterion, on_unknown: OutagePolicy, why: Unknown, evidence: Evidence) -> SubVerdict {
    SubVerdict {
        criterion,
        truth: Truth::Unknown,
        unknown: Some(why),
        on_unknown,
        evidence: vec![evidence],
    }
}

fn is_older(time: Timestamp, than: Duration, now: Timestamp) -> bool {
    time.saturating_add(than).is_ok_and(|end| end < now)
}

fn quote(text: &str) -> String {
    text.chars().take(LONGEST_QUOTE).collect()
}

/// Sections of GB/T 4754-2017 by their last division.
const SECTIONS: [(u32, char); 20] = [
    (5, 'A'),
    (12, 'B'),
    (43, 'C'),
    (46, 'D'),
    (50, 'E'),
    (52, 'F'),
    (60, 'G'),
    (62, 'H'),
    (65, 'I'),
    (69, 'J'),
    (70, 'K'),
    (72, 'L'),
    (75, 'M'),
    (79, 'N'),
    (82, 'O'),
    (83, 'P'),
    (85, 'Q'),
    (90, 'R'),
    (96, 'S'),
    (97, 'T'),
];

/// Returns an industry code with its section in front, which many lists leave out.
fn full_code(code: &str) -> String {
    let code = code.trim().to_ascii_uppercase();
    let division = code
        .get(..2)
        .filter(|_| code.starts_with(|first: char| first.is_ascii_digit()));
    let section = division.and_then(|division| {
        let number: u32 = division.parse().ok().filter(|number| *number > 0)?;
        SECTIONS.iter().find(|(last, _)| number <= *last)
    });
    match section {
        Some((_, section)) => format!("{section}{code}"),
        None => code,
    }
}

/// Domains under which everybody may have a mailbox.
const PUBLIC_MAIL: [&str; 38] = [
    "126.com",
    "139.com",
    "163.com",
    "188.com",
    "189.cn",
    "21cn.com",
    "aliyun.com",
    "aol.com",
    "foxmail.com",
    "gmail.com",
    "gmx.com",
    "gmx.de",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.cn",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "sina.cn",
    "sina.com",
    "sohu.com",
    "tom.com",
    "vip.163.com",
    "vip.qq.com",
    "vip.sina.com",
    "wo.cn",
    "yahoo.com",
    "yandex.ru",
    "yeah.net",
];

/// Tells whether everybody may have a mailbox under a domain.
#[must_use]
pub fn is_public_mail(domain: &str) -> bool {
    PUBLIC_MAIL.contains(&domain) || domain.starts_with("yahoo.") || domain.starts_with("hotmail.")
}
