//! `LeadService`.

use std::{pin::Pin, time::Duration};

use futures_util::{
    Stream, StreamExt as _,
    stream::{self, FuturesOrdered},
};
use reflex_proto::leads::v1::{
    CaptureLeadRequest, CaptureLeadResponse, CloseLeadRequest, CloseLeadResponse, GetLeadRequest, GetLeadResponse,
    ListLeadsRequest, ListLeadsResponse, NewLead as NewLeadMessage, RefusedLead, StreamCaptureLeadsRequest,
    StreamCaptureLeadsResponse, WatchLeadsRequest, WatchLeadsResponse, lead_service_server::LeadService,
};
use reflex_rpc::{identity::Caller, request_id::RequestId, status};
use reflex_tenancy::TenantId;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::Rpc;
use crate::{
    app::{capture_lead::Captured, watch_leads::Ended},
    convert,
    domain::{ids::LeadId, new_lead::NewLead},
    error::Error,
    store::leads::number_text,
};

/// Captures of one stream that are on their way at once: enough to fill a batch.
const STREAM_WINDOW: usize = 256;
/// Refusals a stream's answer lists; the rest is counted.
const LISTED_REFUSALS: usize = 1_000;
/// When a watcher whose stream ended may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[tonic::async_trait]
impl LeadService for Rpc {
    async fn capture_lead(
        &self,
        request: Request<CaptureLeadRequest>,
    ) -> Result<Response<CaptureLeadResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let (lead, request_id) = parse(request.lead, &request.request_id)?;
        let captured = self.0.capture_lead(caller.tenant, lead, request_id).await?;
        Ok(Response::new(CaptureLeadResponse {
            name: LeadId(captured.lead_id).to_string(),
            number: number_text(captured.number),
            create_time: Some(convert::timestamp(captured.create_time)),
            existed: captured.existed,
        }))
    }

    async fn stream_capture_leads(
        &self,
        request: Request<Streaming<StreamCaptureLeadsRequest>>,
    ) -> Result<Response<StreamCaptureLeadsResponse>, Status> {
        let tenant = Caller::of(&request)?.tenant;
        let mut messages = request.into_inner();
        let mut tally = Tally::default();
        let mut under_way = FuturesOrdered::new();
        let mut index = 0_i64;
        loop {
            tokio::select! {
                message = messages.message(), if under_way.len() < STREAM_WINDOW => {
                    let Some(message) = message? else { break };
                    under_way.push_back(self.capture_one(tenant.clone(), index, message));
                    index += 1;
                }
                Some((index, outcome)) = under_way.next() => tally.add(index, outcome)?,
            }
        }
        while let Some((index, outcome)) = under_way.next().await {
            tally.add(index, outcome)?;
        }
        Ok(Response::new(tally.0))
    }

    async fn get_lead(&self, request: Request<GetLeadRequest>) -> Result<Response<GetLeadResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_lead(&caller, &request.into_inner().name).await?,
        ))
    }

    async fn list_leads(&self, request: Request<ListLeadsRequest>) -> Result<Response<ListLeadsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.list_leads(&caller, &request.into_inner()).await?))
    }

    async fn close_lead(&self, request: Request<CloseLeadRequest>) -> Result<Response<CloseLeadResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.close_lead(&caller, &request.into_inner()).await?))
    }

    type WatchLeadsStream = Pin<Box<dyn Stream<Item = Result<WatchLeadsResponse, Status>> + Send>>;

    async fn watch_leads(
        &self,
        request: Request<WatchLeadsRequest>,
    ) -> Result<Response<Self::WatchLeadsStream>, Status> {
        let caller = Caller::of(&request)?;
        let watch = self.0.watch_leads(caller, &request.into_inner()).await?;
        let responses = stream::unfold(Some(watch), async |watch| {
            let mut watch = watch?;
            match watch.next().await {
                Ok(response) => Some((Ok(response), Some(watch))),
                Err(Ended::TooSlow) => Some((Err(status::overloaded(RETRY_AFTER)), None)),
                Err(Ended::Stopping) => Some((Err(status::unavailable(RETRY_AFTER)), None)),
            }
        });
        Ok(Response::new(Box::pin(responses)))
    }
}

impl Rpc {
    async fn capture_one(
        &self,
        tenant: TenantId,
        index: i64,
        message: StreamCaptureLeadsRequest,
    ) -> (i64, Result<Captured, Error>) {
        let outcome = match parse(message.lead, &message.request_id) {
            Ok((lead, request_id)) => self.0.capture_lead(tenant, lead, request_id).await,
            Err(error) => Err(error),
        };
        (index, outcome)
    }
}

/// What became of the leads of a stream.
#[derive(Default)]
struct Tally(StreamCaptureLeadsResponse);

impl Tally {
    /// Counts one outcome.
    ///
    /// # Errors
    /// When it concerns the whole stream, such as a database that is away: what was not answered may be sent again.
    fn add(&mut self, index: i64, outcome: Result<Captured, Error>) -> Result<(), Status> {
        let refusals = match outcome {
            Ok(captured) if captured.existed => {
                self.0.existed_count += 1;
                return Ok(());
            }
            Ok(_) => {
                self.0.captured_count += 1;
                return Ok(());
            }
            Err(Error::Violations(violations)) => violations
                .into_iter()
                .map(|fault| RefusedLead {
                    index,
                    field: fault.field,
                    description: fault.description,
                })
                .collect(),
            Err(Error::RequestIdReused) => vec![RefusedLead {
                index,
                field: "request_id".into(),
                description: "was used with another lead".into(),
            }],
            Err(error) => return Err(error.into()),
        };
        self.0.refused_count += 1;
        let room = LISTED_REFUSALS.saturating_sub(self.0.refused.len());
        self.0.refused.extend(refusals.into_iter().take(room));
        Ok(())
    }
}

fn parse(lead: Option<NewLeadMessage>, request_id: &str) -> Result<(NewLead, Option<Uuid>), Error> {
    let request_id = RequestId::parse(request_id)?;
    let lead = lead.ok_or_else(|| Error::invalid("lead", "must be set"))?;
    let raw = convert::raw_lead(lead).map_err(|violation| vec![violation])?;
    let lead = NewLead::parse(raw)?;
    if request_id.is_none() && lead.external_id.is_empty() {
        return Err(Error::invalid(
            "request_id",
            "must be set where lead.external_id is empty",
        ));
    }
    Ok((lead, request_id))
}
