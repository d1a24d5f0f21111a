//! Lists in the order of a calculated field.

use std::collections::HashMap;

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;

use crate::{
    domain::calculated::Entity,
    error::Error,
    store::{
        calculated_fields,
        calculated_keys::{self, Direction, Place},
    },
};

/// Records that are looked at together where a filter leaves some of them out.
const CHUNK: i64 = 1_000;
/// Records a page looks at, at most: then it ends, however few of them fit.
const LOOKED_AT: i64 = 20_000;

/// By which field a list is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    field_key: i64,
    direction: Direction,
}

/// A page on its way: places are read in order, and their items put on it as far as they fit.
#[derive(Debug)]
pub(crate) struct OrderedPage<T> {
    order: Order,
    size: usize,
    chunk: i64,
    looked_at: i64,
    /// Where the page ends, as far as it is.
    last: Option<Place>,
    items: Vec<T>,
    /// Places that were read and whose items are not on the page yet.
    waiting: Vec<Place>,
    /// What ended it: that there is nothing more, or something more than fits.
    ended: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Exhausted,
    Full,
}

impl Order {
    /// Reads `{field} [asc|desc]`; `None` for an empty text.
    ///
    /// # Errors
    /// [`Error::Violations`] for another text and for an unknown field, [`Error::WrongState`] for one that is not ready.
    pub(crate) async fn parse(
        tx: &mut PgConnection,
        tenant: &TenantId,
        entity: Entity,
        text: &str,
    ) -> Result<Option<Self>, Error> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, direction) = match words[..] {
            [] => return Ok(None),
            [name] | [name, "asc"] => (name, Direction::Ascending),
            [name, "desc"] => (name, Direction::Descending),
            _ => {
                return Err(Error::invalid(
                    "order_by",
                    "must be the name of one calculated field, then \"asc\" or \"desc\" or nothing",
                ));
            }
        };
        let Some((field_key, ready)) = calculated_fields::find_named(tx, tenant, entity, name).await? else {
            let known = calculated_fields::list_definitions(tx, tenant).await?;
            let known = known.iter().filter(|known| known.entity == entity);
            let known: Vec<&str> = known.map(|known| known.field_name.as_str()).collect();
            let known = if known.is_empty() {
                "–".to_owned()
            } else {
                known.join(", ")
            };
            return Err(Error::invalid(
                "order_by",
                format!("没有这个计算字段；已有：{known} / is no calculated field; there are: {known}"),
            ));
        };
        if !ready {
            return Err(Error::WrongState(format!(
                "计算字段 {name} 还在首次计算，请稍后再按它排序 / {name} is being calculated for the first time; order by it a little later"
            )));
        }
        Ok(Some(Self { field_key, direction }))
    }

    /// Begins a page of up to `size` items after a place; `filtered` tells whether some records will have no item.
    pub(crate) fn page<T>(self, after: Option<Place>, size: i64, filtered: bool) -> OrderedPage<T> {
        OrderedPage {
            order: self,
            size: usize::try_from(size).unwrap_or_default(),
            chunk: if filtered { CHUNK } else { size + 1 },
            looked_at: 0,
            last: after,
            items: Vec::new(),
            waiting: Vec::new(),
            ended: None,
        }
    }
}

impl<T> OrderedPage<T> {
    /// Reads the next records whose items are wanted; none once the page is at its end.
    pub(crate) async fn next(&mut self, tx: &mut PgConnection, tenant: &TenantId) -> Result<Vec<String>, DbError> {
        if self.ended.is_none() && self.looked_at >= LOOKED_AT {
            self.ended = Some(End::Full);
        }
        if self.ended.is_some() {
            return Ok(Vec::new());
        }
        let Order { field_key, direction } = self.order;
        self.waiting = calculated_keys::list(tx, tenant, field_key, direction, self.last.as_ref(), self.chunk).await?;
        self.looked_at += self.chunk;
        Ok(self.waiting.iter().map(|place| place.record.clone()).collect())
    }

    /// Puts items on the page, which come in any order, each with its record.
    pub(crate) fn add(&mut self, items: impl IntoIterator<Item = (String, T)>) {
        let mut items: HashMap<String, T> = items.into_iter().collect();
        let exhausted = self.waiting.len() as u64 != self.chunk.unsigned_abs();
        for place in self.waiting.drain(..) {
            if let Some(item) = items.remove(&place.record) {
                if self.items.len() == self.size {
                    self.ended = Some(End::Full);
                    return;
                }
                self.items.push(item);
            }
            self.last = Some(place);
        }
        if exhausted {
            self.ended = Some(End::Exhausted);
        }
    }

    /// Returns the items in their order, and where the next page begins, if there may be one.
    pub(crate) fn end(self) -> (Vec<T>, Option<Place>) {
        let more = self.ended == Some(End::Full);
        (self.items, self.last.filter(|_| more))
    }
}
