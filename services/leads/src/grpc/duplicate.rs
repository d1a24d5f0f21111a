//! `DuplicateService`.

use reflex_proto::leads::v1::{
    CheckLeadRequest, CheckLeadResponse, DecideDuplicateRequest, DecideDuplicateResponse, GetDuplicatePolicyRequest,
    GetDuplicatePolicyResponse, GetDuplicateRequest, GetDuplicateResponse, ListDuplicatesRequest,
    ListDuplicatesResponse, PutDuplicatePolicyRequest, PutDuplicatePolicyResponse,
    duplicate_service_server::DuplicateService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl DuplicateService for Rpc {
    async fn check_lead(&self, request: Request<CheckLeadRequest>) -> Result<Response<CheckLeadResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.check_lead(&caller, &request.into_inner()).await?))
    }

    async fn list_duplicates(
        &self,
        request: Request<ListDuplicatesRequest>,
    ) -> Result<Response<ListDuplicatesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_duplicates(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_duplicate(
        &self,
        request: Request<GetDuplicateRequest>,
    ) -> Result<Response<GetDuplicateResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_duplicate(&caller, &request.into_inner()).await?,
        ))
    }

    async fn decide_duplicate(
        &self,
        request: Request<DecideDuplicateRequest>,
    ) -> Result<Response<DecideDuplicateResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.decide_duplicate(&caller, &request.into_inner()).await?,
        ))
    }

    async fn put_duplicate_policy(
        &self,
        request: Request<PutDuplicatePolicyRequest>,
    ) -> Result<Response<PutDuplicatePolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_duplicate_policy(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_duplicate_policy(
        &self,
        request: Request<GetDuplicatePolicyRequest>,
    ) -> Result<Response<GetDuplicatePolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.get_duplicate_policy(&caller).await?))
    }
}
