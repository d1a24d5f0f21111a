//! `DirectoryService`.

use reflex_proto::leads::v1::{
    DeleteLeaveRequest, DeleteLeaveResponse, GetMemberRequest, GetMemberResponse, ImportMembersRequest,
    ImportMembersResponse, ListLeavesRequest, ListLeavesResponse, ListMembersRequest, ListMembersResponse,
    ListProductsRequest, ListProductsResponse, ListTeamsRequest, ListTeamsResponse, ListTerritoriesRequest,
    ListTerritoriesResponse, PutLeaveRequest, PutLeaveResponse, PutMemberRequest, PutMemberResponse, PutProductRequest,
    PutProductResponse, PutTeamRequest, PutTeamResponse, PutTerritoryRequest, PutTerritoryResponse,
    directory_service_server::DirectoryService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl DirectoryService for Rpc {
    async fn put_member(&self, request: Request<PutMemberRequest>) -> Result<Response<PutMemberResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.put_member(&caller, &request.into_inner()).await?))
    }

    async fn get_member(&self, request: Request<GetMemberRequest>) -> Result<Response<GetMemberResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_member(&caller, &request.into_inner().name).await?,
        ))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_members(&caller, &request.into_inner()).await?,
        ))
    }

    async fn put_team(&self, request: Request<PutTeamRequest>) -> Result<Response<PutTeamResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.put_team(&caller, &request.into_inner()).await?))
    }

    async fn list_teams(&self, request: Request<ListTeamsRequest>) -> Result<Response<ListTeamsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.list_teams(&caller, &request.into_inner()).await?))
    }

    async fn put_territory(
        &self,
        request: Request<PutTerritoryRequest>,
    ) -> Result<Response<PutTerritoryResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_territory(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_territories(
        &self,
        request: Request<ListTerritoriesRequest>,
    ) -> Result<Response<ListTerritoriesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_territories(&caller, &request.into_inner()).await?,
        ))
    }

    async fn put_product(&self, request: Request<PutProductRequest>) -> Result<Response<PutProductResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.put_product(&caller, &request.into_inner()).await?))
    }

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_products(&caller, &request.into_inner()).await?,
        ))
    }

    async fn put_leave(&self, request: Request<PutLeaveRequest>) -> Result<Response<PutLeaveResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.put_leave(&caller, &request.into_inner()).await?))
    }

    async fn list_leaves(&self, request: Request<ListLeavesRequest>) -> Result<Response<ListLeavesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.list_leaves(&caller, &request.into_inner()).await?))
    }

    async fn delete_leave(
        &self,
        request: Request<DeleteLeaveRequest>,
    ) -> Result<Response<DeleteLeaveResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.delete_leave(&caller, &request.into_inner()).await?,
        ))
    }

    async fn import_members(
        &self,
        request: Request<ImportMembersRequest>,
    ) -> Result<Response<ImportMembersResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.import_members(&caller, &request.into_inner()).await?,
        ))
    }
}
