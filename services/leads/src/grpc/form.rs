//! `FormService`.

use reflex_proto::leads::v1::{
    GetFormRequest, GetFormResponse, ListFormsRequest, ListFormsResponse, PutFormRequest, PutFormResponse,
    form_service_server::FormService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl FormService for Rpc {
    async fn put_form(&self, request: Request<PutFormRequest>) -> Result<Response<PutFormResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.put_form(&caller, &request.into_inner()).await?))
    }

    async fn get_form(&self, request: Request<GetFormRequest>) -> Result<Response<GetFormResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_form(&caller, &request.into_inner().name).await?,
        ))
    }

    async fn list_forms(&self, request: Request<ListFormsRequest>) -> Result<Response<ListFormsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.list_forms(&caller, &request.into_inner()).await?))
    }
}
