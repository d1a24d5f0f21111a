//! `DecisionMapService`.

use reflex_proto::leads::v1::{
    GetDecisionMapPolicyRequest, GetDecisionMapPolicyResponse, GetDecisionMapRequest, GetDecisionMapResponse,
    ListOverdueDecisionMapsRequest, ListOverdueDecisionMapsResponse, PutDecisionMapPolicyRequest,
    PutDecisionMapPolicyResponse, PutDecisionRoleRequest, PutDecisionRoleResponse,
    decision_map_service_server::DecisionMapService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl DecisionMapService for Rpc {
    async fn put_decision_map_policy(
        &self,
        request: Request<PutDecisionMapPolicyRequest>,
    ) -> Result<Response<PutDecisionMapPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_decision_map_policy(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_decision_map_policy(
        &self,
        request: Request<GetDecisionMapPolicyRequest>,
    ) -> Result<Response<GetDecisionMapPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.get_decision_map_policy(&caller).await?))
    }

    async fn put_decision_role(
        &self,
        request: Request<PutDecisionRoleRequest>,
    ) -> Result<Response<PutDecisionRoleResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_decision_role(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_decision_map(
        &self,
        request: Request<GetDecisionMapRequest>,
    ) -> Result<Response<GetDecisionMapResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_decision_map(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_overdue_decision_maps(
        &self,
        request: Request<ListOverdueDecisionMapsRequest>,
    ) -> Result<Response<ListOverdueDecisionMapsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0
                .list_overdue_decision_maps(&caller, &request.into_inner())
                .await?,
        ))
    }
}
