//! `OwnershipService`.

use reflex_proto::leads::v1::{
    DecideDisputeRequest, DecideDisputeResponse, GetDisputeRequest, GetDisputeResponse, GetOwnerAtRequest,
    GetOwnerAtResponse, ListDisputesRequest, ListDisputesResponse, ListOwnershipRequest, ListOwnershipResponse,
    OpenDisputeRequest, OpenDisputeResponse, ownership_service_server::OwnershipService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl OwnershipService for Rpc {
    async fn list_ownership(
        &self,
        request: Request<ListOwnershipRequest>,
    ) -> Result<Response<ListOwnershipResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_ownership(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_owner_at(&self, request: Request<GetOwnerAtRequest>) -> Result<Response<GetOwnerAtResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_owner_at(&caller, &request.into_inner()).await?,
        ))
    }

    async fn open_dispute(
        &self,
        request: Request<OpenDisputeRequest>,
    ) -> Result<Response<OpenDisputeResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.open_dispute(&caller, &request.into_inner()).await?,
        ))
    }

    async fn decide_dispute(
        &self,
        request: Request<DecideDisputeRequest>,
    ) -> Result<Response<DecideDisputeResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.decide_dispute(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_dispute(&self, request: Request<GetDisputeRequest>) -> Result<Response<GetDisputeResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.get_dispute(&caller, &request.into_inner()).await?))
    }

    async fn list_disputes(
        &self,
        request: Request<ListDisputesRequest>,
    ) -> Result<Response<ListDisputesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_disputes(&caller, &request.into_inner()).await?,
        ))
    }
}
