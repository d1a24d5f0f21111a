//! What channels cost and bring, told and written as a file.

use reflex_expr::Lang;
use reflex_proto::leads::v1::{
    ExportChannelReportRequest, ExportChannelReportResponse, GetChannelReportRequest, GetChannelReportResponse,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::App;
use crate::{
    convert,
    domain::{
        channel_cost::month,
        channel_report::{Report, write_file},
        ids::CalendarId,
        month::{MAX_MONTHS, Month, Period},
        violation::{Violation, Violations},
    },
    error::Error,
    store::{channels, privacy},
};

impl App {
    /// Tells what channels cost and bring.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn get_channel_report(
        &self,
        caller: &Caller,
        request: &GetChannelReportRequest,
    ) -> Result<GetChannelReportResponse, Error> {
        let report = self
            .channel_report(caller, &request.first_month, &request.last_month)
            .await?;
        Ok(convert::channel::report(&report))
    }

    /// Writes it as a file.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn export_channel_report(
        &self,
        caller: &Caller,
        request: &ExportChannelReportRequest,
    ) -> Result<ExportChannelReportResponse, Error> {
        let headings = match request.language.as_str() {
            "" | "zh" => Lang::Zh,
            "en" => Lang::En,
            _ => return Err(Error::invalid("language", "must be \"zh\" or \"en\"")),
        };
        let report = self
            .channel_report(caller, &request.first_month, &request.last_month)
            .await?;
        Ok(ExportChannelReportResponse {
            csv: write_file(&report, headings),
        })
    }

    async fn channel_report(&self, caller: &Caller, first: &str, last: &str) -> Result<Report, Error> {
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let mut tx = self.db.begin("channel_report", &TenantSet::one(tenant)).await?;
        privacy::allow_long_statements(&mut tx).await?;
        let setup = self.setups.get(&mut tx, tenant).await?;
        let zone = setup.calendar(&CalendarId::default_of_tenant()).time_zone();
        let period = period(first, last, Month::of(now, zone))?;
        let costs = channels::list_costs_of(&mut tx, tenant, period).await?;
        let mut named: Vec<String> = costs.iter().map(|cost| cost.source.clone()).collect();
        named.sort_unstable();
        named.dedup();
        let counted = channels::count_leads(&mut tx, tenant, period.bounds(zone), &named, now).await?;
        Ok(Report::new(period, counted, &costs))
    }
}

fn period(first: &str, last: &str, present: Month) -> Result<Period, Vec<Violation>> {
    let mut violations = Violations::default();
    let first = match first {
        "" => Some(present),
        text => month(&mut violations, "first_month", text),
    };
    let last = match last {
        "" => first,
        text => month(&mut violations, "last_month", text),
    };
    let (Some(first), Some(last)) = (first, last) else {
        return Err(violations.into_vec());
    };
    let period = Period { first, last };
    if !(1..=MAX_MONTHS).contains(&period.months()) {
        violations.add(
            "last_month",
            format!("must be 0 to {} months after first_month", MAX_MONTHS - 1),
        );
        return Err(violations.into_vec());
    }
    Ok(period)
}
