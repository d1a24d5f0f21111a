//! Streams as lines of JSON (application/x-ndjson), in both directions.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, stream};
use http::{StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt as _;
use prost::Message as _;
use prost_reflect::MessageDescriptor;
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::json as message_json;
use crate::{body, problem::Problem};

pub(crate) const NDJSON: &str = "application/x-ndjson";

/// Answers of a service on their way to the client.
pub(crate) struct Answers {
    pub(crate) stream: Streaming<Bytes>,
    pub(crate) output: MessageDescriptor,
    /// When nobody waits any more; none for a reader that stays.
    pub(crate) deadline: Option<Instant>,
    /// Ends the stream when the process stops, so that its reader goes to another replica.
    pub(crate) stop: CancellationToken,
    /// The reader's place among all that stay.
    pub(crate) _place: OwnedSemaphorePermit,
}

impl Answers {
    /// Returns the response: a line for each message as it comes. A stream that fails ends with a line whose only
    /// member is `problem`.
    pub(crate) fn into_response(self) -> Response {
        let lines = stream::unfold(Some(self), |answers| async {
            let mut answers = answers?;
            let (line, rest) = match answers.next().await {
                Ok(Some(line)) => (line, Some(answers)),
                Ok(None) => return None,
                Err(problem) => (json!({"problem": problem.json()}).to_string().into_bytes(), None),
            };
            Some((Ok::<_, Infallible>(ended(line)), rest))
        });
        let headers = [(CONTENT_TYPE, NDJSON)];
        (headers, Body::from_stream(lines)).into_response()
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        let message = async {
            match self.deadline {
                Some(deadline) => timeout_at(deadline, self.stream.message()).await,
                None => Ok(self.stream.message().await),
            }
        };
        let message = tokio::select! {
            message = message => message.map_err(|_| Problem::deadline_exceeded())??,
            () = self.stop.cancelled() => return Err(Problem::unavailable("this replica is stopping, connect again")),
        };
        message
            .map(|message| message_json::write(&self.output, message))
            .transpose()
    }
}

fn ended(mut line: Vec<u8>) -> Bytes {
    line.push(b'\n');
    line.into()
}

/// What lines of a client may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineLimits {
    pub(crate) line_bytes: usize,
    pub(crate) body_bytes: usize,
    /// Longest silence of the client.
    pub(crate) silence: Duration,
}

/// A message of a client's stream, or its regular end.
pub(crate) type MessageOrEnd = Option<Bytes>;

/// Reads a body line by line and sends each as an encoded message, then the end. Stops early, without a failure, when
/// nobody takes them any more: then the answer is there already.
pub(crate) async fn feed(
    body: &mut Body,
    input: &MessageDescriptor,
    limits: LineLimits,
    messages: &mpsc::Sender<MessageOrEnd>,
) -> Result<(), Problem> {
    let mut lines = Lines::new(input.clone(), limits);
    loop {
        let frame = timeout(limits.silence, body.frame())
            .await
            .map_err(|_| body::too_slow())?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body ended early"))?;
        let Ok(data) = frame.into_data() else { continue };
        lines.count_bytes(data.len())?;
        for part in data.split_inclusive(|&byte| byte == b'\n') {
            let Some(message) = lines.add(part)? else { continue };
            if messages.send(Some(message)).await.is_err() {
                return Ok(());
            }
        }
    }
    if let Some(message) = lines.end_line()? {
        let _taken_or_answered = messages.send(Some(message)).await;
    }
    let _taken_or_answered = messages.send(None).await;
    Ok(())
}

/// Returns the messages as a stream that fails unless it has its end: what came until a client broke off, or wrote
/// something wrong, must not look like everything.
pub(crate) fn whole(
    receiver: mpsc::Receiver<MessageOrEnd>,
) -> impl Stream<Item = Result<Bytes, Status>> + Send + 'static {
    stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(message)) => Some((Ok(message), Some(receiver))),
            Some(None) => None,
            None => Some((Err(Status::aborted("the client's stream broke off")), None)),
        }
    })
}

/// Cuts a body into lines.
struct Lines {
    input: MessageDescriptor,
    limits: LineLimits,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
    bytes: usize,
    /// Lines read so far.
    count: usize,
}

impl Lines {
    fn new(input: MessageDescriptor, limits: LineLimits) -> Self {
        Self {
            input,
            limits,
            begun: Vec::new(),
            bytes: 0,
            count: 0,
        }
    }

    fn count_bytes(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes += bytes;
        if self.bytes > self.limits.body_bytes {
            return Err(body::too_large(self.limits.body_bytes));
        }
        Ok(())
    }

    /// Takes the next part of a line, and returns the message if it is the last.
    fn add(&mut self, part: &[u8]) -> Result<Option<Bytes>, Problem> {
        if self.begun.len() + part.len() > self.limits.line_bytes {
            let detail = format!("line {} has more than {} bytes", self.count + 1, self.limits.line_bytes);
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        self.begun.extend_from_slice(part);
        if part.ends_with(b"\n") {
            self.end_line()
        } else {
            Ok(None)
        }
    }

    /// Returns the message of the line that ends here; blank lines have none.
    fn end_line(&mut self) -> Result<Option<Bytes>, Problem> {
        let line = std::mem::take(&mut self.begun);
        self.count += 1;
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let message = message_json::parse(&self.input, &line).map_err(|mut violation| {
            violation.field = match violation.field.as_str() {
                "" => format!("line {}", self.count),
                field => format!("line {}: {field}", self.count),
            };
            Problem::invalid(vec![violation])
        })?;
        Ok(Some(message.encode_to_vec().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LineLimits = LineLimits {
        line_bytes: 40,
        body_bytes: 200,
        silence: Duration::from_secs(1),
    };

    fn lines() -> Lines {
        let pool = reflex_proto::descriptor_pool();
        let input = pool.get_message_by_name("reflex.leads.v1.GetLeadRequest").unwrap();
        Lines::new(input, LIMITS)
    }

    #[test]
    fn lines_are_found_however_the_bytes_come() {
        let text = "{\"name\":\"leads/华东\"}\r\n\n{\"name\":\"leads/2\"}".as_bytes();
        for size in 1..=text.len() {
            let mut lines = lines();
            let mut messages = 0;
            for chunk in text.chunks(size) {
                for part in chunk.split_inclusive(|&byte| byte == b'\n') {
                    messages += usize::from(lines.add(part).unwrap().is_some());
                }
            }
            messages += usize::from(lines.end_line().unwrap().is_some());
            assert_eq!(messages, 2, "in chunks of {size}");
        }
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let mut lines = lines();
        assert!(lines.add(b"{}\n").unwrap().is_some());
        assert!(lines.add(b"\n").unwrap().is_none());
        let problem = lines.add(b"{\"nam\":1}\n").unwrap_err();
        assert_eq!(problem.json()["violations"][0]["field"], "line 3: nam");
    }

    #[test]
    fn long_lines_and_long_bodies_are_refused() {
        let mut lines = lines();
        assert_eq!(lines.add(&[b' '; 41]).unwrap_err().status(), 413);
        lines.count_bytes(200).unwrap();
        assert_eq!(lines.count_bytes(1).unwrap_err().status(), 413);
    }
}
