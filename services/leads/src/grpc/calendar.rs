//! `CalendarService`.

use reflex_proto::leads::v1::{
    ComputeDueRequest, ComputeDueResponse, ImportHolidaysRequest, ImportHolidaysResponse, ListCalendarsRequest,
    ListCalendarsResponse, PutCalendarRequest, PutCalendarResponse, calendar_service_server::CalendarService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl CalendarService for Rpc {
    async fn put_calendar(
        &self,
        request: Request<PutCalendarRequest>,
    ) -> Result<Response<PutCalendarResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_calendar(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_calendars(
        &self,
        request: Request<ListCalendarsRequest>,
    ) -> Result<Response<ListCalendarsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_calendars(&caller, &request.into_inner()).await?,
        ))
    }

    async fn import_holidays(
        &self,
        request: Request<ImportHolidaysRequest>,
    ) -> Result<Response<ImportHolidaysResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.import_holidays(&caller, &request.into_inner()).await?,
        ))
    }

    async fn compute_due(&self, request: Request<ComputeDueRequest>) -> Result<Response<ComputeDueResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.compute_due(&caller, &request.into_inner()).await?))
    }
}
