//! What a write changes about a member, and what follows from it.

use super::decision::Trigger;
use super::member::Member;

/// A member as they are stored, if they are, and as they shall be.
#[derive(Debug, Clone, Copy)]
pub struct MemberChange<'a> {
    before: Option<&'a Member>,
    after: &'a Member,
}

/// Kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// New.
    Created,
    /// Fields differ.
    Updated,
    /// Left.
    Deactivated,
}

/// Fields other services are told of.
const TOLD: [&str; 8] = [
    "display_name",
    "team",
    "supervisor",
    "deputy",
    "active",
    "mobile",
    "email",
    "locale",
];

/// Fields that decide who gets a lead.
const ROUTING: [&str; 6] = ["team", "role", "weight", "capacity", "skills", "active"];

impl<'a> MemberChange<'a> {
    /// Compares a member with what is stored of them.
    #[must_use]
    pub fn new(before: Option<&'a Member>, after: &'a Member) -> Self {
        Self { before, after }
    }

    /// Returns the member as they shall be.
    #[must_use]
    pub fn after(&self) -> &'a Member {
        self.after
    }

    /// Returns what happens, `None` when nothing differs.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self.before {
            None => Some(Kind::Created),
            Some(before) if before == self.after => None,
            Some(_) if self.leaves() => Some(Kind::Deactivated),
            Some(_) => Some(Kind::Updated),
        }
    }

    /// Returns the names of the fields that differ, as the API calls them; none for a new member.
    #[must_use]
    pub fn fields(&self) -> Vec<&'static str> {
        let (Some(before), after) = (self.before, self.after) else {
            return Vec::new();
        };
        let differs = [
            ("display_name", before.display_name != after.display_name),
            ("team", before.team != after.team),
            ("role", before.role != after.role),
            ("supervisor", before.supervisor != after.supervisor),
            ("deputy", before.deputy != after.deputy),
            ("weight", before.weight != after.weight),
            ("capacity", before.capacity != after.capacity),
            ("skills", before.skills != after.skills),
            ("calendar", before.calendar != after.calendar),
            ("active", before.active != after.active),
            ("mobile", before.mobile != after.mobile),
            ("email", before.email != after.email),
            ("locale", before.locale != after.locale),
        ];
        differs
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(field, _)| field)
            .collect()
    }

    /// Tells whether other services need to know.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.before.is_none() || self.fields().iter().any(|field| TOLD.contains(field))
    }

    /// Tells whether the member works here no longer, so that their leads need new owners.
    #[must_use]
    pub fn leaves(&self) -> bool {
        self.before.is_some_and(|before| before.active) && !self.after.active
    }

    /// Returns why leads that wait for the member's team should be looked at again, if they should.
    #[must_use]
    pub fn reroutes(&self) -> Option<Trigger> {
        if !self.after.active || !self.after.role.takes_leads() {
            return None;
        }
        let Some(before) = self.before else {
            return Some(Trigger::DirectoryChanged);
        };
        let mut fields = self.fields();
        fields.retain(|field| ROUTING.contains(field));
        match fields.as_slice() {
            [] => None,
            ["capacity"] => (self.after.capacity > before.capacity).then_some(Trigger::CapacityFreed),
            _ => Some(Trigger::DirectoryChanged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::member::{RawMember, Role};

    fn member() -> Member {
        let raw = RawMember {
            name: "members/zhang.wei".into(),
            display_name: "张伟".into(),
            team: "teams/zhang".into(),
            role: Some(Role::Sales),
            capacity: 10,
            active: true,
            ..RawMember::default()
        };
        Member::parse(&raw).unwrap()
    }

    type Edit = fn(&mut Member);

    /// Kind, fields, told, trigger.
    type Expected = (Option<Kind>, &'static [&'static str], bool, Option<Trigger>);

    #[test]
    fn what_follows_from_a_change() {
        let (updated, directory) = (Some(Kind::Updated), Some(Trigger::DirectoryChanged));
        let cases: [(Edit, Expected); 9] = [
            (|_| (), (None, &[], false, None)),
            (
                |it| it.display_name = "张小伟".into(),
                (updated, &["display_name"], true, None),
            ),
            (
                |it| it.capacity = 11,
                (updated, &["capacity"], false, Some(Trigger::CapacityFreed)),
            ),
            (|it| it.capacity = 9, (updated, &["capacity"], false, None)),
            (|it| it.weight = 1, (updated, &["weight"], false, directory)),
            (
                |it| it.skills = vec!["骨科".into()],
                (updated, &["skills"], false, directory),
            ),
            (
                |it| it.team = "teams/li".parse().unwrap(),
                (updated, &["team"], true, directory),
            ),
            (|it| it.role = Role::Assistant, (updated, &["role"], false, None)),
            (
                |it| it.active = false,
                (Some(Kind::Deactivated), &["active"], true, None),
            ),
        ];
        for (place, (edit, expected)) in cases.into_iter().enumerate() {
            let (before, mut after) = (member(), member());
            edit(&mut after);
            let change = MemberChange::new(Some(&before), &after);
            let found = (change.kind(), &*change.fields(), change.is_told(), change.reroutes());
            assert_eq!(found, expected, "case {place}");
            assert_eq!(
                change.leaves(),
                change.kind() == Some(Kind::Deactivated),
                "case {place}"
            );
        }
    }

    #[test]
    fn a_new_member_is_told_and_gets_what_waits() {
        let new = member();
        let change = MemberChange::new(None, &new);
        assert_eq!((change.kind(), change.fields().len()), (Some(Kind::Created), 0));
        assert!(change.is_told() && change.reroutes().is_some() && !change.leaves());
        let gone = Member {
            active: false,
            ..member()
        };
        assert_eq!(MemberChange::new(None, &gone).reroutes(), None);
        let back = MemberChange::new(Some(&gone), &new);
        assert_eq!(
            (back.kind(), back.reroutes()),
            (Some(Kind::Updated), Some(Trigger::DirectoryChanged))
        );
    }
}
