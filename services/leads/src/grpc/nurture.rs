//! `NurtureService`.

use reflex_proto::leads::v1::{
    ListNurtureRequest, ListNurtureResponse, NurtureLeadRequest, NurtureLeadResponse, ReturnLeadRequest,
    ReturnLeadResponse, nurture_service_server::NurtureService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl NurtureService for Rpc {
    async fn list_nurture(
        &self,
        request: Request<ListNurtureRequest>,
    ) -> Result<Response<ListNurtureResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_nurture(&caller, &request.into_inner()).await?,
        ))
    }

    async fn return_lead(&self, request: Request<ReturnLeadRequest>) -> Result<Response<ReturnLeadResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.return_lead(&caller, &request.into_inner()).await?))
    }

    async fn nurture_lead(
        &self,
        request: Request<NurtureLeadRequest>,
    ) -> Result<Response<NurtureLeadResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.nurture_lead(&caller, &request.into_inner()).await?,
        ))
    }
}
