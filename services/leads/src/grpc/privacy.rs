//! `PrivacyService`.

use reflex_proto::leads::v1::{
    EraseSubjectRequest, EraseSubjectResponse, ExportSubjectRequest, ExportSubjectResponse, FindSubjectRequest,
    FindSubjectResponse, GetErasureRequest, GetErasureResponse, privacy_service_server::PrivacyService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl PrivacyService for Rpc {
    async fn find_subject(
        &self,
        request: Request<FindSubjectRequest>,
    ) -> Result<Response<FindSubjectResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.find_subject(&caller, &request.into_inner()).await?,
        ))
    }

    async fn export_subject(
        &self,
        request: Request<ExportSubjectRequest>,
    ) -> Result<Response<ExportSubjectResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.export_subject(&caller, &request.into_inner()).await?,
        ))
    }

    async fn erase_subject(
        &self,
        request: Request<EraseSubjectRequest>,
    ) -> Result<Response<EraseSubjectResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.erase_subject(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_erasure(&self, request: Request<GetErasureRequest>) -> Result<Response<GetErasureResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.get_erasure(&caller, &request.into_inner()).await?))
    }
}
