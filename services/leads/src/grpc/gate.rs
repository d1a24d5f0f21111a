//! `GateService`.

use reflex_proto::leads::v1::{
    EvaluateGateRequest, EvaluateGateResponse, ExplainGateRequest, ExplainGateResponse, GetGatePolicyRequest,
    GetGatePolicyResponse, ImportCompaniesRequest, ImportCompaniesResponse, ImportCompetitorVisitsRequest,
    ImportCompetitorVisitsResponse, ListGateImportsRequest, ListGateImportsResponse, PutGatePolicyRequest,
    PutGatePolicyResponse, UndoGateImportRequest, UndoGateImportResponse, gate_service_server::GateService,
};
use reflex_rpc::identity::Caller;
use tonic::{Request, Response, Status};

use super::Rpc;

#[tonic::async_trait]
impl GateService for Rpc {
    async fn put_gate_policy(
        &self,
        request: Request<PutGatePolicyRequest>,
    ) -> Result<Response<PutGatePolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.put_gate_policy(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_gate_policy(
        &self,
        request: Request<GetGatePolicyRequest>,
    ) -> Result<Response<GetGatePolicyResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.get_gate_policy(&caller).await?))
    }

    async fn evaluate_gate(
        &self,
        request: Request<EvaluateGateRequest>,
    ) -> Result<Response<EvaluateGateResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.evaluate_gate(&caller, &request.into_inner()).await?,
        ))
    }

    async fn explain_gate(
        &self,
        request: Request<ExplainGateRequest>,
    ) -> Result<Response<ExplainGateResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.explain_gate(&caller, &request.into_inner()).await?,
        ))
    }

    async fn import_companies(
        &self,
        request: Request<ImportCompaniesRequest>,
    ) -> Result<Response<ImportCompaniesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.import_companies(&caller, &request.into_inner()).await?,
        ))
    }

    async fn import_competitor_visits(
        &self,
        request: Request<ImportCompetitorVisitsRequest>,
    ) -> Result<Response<ImportCompetitorVisitsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.import_competitor_visits(&caller, &request.into_inner()).await?,
        ))
    }

    async fn undo_gate_import(
        &self,
        request: Request<UndoGateImportRequest>,
    ) -> Result<Response<UndoGateImportResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.undo_gate_import(&caller, &request.into_inner()).await?,
        ))
    }

    async fn list_gate_imports(
        &self,
        request: Request<ListGateImportsRequest>,
    ) -> Result<Response<ListGateImportsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_gate_imports(&caller, &request.into_inner()).await?,
        ))
    }
}
