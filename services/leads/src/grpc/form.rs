//! `FormService`.

use reflex_proto::leads::v1::{
    GetFormRequest, GetFormResponse, GetFormVersionRequest, GetFormVersionResponse, ListFormVersionsRequest,
    ListFormVersionsResponse, ListFormsRequest, ListFormsResponse, PublishFormRequest, PublishFormResponse,
    PutFormRequest, PutFormResponse, SubmitFormRequest, SubmitFormResponse, form_service_server::FormService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;
use crate::{convert, domain::ids::LeadId, store::leads::number_text};

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

    async fn publish_form(
        &self,
        request: Request<PublishFormRequest>,
    ) -> Result<Response<PublishFormResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.publish_form(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_form_version(
        &self,
        request: Request<GetFormVersionRequest>,
    ) -> Result<Response<GetFormVersionResponse>, Status> {
        let caller = Caller::of(&request)?;
        let name = request.into_inner().name;
        Ok(Response::new(self.0.get_form_version(&caller, &name).await?))
    }

    async fn list_form_versions(
        &self,
        request: Request<ListFormVersionsRequest>,
    ) -> Result<Response<ListFormVersionsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_form_versions(&caller, &request.into_inner()).await?,
        ))
    }

    async fn submit_form(&self, request: Request<SubmitFormRequest>) -> Result<Response<SubmitFormResponse>, Status> {
        let caller = Caller::of(&request)?;
        let captured = self.0.submit_form(&caller, request.into_inner()).await?;
        Ok(Response::new(SubmitFormResponse {
            name: LeadId(captured.lead_id).to_string(),
            number: number_text(captured.number),
            create_time: Some(convert::timestamp(captured.create_time)),
            existed: captured.existed,
        }))
    }
}
