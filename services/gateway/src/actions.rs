//! `/v1/actions/{token}`: the links of messages. A look shows what a link does, with a button, so that chats which fetch links
//! for a preview do nothing; the button's post does it.
//!
//! notifications knows tokens and what was done; leads is called in the name of whom the message was sent to. What leads did is
//! recorded afterwards: whoever dies in between leaves a link that does the same request once more, and gets its answer.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{Path, Request, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderMap, StatusCode, uri::PathAndQuery};
use prost::Message;
use reflex_proto::{
    leads::v1::{
        AcknowledgeEscalationRequest, AcknowledgeEscalationResponse, ClaimLeadRequest, ClaimLeadResponse, FollowUp,
        RecordFollowUpRequest, RecordFollowUpResponse, follow_up,
    },
    notifications::v1::{
        Action, AnswerActionRequest, AnswerActionResponse, GetActionRequest, GetActionResponse,
        action::{Kind, State as Standing},
    },
};
use reflex_rpc::{
    auth::{Claims, Tenants},
    client::{Authorized, ServiceTokens},
    identity::Role,
};
use reflex_runtime::clock::SharedClock;
use reflex_tenancy::{TenantId, TenantSet};
use tokio::time::Instant;

use crate::{
    backends::Backend,
    body,
    call::{Call, Passage},
    config::Limits,
    deadline,
    problem::Problem,
};
use answer::Answer;
use guesses::Guesses;

mod answer;
mod guesses;

/// Route of all links.
pub(crate) const ROUTE: &str = "/v1/actions/{token}";
/// Longest token that is asked about.
const MAX_TOKEN: usize = 300;
/// Longest body of a post, which needs none.
const MAX_BODY: usize = 4_096;
/// Template of messages about steps of a ladder.
const LADDER_TEMPLATE: &str = "lead_escalated";
/// What a confirmed call says for itself.
const NOTE: &str = "通过消息中的链接确认";

const GET_ACTION: PathAndQuery = PathAndQuery::from_static("/reflex.notifications.v1.ActionService/GetAction");
const ANSWER_ACTION: PathAndQuery = PathAndQuery::from_static("/reflex.notifications.v1.ActionService/AnswerAction");
const CLAIM_LEAD: PathAndQuery = PathAndQuery::from_static("/reflex.leads.v1.ClaimService/ClaimLead");
const ACKNOWLEDGE_ESCALATION: PathAndQuery =
    PathAndQuery::from_static("/reflex.leads.v1.FollowUpService/AcknowledgeEscalation");
const RECORD_FOLLOW_UP: PathAndQuery = PathAndQuery::from_static("/reflex.leads.v1.FollowUpService/RecordFollowUp");

/// What links need.
pub(crate) struct Actions {
    leads: Arc<Backend>,
    notifications: Arc<Backend>,
    tokens: Arc<ServiceTokens>,
    limits: Limits,
    guesses: Guesses,
}

/// A link somebody uses.
struct Use<'a> {
    actions: &'a Actions,
    tenant: TenantId,
    token: String,
    passage: &'a Passage,
    deadline: Instant,
}

/// Why a link does nothing.
enum Failure {
    /// Whatever is wrong with the token.
    NoUse,
    /// Too many tokens were tried.
    TooMany(Duration),
    /// It cannot be done any more.
    Refused(Box<Action>),
    /// What is needed is away, or broken.
    Problem(Problem),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Actions {
    pub(crate) fn new(
        leads: Arc<Backend>,
        notifications: Arc<Backend>,
        tokens: Arc<ServiceTokens>,
        clock: SharedClock,
        limits: Limits,
    ) -> Self {
        Self {
            leads,
            notifications,
            tokens,
            limits,
            guesses: Guesses::new(clock),
        }
    }

    fn using<'a>(
        &'a self,
        path: Result<Path<String>, PathRejection>,
        headers: &HeaderMap,
        passage: &'a Passage,
    ) -> Result<Use<'a>, Failure> {
        let asked = deadline::asked_timeout(headers)?;
        let Ok(Path(token)) = path else {
            return Err(Failure::NoUse);
        };
        // What has not the form of a token costs nobody a call.
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let named = token.split_once('.').filter(|_| token.len() <= MAX_TOKEN);
        let tenant = named.and_then(|(tenant, _)| tenant.parse::<TenantId>().ok());
        match tenant {
            Some(tenant) if token.bytes().all(is_sign) => Ok(Use {
                actions: self,
                tenant,
                token,
                passage,
                deadline: deadline::of(asked, self.limits.timeout(), self.limits.max_timeout()),
            }),
            _ => Err(Failure::NoUse),
        }
    }
}

