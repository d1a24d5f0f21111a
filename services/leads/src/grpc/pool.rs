//! `PoolService`.

use reflex_proto::leads::v1::{
    GetPoolPolicyRequest, GetPoolPolicyResponse, PickLeadRequest, PickLeadResponse, PutPoolPolicyRequest,
    PutPoolPolicyResponse, pool_service_server::PoolService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl PoolService for Rpc {
    async fn put_pool_policy(
        &self,
        request: Request<PutPoolPolicyRequest>,
    ) -> Result<Response<PutPoolPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_pool_policy(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_pool_policy(
        &self,
        request: Request<GetPoolPolicyRequest>,
    ) -> Result<Response<GetPoolPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.get_pool_policy(&caller).await?))
    }

    async fn pick_lead(&self, request: Request<PickLeadRequest>) -> Result<Response<PickLeadResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.pick_lead(&caller, &request.into_inner()).await?))
    }
}
