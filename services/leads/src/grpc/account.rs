//! `AccountService`.

use reflex_proto::leads::v1::{
    GetAccountRequest, GetAccountResponse, ListAccountsRequest, ListAccountsResponse, PutAccountRequest,
    PutAccountResponse, account_service_server::AccountService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl AccountService for Rpc {
    async fn put_account(&self, request: Request<PutAccountRequest>) -> Result<Response<PutAccountResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.put_account(&caller, &request.into_inner()).await?))
    }

    async fn get_account(&self, request: Request<GetAccountRequest>) -> Result<Response<GetAccountResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.get_account(&caller, &request.into_inner()).await?))
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListAccountsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_accounts(&caller, &request.into_inner()).await?,
        ))
    }
}
