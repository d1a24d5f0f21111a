//! A tenant's members, teams, territories and products at one moment, and what can be asked about them.

use std::collections::HashMap;

use super::catalogue::{Catalogue, Product, Territory};
use super::ids::{CalendarId, MemberId, ProductId, TeamId, TerritoryId};
use super::member::{Member, Team};
use super::names::PLACE_ENDINGS;
use super::tree::{self, PlacementError};

/// A tenant's directory at one moment, indexed; built from what is stored, so it never fails.
#[derive(Debug, Clone)]
pub struct Directory {
    members: HashMap<MemberId, Member>,
    teams: HashMap<TeamId, Team>,
    rosters: HashMap<TeamId, Vec<MemberId>>,
    /// Territories by id and name.
    pub territories: Catalogue<TerritoryId>,
    /// Products by id and name.
    pub products: Catalogue<ProductId>,
}

/// Everything a directory is made of.
#[derive(Debug, Clone, Default)]
pub struct DirectoryRows {
    /// All members, also those who left.
    pub members: Vec<Member>,
    /// All teams.
    pub teams: Vec<Team>,
    /// All territories.
    pub territories: Vec<Territory>,
    /// All products and product lines.
    pub products: Vec<Product>,
}

impl Directory {
    /// Indexes a directory.
    #[must_use]
    pub fn new(rows: DirectoryRows) -> Self {
        let mut rosters: HashMap<TeamId, Vec<MemberId>> = HashMap::new();
        for member in &rows.members {
            rosters.entry(member.team.clone()).or_default().push(member.id.clone());
        }
        for roster in rosters.values_mut() {
            roster.sort_unstable();
        }
        Self {
            members: rows
                .members
                .into_iter()
                .map(|member| (member.id.clone(), member))
                .collect(),
            teams: rows.teams.into_iter().map(|team| (team.id.clone(), team)).collect(),
            rosters,
            territories: Catalogue::new(rows.territories, PLACE_ENDINGS),
            products: Catalogue::new(rows.products, &[]),
        }
    }

    /// Returns a member, if they exist.
    #[must_use]
    pub fn find_member(&self, id: &MemberId) -> Option<&Member> {
        self.members.get(id)
    }

    /// Returns a team, if it exists.
    #[must_use]
    pub fn find_team(&self, id: &TeamId) -> Option<&Team> {
        self.teams.get(id)
    }

    /// Iterates over all teams, in no order.
    pub fn teams(&self) -> impl Iterator<Item = &Team> {
        self.teams.values()
    }

    /// Iterates over the members of a team itself, not of those below it, by id.
    pub fn members_of(&self, team: &TeamId) -> impl Iterator<Item = &Member> {
        self.rosters
            .get(team)
            .into_iter()
            .flatten()
            .filter_map(|id| self.members.get(id))
    }

    /// Returns a team and all above it, the nearest first; empty if it does not exist.
    #[must_use]
    pub fn teams_up(&self, team: &TeamId) -> Vec<&Team> {
        let Some(start) = self.teams.get(team) else {
            return Vec::new();
        };
        let path = tree::ascend(&start.id, |id| self.teams.get(id)?.parent.as_ref());
        path.into_iter().filter_map(|id| self.teams.get(id)).collect()
    }

    /// Returns whom a member reports to, then whom that one reports to, and so on.
    #[must_use]
    pub fn supervisors_of(&self, member: &MemberId) -> Vec<&Member> {
        let Some(start) = self.members.get(member) else {
            return Vec::new();
        };
        let path = tree::ascend(&start.id, |id| self.members.get(id)?.supervisor.as_ref());
        path.into_iter().skip(1).filter_map(|id| self.members.get(id)).collect()
    }

    /// Returns the calendar a member works by: their own, else that of the nearest team, else the tenant's.
    #[must_use]
    pub fn calendar_of(&self, member: &MemberId) -> CalendarId {
        let member = self.members.get(member);
        let own = member.and_then(|member| member.calendar.as_ref());
        let teams = member.map(|member| self.teams_up(&member.team)).unwrap_or_default();
        let calendar = own.or_else(|| teams.into_iter().find_map(|team| team.calendar.as_ref()));
        calendar.cloned().unwrap_or_else(CalendarId::default_of_tenant)
    }

    /// Checks that a member's team, supervisor and deputy exist and that nobody supervises themselves.
    ///
    /// # Errors
    /// Fails with the first reference that leads nowhere or the circle of supervisors.
    pub fn check_member(&self, member: &Member) -> Result<(), DirectoryError> {
        if !self.teams.contains_key(&member.team) {
            return Err(PlacementError::Unknown(member.team.clone()).into());
        }
        let exists = |id: &MemberId| *id == member.id || self.members.contains_key(id);
        if let Some(deputy) = member.deputy.as_ref().filter(|deputy| !exists(deputy)) {
            return Err(PlacementError::Unknown(deputy.clone()).into());
        }
        let supervisor_of = |id| self.members.get(id)?.supervisor.as_ref();
        Ok(tree::check_parent(
            &member.id,
            member.supervisor.as_ref(),
            exists,
            supervisor_of,
        )?)
    }

