//! `WebhookService`.

use reflex_proto::leads::v1::{
    CaptureWebhookRequest, CaptureWebhookResponse, ListWebhookSourcesRequest, ListWebhookSourcesResponse,
    PutWebhookSourceRequest, PutWebhookSourceResponse, webhook_service_server::WebhookService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl WebhookService for Rpc {
    async fn put_webhook_source(
        &self,
        request: Request<PutWebhookSourceRequest>,
    ) -> Result<Response<PutWebhookSourceResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_webhook_source(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_webhook_sources(
        &self,
        request: Request<ListWebhookSourcesRequest>,
    ) -> Result<Response<ListWebhookSourcesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_webhook_sources(&caller, &request.into_inner()).await?,
        ))
    }

    async fn capture_webhook(
        &self,
        request: Request<CaptureWebhookRequest>,
    ) -> Result<Response<CaptureWebhookResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.capture_webhook(&caller, request.into_inner()).await?,
        ))
    }
}
