//! `ActionService`.

use reflex_proto::notifications::v1::{
    AnswerActionRequest, AnswerActionResponse, GetActionRequest, GetActionResponse,
    action_service_server::ActionService,
};
use reflex_rpc::{identity::Caller, status::Violations};
use tonic::{Request, Response, Status};

use super::{Rpc, request_id};

#[tonic::async_trait]
impl ActionService for Rpc {
    async fn get_action(&self, request: Request<GetActionRequest>) -> Result<Response<GetActionResponse>, Status> {
        let caller = Caller::of(&request)?;
        let token = request.into_inner().token;
        let action = self.app.get_action(&caller.tenant, &token).await?;
        Ok(Response::new(GetActionResponse { action: Some(action) }))
    }

    async fn answer_action(
        &self,
        request: Request<AnswerActionRequest>,
    ) -> Result<Response<AnswerActionResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let request_id = request_id(&request.request_id, &mut violations);
        violations.finish()?;
        let response = self.app.answer_action(&caller.tenant, request_id, &request).await?;
        Ok(Response::new(response))
    }
}
