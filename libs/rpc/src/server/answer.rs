//! The answer to a call, while it is made and while it is sent.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use http::{HeaderMap, Request, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};
use tonic::{Code, Status, body::Body, codegen::Bytes, service::Routes};
use tower::Service;
use tracing::{Span, error};

use super::{load::Slot, observed::Observed};
use crate::status::{self, FieldViolation};

type RoutesFuture = <Routes as Service<Request<Body>>>::Future;

/// The answer to a call in the making.
pub struct Answering {
    work: Work,
    /// Taken by the body of the answer.
    observed: Option<Observed>,
}

enum Work {
    /// Health or reflection.
    Exempt(RoutesFuture),
    /// Not let in; none once answered.
    Refused(Option<Status>),
    /// At the handler.
    Running(Running),
}

struct Running {
    answer: RoutesFuture,
    deadline: Option<Instant>,
    /// Most answers are there at once and need no timer.
    timer: Option<Pin<Box<Sleep>>>,
    span: Span,
    _slot: Slot,
}

impl Answering {
    pub(super) fn exempt(answer: RoutesFuture) -> Self {
        Self {
            work: Work::Exempt(answer),
            observed: None,
        }
    }

    pub(super) fn refused(status: Status, observed: Option<Observed>) -> Self {
        Self {
            work: Work::Refused(Some(status)),
            observed,
        }
    }

    pub(super) fn running(
        answer: RoutesFuture,
        deadline: Option<Instant>,
        slot: Slot,
        span: Span,
        observed: Observed,
    ) -> Self {
        let running = Running {
            answer,
            deadline,
            timer: None,
            span,
            _slot: slot,
        };
        Self {
            work: Work::Running(running),
            observed: Some(observed),
        }
    }
}

impl Future for Answering {
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.work {
            Work::Exempt(answer) => ready!(Pin::new(answer).poll(context)),
            Work::Refused(status) => Ok(status.take().unwrap_or_else(status::broken).into_http()),
            Work::Running(running) => match ready!(running.poll(context)) {
                Ok(answer) => answer,
                Err(status) => Ok(status.into_http()),
            },
        };
        let observed = self.observed.take();
        Poll::Ready(answer.map(|answer| AnswerBody::wrap(answer, observed)))
    }
}

impl Running {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Result<Response<Body>, Infallible>, Status>> {
        let _entered = self.span.enter();
        let answer = Pin::new(&mut self.answer);
        // A panic ends its own call and not all the others of the connection.
        match catch_unwind(AssertUnwindSafe(|| answer.poll(context))) {
            Ok(Poll::Ready(Ok(answer))) => {
                return Poll::Ready(match unreadable_request(answer.headers()) {
                    Some(status) => Err(status),
                    None => Ok(Ok(answer)),
                });
            }
            Ok(Poll::Ready(Err(never))) => match never {},
            Ok(Poll::Pending) => {}
            Err(_panic) => {
                error!("the handler panicked");
                return Poll::Ready(Err(status::broken()));
            }
        }
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(status::deadline_exceeded()))
    }
}

/// The body of an answer, watched for the status at its end.
pub struct AnswerBody {
    body: Body,
    observed: Option<Observed>,
}

impl AnswerBody {
    fn wrap(answer: Response<Body>, observed: Option<Observed>) -> Response<Self> {
        let (head, body) = answer.into_parts();
        let mut watched = Self { body, observed };
        // A failure without a body has its status in the head.
        if let Some(code) = code_of(&head.headers) {
            watched.end(code);
        }
        Response::from_parts(head, watched)
    }

    fn end(&mut self, code: Code) {
        if let Some(observed) = self.observed.take() {
            observed.end(code);
        }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(code_of) {
                    self.end(code);
                }
            }
            Some(Err(status)) => self.end(status.code()),
            None => self.end(Code::Unknown),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Returns what to answer when a message of the caller did not decode: tonic says INTERNAL, but it is not our fault.
fn unreadable_request(head: &HeaderMap) -> Option<Status> {
    if code_of(head)? != Code::Internal {
        return None;
    }
    // What fails on our side has details.
    let status = Status::from_header_map(head).filter(|status| status.details().is_empty())?;
    let mut description = status.message().strip_prefix("failed to decode Protobuf message: ")?;
    let mut path = Vec::new();
    while let Some((step, rest)) = description.split_once(": ") {
        let Some((_message, field)) = step.split_once('.') else {
            break;
        };
        path.push(field);
        description = rest;
    }
    // From the inside out.
    path.reverse();
    Some(status::invalid(vec![FieldViolation::new(path.join("."), description)]))
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(Status::GRPC_STATUS)
        .map(|code| Code::from_bytes(code.as_bytes()))
}
