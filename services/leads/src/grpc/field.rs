//! `FieldService`.

use reflex_proto::leads::v1::{
    DeleteCalculatedFieldRequest, DeleteCalculatedFieldResponse, GetCalculatedFieldRequest, GetCalculatedFieldResponse,
    ListCalculatedFieldsRequest, ListCalculatedFieldsResponse, PreviewCalculatedFieldRequest,
    PreviewCalculatedFieldResponse, PutCalculatedFieldRequest, PutCalculatedFieldResponse,
    field_service_server::FieldService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl FieldService for Rpc {
    async fn put_calculated_field(
        &self,
        request: Request<PutCalculatedFieldRequest>,
    ) -> Result<Response<PutCalculatedFieldResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_calculated_field(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_calculated_field(
        &self,
        request: Request<GetCalculatedFieldRequest>,
    ) -> Result<Response<GetCalculatedFieldResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_calculated_field(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_calculated_fields(
        &self,
        request: Request<ListCalculatedFieldsRequest>,
    ) -> Result<Response<ListCalculatedFieldsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_calculated_fields(&caller, &request.into_inner()).await?,
        ))
    }

    async fn delete_calculated_field(
        &self,
        request: Request<DeleteCalculatedFieldRequest>,
    ) -> Result<Response<DeleteCalculatedFieldResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.delete_calculated_field(&caller, &request.into_inner()).await?,
        ))
    }

    async fn preview_calculated_field(
        &self,
        request: Request<PreviewCalculatedFieldRequest>,
    ) -> Result<Response<PreviewCalculatedFieldResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.preview_calculated_field(&caller, &request.into_inner()).await?,
        ))
    }
}
