//! Versions, activations and single versions as tables.

use std::fmt::Write as _;

use reflex_proto::leads::v1::routing_policy::Entry;
use reflex_proto::leads::v1::{
    GetRoutingPolicyResponse, ListRoutingPoliciesRequest, ListRoutingPoliciesResponse,
    ListRoutingPolicyActivationsRequest, ListRoutingPolicyActivationsResponse, RoutingPolicy, RoutingPolicyVersion,
    routing_policy_version::State,
};

use super::Way;
use crate::cli::{Language, PageArgs};
use crate::commands::answer;
use crate::output::{Output, Table, more};

pub(super) async fn versions(way: &Way<'_>, page: &PageArgs) -> anyhow::Result<()> {
    let client = way.client()?;
    let request = ListRoutingPoliciesRequest {
        page_size: page.page_size.min(500),
        page_token: page.page_token.clone(),
    };
    let response = answer(async || client.clone().list_routing_policies(request.clone()).await).await?;
    let full_name = "reflex.leads.v1.ListRoutingPoliciesResponse";
    way.output
        .response(full_name, &response, |it| render_versions(it, way.lang, way.output))?;
    Ok(())
}

pub(super) async fn activations(way: &Way<'_>, page: &PageArgs) -> anyhow::Result<()> {
    let client = way.client()?;
    let request = ListRoutingPolicyActivationsRequest {
        page_size: page.page_size.min(500),
        page_token: page.page_token.clone(),
    };
    let response = answer(async || client.clone().list_routing_policy_activations(request.clone()).await).await?;
    let full_name = "reflex.leads.v1.ListRoutingPolicyActivationsResponse";
    way.output
        .response(full_name, &response, |it| render_activations(it, way.lang, way.output))?;
    Ok(())
}

pub(super) async fn version(way: &Way<'_>, version: i32) -> anyhow::Result<()> {
    let response = way.policy(version).await?;
    let full_name = "reflex.leads.v1.GetRoutingPolicyResponse";
    way.output
        .response(full_name, &response, |it| render_policy(it, way.lang, way.output))?;
    Ok(())
}

/// Returns the word for where a version stands.
pub(super) fn state(version: &RoutingPolicyVersion, lang: Language) -> &'static str {
    match (version.state(), lang) {
        (State::Draft, Language::Zh) => "草稿",
        (State::Draft, Language::En) => "draft",
        (State::Active, Language::Zh) => "使用中",
        (State::Active, Language::En) => "active",
        (State::Retired, Language::Zh) => "已停用",
        (State::Retired, Language::En) => "retired",
        (State::Unspecified, _) => "",
    }
}

