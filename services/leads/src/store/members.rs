//! Rows of members.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::{
    ids::{CalendarId, MemberId, TeamId},
    member::{Locale, Member, Role},
};

#[derive(FromRow)]
struct Row {
    member_id: MemberId,
    display_name: String,
    team: TeamId,
    role: String,
    supervisor: Option<MemberId>,
    deputy: Option<MemberId>,
    weight: i32,
    capacity: i32,
    skills: Vec<String>,
    calendar: Option<CalendarId>,
    active: bool,
    mobile: String,
    email: String,
    locale: String,
    open_leads: i32,
}

/// A member with the number of leads they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) member: Member,
    pub(crate) open_leads: i32,
}

impl From<Row> for Loaded {
    fn from(row: Row) -> Self {
        let member = Member {
            id: row.member_id,
            display_name: row.display_name,
            team: row.team,
            role: Role::find(&row.role).expect("a constraint admits known roles only"),
            supervisor: row.supervisor,
            deputy: row.deputy,
            weight: row.weight.unsigned_abs(),
            capacity: row.capacity.unsigned_abs(),
            skills: row.skills,
            calendar: row.calendar,
            active: row.active,
            mobile: row.mobile,
            email: row.email,
            locale: Locale::find(&row.locale).unwrap_or_default(),
        };
        Self {
            member,
            open_leads: row.open_leads,
        }
    }
}

/// Returns how many leads each member holds; without those who hold none.
pub(crate) async fn open_leads(tx: &mut PgConnection, tenant: &TenantId) -> Result<HashMap<MemberId, u32>, DbError> {
    let rows: Vec<(MemberId, i32)> =
        sqlx::query_as("select member_id, open_leads from members where tenant_id = $1 and open_leads > 0")
            .bind(tenant.as_str())
            .fetch_all(tx)
            .await?;
    Ok(rows.into_iter().map(|(id, open)| (id, open.unsigned_abs())).collect())
}

/// Which members to list, by id.
#[derive(Debug, Default)]
pub(crate) struct Filter<'a> {
    pub(crate) team: Option<&'a TeamId>,
    pub(crate) after: Option<&'a str>,
    pub(crate) limit: Option<i64>,
}

/// Lists members by id; all with the default filter.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    filter: &Filter<'_>,
) -> Result<Vec<Loaded>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select member_id, display_name, team, role, supervisor, deputy, weight, capacity, skills, calendar, active,
             mobile, email, locale, open_leads
         from members
         where tenant_id = $1 and member_id > coalesce($2, '') and ($3::text is null or team = $3)
         order by member_id limit $4",
    )
    .bind(tenant.as_str())
    .bind(filter.after)
    .bind(filter.team.map(TeamId::id))
    .bind(filter.limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Loaded::from).collect())
}

/// Returns a member, if they exist.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    member: &MemberId,
) -> Result<Option<Loaded>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "select member_id, display_name, team, role, supervisor, deputy, weight, capacity, skills, calendar, active,
             mobile, email, locale, open_leads
         from members where tenant_id = $1 and member_id = $2",
    )
    .bind(tenant.as_str())
    .bind(member.id())
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Loaded::from))
}

/// Writes members, whether they exist or not; their open leads stay as they are. One statement, so they may name each
/// other as supervisors and deputies in any order.
pub(crate) async fn put(
    tx: &mut PgConnection,
    tenant: &TenantId,
    members: &[Member],
    now: Timestamp,
) -> Result<(), DbError> {
    macro_rules! column {
        (|$member:ident| $value:expr) => {
            members.iter().map(|$member| $value).collect::<Vec<_>>()
        };
    }
    sqlx::query(PUT)
        .bind(tenant.as_str())
        .bind(now.to_sqlx())
        .bind(column!(|member| member.id.id()))
        .bind(column!(|member| member.display_name.as_str()))
        .bind(column!(|member| member.team.id()))
        .bind(column!(|member| member.role.as_str()))
        .bind(column!(|member| member.supervisor.as_ref().map(MemberId::id)))
        .bind(column!(|member| member.deputy.as_ref().map(MemberId::id)))
        .bind(column!(|member| member.weight.cast_signed()))
        .bind(column!(|member| member.capacity.cast_signed()))
        .bind(column!(|member| member.skills.join(",")))
        .bind(column!(|member| member.calendar.as_ref().map(CalendarId::id)))
        .bind(column!(|member| member.active))
        .bind(column!(|member| member.mobile.as_str()))
        .bind(column!(|member| member.email.as_str()))
        .bind(column!(|member| member.locale.as_str()))
        .execute(tx)
        .await?;
    Ok(())
}

// Arrays cannot hold arrays of different lengths, so skills travel joined by the comma that none of them contains.
const PUT: &str = "
insert into members (tenant_id, create_time, update_time, member_id, display_name, team, role, supervisor, deputy, weight,
    capacity, skills, calendar, active, mobile, email, locale)
select $1, $2, $2, member_id, display_name, team, role, supervisor, deputy, weight, capacity,
    string_to_array(skills, ','), calendar, active, mobile, email, locale
from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::integer[], $10::integer[],
    $11::text[], $12::text[], $13::boolean[], $14::text[], $15::text[], $16::text[])
    as sent (member_id, display_name, team, role, supervisor, deputy, weight, capacity, skills, calendar, active, mobile,
        email, locale)
on conflict (tenant_id, member_id) do update
    set update_time = excluded.update_time, display_name = excluded.display_name, team = excluded.team,
        role = excluded.role, supervisor = excluded.supervisor, deputy = excluded.deputy, weight = excluded.weight,
        capacity = excluded.capacity, skills = excluded.skills, calendar = excluded.calendar, active = excluded.active,
        mobile = excluded.mobile, email = excluded.email, locale = excluded.locale";
