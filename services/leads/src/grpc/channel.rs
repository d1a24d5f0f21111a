//! `ChannelService`.

use reflex_proto::leads::v1::{
    ExportChannelReportRequest, ExportChannelReportResponse, GetChannelReportRequest, GetChannelReportResponse,
    ListChannelCostsRequest, ListChannelCostsResponse, PutChannelCostRequest, PutChannelCostResponse,
    RecordFirstOrderRequest, RecordFirstOrderResponse, channel_service_server::ChannelService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl ChannelService for Rpc {
    async fn put_channel_cost(
        &self,
        request: Request<PutChannelCostRequest>,
    ) -> Result<Response<PutChannelCostResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_channel_cost(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_channel_costs(
        &self,
        request: Request<ListChannelCostsRequest>,
    ) -> Result<Response<ListChannelCostsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_channel_costs(&caller, &request.into_inner()).await?,
        ))
    }

    async fn record_first_order(
        &self,
        request: Request<RecordFirstOrderRequest>,
    ) -> Result<Response<RecordFirstOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.record_first_order(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_channel_report(
        &self,
        request: Request<GetChannelReportRequest>,
    ) -> Result<Response<GetChannelReportResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.get_channel_report(&caller, &request.into_inner()).await?,
        ))
    }

    async fn export_channel_report(
        &self,
        request: Request<ExportChannelReportRequest>,
    ) -> Result<Response<ExportChannelReportResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.export_channel_report(&caller, &request.into_inner()).await?,
        ))
    }
}
