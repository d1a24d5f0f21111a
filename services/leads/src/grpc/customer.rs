//! `CustomerService`.

use reflex_proto::leads::v1::{
    EndRelationRequest, EndRelationResponse, GetCustomerPolicyRequest, GetCustomerPolicyResponse, GetCustomerRequest,
    GetCustomerResponse, ListCustomersRequest, ListCustomersResponse, ListRelationsRequest, ListRelationsResponse,
    PutContactRequest, PutContactResponse, PutCustomerPolicyRequest, PutCustomerPolicyResponse, PutCustomerRequest,
    PutCustomerResponse, PutDeviceRequest, PutDeviceResponse, PutRelationRequest, PutRelationResponse,
    customer_service_server::CustomerService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl CustomerService for Rpc {
    async fn put_customer(
        &self,
        request: Request<PutCustomerRequest>,
    ) -> Result<Response<PutCustomerResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_customer(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_customer(
        &self,
        request: Request<GetCustomerRequest>,
    ) -> Result<Response<GetCustomerResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_customer(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_customers(
        &self,
        request: Request<ListCustomersRequest>,
    ) -> Result<Response<ListCustomersResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_customers(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_relations(
        &self,
        request: Request<ListRelationsRequest>,
    ) -> Result<Response<ListRelationsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_relations(&caller, &request.into_inner()).await?,
        ))
    }

    async fn put_relation(
        &self,
        request: Request<PutRelationRequest>,
    ) -> Result<Response<PutRelationResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_relation(&caller, &request.into_inner()).await?,
        ))
    }

    async fn end_relation(
        &self,
        request: Request<EndRelationRequest>,
    ) -> Result<Response<EndRelationResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.end_relation(&caller, &request.into_inner()).await?,
        ))
    }

    async fn put_contact(&self, request: Request<PutContactRequest>) -> Result<Response<PutContactResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.put_contact(&caller, &request.into_inner()).await?))
    }

    async fn put_device(&self, request: Request<PutDeviceRequest>) -> Result<Response<PutDeviceResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.put_device(&caller, &request.into_inner()).await?))
    }

    async fn put_customer_policy(
        &self,
        request: Request<PutCustomerPolicyRequest>,
    ) -> Result<Response<PutCustomerPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_customer_policy(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_customer_policy(
        &self,
        request: Request<GetCustomerPolicyRequest>,
    ) -> Result<Response<GetCustomerPolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.get_customer_policy(&caller).await?))
    }
}