    /// Checks that the team above exists and that no team is above itself.
    ///
    /// # Errors
    /// Fails with the unknown team or the circle.
    pub fn check_team(&self, team: &Team) -> Result<(), DirectoryError> {
        let exists = |id: &TeamId| self.teams.contains_key(id);
        let parent_of = |id| self.teams.get(id)?.parent.as_ref();
        Ok(tree::check_parent(&team.id, team.parent.as_ref(), exists, parent_of)?)
    }
}

/// Why a member or team cannot be stored beside the others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// A team does not exist or would be above itself.
    #[error(transparent)]
    Team(#[from] PlacementError<TeamId>),
    /// A supervisor or deputy does not exist, or somebody would supervise themselves.
    #[error(transparent)]
    Member(#[from] PlacementError<MemberId>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::member::{RawMember, RawTeam, Role};

    fn member(id: &str, team: &str, supervisor: &str, calendar: &str) -> Member {
        let name = |collection: &str, id: &str| {
            if id.is_empty() {
                String::new()
            } else {
                format!("{collection}/{id}")
            }
        };
        let raw = RawMember {
            name: name("members", id),
            display_name: id.into(),
            team: name("teams", team),
            role: Some(Role::Sales),
            supervisor: name("members", supervisor),
            calendar: name("calendars", calendar),
            active: true,
            ..RawMember::default()
        };
        Member::parse(&raw).unwrap()
    }

    fn team(name: &str, parent: &str, calendar: &str) -> Team {
        let raw = RawTeam {
            name: name.into(),
            display_name: name.into(),
            parent: parent.into(),
            calendar: calendar.into(),
            ..RawTeam::default()
        };
        Team::parse(&raw).unwrap()
    }

    fn directory() -> Directory {
        Directory::new(DirectoryRows {
            members: vec![
                member("li", "ortho", "zhang", ""),
                member("wang", "ortho", "zhang", "shifts"),
                member("zhang", "east", "", ""),
                member("sun", "west", "", ""),
            ],
            teams: vec![
                team("teams/east", "", "calendars/shanghai"),
                team("teams/ortho", "teams/east", ""),
                team("teams/west", "", ""),
            ],
            ..DirectoryRows::default()
        })
    }

    #[test]
    fn the_nearest_calendar_counts() {
        let directory = directory();
        for (who, calendar) in [
            ("wang", "shifts"),
            ("li", "shanghai"),
            ("zhang", "shanghai"),
            ("sun", "default"),
            ("x", "default"),
        ] {
            let member = format!("members/{who}").parse().unwrap();
            assert_eq!(directory.calendar_of(&member).id(), calendar, "{who}");
        }
    }

    #[test]
    fn a_roster_has_the_team_itself() {
        let directory = directory();
        let ids = |team: &str| -> Vec<String> {
            let team = team.parse().unwrap();
            directory
                .members_of(&team)
                .map(|member| member.id.id().to_owned())
                .collect()
        };
        assert_eq!(ids("teams/ortho"), ["li", "wang"]);
        assert_eq!(ids("teams/east"), ["zhang"]);
        assert!(ids("teams/mars").is_empty());
    }

    #[test]
    fn circles_and_unknown_people_are_refused() {
        let directory = directory();
        let check = |member: &Member| directory.check_member(member).map_err(|error| error.to_string());
        assert_eq!(check(&member("new", "ortho", "li", "")), Ok(()));
        assert_eq!(
            check(&member("new", "mars", "", "")),
            Err("teams/mars does not exist".into())
        );
        assert_eq!(
            check(&member("new", "ortho", "nobody", "")),
            Err("members/nobody does not exist".into())
        );
        let deputy = Member {
            deputy: Some("members/nobody".parse().unwrap()),
            ..member("new", "ortho", "", "")
        };
        assert_eq!(check(&deputy), Err("members/nobody does not exist".into()));
        let circle = "would close the circle members/zhang → members/li → members/zhang";
        assert_eq!(check(&member("zhang", "east", "li", "")), Err(circle.into()));

        let check = |team: &Team| directory.check_team(team).map_err(|error| error.to_string());
        assert_eq!(check(&team("teams/new", "teams/ortho", "")), Ok(()));
        assert_eq!(
            check(&team("teams/new", "teams/mars", "")),
            Err("teams/mars does not exist".into())
        );
        let circle = "would close the circle teams/east → teams/ortho → teams/east";
        assert_eq!(check(&team("teams/east", "teams/ortho", "")), Err(circle.into()));
    }
}
