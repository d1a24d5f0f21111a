//! `DeadLetterService`: lists, replays and drops what a service could not apply. Every service with consumers serves it.

use reflex_pg::{
    Database, DbError,
    once::{self, Claim, Once},
    requests::ClaimError,
};
use reflex_proto::platform::v1::{
    self as platform, DropDeadLetterRequest, DropDeadLetterResponse, GetDeadLetterRequest, GetDeadLetterResponse,
    ListDeadLettersRequest, ListDeadLettersResponse, ReplayDeadLetterRequest, ReplayDeadLetterResponse,
    dead_letter_service_server::DeadLetterService,
};
use reflex_rpc::{
    identity::Caller,
    page::{PageTokens, page_size},
    request_id::RequestId,
    status,
};
use reflex_tenancy::{TenantId, TenantSet};
use std::time::Duration;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    Handler, HandlerError,
    dead_letters::{self, DeadLetter},
};

/// When a caller may come back after the database was away.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// What the names of dead letters begin with.
const PREFIX: &str = "deadLetters/";

/// Serves the dead letters of one service.
#[derive(Clone)]
pub struct DeadLetters<H> {
    database: Database,
    handler: H,
    pages: PageTokens,
}

impl<H: Handler> DeadLetters<H> {
    /// Serves the dead letters of `database`; a replay hands them to `handler`.
    pub fn new(database: Database, handler: H, pages: PageTokens) -> Self {
        Self {
            database,
            handler,
            pages,
        }
    }

    /// Applies a dead letter; when that fails again, writes the new reason down and tells the caller.
    async fn replay(&self, tenant: &TenantId, request: &ReplayDeadLetterRequest) -> Result<(), Status> {
        const METHOD: &str = "/reflex.platform.v1.DeadLetterService/ReplayDeadLetter";
        let (id, request_id) = (event_of(&request.name)?, request_id(&request.request_id)?);
        let tenants = TenantSet::one(tenant);
        let mut tx = self
            .database
            .begin("replay_dead_letter", &tenants)
            .await
            .map_err(refused)?;
        let claimed = once::claim::<ReplayDeadLetterResponse>(&mut tx, tenant, METHOD, request_id, request).await;
        let Some(claim) = new_one(claimed)? else { return Ok(()) };
        let found = dead_letters::find(&mut tx, tenant, id).await.map_err(refused)?;
        let letter = found.ok_or_else(|| status::not_found(&request.name))?;
        match dead_letters::replay(&mut tx, &self.handler, &letter).await {
            Ok(after) => {
                claim
                    .answer(&mut tx, &ReplayDeadLetterResponse {})
                    .await
                    .map_err(refused)?;
                tx.commit().await.map_err(refused)?;
                self.handler.applied(after);
                Ok(())
            }
            Err(HandlerError::Database(error @ (DbError::Unavailable(_) | DbError::Conflict(_)))) => {
                Err(refused(error))
            }
            Err(reason) => {
                // The failed transaction is over before the next one asks for the same row.
                drop(tx);
                let mut tx = self
                    .database
                    .begin("bury_dead_letter", &tenants)
                    .await
                    .map_err(refused)?;
                let buried = dead_letters::bury(&mut tx, &letter.event, &reason.to_string(), 1).await;
                buried.map_err(refused)?;
                tx.commit().await.map_err(refused)?;
                Err(status::wrong_state(format!("it failed again: {reason}")))
            }
        }
    }

    async fn drop_letter(&self, tenant: &TenantId, request: &DropDeadLetterRequest) -> Result<(), Status> {
        const METHOD: &str = "/reflex.platform.v1.DeadLetterService/DropDeadLetter";
        let (id, request_id) = (event_of(&request.name)?, request_id(&request.request_id)?);
        let tenants = TenantSet::one(tenant);
        let mut tx = self
            .database
            .begin("drop_dead_letter", &tenants)
            .await
            .map_err(refused)?;
        let claimed = once::claim::<DropDeadLetterResponse>(&mut tx, tenant, METHOD, request_id, request).await;
        let Some(claim) = new_one(claimed)? else { return Ok(()) };
        if !dead_letters::remove(&mut tx, tenant, id).await.map_err(refused)? {
            return Err(status::not_found(&request.name));
        }
        claim
            .answer(&mut tx, &DropDeadLetterResponse {})
            .await
            .map_err(refused)?;
        tx.commit().await.map_err(refused)
    }
}

