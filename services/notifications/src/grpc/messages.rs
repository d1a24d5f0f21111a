//! `MessageService`.

use reflex_proto::notifications::v1::{
    GetMessageRequest, GetMessageResponse, ListMessagesRequest, ListMessagesResponse, Message,
    message_service_server::MessageService,
};
use reflex_rpc::{identity::Caller, page::page_size, status::Violations};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Rpc, cut, uuid_of};
use crate::{api, domain::message::Class, store::messages::Filter};

/// Longest subject of a filter.
const MAX_SUBJECT: usize = 200;

#[tonic::async_trait]
impl MessageService for Rpc {
    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        violations.text("recipient", &request.recipient, 0..=MAX_SUBJECT);
        violations.text("subject", &request.subject, 0..=MAX_SUBJECT);
        let state = api::state_filter(request.state).unwrap_or_else(|_| {
            violations.add("state", "is no known state");
            None
        });
        violations.text("channel", &request.channel, 0..=MAX_SUBJECT);
        let class = Class::find(&request.message_class);
        if class.is_none() && !request.message_class.is_empty() {
            violations.add("message_class", "is no known class");
        }
        let mut time = |field: &str, time: Option<prost_types::Timestamp>| {
            let read = time.and_then(api::instant);
            if time.is_some() && read.is_none() {
                violations.add(field, "is no instant");
            }
            read
        };
        let start = time("start_time", request.start_time);
        let end = time("end_time", request.end_time);
        if start.zip(end).is_some_and(|(start, end)| end < start) {
            violations.add("end_time", "must not be before start_time");
        }
        violations.finish()?;
        let size = page_size(request.page_size, 50, 1_000)?;
        let query = (
            "messages",
            &caller.tenant,
            &request.recipient,
            &request.subject,
            request.state,
            &request.message_class,
            &request.channel,
            (start, end),
        );
        let before: Option<Uuid> = self.pages.decode(&query, &request.page_token)?;
        let filter = Filter {
            recipient: Some(request.recipient.as_str()).filter(|text| !text.is_empty()),
            subject: Some(request.subject.as_str()).filter(|text| !text.is_empty()),
            state,
            class,
            channel: Some(request.channel.as_str()).filter(|text| !text.is_empty()),
            start,
            end,
        };
        let mut messages = self
            .app
            .list_messages(&caller.tenant, &filter, before, size + 1)
            .await?;
        let next_page_token = cut(&self.pages, &query, size, &mut messages, |message| message.id);
        Ok(Response::new(ListMessagesResponse {
            messages: messages.into_iter().map(api::message).collect(),
            next_page_token,
        }))
    }

    async fn get_message(&self, request: Request<GetMessageRequest>) -> Result<Response<GetMessageResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = uuid_of("messages/", &request.into_inner().name)?;
        let (message, attempts) = self.app.get_message(&caller.tenant, id).await?;
        let answers = self.app.list_answers(&caller.tenant, id).await?;
        let message = Message {
            answers: answers.iter().map(api::answer).collect(),
            attempts: attempts.into_iter().map(api::attempt).collect(),
            ..api::message(message)
        };
        Ok(Response::new(GetMessageResponse { message: Some(message) }))
    }
}
