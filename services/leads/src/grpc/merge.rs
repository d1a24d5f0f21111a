//! `MergeService`.

use reflex_proto::leads::v1::{
    GetMergeRequest, GetMergeResponse, ListMergesRequest, ListMergesResponse, MergeLeadsRequest, MergeLeadsResponse,
    UnmergeLeadsRequest, UnmergeLeadsResponse, merge_service_server::MergeService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl MergeService for Rpc {
    async fn merge_leads(&self, request: Request<MergeLeadsRequest>) -> Result<Response<MergeLeadsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.merge_leads(&caller, &request.into_inner()).await?))
    }

    async fn unmerge_leads(
        &self,
        request: Request<UnmergeLeadsRequest>,
    ) -> Result<Response<UnmergeLeadsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.unmerge_leads(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_merge(&self, request: Request<GetMergeRequest>) -> Result<Response<GetMergeResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.get_merge(&caller, &request.into_inner()).await?))
    }

    async fn list_merges(&self, request: Request<ListMergesRequest>) -> Result<Response<ListMergesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.list_merges(&caller, &request.into_inner()).await?))
    }
}
