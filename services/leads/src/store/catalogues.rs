//! Rows of territories and of products, two tables of one shape.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{Decode, PgConnection, Postgres, Type};

use crate::domain::{
    catalogue::Node,
    ids::{ProductId, ResourceId, TerritoryId},
};

/// An id whose things have a table of their own.
pub(crate) trait Catalogued:
    ResourceId + Type<Postgres> + for<'row> Decode<'row, Postgres> + Send + Unpin
{
    /// Lists nodes of tenant `$1` after id `$2`, at most `$3`.
    const LIST: &'static str;
    /// Writes the node `$2` of tenant `$1`.
    const PUT: &'static str;

    /// Returns the last part of the resource name.
    fn id(&self) -> &str;
}

macro_rules! catalogued {
    ($name:ident, $table:literal, $key:literal) => {
        impl Catalogued for $name {
            const LIST: &'static str = concat!(
                "select ", $key, ", display_name, parent, aliases from ", $table,
                " where tenant_id = $1 and ", $key, " > coalesce($2, '') order by ", $key, " limit $3"
            );
            const PUT: &'static str = concat!(
                "insert into ", $table, " (tenant_id, ", $key,
                ", display_name, parent, aliases, create_time, update_time) values ($1, $2, $3, $4, $5, $6, $6)
                on conflict (tenant_id, ", $key, ") do update
                    set display_name = excluded.display_name, parent = excluded.parent, aliases = excluded.aliases,
                        update_time = excluded.update_time"
            );

            fn id(&self) -> &str {
                Self::id(self)
            }
        }
    };
}

catalogued!(TerritoryId, "territories", "territory_id");
catalogued!(ProductId, "products", "product_id");

/// Lists nodes by id, `limit` of them after `after`; all without a limit.
pub(crate) async fn list<Id: Catalogued>(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Vec<Node<Id>>, DbError> {
    let rows: Vec<(Id, String, Option<Id>, Vec<String>)> = sqlx::query_as(Id::LIST)
        .bind(tenant.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(tx)
        .await?;
    let node = |(id, display_name, parent, aliases)| Node {
        id,
        display_name,
        parent,
        aliases,
    };
    Ok(rows.into_iter().map(node).collect())
}

/// Writes a node, whether it exists or not.
pub(crate) async fn put<Id: Catalogued>(
    tx: &mut PgConnection,
    tenant: &TenantId,
    node: &Node<Id>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(Id::PUT)
        .bind(tenant.as_str())
        .bind(node.id.id())
        .bind(&node.display_name)
        .bind(node.parent.as_ref().map(Catalogued::id))
        .bind(&node.aliases)
        .bind(now.to_sqlx())
        .execute(tx)
        .await?;
    Ok(())
}
