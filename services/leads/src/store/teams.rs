//! Rows of teams.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::{
    ids::{CalendarId, MemberId, TeamId},
    member::Team,
};

#[derive(FromRow)]
struct Row {
    team_id: TeamId,
    display_name: String,
    parent: Option<TeamId>,
    supervisor: Option<MemberId>,
    director: Option<MemberId>,
    calendar: Option<CalendarId>,
}

/// Lists teams by id, `limit` of them after `after`; all without a limit.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Vec<Team>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select team_id, display_name, parent, supervisor, director, calendar from teams
         where tenant_id = $1 and team_id > coalesce($2, '') order by team_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    let team = |row: Row| Team {
        id: row.team_id,
        display_name: row.display_name,
        parent: row.parent,
        supervisor: row.supervisor,
        director: row.director,
        calendar: row.calendar,
    };
    Ok(rows.into_iter().map(team).collect())
}

/// Writes a team, whether it exists or not.
pub(crate) async fn put(tx: &mut PgConnection, tenant: &TenantId, team: &Team, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "insert into teams (tenant_id, team_id, display_name, parent, supervisor, director, calendar, create_time,
             update_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         on conflict (tenant_id, team_id) do update
             set display_name = excluded.display_name, parent = excluded.parent, supervisor = excluded.supervisor,
                 director = excluded.director, calendar = excluded.calendar, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(team.id.id())
    .bind(&team.display_name)
    .bind(team.parent.as_ref().map(TeamId::id))
    .bind(team.supervisor.as_ref().map(MemberId::id))
    .bind(team.director.as_ref().map(MemberId::id))
    .bind(team.calendar.as_ref().map(CalendarId::id))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
