//! `IndustryService`.

use reflex_proto::leads::v1::{
    ImportIndustriesRequest, ImportIndustriesResponse, ListIndustriesRequest, ListIndustriesResponse,
    ListIndustryVersionsRequest, ListIndustryVersionsResponse, MapIndustriesRequest, MapIndustriesResponse,
    industry_service_server::IndustryService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl IndustryService for Rpc {
    async fn import_industries(
        &self,
        request: Request<ImportIndustriesRequest>,
    ) -> Result<Response<ImportIndustriesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.import_industries(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_industry_versions(
        &self,
        request: Request<ListIndustryVersionsRequest>,
    ) -> Result<Response<ListIndustryVersionsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_industry_versions(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_industries(
        &self,
        request: Request<ListIndustriesRequest>,
    ) -> Result<Response<ListIndustriesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_industries(&caller, &request.into_inner()).await?,
        ))
    }

    async fn map_industries(
        &self,
        request: Request<MapIndustriesRequest>,
    ) -> Result<Response<MapIndustriesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.map_industries(&caller, &request.into_inner()).await?,
        ))
    }
}
