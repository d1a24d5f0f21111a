//! `ValidityService`.

use reflex_proto::leads::v1::{
    CorrectValidityRequest, CorrectValidityResponse, ListValidityCorrectionsRequest, ListValidityCorrectionsResponse,
    validity_service_server::ValidityService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl ValidityService for Rpc {
    async fn correct_validity(
        &self,
        request: Request<CorrectValidityRequest>,
    ) -> Result<Response<CorrectValidityResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.correct_validity(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_validity_corrections(
        &self,
        request: Request<ListValidityCorrectionsRequest>,
    ) -> Result<Response<ListValidityCorrectionsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_validity_corrections(&caller, &request.into_inner()).await?,
        ))
    }
}
