use std::time::Duration;

use super::*;
use crate::domain::directory::DirectoryRows;
use crate::domain::ids::LeaveId;
use crate::domain::leave::Leave;
use crate::domain::member::{RawMember, RawTeam, Role};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Sales li and wang under supervisor zhang and director chen; the team's region has a director of its own.
struct Office {
    members: Vec<RawMember>,
    teams: Vec<RawTeam>,
    away: Vec<&'static str>,
}

impl Office {
    fn new() -> Self {
        let member = |id: &str, supervisor: &str, deputy: &str| {
            let name = |id: &str| {
                if id.is_empty() {
                    String::new()
                } else {
                    format!("members/{id}")
                }
            };
            RawMember {
                name: name(id),
                display_name: id.into(),
                team: "teams/ortho".into(),
                role: Some(Role::Sales),
                supervisor: name(supervisor),
                deputy: name(deputy),
                active: true,
                ..RawMember::default()
            }
        };
        let team = |name: &str, parent: &str, supervisor: &str, director: &str| RawTeam {
            name: name.into(),
            display_name: name.into(),
            parent: parent.into(),
            supervisor: supervisor.into(),
            director: director.into(),
            calendar: String::new(),
        };
        Self {
            members: vec![
                member("li", "zhang", "wang"),
                member("wang", "zhang", "li"),
                member("zhang", "chen", "wu"),
                member("wu", "chen", ""),
                member("chen", "", ""),
                member("sun", "", ""),
            ],
            teams: vec![
                team("teams/ortho", "teams/east", "members/zhang", ""),
                team("teams/east", "", "members/sun", "members/chen"),
            ],
            away: Vec::new(),
        }
    }

    fn left(mut self, id: &str) -> Self {
        let member = self.members.iter_mut().find(|member| member.display_name == id);
        member.unwrap().active = false;
        self
    }

    fn away(mut self, ids: &[&'static str]) -> Self {
        self.away.extend(ids);
        self
    }

    fn told(&self, audience: Audience) -> String {
        self.told_about(Some("li"), Some("ortho"), audience)
    }

    fn told_about(&self, owner: Option<&str>, team: Option<&str>, audience: Audience) -> String {
        let directory = Directory::new(DirectoryRows {
            members: self.members.iter().map(|raw| Member::parse(raw).unwrap()).collect(),
            teams: self.teams.iter().map(|raw| Team::parse(raw).unwrap()).collect(),
            ..DirectoryRows::default()
        });
        let leave = |id: &&str| Leave {
            id: LeaveId(uuid::Uuid::nil()),
            member: format!("members/{id}").parse().unwrap(),
            start: NOW,
            end: NOW + Duration::from_hours(1),
            reason: String::new(),
        };
        let leaves = Leaves::new(self.away.iter().map(leave));
        let owner = owner.map(|id| format!("members/{id}").parse().unwrap());
        let team = team.map(|id| format!("teams/{id}").parse().unwrap());
        let lead = Concerned {
            owner: owner.as_ref(),
            team: team.as_ref(),
        };
        match resolve_audience(&directory, &leaves, lead, audience, NOW) {
            None => "nobody".into(),
            Some(Recipient {
                member,
                deputising_for: None,
            }) => member.id().into(),
            Some(Recipient {
                member,
                deputising_for: Some(meant),
            }) => format!("{} for {}", member.id(), meant.id()),
        }
    }
}

#[test]
fn each_audience_means_its_person() {
    let office = Office::new();
    assert_eq!(office.told(Audience::Owner), "li");
    assert_eq!(office.told(Audience::Supervisor), "zhang");
    assert_eq!(office.told(Audience::Director), "chen", "the team above has a director");
    assert_eq!(
        office.told_about(None, Some("ortho"), Audience::Owner),
        "zhang",
        "nobody owns it"
    );
    assert_eq!(office.told_about(None, Some("east"), Audience::Supervisor), "sun");
    assert_eq!(office.told_about(None, None, Audience::Director), "nobody");
}

#[test]
fn deputies_stand_in_for_the_absent() {
    assert_eq!(Office::new().away(&["li"]).told(Audience::Owner), "wang for li");
    assert_eq!(
        Office::new().away(&["zhang"]).told(Audience::Supervisor),
        "wu for zhang"
    );
    let both = Office::new().away(&["li", "wang"]);
    assert_eq!(
        both.told(Audience::Owner),
        "zhang for li",
        "who are each other's deputy end the chain"
    );
    let all = Office::new().away(&["li", "wang", "zhang"]);
    assert_eq!(all.told(Audience::Owner), "chen for li", "zhang's deputy is not li's");
}

#[test]
fn leavers_are_represented_from_above() {
    assert_eq!(Office::new().left("zhang").told(Audience::Supervisor), "chen for zhang");
    assert_eq!(
        Office::new().left("li").told(Audience::Owner),
        "zhang for li",
        "a leaver has no deputy"
    );
    assert_eq!(
        Office::new().left("wang").away(&["li"]).told(Audience::Owner),
        "zhang for li"
    );
    let headless = Office::new().left("zhang").left("chen");
    assert_eq!(
        headless.told(Audience::Supervisor),
        "sun for zhang",
        "the team above still has a supervisor"
    );
}

#[test]
fn with_everybody_away_who_is_meant_is_told() {
    let away = ["li", "wang", "zhang", "wu", "chen", "sun"];
    let office = Office::new().away(&away);
    assert_eq!(office.told(Audience::Supervisor), "zhang");
    assert_eq!(office.told(Audience::Owner), "li");
    let gone = away.iter().fold(Office::new(), |office, id| office.left(id));
    assert_eq!(gone.told(Audience::Supervisor), "nobody");
}

#[test]
fn a_recorded_call_stops_every_later_step() {
    let lead = |state| Standing {
        state,
        owner: None,
        fencing_token: 1,
        first_contact_time: None,
    };
    for state in [State::Captured, State::Queued, State::Assigned, State::Claimed] {
        assert_eq!(step_outcome(&lead(state)), StepOutcome::Fire, "{state:?}");
        let called = Standing {
            first_contact_time: Some(NOW),
            ..lead(state)
        };
        assert_eq!(
            step_outcome(&called),
            StepOutcome::Stopped(StopReason::Contacted),
            "{state:?} again after a call"
        );
    }
    assert_eq!(
        step_outcome(&lead(State::Contacted)),
        StepOutcome::Stopped(StopReason::Contacted)
    );
    assert_eq!(
        step_outcome(&lead(State::Closed)),
        StepOutcome::Stopped(StopReason::Closed)
    );
}