fn render_versions(response: &ListRoutingPoliciesResponse, lang: Language, output: &Output) -> String {
    let mut table = Table::new([
        lang.pick("版本", "VERSION"),
        lang.pick("状态", "STATE"),
        lang.pick("条目", "ENTRIES"),
        lang.pick("建立时间", "STORED"),
        lang.pick("建立人", "BY"),
        lang.pick("最近启用", "ACTIVATED"),
        lang.pick("说明", "NOTE"),
    ]);
    for version in &response.versions {
        table.row([
            version.version.to_string(),
            state(version, lang).to_owned(),
            version.entry_count.to_string(),
            output.time(version.create_time.as_ref()),
            version.author.clone(),
            output.time(version.activate_time.as_ref()),
            version.note.clone(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn render_activations(response: &ListRoutingPolicyActivationsResponse, lang: Language, output: &Output) -> String {
    let mut table = Table::new([
        lang.pick("时间", "TIME"),
        lang.pick("版本", "VERSION"),
        lang.pick("此前", "BEFORE"),
        lang.pick("操作人", "BY"),
        lang.pick("说明", "NOTE"),
    ]);
    for activation in &response.activations {
        let before = Some(activation.previous_version).filter(|version| *version != 0);
        table.row([
            output.time(activation.activate_time.as_ref()),
            activation.version.to_string(),
            before.map(|version| version.to_string()).unwrap_or_default(),
            activation.actor.clone(),
            activation.note.clone(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn render_policy(response: &GetRoutingPolicyResponse, lang: Language, output: &Output) -> String {
    let (Some(policy), Some(version)) = (&response.policy, &response.version) else {
        return String::new();
    };
    let mut text = format!(
        "{} {}  {}",
        lang.pick("版本", "version"),
        version.version,
        state(version, lang)
    );
    let _ = write!(
        text,
        "  {}  {}",
        output.time(version.create_time.as_ref()),
        version.author
    );
    text.truncate(text.trim_end().len());
    if !version.note.is_empty() {
        let _ = write!(text, "\n{}", version.note);
    }
    text.push('\n');
    for (label, value) in settings(policy, lang) {
        let _ = writeln!(text, "{label}  {value}");
    }
    let mut table = Table::new([
        "#",
        lang.pick("地域", "TERRITORY"),
        lang.pick("产品", "PRODUCT"),
        lang.pick("条件", "WHEN"),
        lang.pick("团队", "TEAM"),
        lang.pick("技能", "SKILLS"),
    ]);
    for (place, entry) in policy.entries.iter().enumerate() {
        let [territory, product, when, team, skills] = cells(entry, lang);
        table.row([(place + 1).to_string(), territory, product, when, team, skills]);
    }
    text + &table.render(0)
}

/// Returns what a policy says beside its entries, as people read it.
pub(super) fn settings(policy: &RoutingPolicy, lang: Language) -> [(&'static str, String); 4] {
    let none = lang.pick("无", "none");
    let team = Some(policy.default_team.as_str()).filter(|team| !team.is_empty());
    let yes = |yes| {
        if yes {
            lang.pick("是", "yes")
        } else {
            lang.pick("否", "no")
        }
    };
    let seconds = policy.claim_within.as_ref().map_or(0, |duration| duration.seconds);
    let limit = match (seconds % 3600, seconds % 60, lang) {
        (0, _, Language::Zh) => format!("{} 小时", seconds / 3600),
        (0, _, Language::En) => format!("{} h", seconds / 3600),
        (_, 0, Language::Zh) => format!("{} 分钟", seconds / 60),
        (_, 0, Language::En) => format!("{} min", seconds / 60),
        (_, _, Language::Zh) => format!("{seconds} 秒"),
        (_, _, Language::En) => format!("{seconds} s"),
    };
    let label = |zh, en| match lang {
        Language::Zh => zh,
        Language::En => en,
    };
    [
        (label("默认团队", "default team"), team.unwrap_or(none).to_owned()),
        (label("领取时限", "to be claimed within"), limit),
        (
            label("按自然时间", "by wall clock"),
            yes(policy.claim_wall_clock).to_owned(),
        ),
        (
            label("超时改派", "reassigned if not"),
            yes(policy.reassign_unclaimed).to_owned(),
        ),
    ]
}

/// Returns territory, product, condition, team and skills of an entry.
pub(super) fn cells(entry: &Entry, lang: Language) -> [String; 5] {
    let or_any = |name: &str| {
        if name.is_empty() {
            lang.pick("任何", "any")
        } else {
            name
        }
        .to_owned()
    };
    [
        or_any(&entry.territory),
        or_any(&entry.product),
        entry.when.clone(),
        entry.team.clone(),
        entry.skills.join(", "),
    ]
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::cli::Format;

    fn output() -> Output {
        Output {
            format: Format::Table,
            zone: TimeZone::UTC,
        }
    }

    #[test]
    fn a_version_is_shown_with_its_entries() {
        let response = GetRoutingPolicyResponse {
            policy: Some(RoutingPolicy {
                entries: vec![Entry {
                    product: "products/ortho".to_owned(),
                    team: "teams/zhang".to_owned(),
                    when: "预算 >= 50万\n且 有电话".to_owned(),
                    skills: vec!["医保".to_owned(), "骨科".to_owned()],
                    ..Entry::default()
                }],
                claim_within: Some(prost_types::Duration {
                    seconds: 5400,
                    nanos: 0,
                }),
                reassign_unclaimed: true,
                ..RoutingPolicy::default()
            }),
            version: Some(RoutingPolicyVersion {
                version: 3,
                state: State::Active.into(),
                create_time: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
                author: "members/li.na".to_owned(),
                note: "华东换组".to_owned(),
                ..RoutingPolicyVersion::default()
            }),
        };
        let expected = "\
版本 3  使用中  1970-01-01 00:00:00  members/li.na
华东换组
默认团队  无
领取时限  90 分钟
按自然时间  否
超时改派  是
#  地域  产品            条件                    团队         技能
1  任何  products/ortho  预算 >= 50万 且 有电话  teams/zhang  医保, 骨科
";
        assert_eq!(render_policy(&response, Language::Zh, &output()), expected);
        let english = render_policy(&response, Language::En, &output());
        assert!(
            english.contains("version 3  active") && english.contains("1  any"),
            "{english}"
        );
    }
}
