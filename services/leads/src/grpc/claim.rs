//! `ClaimService`.

use reflex_proto::leads::v1::{
    ClaimLeadRequest, ClaimLeadResponse, ReleaseLeadRequest, ReleaseLeadResponse, claim_service_server::ClaimService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl ClaimService for Rpc {
    async fn claim_lead(&self, request: Request<ClaimLeadRequest>) -> Result<Response<ClaimLeadResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.claim_lead(&caller, &request.into_inner()).await?))
    }

    async fn release_lead(
        &self,
        request: Request<ReleaseLeadRequest>,
    ) -> Result<Response<ReleaseLeadResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.release_lead(&caller, &request.into_inner()).await?,
        ))
    }
}
