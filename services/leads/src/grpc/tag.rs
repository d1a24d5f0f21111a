//! `TagService`.

use reflex_proto::leads::v1::{
    AddLeadTagRequest, AddLeadTagResponse, ListProgressTagsRequest, ListProgressTagsResponse, ListTagRulesRequest,
    ListTagRulesResponse, PutProgressTagRequest, PutProgressTagResponse, PutTagRuleRequest, PutTagRuleResponse,
    RecordLeadFactsRequest, RecordLeadFactsResponse, RemoveLeadTagRequest, RemoveLeadTagResponse,
    SetLeadProgressRequest, SetLeadProgressResponse, tag_service_server::TagService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl TagService for Rpc {
    async fn put_tag_rule(&self, request: Request<PutTagRuleRequest>) -> Result<Response<PutTagRuleResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_tag_rule(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_tag_rules(
        &self,
        request: Request<ListTagRulesRequest>,
    ) -> Result<Response<ListTagRulesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_tag_rules(&caller, &request.into_inner()).await?,
        ))
    }

    async fn put_progress_tag(
        &self,
        request: Request<PutProgressTagRequest>,
    ) -> Result<Response<PutProgressTagResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_progress_tag(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_progress_tags(
        &self,
        request: Request<ListProgressTagsRequest>,
    ) -> Result<Response<ListProgressTagsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_progress_tags(&caller, &request.into_inner()).await?,
        ))
    }

    async fn add_lead_tag(&self, request: Request<AddLeadTagRequest>) -> Result<Response<AddLeadTagResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.add_lead_tag(&caller, &request.into_inner()).await?,
        ))
    }

    async fn remove_lead_tag(
        &self,
        request: Request<RemoveLeadTagRequest>,
    ) -> Result<Response<RemoveLeadTagResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.remove_lead_tag(&caller, &request.into_inner()).await?,
        ))
    }

    async fn set_lead_progress(
        &self,
        request: Request<SetLeadProgressRequest>,
    ) -> Result<Response<SetLeadProgressResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.set_lead_progress(&caller, &request.into_inner()).await?,
        ))
    }

    async fn record_lead_facts(
        &self,
        request: Request<RecordLeadFactsRequest>,
    ) -> Result<Response<RecordLeadFactsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.record_lead_facts(&caller, &request.into_inner()).await?,
        ))
    }
}
