//! `ImportService`.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use reflex_proto::leads::v1::{
    CancelImportRequest, CancelImportResponse, GetImportRequest, GetImportResponse, ImportLeadsRequest,
    ImportLeadsResponse, ListImportsRequest, ListImportsResponse, UndoImportRequest, UndoImportResponse,
    import_service_server::ImportService,
};
use reflex_rpc::{identity::Caller, request_id::RequestId, status::FieldViolation};
use tonic::{Request, Response, Status, Streaming};

use super::Rpc;
use crate::{
    app::import_leads::{Pieces, Purpose},
    convert::import,
    domain::lead_file::Settings,
    error::Error,
};

#[tonic::async_trait]
impl ImportService for Rpc {
    type ImportLeadsStream = Pin<Box<dyn Stream<Item = Result<ImportLeadsResponse, Status>> + Send>>;
    type UndoImportStream = Pin<Box<dyn Stream<Item = Result<UndoImportResponse, Status>> + Send>>;

    async fn import_leads(
        &self,
        request: Request<Streaming<ImportLeadsRequest>>,
    ) -> Result<Response<Self::ImportLeadsStream>, Status> {
        let caller = Caller::of(&request)?;
        let mut messages = request.into_inner();
        let first = messages.message().await?.unwrap_or_default();
        let purpose = purpose(&first)?;
        let raw = first.settings.map(import::raw_settings).unwrap_or_default();
        let settings = Settings::parse(&raw).map_err(Error::from)?;
        let later = messages.map(|message| piece(message?));
        let pieces: Pieces = stream::once(async { Ok(first.chunk) }).chain(later).boxed();
        let import = self.0.import_leads(&caller, settings, purpose, pieces).await?;
        let responses = stream::unfold(Some(import), async |import| {
            let mut import = import?;
            match import.next().await {
                Ok(response) => Some((Ok(response?), Some(import))),
                Err(error) => Some((Err(error.into()), None)),
            }
        });
        Ok(Response::new(Box::pin(responses)))
    }

    async fn undo_import(
        &self,
        request: Request<UndoImportRequest>,
    ) -> Result<Response<Self::UndoImportStream>, Status> {
        let caller = Caller::of(&request)?;
        let undo = self.0.undo_import(&caller, &request.into_inner()).await?;
        let responses = stream::unfold(Some(undo), async |undo| {
            let mut undo = undo?;
            match undo.next().await {
                Ok(response) => Some((Ok(response?), Some(undo))),
                Err(error) => Some((Err(error.into()), None)),
            }
        });
        Ok(Response::new(Box::pin(responses)))
    }

    async fn cancel_import(
        &self,
        request: Request<CancelImportRequest>,
    ) -> Result<Response<CancelImportResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.cancel_import(&caller, &request.into_inner()).await?,
        ))
    }

    async fn get_import(&self, request: Request<GetImportRequest>) -> Result<Response<GetImportResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(self.0.get_import(&caller, &request.into_inner()).await?))
    }

    async fn list_imports(
        &self,
        request: Request<ListImportsRequest>,
    ) -> Result<Response<ListImportsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.0.list_imports(&caller, &request.into_inner()).await?,
        ))
    }
}

fn purpose(first: &ImportLeadsRequest) -> Result<Purpose, Error> {
    let unnamed = |mut fault: FieldViolation| {
        fault.field = "import_id".into();
        fault
    };
    let import_id = RequestId::parse(&first.import_id).map_err(unnamed)?;
    match import_id {
        _ if first.dry_run => Ok(Purpose::Preview),
        Some(import_id) => Ok(Purpose::Store(import_id)),
        None => Err(Error::invalid("import_id", "must be a UUID; only a dry run needs none")),
    }
}

fn piece(message: ImportLeadsRequest) -> Result<Vec<u8>, Error> {
    if message.settings.is_some() || !message.import_id.is_empty() || message.dry_run {
        return Err(Error::invalid("settings", "must be in the first message only"));
    }
    Ok(message.chunk)
}
