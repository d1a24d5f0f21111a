//! Members, teams, territories, products and leaves.

use reflex_proto::leads::v1::{self as pb, member};

use crate::{
    convert::{instant, timestamp},
    domain::{
        catalogue::{Product, RawNode, Territory},
        leave::{Leave, RawLeave},
        member::{Member, RawMember, RawTeam, Role, Team},
        member_change::Kind,
        violation::Violation,
    },
};

const ROLES: [(member::Role, Role); 4] = [
    (member::Role::Sales, Role::Sales),
    (member::Role::Supervisor, Role::Supervisor),
    (member::Role::Director, Role::Director),
    (member::Role::Assistant, Role::Assistant),
];

/// Returns the name of what may be absent, empty where it is.
pub(crate) fn optional<Id: ToString>(id: Option<&Id>) -> String {
    id.map(ToString::to_string).unwrap_or_default()
}

/// Converts a sent member to what the domain checks.
pub(crate) fn raw_member(message: &pb::Member) -> RawMember {
    let role = ROLES.iter().find(|(sent, _)| i32::from(*sent) == message.role);
    RawMember {
        name: message.name.clone(),
        display_name: message.display_name.clone(),
        team: message.team.clone(),
        role: role.map(|(_, role)| *role),
        supervisor: message.supervisor.clone(),
        deputy: message.deputy.clone(),
        weight: message.weight,
        capacity: message.capacity,
        skills: message.skills.clone(),
        calendar: message.calendar.clone(),
        active: message.active,
        mobile: message.mobile.clone(),
        email: message.email.clone(),
        locale: message.locale.clone(),
    }
}

/// Converts a member, who holds some leads, to their message.
pub(crate) fn member(member: &Member, open_leads: i32) -> pb::Member {
    let role = ROLES.iter().find(|(_, role)| *role == member.role);
    pb::Member {
        name: member.id.to_string(),
        display_name: member.display_name.clone(),
        team: member.team.to_string(),
        role: role.map_or(0, |(sent, _)| i32::from(*sent)),
        supervisor: optional(member.supervisor.as_ref()),
        deputy: optional(member.deputy.as_ref()),
        weight: member.weight.cast_signed(),
        capacity: member.capacity.cast_signed(),
        skills: member.skills.clone(),
        calendar: optional(member.calendar.as_ref()),
        active: member.active,
        mobile: member.mobile.clone(),
        email: member.email.clone(),
        locale: member.locale.as_str().to_owned(),
        open_leads,
    }
}

/// Converts a member to the fact that they changed.
pub(crate) fn member_changed(member: &Member) -> pb::MemberChanged {
    pb::MemberChanged {
        member: member.id.to_string(),
        display_name: member.display_name.clone(),
        team: member.team.to_string(),
        mobile: member.mobile.clone(),
        email: member.email.clone(),
        locale: member.locale.as_str().to_owned(),
        active: member.active,
        supervisor: optional(member.supervisor.as_ref()),
        deputy: optional(member.deputy.as_ref()),
    }
}

/// Converts a sent team to what the domain checks.
pub(crate) fn raw_team(message: &pb::Team) -> RawTeam {
    RawTeam {
        name: message.name.clone(),
        display_name: message.display_name.clone(),
        parent: message.parent.clone(),
        supervisor: message.supervisor.clone(),
        director: message.director.clone(),
        calendar: message.calendar.clone(),
    }
}

/// Converts a team to its message.
pub(crate) fn team(team: &Team) -> pb::Team {
    pb::Team {
        name: team.id.to_string(),
        display_name: team.display_name.clone(),
        parent: optional(team.parent.as_ref()),
        supervisor: optional(team.supervisor.as_ref()),
        director: optional(team.director.as_ref()),
        calendar: optional(team.calendar.as_ref()),
    }
}

/// Converts a sent territory to what the domain checks.
pub(crate) fn raw_territory(message: &pb::Territory) -> RawNode {
    RawNode {
        name: message.name.clone(),
        display_name: message.display_name.clone(),
        parent: message.parent.clone(),
        aliases: message.aliases.clone(),
    }
}

/// Converts a territory to its message.
pub(crate) fn territory(territory: &Territory) -> pb::Territory {
    pb::Territory {
        name: territory.id.to_string(),
        display_name: territory.display_name.clone(),
        parent: optional(territory.parent.as_ref()),
        aliases: territory.aliases.clone(),
    }
}

/// Converts a sent product to what the domain checks.
pub(crate) fn raw_product(message: &pb::Product) -> RawNode {
    RawNode {
        name: message.name.clone(),
        display_name: message.display_name.clone(),
        parent: message.parent.clone(),
        aliases: message.aliases.clone(),
    }
}

/// Converts a product to its message.
pub(crate) fn product(product: &Product) -> pb::Product {
    pb::Product {
        name: product.id.to_string(),
        display_name: product.display_name.clone(),
        parent: optional(product.parent.as_ref()),
        aliases: product.aliases.clone(),
    }
}

/// Converts a sent leave to what the domain checks.
///
/// # Errors
/// When one of its times is outside the calendar.
pub(crate) fn raw_leave(message: &pb::Leave) -> Result<RawLeave, Violation> {
    let start = message
        .start_time
        .as_ref()
        .map(|time| instant("leave.start_time", time));
    let end = message.end_time.as_ref().map(|time| instant("leave.end_time", time));
    Ok(RawLeave {
        member: message.member.clone(),
        start: start.transpose()?,
        end: end.transpose()?,
        reason: message.reason.clone(),
    })
}

/// Converts a leave to its message.
pub(crate) fn leave(leave: &Leave) -> pb::Leave {
    pb::Leave {
        name: leave.id.to_string(),
        member: leave.member.to_string(),
        start_time: Some(timestamp(leave.start)),
        end_time: Some(timestamp(leave.end)),
        reason: leave.reason.clone(),
    }
}

/// Converts the kind of a member's change to its message.
pub(crate) fn change_kind(kind: Kind) -> pb::member_change::Kind {
    match kind {
        Kind::Created => pb::member_change::Kind::Created,
        Kind::Updated => pb::member_change::Kind::Updated,
        Kind::Deactivated => pb::member_change::Kind::Deactivated,
    }
}
