//! `RoutingService`.

use reflex_proto::leads::v1::{
    ExplainAssignmentRequest, ExplainAssignmentResponse, GetRoutingPolicyRequest, GetRoutingPolicyResponse,
    ListLaddersRequest, ListLaddersResponse, PutLadderRequest, PutLadderResponse, PutRoutingPolicyRequest,
    PutRoutingPolicyResponse, routing_service_server::RoutingService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

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

    async fn get_routing_policy(
        &self,
        request: Request<GetRoutingPolicyRequest>,
    ) -> Result<Response<GetRoutingPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_routing_policy(&caller, request.into_inner().version).await?,
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
}
