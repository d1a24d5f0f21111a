//! `FollowUpService`.

use reflex_proto::leads::v1::{
    AcknowledgeEscalationRequest, AcknowledgeEscalationResponse, ListFollowUpsRequest, ListFollowUpsResponse,
    RecordFollowUpRequest, RecordFollowUpResponse, follow_up_service_server::FollowUpService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl FollowUpService for Rpc {
    async fn record_follow_up(
        &self,
        request: Request<RecordFollowUpRequest>,
    ) -> Result<Response<RecordFollowUpResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.record_follow_up(&caller, &request.into_inner()).await?,
        ))
    }

    async fn acknowledge_escalation(
        &self,
        request: Request<AcknowledgeEscalationRequest>,
    ) -> Result<Response<AcknowledgeEscalationResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.acknowledge_escalation(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_follow_ups(
        &self,
        request: Request<ListFollowUpsRequest>,
    ) -> Result<Response<ListFollowUpsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_follow_ups(&caller, &request.into_inner()).await?,
        ))
    }
}
