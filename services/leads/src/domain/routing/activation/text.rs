//! Findings as sentences that a sales manager understands: which entry, what is wrong, what to do.

use std::fmt::Display;

use reflex_expr::Lang;

use super::{Finding, PolicySpec, Problem};
use crate::domain::directory::Directory;
use crate::domain::ids::TeamId;
use crate::domain::routing::conditions::{fault, shortened};
use crate::domain::routing::{Entry, number};

/// Skills that a sentence names.
const MOST_SKILLS: usize = 5;

impl Finding {
    /// Returns the stable code, as the API has it without its prefix.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.problem {
            Problem::Mistake(_) => "CONDITION_MISTAKE",
            Problem::NeverHolds => "NEVER_HOLDS",
            Problem::Shadowed { .. } => "SHADOWED",
            Problem::UnknownTerritory(_) => "UNKNOWN_TERRITORY",
            Problem::UnknownProduct(_) => "UNKNOWN_PRODUCT",
            Problem::UnknownTeam(_) => "UNKNOWN_TEAM",
            Problem::NobodyTakes(_) => "NOBODY_TAKES",
            Problem::NobodySkilled { .. } => "NOBODY_SKILLED",
            Problem::NoMembers(_) => "NO_MEMBERS",
            Problem::EveryoneAtCapacity { .. } => "EVERYONE_AT_CAPACITY",
        }
    }

    /// Returns the path of the field at fault.
    #[must_use]
    pub fn field(&self) -> String {
        let Some(place) = self.place else {
            return "policy.default_team".to_owned();
        };
        let field = match self.problem {
            Problem::Mistake(_) | Problem::NeverHolds | Problem::Shadowed { .. } => "when",
            Problem::UnknownTerritory(_) => "territory",
            Problem::UnknownProduct(_) => "product",
            Problem::NobodySkilled { .. } => "skills",
            Problem::UnknownTeam(_)
            | Problem::NobodyTakes(_)
            | Problem::NoMembers(_)
            | Problem::EveryoneAtCapacity { .. } => "team",
        };
        format!("policy.entries[{place}].{field}")
    }

    /// Says it in a sentence, shortened to 300 characters.
    #[must_use]
    pub fn text(&self, spec: &PolicySpec, directory: &Directory, lang: Lang) -> String {
        let entry = self.subject(spec, directory, lang);
        let said = self.said(spec, directory, lang);
        shortened(&match lang {
            Lang::Zh => format!("{entry}：{said}"),
            Lang::En => format!("{entry}: {said}"),
        })
    }

    /// Returns the cell of the entry as people call it; empty for the default team.
    #[must_use]
    pub fn cell(&self, spec: &PolicySpec, directory: &Directory, lang: Lang) -> String {
        let Some(entry) = spec.entry_of(self) else {
            return String::new();
        };
        let (anywhere, anything) = match lang {
            Lang::Zh => ("任何地域", "任何产品"),
            Lang::En => ("any territory", "any product"),
        };
        let territory = entry.territory.as_ref().map_or(anywhere, |id| {
            let known = directory.territories.find(id);
            known.map_or(id.id(), |territory| &territory.display_name)
        });
        let product = entry.product.as_ref().map_or(anything, |id| {
            let known = directory.products.find(id);
            known.map_or(id.id(), |product| &product.display_name)
        });
        format!("{territory} × {product}")
    }

    fn subject(&self, spec: &PolicySpec, directory: &Directory, lang: Lang) -> String {
        let cell = self.cell(spec, directory, lang);
        match (self.place, lang) {
            (None, Lang::Zh) => "默认团队".to_owned(),
            (None, Lang::En) => "the default team".to_owned(),
            (Some(place), Lang::Zh) if self.entries > 1 => {
                format!("第 {} 条（{cell}）等 {} 条", number(place), self.entries)
            }
            (Some(place), Lang::En) if self.entries > 1 => {
                format!("entry {} ({cell}) and {} more", number(place), self.entries - 1)
            }
            (Some(place), Lang::Zh) => format!("第 {} 条（{cell}）", number(place)),
            (Some(place), Lang::En) => format!("entry {} ({cell})", number(place)),
        }
    }

    fn said(&self, spec: &PolicySpec, directory: &Directory, lang: Lang) -> String {
        let pick = |zh: &str, en: &str| match lang {
            Lang::Zh => zh.to_owned(),
            Lang::En => en.to_owned(),
        };
        match &self.problem {
            Problem::Mistake(error) => {
                let source = spec.entry_of(self).and_then(|entry| entry.when.as_deref());
                fault(error, source.unwrap_or_default(), lang)
            }
            Problem::NeverHolds => pick(
                "条件自相矛盾，永远不会成立，这一条分不到任何线索；请修改条件",
                "the condition contradicts itself, so the entry would never get a lead; change the condition",
            ),
            Problem::Shadowed { by } => self.shadowed(*by, spec, lang),
            Problem::UnknownTerritory(id) => unknown(id, ("地域", "territory"), lang),
            Problem::UnknownProduct(id) => unknown(id, ("产品", "product"), lang),
            Problem::UnknownTeam(id) => unknown(id, ("团队", "team"), lang),
            Problem::NobodyTakes(team) => {
                let team = team_name(team, directory, lang);
                match lang {
                    Lang::Zh => {
                        format!("{team}里没有人能接线索：成员都已离岗、岗位不接线索或在手上限为 0；请先让至少一人能接")
                    }
                    Lang::En => format!(
                        "nobody of {team} can take a lead: all are inactive, have a role that takes none or a capacity of 0; \
                         let somebody take leads first"
                    ),
                }
            }
            Problem::NobodySkilled { team, skills, apart } => {
                let team = team_name(team, directory, lang);
                let named = skill_names(skills, lang);
                match (lang, apart, skills.len()) {
                    (Lang::Zh, false, _) => {
                        format!("{team}里能接线索的人都不具备技能{named}；请给成员加上技能，或修改要求")
                    }
                    (Lang::Zh, true, _) => {
                        format!("{team}里能接线索的人没有谁同时具备技能{named}；请给成员加上技能，或修改要求")
                    }
                    (Lang::En, _, 1) => {
                        format!(
                            "nobody of {team} who takes leads has the skill {named}; give it to a member, or ask for less"
                        )
                    }
                    (Lang::En, false, _) => format!(
                        "nobody of {team} who takes leads has any of the skills {named}; give them to a member, or ask for less"
                    ),
                    (Lang::En, true, _) => format!(
                        "nobody of {team} who takes leads has all of the skills {named}; give them to a member, or ask for less"
                    ),
                }
            }
            Problem::NoMembers(team) => {
                let team = team_name(team, directory, lang);
                match lang {
                    Lang::Zh => format!("{team}还没有成员，线索会一直排队，直到有人加入"),
                    Lang::En => format!("{team} has no members yet; leads will wait until somebody joins"),
                }
            }
            Problem::EveryoneAtCapacity { team, full, away } => {
                let team = team_name(team, directory, lang);
                let why = |full_text: String, away_text: String, between: &str| match (full, away) {
                    (_, 0) => full_text,
                    (0, _) => away_text,
                    _ => format!("{full_text}{between}{away_text}"),
                };
                match lang {
                    Lang::Zh => format!(
                        "{team}现在没有人能再接：{}；线索会先排队",
                        why(format!("{full} 人在手已满"), format!("{away} 人休假"), "，")
                    ),
                    Lang::En => format!(
                        "nobody of {team} can take another lead now: {}; leads will wait",
                        why(format!("{full} at capacity"), format!("{away} on leave"), ", ")
                    ),
                }
            }
        }
    }

    fn shadowed(&self, by: usize, spec: &PolicySpec, lang: Lang) -> String {
        let first = number(by);
        let has_condition = |entry: Option<&Entry>| entry.is_some_and(|entry| entry.when.is_some());
        match (
            has_condition(spec.entries.get(by)),
            has_condition(spec.entry_of(self)),
            lang,
        ) {
            (false, false, Lang::Zh) => format!(
                "与第 {first} 条地域和产品相同，又都没有条件，这一条分不到任何线索；请删去一条，或给第 {first} 条加上条件"
            ),
            (false, false, Lang::En) => format!(
                "entry {first} is for the same territory and product and neither has a condition, so this one would never get \
                 a lead; remove one of them, or give entry {first} a condition"
            ),
            (false, true, Lang::Zh) => format!(
                "地域和产品相同的第 {first} 条没有条件，总是先匹配，这一条分不到任何线索；请把这一条移到第 {first} 条之前"
            ),
            (false, true, Lang::En) => format!(
                "entry {first} of the same territory and product has no condition and always matches first, so this one would \
                 never get a lead; move it before entry {first}"
            ),
            (true, _, Lang::Zh) => format!(
                "凡是符合这一条的线索，都已先被地域和产品相同的第 {first} 条分走；请把这一条移到第 {first} 条之前，或修改条件"
            ),
            (true, _, Lang::En) => format!(
                "every lead that fits would go to entry {first} of the same territory and product first; move this one before \
                 entry {first}, or change the condition"
            ),
        }
    }
}

fn unknown(id: &impl Display, (zh, en): (&str, &str), lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("{zh} {id} 不存在；请先建立，或改用已有的"),
        Lang::En => format!("{en} {id} does not exist; create it first, or name another"),
    }
}

fn team_name(team: &TeamId, directory: &Directory, lang: Lang) -> String {
    let name = directory.find_team(team).map_or("", |team| team.display_name.as_str());
    match lang {
        Lang::Zh => format!("团队“{name}”（{team}）"),
        Lang::En => format!("team {name} ({team})"),
    }
}

fn skill_names(skills: &[String], lang: Lang) -> String {
    let named: Vec<String> = skills
        .iter()
        .take(MOST_SKILLS)
        .map(|skill| match lang {
            Lang::Zh => format!("“{skill}”"),
            Lang::En => skill.clone(),
        })
        .collect();
    let more = skills.len() > MOST_SKILLS;
    match lang {
        Lang::Zh => named.join("、") + if more { "等" } else { "" },
        Lang::En => named.join(", ") + if more { ", …" } else { "" },
    }
}
