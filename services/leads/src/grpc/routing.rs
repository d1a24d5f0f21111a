//! `RoutingService`.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt as _, stream};

use reflex_proto::leads::v1::{
    ActivateRoutingPolicyRequest, ActivateRoutingPolicyResponse, CheckRoutingPolicyRequest, CheckRoutingPolicyResponse,
    ExplainAssignmentRequest, ExplainAssignmentResponse, ExplainWhyNotRequest, ExplainWhyNotResponse,
    ExportRoutingTableRequest, ExportRoutingTableResponse, GetRoutingPolicyRequest, GetRoutingPolicyResponse,
    ImportRoutingTableRequest, ImportRoutingTableResponse, ListLaddersRequest, ListLaddersResponse,
    ListRoutingPoliciesRequest, ListRoutingPoliciesResponse, ListRoutingPolicyActivationsRequest,
    ListRoutingPolicyActivationsResponse, PutLadderRequest, PutLadderResponse, PutRoutingPolicyRequest,
    PutRoutingPolicyResponse, SimulateRoutingRequest, SimulateRoutingResponse, routing_service_server::RoutingService,
};
use reflex_rpc::identity::Caller;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

use super::Rpc;

/// Parts of an answer that wait for a slow reader.
const PARTS: usize = 64;

#[tonic::async_trait]
impl RoutingService for Rpc {
    async fn put_routing_policy(
        &self,
        request: Request<PutRoutingPolicyRequest>,
    ) -> Result<Response<PutRoutingPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_routing_policy(&caller, &request.into_inner()).await?,
        ))
    }

    async fn check_routing_policy(
        &self,
        request: Request<CheckRoutingPolicyRequest>,
    ) -> Result<Response<CheckRoutingPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.check_routing_policy(&caller, &request.into_inner()).await?,
        ))
    }

    async fn activate_routing_policy(
        &self,
        request: Request<ActivateRoutingPolicyRequest>,
    ) -> Result<Response<ActivateRoutingPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.activate_routing_policy(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_routing_policy(
        &self,
        request: Request<GetRoutingPolicyRequest>,
    ) -> Result<Response<GetRoutingPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_routing_policy(&caller, request.into_inner().version).await?,
        ))
    }

    async fn list_routing_policies(
        &self,
        request: Request<ListRoutingPoliciesRequest>,
    ) -> Result<Response<ListRoutingPoliciesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_routing_policies(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_routing_policy_activations(
        &self,
        request: Request<ListRoutingPolicyActivationsRequest>,
    ) -> Result<Response<ListRoutingPolicyActivationsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0
                .list_routing_policy_activations(&caller, &request.into_inner())
                .await?,
        ))
    }

    async fn export_routing_table(
        &self,
        request: Request<ExportRoutingTableRequest>,
    ) -> Result<Response<ExportRoutingTableResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.export_routing_table(&caller, &request.into_inner()).await?,
        ))
    }

    async fn import_routing_table(
        &self,
        request: Request<ImportRoutingTableRequest>,
    ) -> Result<Response<ImportRoutingTableResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.import_routing_table(&caller, &request.into_inner()).await?,
        ))
    }

    async fn put_ladder(&self, request: Request<PutLadderRequest>) -> Result<Response<PutLadderResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.put_ladder(&caller, &request.into_inner()).await?))
    }

    async fn list_ladders(
        &self,
        request: Request<ListLaddersRequest>,
    ) -> Result<Response<ListLaddersResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_ladders(&caller, &request.into_inner()).await?,
        ))
    }

    async fn explain_assignment(
        &self,
        request: Request<ExplainAssignmentRequest>,
    ) -> Result<Response<ExplainAssignmentResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.explain_assignment(&caller, &request.into_inner().name).await?,
        ))
    }

    async fn explain_why_not(
        &self,
        request: Request<ExplainWhyNotRequest>,
    ) -> Result<Response<ExplainWhyNotResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.explain_why_not(&caller, &request.into_inner()).await?,
        ))
    }

    type SimulateRoutingStream = Pin<Box<dyn Stream<Item = Result<SimulateRoutingResponse, Status>> + Send>>;

    async fn simulate_routing(
        &self,
        request: Request<SimulateRoutingRequest>,
    ) -> Result<Response<Self::SimulateRoutingStream>, Status> {
        let caller = Caller::of(&request)?;
        let rehearsal = self.0.check_rehearsal(&caller, &request.into_inner()).await?;
        let (sender, receiver) = mpsc::channel(PARTS);
        let app = Arc::clone(&self.0);
        // Polled together with what it sends, so it ends with the call.
        let work = stream::once(async move { app.rehearse(&rehearsal, &sender).await });
        let failure = work.filter_map(async |outcome| outcome.err().map(|error| Err(error.into())));
        let parts = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        Ok(Response::new(Box::pin(stream::select(parts.map(Ok), failure))))
    }
}