#[tonic::async_trait]
impl<H: Handler> DeadLetterService for DeadLetters<H> {
    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let tenant = Caller::of(&request)?.tenant;
        let request = request.into_inner();
        let size = page_size(request.page_size, 50, 500)?;
        let query = ("dead_letters", &tenant);
        let after: Option<Uuid> = self.pages.decode(&query, &request.page_token)?;
        let begun = self.database.begin("list_dead_letters", &TenantSet::one(&tenant)).await;
        let mut tx = begun.map_err(refused)?;
        let mut letters = dead_letters::list(&mut tx, after, size + 1).await.map_err(refused)?;
        let size = usize::try_from(size).expect("a page size is positive");
        let mut next_page_token = String::new();
        if letters.len() > size {
            letters.truncate(size);
            next_page_token = letters
                .last()
                .map(|last| self.pages.encode(&query, &last.event.id))
                .unwrap_or_default();
        }
        Ok(Response::new(ListDeadLettersResponse {
            dead_letters: letters.into_iter().map(without_data).collect(),
            next_page_token,
        }))
    }

    async fn get_dead_letter(
        &self,
        request: Request<GetDeadLetterRequest>,
    ) -> Result<Response<GetDeadLetterResponse>, Status> {
        let tenant = Caller::of(&request)?.tenant;
        let name = request.into_inner().name;
        let id = event_of(&name)?;
        let begun = self.database.begin("get_dead_letter", &TenantSet::one(&tenant)).await;
        let mut tx = begun.map_err(refused)?;
        let letter = dead_letters::find(&mut tx, &tenant, id).await.map_err(refused)?;
        let letter = letter.ok_or_else(|| status::not_found(&name))?;
        let data = letter.event.data.clone();
        let dead_letter = platform::DeadLetter {
            data,
            ..without_data(letter)
        };
        Ok(Response::new(GetDeadLetterResponse {
            dead_letter: Some(dead_letter),
        }))
    }

    async fn replay_dead_letter(
        &self,
        request: Request<ReplayDeadLetterRequest>,
    ) -> Result<Response<ReplayDeadLetterResponse>, Status> {
        let tenant = Caller::of(&request)?.tenant;
        self.replay(&tenant, request.get_ref()).await?;
        Ok(Response::new(ReplayDeadLetterResponse {}))
    }

    async fn drop_dead_letter(
        &self,
        request: Request<DropDeadLetterRequest>,
    ) -> Result<Response<DropDeadLetterResponse>, Status> {
        let tenant = Caller::of(&request)?.tenant;
        self.drop_letter(&tenant, request.get_ref()).await?;
        Ok(Response::new(DropDeadLetterResponse {}))
    }
}

fn without_data(letter: DeadLetter) -> platform::DeadLetter {
    platform::DeadLetter {
        name: format!("{PREFIX}{}", letter.event.id),
        stream: format!("{}:{}", letter.event.stream, letter.event.shard),
        r#type: letter.event.kind,
        subject: letter.event.subject,
        reason: letter.reason,
        attempts: letter.attempts,
        create_time: Some(prost_types::Timestamp {
            seconds: letter.create_time.as_second(),
            nanos: letter.create_time.subsec_nanosecond(),
        }),
        data: Vec::new(),
    }
}

/// Reads a name; what is no name of a dead letter does not exist.
fn event_of(name: &str) -> Result<Uuid, Status> {
    let id = name.strip_prefix(PREFIX).filter(|id| id.len() == 36);
    id.and_then(|id| id.parse().ok()).ok_or_else(|| status::not_found(name))
}

fn request_id(text: &str) -> Result<Option<Uuid>, Status> {
    RequestId::parse(text).map_err(|violation| status::invalid(vec![violation]))
}

/// Returns the claim of a new request, nothing for one that was answered before.
fn new_one<R>(claimed: Result<Once<R>, ClaimError>) -> Result<Option<Claim>, Status> {
    match claimed {
        Ok(Once::New(claim)) => Ok(Some(claim)),
        Ok(Once::Answered(_)) => Ok(None),
        Err(ClaimError::Reused) => Err(status::request_id_reused()),
        Err(ClaimError::Database(error)) => Err(refused(error)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn refused(error: DbError) -> Status {
    match error {
        DbError::Unavailable(_) | DbError::Conflict(_) => status::unavailable(RETRY_AFTER),
        _ => status::internal(&error),
    }
}
