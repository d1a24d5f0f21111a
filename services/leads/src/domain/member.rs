//! People and teams, and the check of what a tenant writes about them.

use serde::{Deserialize, Serialize};

use super::ids::{CalendarId, MemberId, TeamId};
use super::violation::{Violation, Violations};

/// Weight of a member who was given none.
pub const DEFAULT_WEIGHT: u32 = 100;

/// A person who works with leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Chosen by the tenant.
    pub id: MemberId,
    /// Name people read.
    pub display_name: String,
    /// Their team.
    pub team: TeamId,
    /// What they do.
    pub role: Role,
    /// Whom they report to.
    pub supervisor: Option<MemberId>,
    /// Who stands in while they are away.
    pub deputy: Option<MemberId>,
    /// Share of the team's leads relative to the others, 1 to 1000.
    pub weight: u32,
    /// Open leads they can hold.
    pub capacity: u32,
    /// Skills and tags.
    pub skills: Vec<String>,
    /// Their own working calendar, if it is not the team's.
    pub calendar: Option<CalendarId>,
    /// Whether they still work here.
    pub active: bool,
    /// Mobile number, for mentions.
    pub mobile: String,
    /// Mail address.
    pub email: String,
    /// Language of messages.
    pub locale: Locale,
}

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Calls customers.
    Sales,
    /// Leads a team.
    Supervisor,
    /// Leads a region or product line.
    Director,
    /// Works with the system, gets no leads.
    Assistant,
}

impl Role {
    const ALL: [Self; 4] = [Self::Sales, Self::Supervisor, Self::Director, Self::Assistant];

    /// Returns the word tables and files use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sales => "sales",
            Self::Supervisor => "supervisor",
            Self::Director => "director",
            Self::Assistant => "assistant",
        }
    }

    /// Returns the role a word stands for.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Tells whether members of this role can own leads. Supervisors and directors who do not sell have capacity 0.
    #[must_use]
    pub fn takes_leads(self) -> bool {
        self != Self::Assistant
    }
}

/// Language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Locale {
    /// Simplified Chinese.
    #[default]
    ZhCn,
    /// English.
    En,
}

impl Locale {
    /// Returns the tag, as tables keep it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ZhCn => "zh-CN",
            Self::En => "en",
        }
    }

    /// Returns the language of a tag; Chinese for an empty one.
    #[must_use]
    pub fn find(tag: &str) -> Option<Self> {
        match tag {
            "" | "zh-CN" => Some(Self::ZhCn),
            "en" => Some(Self::En),
            _ => None,
        }
    }
}

/// A group of members that leads are routed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Chosen by the tenant.
    pub id: TeamId,
    /// Name people read.
    pub display_name: String,
    /// Team above.
    pub parent: Option<TeamId>,
    /// Its supervisor. May not exist yet: teams come before their members.
    pub supervisor: Option<MemberId>,
    /// Its director. May not exist yet.
    pub director: Option<MemberId>,
    /// Working calendar of its members, if it is not the one of the team above.
    pub calendar: Option<CalendarId>,
}

/// A member as sent or as a line of a file has them, not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawMember {
    /// `members/{member}`.
    pub name: String,
    /// Name people read.
    pub display_name: String,
    /// `teams/{team}`.
    pub team: String,
    /// What they do; must be there.
    pub role: Option<Role>,
    /// `members/{member}` or empty.
    pub supervisor: String,
    /// `members/{member}` or empty.
    pub deputy: String,
    /// 1 to 1000; 0 means [`DEFAULT_WEIGHT`].
    pub weight: i32,
    /// 0 to 100000.
    pub capacity: i32,
    /// Skills and tags.
    pub skills: Vec<String>,
    /// `calendars/{calendar}` or empty.
    pub calendar: String,
    /// Whether they still work here.
    pub active: bool,
    /// Mobile number.
    pub mobile: String,
    /// Mail address.
    pub email: String,
    /// Language of messages, or empty.
    pub locale: String,
}

impl Member {
    /// Tells whether there are leads the member would get if they were there and had no others.
    #[must_use]
    pub fn could_take_leads(&self) -> bool {
        self.active && self.role.takes_leads() && self.capacity > 0
    }

    /// Checks a member. Fields of the violations start with `member.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with them.
    pub fn parse(raw: &RawMember) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("member.name", &raw.name);
        let team = violations.name("member.team", &raw.team);
        let locale = Locale::find(&raw.locale);
        if raw.role.is_none() {
            violations.add("member.role", "must be given");
        }
        if locale.is_none() {
            violations.add("member.locale", "must be \"zh-CN\" or \"en\"");
        }
        let display_name = violations.line("member.display_name", &raw.display_name, 1..=100);
        let supervisor = violations.optional_name("member.supervisor", &raw.supervisor);
        let deputy = violations.optional_name("member.deputy", &raw.deputy);
        if deputy.is_some() && deputy == id {
            violations.add("member.deputy", "must be somebody else");
        }
        let weight = violations.number("member.weight", raw.weight, 0..=1000);
        let capacity = violations.number("member.capacity", raw.capacity, 0..=100_000);
        let skills = parse_skills(&mut violations, "member.skills", &raw.skills);
        let calendar = violations.optional_name("member.calendar", &raw.calendar);
        let mobile = violations.line("member.mobile", &raw.mobile, 0..=60);
        let email = violations.line("member.email", &raw.email, 0..=200);
        let (Some(id), Some(team), Some(role), Some(locale), true) =
            (id, team, raw.role, locale, violations.is_empty())
        else {
            return Err(violations.into_vec());
        };
        Ok(Self {
            id,
            display_name,
            team,
            role,
            supervisor,
            deputy,
            weight: if weight == 0 {
                DEFAULT_WEIGHT
            } else {
                weight.unsigned_abs()
            },
            capacity: capacity.unsigned_abs(),
            skills,
            calendar,
            active: raw.active,
            mobile,
            email,
            locale,
        })
    }
}