impl Use<'_> {
    /// Asks what the link does. Who tries tokens is refused for a while, whatever the next one is.
    async fn find(&self) -> Result<Action, Failure> {
        let Self { actions, tenant, .. } = self;
        actions.guesses.check(tenant).map_err(Failure::TooMany)?;
        let request = GetActionRequest {
            token: self.token.clone(),
        };
        let found: Result<GetActionResponse, _> = self
            .call(&actions.notifications, &GET_ACTION, &request, self.own()?)
            .await;
        match found {
            Ok(response) => response.action.ok_or_else(|| Problem::internal().into()),
            Err(problem) if problem.status() == StatusCode::NOT_FOUND => {
                actions.guesses.count(tenant);
                Err(Failure::NoUse)
            }
            Err(problem) => Err(problem.into()),
        }
    }

    /// Does what the link is for, and records it.
    async fn perform(&self) -> Result<Answer, Failure> {
        let action = self.find().await?;
        if action.state() != Standing::Open {
            return Ok(Answer::Shown(action));
        }
        let carried_out = match action.kind() {
            Kind::Claim => self.claim(&action).await,
            Kind::Confirm => self.confirm(&action).await,
            Kind::Ack if action.template == LADDER_TEMPLATE => self.acknowledge(&action).await,
            Kind::Ack | Kind::Ignore => Ok(()),
            Kind::Unspecified => Err(Problem::internal()),
        };
        if let Err(problem) = carried_out {
            return Err(refused(action, problem));
        }
        let request = AnswerActionRequest {
            token: self.token.clone(),
            // The link itself is what makes two calls the same call.
            request_id: String::new(),
        };
        let backend = &self.actions.notifications;
        let answered: Result<AnswerActionResponse, _> = self.call(backend, &ANSWER_ACTION, &request, self.own()?).await;
        match answered {
            Ok(AnswerActionResponse {
                action: Some(action),
                existed: false,
            }) => Ok(Answer::Done(action)),
            Ok(AnswerActionResponse {
                action: Some(action), ..
            }) => Ok(Answer::Shown(action)),
            Ok(_) => Err(Problem::internal().into()),
            Err(problem) => Err(refused(action, problem)),
        }
    }

    async fn claim(&self, action: &Action) -> Result<(), Problem> {
        let request = ClaimLeadRequest {
            name: action.subject.clone(),
            member: action.recipient.clone(),
            fencing_token: action.fencing_token,
            request_id: action.effect_request_id.clone(),
        };
        let authorized = self.on_behalf_of(&action.recipient)?;
        let leads = &self.actions.leads;
        let _claimed: ClaimLeadResponse = self.call(leads, &CLAIM_LEAD, &request, authorized).await?;
        Ok(())
    }

    async fn confirm(&self, action: &Action) -> Result<(), Problem> {
        let request = RecordFollowUpRequest {
            follow_up: Some(FollowUp {
                lead: action.subject.clone(),
                member: action.recipient.clone(),
                kind: follow_up::Kind::Call.into(),
                note: NOTE.to_owned(),
                ..FollowUp::default()
            }),
            request_id: action.effect_request_id.clone(),
        };
        let authorized = self.on_behalf_of(&action.recipient)?;
        let leads = &self.actions.leads;
        let _recorded: RecordFollowUpResponse = self.call(leads, &RECORD_FOLLOW_UP, &request, authorized).await?;
        Ok(())
    }

    /// Acknowledges a step of the ladder, which may end with that. What leads has nothing to do with any more is understood
    /// all the same.
    async fn acknowledge(&self, action: &Action) -> Result<(), Problem> {
        let request = AcknowledgeEscalationRequest {
            name: action.subject.clone(),
            member: action.recipient.clone(),
            request_id: action.effect_request_id.clone(),
        };
        let authorized = self.on_behalf_of(&action.recipient)?;
        let leads = &self.actions.leads;
        let answer: Result<AcknowledgeEscalationResponse, _> =
            self.call(leads, &ACKNOWLEDGE_ESCALATION, &request, authorized).await;
        match answer {
            Err(problem) if !is_final(&problem) => Err(problem),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Calls as the gateway.
    fn own(&self) -> Result<Call, Problem> {
        let authorized = Authorized::as_service(Arc::clone(&self.actions.tokens)).for_tenant(&self.tenant);
        Call::of_gateway(authorized, self.passage, self.deadline)
    }

    /// Calls as somebody who works on leads of this tenant, and as nobody else.
    fn on_behalf_of(&self, member: &str) -> Result<Call, Problem> {
        let claims = Claims {
            subject: "gateway".to_owned(),
            tenants: Tenants::Of(TenantSet::one(&self.tenant)),
            roles: vec![Role::Sales],
            member: Some(member.to_owned()),
        };
        let token = self.actions.tokens.on_behalf(&claims);
        let authorized = Authorized::with_token(&token).map_err(|_| Problem::internal())?;
        Call::of_gateway(authorized.for_tenant(&self.tenant), self.passage, self.deadline)
    }

    async fn call<A: Message + Default>(
        &self,
        backend: &Backend,
        path: &PathAndQuery,
        request: &impl Message,
        call: Call,
    ) -> Result<A, Problem> {
        let answer = backend.unary(path, request.encode_to_vec().into(), &call, true).await?;
        A::decode(answer).map_err(|error| {
            tracing::error!(%error, service = backend.name, "an answer cannot be read");
            Problem::internal()
        })
    }
}

/// Tells what cannot be done any more from what may be tried again.
fn refused(action: Action, problem: Problem) -> Failure {
    if is_final(&problem) {
        Failure::Refused(Box::new(action))
    } else {
        Failure::Problem(problem)
    }
}

fn is_final(problem: &Problem) -> bool {
    let status = problem.status();
    [StatusCode::BAD_REQUEST, StatusCode::CONFLICT, StatusCode::NOT_FOUND].contains(&status)
}

/// Returns the route of all links.
pub(crate) fn routes(actions: Actions) -> Router {
    Router::new()
        .route(ROUTE, get(show).post(perform))
        .with_state(Arc::new(actions))
}

async fn show(
    State(actions): State<Arc<Actions>>,
    path: Result<Path<String>, PathRejection>,
    Extension(passage): Extension<Passage>,
    headers: HeaderMap,
) -> Response {
    let shown = async { Ok(Answer::Shown(actions.using(path, &headers, &passage)?.find().await?)) };
    let answer: Result<Answer, Failure> = shown.await;
    answer::render(answer, &headers).into_response()
}

async fn perform(
    State(actions): State<Arc<Actions>>,
    path: Result<Path<String>, PathRejection>,
    Extension(passage): Extension<Passage>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let done = async {
        body::read(&head.headers, body, MAX_BODY, actions.limits.body_timeout()).await?;
        actions.using(path, &head.headers, &passage)?.perform().await
    };
    let answer: Result<Answer, Failure> = done.await;
    answer::render(answer, &head.headers).into_response()
}
