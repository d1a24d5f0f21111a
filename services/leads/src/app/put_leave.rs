//! Recording and removing leave; when one ends, leads that wait are looked at again.

use reflex_pg::DbError;
use reflex_proto::leads::v1::{DeleteLeaveRequest, DeleteLeaveResponse, PutLeaveRequest, PutLeaveResponse};
use reflex_rpc::identity::Caller;
use reflex_runtime::telemetry;
use reflex_timers::Timer;

use super::{
    App,
    change_setup::{Begun, Change},
    fire_timers::{LEAVE_ENDED, LeaveEnd},
};
use crate::{
    convert,
    domain::{
        decision::Trigger,
        ids::{InvalidName, LeaveId},
        leave::Leave,
    },
    error::Error,
    store::{leaves, reroute},
};

impl App {
    /// Records a leave, or changes one that has a name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`] for an unknown member or leave.
    pub(crate) async fn put_leave(
        &self,
        caller: &Caller,
        request: &PutLeaveRequest,
    ) -> Result<PutLeaveResponse, Error> {
        let message = request
            .leave
            .as_ref()
            .ok_or_else(|| Error::invalid("leave", "must be given"))?;
        let named = if message.name.is_empty() {
            None
        } else {
            Some(leave_id("leave.name", &message.name)?)
        };
        let raw = convert::directory::raw_leave(message).map_err(|violation| vec![violation])?;
        let leave = Leave::parse(named.unwrap_or_else(|| LeaveId(self.ids.next())), &raw)?;
        let mut change = match self
            .begin_change("put_leave", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let before = match named {
            Some(id) => Some(find(&mut change, id).await?),
            None => None,
        };
        if before.as_ref() != Some(&leave) {
            self.write_leave(&mut change, before.as_ref(), &leave).await?;
        }
        let response = PutLeaveResponse {
            leave: Some(convert::directory::leave(&leave)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Removes a leave.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`].
    pub(crate) async fn delete_leave(
        &self,
        caller: &Caller,
        request: &DeleteLeaveRequest,
    ) -> Result<DeleteLeaveResponse, Error> {
        let id = leave_id("name", &request.name)?;
        let mut change = match self
            .begin_change("delete_leave", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let leave = find(&mut change, id).await?;
        leaves::delete(&mut change.tx, &change.tenant, id).await?;
        reflex_timers::cancel(&mut change.tx, &change.tenant, LEAVE_ENDED, &id.to_string()).await?;
        self.welcome_back(&mut change, &leave).await?;
        change.publish().await?;
        let response = DeleteLeaveResponse {};
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    async fn write_leave(&self, change: &mut Change, before: Option<&Leave>, leave: &Leave) -> Result<(), Error> {
        let member = change.before.directory.find_member(&leave.member);
        let team = member
            .map(|member| member.team.clone())
            .ok_or_else(|| Error::NotFound(leave.member.to_string()))?;
        leaves::put(&mut change.tx, &change.tenant, leave, self.clock.now()).await?;
        let timer = Timer {
            tenant: change.tenant.clone(),
            kind: LEAVE_ENDED.to_owned(),
            key: leave.id.to_string(),
            due_time: leave.end,
            payload: serde_json::to_value(LeaveEnd { team }).expect("a name has a JSON form"),
            traceparent: telemetry::current_traceparent(),
        };
        reflex_timers::set(&mut change.tx, &[timer]).await?;
        if let Some(before) = before {
            self.welcome_back(change, before).await?;
        }
        change.publish().await
    }

    /// Has waiting leads looked at again if a leave that is no more, or is another now, covers this moment.
    async fn welcome_back(&self, change: &mut Change, leave: &Leave) -> Result<(), DbError> {
        let now = self.clock.now();
        let team = change
            .before
            .directory
            .find_member(&leave.member)
            .map(|member| &member.team);
        match team.filter(|_| leave.start <= now && now < leave.end) {
            Some(team) => reroute::request(&mut change.tx, &change.tenant, Trigger::LeaveEnded, Some(team)).await,
            None => Ok(()),
        }
    }
}

async fn find(change: &mut Change, leave: LeaveId) -> Result<Leave, Error> {
    let found = leaves::find(&mut change.tx, &change.tenant, leave).await?;
    found.ok_or_else(|| Error::NotFound(leave.to_string()))
}

fn leave_id(field: &str, name: &str) -> Result<LeaveId, Error> {
    name.parse()
        .map_err(|error: InvalidName| Error::invalid(field, error.to_string()))
}