/// Checks skills and returns them sorted, each once. A comma separates skills elsewhere and may not be part of one.
pub fn parse_skills(violations: &mut Violations, field: &str, raw: &[String]) -> Vec<String> {
    violations.number(field, raw.len(), 0..=50);
    let mut skills: Vec<String> = raw.iter().map(|skill| violations.line(field, skill, 1..=64)).collect();
    if skills.iter().any(|skill| skill.contains(',')) {
        violations.add(field, "must not contain commas");
    }
    skills.sort_unstable();
    skills.dedup();
    skills
}

/// A team as sent, not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawTeam {
    /// `teams/{team}`.
    pub name: String,
    /// Name people read.
    pub display_name: String,
    /// `teams/{team}` or empty.
    pub parent: String,
    /// `members/{member}` or empty.
    pub supervisor: String,
    /// `members/{member}` or empty.
    pub director: String,
    /// `calendars/{calendar}` or empty.
    pub calendar: String,
}

impl Team {
    /// Checks a team. Fields of the violations start with `team.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: &RawTeam) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("team.name", &raw.name);
        let display_name = violations.line("team.display_name", &raw.display_name, 1..=100);
        let parent = violations.optional_name("team.parent", &raw.parent);
        let supervisor = violations.optional_name("team.supervisor", &raw.supervisor);
        let director = violations.optional_name("team.director", &raw.director);
        let calendar = violations.optional_name("team.calendar", &raw.calendar);
        match id {
            Some(id) if violations.is_empty() => Ok(Self {
                id,
                display_name,
                parent,
                supervisor,
                director,
                calendar,
            }),
            _ => Err(violations.into_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> RawMember {
        RawMember {
            name: "members/zhang.wei".into(),
            display_name: "张伟".into(),
            team: "teams/zhang".into(),
            role: Some(Role::Sales),
            active: true,
            ..RawMember::default()
        }
    }

    fn faults(change: impl FnOnce(&mut RawMember)) -> Vec<String> {
        let mut member = raw();
        change(&mut member);
        Member::parse(&member).map_or_else(|found| found.into_iter().map(|it| it.field).collect(), |_| Vec::new())
    }

    #[test]
    fn members_get_defaults_and_sorted_skills() {
        let skills = ["骨科", " 医保 ", "骨科"].map(String::from).into();
        let member = Member::parse(&RawMember { skills, ..raw() }).unwrap();
        assert_eq!(
            (member.weight, member.capacity, member.locale.as_str()),
            (100, 0, "zh-CN")
        );
        assert_eq!(member.skills, ["医保", "骨科"]);
    }

    #[test]
    fn limits_of_members_hold() {
        assert!(faults(|member| (member.weight, member.capacity) = (1000, 100_000)).is_empty());
        assert_eq!(faults(|member| member.weight = 1001), ["member.weight"]);
        assert_eq!(faults(|member| member.weight = -1), ["member.weight"]);
        assert_eq!(faults(|member| member.capacity = 100_001), ["member.capacity"]);
        assert_eq!(faults(|member| member.capacity = -1), ["member.capacity"]);
        assert_eq!(faults(|member| member.locale = "fr".into()), ["member.locale"]);
        assert_eq!(faults(|member| member.role = None), ["member.role"]);
        assert_eq!(faults(|member| member.display_name.clear()), ["member.display_name"]);
        assert_eq!(faults(|member| member.skills = vec!["a,b".into()]), ["member.skills"]);
        assert_eq!(
            faults(|member| member.skills = (0..51).map(|n| n.to_string()).collect()),
            ["member.skills"]
        );
        assert_eq!(
            faults(|member| member.deputy.clone_from(&member.name)),
            ["member.deputy"]
        );
        assert_eq!(faults(|member| member.team.clear()), ["member.team"]);
    }

    #[test]
    fn teams_are_checked() {
        let raw = RawTeam {
            name: "teams/zhang".into(),
            display_name: "张经理团队".into(),
            ..RawTeam::default()
        };
        assert_eq!(Team::parse(&raw).unwrap().id.id(), "zhang");
        let wrong = RawTeam {
            director: "teams/li".into(),
            display_name: String::new(),
            ..raw
        };
        let fields: Vec<_> = Team::parse(&wrong)
            .unwrap_err()
            .into_iter()
            .map(|it| it.field)
            .collect();
        assert_eq!(fields, ["team.display_name", "team.director"]);
    }
}
