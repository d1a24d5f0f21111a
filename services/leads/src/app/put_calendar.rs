//! Working calendars and holidays; clocks that run by them are computed anew.

use std::time::Duration;

use reflex_calendar::StatutoryTable;
use reflex_proto::leads::v1::{
    Calendar, ComputeDueRequest, ComputeDueResponse, ImportHolidaysRequest, ImportHolidaysResponse,
    ListCalendarsRequest, ListCalendarsResponse, PutCalendarRequest, PutCalendarResponse,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{
    App,
    change_setup::{Begun, Change},
    list_directory::resource,
    paging::Page,
    recompute,
};
use crate::{
    convert,
    domain::{calculated::Entity, ids::CalendarId},
    error::Error,
    setup::{Holidays, Setup},
    store::{
        calendars,
        field_recomputes::{self, Target},
    },
};

const LARGEST_PAGE: i32 = 500;
/// A calendar lists its own dates; no list of them is longer.
const MAX_SPEC_BYTES: usize = 64 * 1024;
/// The published tables have some 40 days a year.
const MAX_TABLE_BYTES: usize = 1024 * 1024;
/// Ten years.
const LONGEST_WORK: Duration = Duration::from_hours(10 * 366 * 24);

impl App {
    /// Creates or changes a calendar.
    ///
    /// # Errors
    /// [`Error::Violations`] for a file that cannot be read or a calendar that is never open.
    pub(crate) async fn put_calendar(
        &self,
        caller: &Caller,
        request: &PutCalendarRequest,
    ) -> Result<PutCalendarResponse, Error> {
        let calendar = request
            .calendar
            .as_ref()
            .ok_or_else(|| Error::invalid("calendar", "must be given"))?;
        let id: CalendarId = resource("calendar.name", &calendar.name)?;
        if calendar.spec.len() > MAX_SPEC_BYTES {
            return Err(Error::invalid(
                "calendar.spec",
                format!("must be at most {MAX_SPEC_BYTES} bytes"),
            ));
        }
        if calendar.spec.contains('\0') {
            return Err(Error::invalid("calendar.spec", "must not contain control characters"));
        }
        let mut change = match self
            .begin_change("put_calendar", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let compiled = change.before.holidays.compile(&calendar.spec);
        compiled.map_err(|error| Error::invalid("calendar.spec", error.to_string()))?;
        let now = self.clock.now();
        let changed = calendars::put(&mut change.tx, &change.tenant, &id, &calendar.spec, now).await?;
        let recomputed_count = if changed { self.recompute(&mut change).await? } else { 0 };
        let response = PutCalendarResponse {
            calendar: Some(calendar.clone()),
            recomputed_count,
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Lists calendars by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_calendars(
        &self,
        caller: &Caller,
        request: &ListCalendarsRequest,
    ) -> Result<ListCalendarsResponse, Error> {
        let query = ("calendars", caller.tenant.as_str());
        let page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_calendars", &TenantSet::one(&caller.tenant)).await?;
        let mut rows = calendars::list(&mut tx, &caller.tenant, page.after.as_deref(), Some(page.limit())).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |(id, _)| id.id().to_owned());
        let calendars = rows
            .into_iter()
            .map(|(id, spec)| Calendar {
                name: id.to_string(),
                spec,
            })
            .collect();
        Ok(ListCalendarsResponse {
            calendars,
            next_page_token,
        })
    }

    /// Imports a statutory table; the years it covers replace what was known of them.
    ///
    /// # Errors
    /// [`Error::Violations`] for a table that cannot be read.
    pub(crate) async fn import_holidays(
        &self,
        caller: &Caller,
        request: &ImportHolidaysRequest,
    ) -> Result<ImportHolidaysResponse, Error> {
        let table = parse_table(&request.table)?;
        let mut change = match self
            .begin_change("import_holidays", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        // What is kept is the tenant's own: imports over each other, without the shipped table below them.
        let imported = calendars::list_holidays(&mut change.tx, &change.tenant).await?;
        let before = imported.into_iter().find(|known| known.region() == table.region());
        let mut own = before.clone();
        match &mut own {
            Some(known) => known.merge(table).expect("both tables are of one region"),
            None => own = Some(table),
        }
        let own = own.expect("it was just set");
        let mut recomputed_count = 0;
        if before.as_ref() != Some(&own) {
            calendars::put_holidays(&mut change.tx, &change.tenant, &own, self.clock.now()).await?;
            recomputed_count = self.recompute(&mut change).await?;
        }
        let known = Holidays::over_shipped(vec![own.clone()]);
        let years = known
            .find(own.region())
            .map(|table| table.years().map(i32::from).collect())
            .unwrap_or_default();
        let response = ImportHolidaysResponse {
            years,
            recomputed_count,
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Tells when a working time is over.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`].
    pub(crate) async fn compute_due(
        &self,
        caller: &Caller,
        request: &ComputeDueRequest,
    ) -> Result<ComputeDueResponse, Error> {
        let calendar: CalendarId = match request.calendar.as_str() {
            "" => CalendarId::default_of_tenant(),
            name => resource("calendar", name)?,
        };
        let start = match &request.start_time {
            Some(start) => convert::instant("start_time", start).map_err(|violation| vec![violation])?,
            None => self.clock.now(),
        };
        let working = convert::duration("working_time", request.working_time.as_ref());
        let working = working.map_err(|violation| vec![violation])?;
        if working > LONGEST_WORK {
            return Err(Error::invalid("working_time", "must be at most 10 years"));
        }
        let mut tx = self.db.begin("compute_due", &TenantSet::one(&caller.tenant)).await?;
        let setup = self.setups.get(&mut tx, &caller.tenant).await?;
        let found = setup
            .calendars
            .get(&calendar)
            .ok_or_else(|| Error::NotFound(calendar.to_string()))?;
        let due = found
            .add(start, working)
            .map_err(|error| Error::invalid("working_time", error.to_string()))?;
        Ok(ComputeDueResponse {
            due_time: Some(convert::timestamp(due.at)),
            provisional: due.provisional,
        })
    }

    async fn recompute(&self, change: &mut Change) -> Result<i32, Error> {
        change.publish().await?;
        let after = self.setups.get(&mut change.tx, &change.tenant).await?;
        let zone = |setup: &Setup| setup.calendar(&CalendarId::default_of_tenant()).time_zone().clone();
        if zone(&change.before) != zone(&after) {
            // Days and hours of instants are those of the default calendar.
            for entity in Entity::ALL
                .into_iter()
                .filter(|entity| !after.fields.definitions(*entity).is_empty())
            {
                field_recomputes::request(&mut change.tx, &change.tenant, &Target::all(entity)).await?;
            }
        }
        Ok(recompute::clocks(&mut change.tx, &change.tenant, &after, self.clock.now()).await?)
    }
}

fn parse_table(text: &str) -> Result<StatutoryTable, Error> {
    if text.len() > MAX_TABLE_BYTES {
        return Err(Error::invalid(
            "table",
            format!("must be at most {MAX_TABLE_BYTES} bytes"),
        ));
    }
    let table = StatutoryTable::parse(text).map_err(|error| Error::invalid("table", error.to_string()))?;
    let region = table.region();
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
    if !(2..=16).contains(&region.len()) || !region.bytes().all(allowed) {
        return Err(Error::invalid("table", "region must be a code in capitals such as CN"));
    }
    if table.years().next().is_none() {
        return Err(Error::invalid("table", "years must list a year that has holidays"));
    }
    Ok(table)
}
