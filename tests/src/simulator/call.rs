//! The frame of a provider that refuses with a business code: a call is met by its fault, or judged, counted and answered.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response};

use super::server::Connection;
use super::{Message, Shared, fault};

/// A call as it arrived.
pub(super) struct Call {
    pub method: Method,
    /// Whose call it is: the robot's token or key, or the application's user.
    pub token: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A business code with its words.
pub(super) type Refusal = (i64, &'static str);

/// How a provider takes messages and says so.
pub(super) struct Manners {
    pub receive: fn(&Shared, &Call) -> Result<Message, Refusal>,
    /// Writes a code with its words.
    pub reply: fn(i64, &str) -> Response<Body>,
    /// The words of success.
    pub success: &'static str,
    /// What is said beyond the limit.
    pub too_fast: i64,
}

impl Manners {
    /// Lets the call's fault happen, or answers.
    pub(super) async fn meet(&self, shared: &Shared, connection: &Connection, call: &Call) -> Response<Body> {
        let Some(fault) = shared.faults.take(&call.token) else {
            return self.answer(shared, call);
        };
        shared.ledger.count(&call.token, |stats| stats.faults += 1);
        fault::inflict(fault, connection, self.reply, || self.answer(shared, call)).await
    }

    fn answer(&self, shared: &Shared, call: &Call) -> Response<Body> {
        match (self.receive)(shared, call) {
            Ok(message) => {
                shared.ledger.accept(message);
                (self.reply)(0, self.success)
            }
            Err((code, text)) => {
                shared.ledger.count(&call.token, |stats| {
                    stats.rejected += 1;
                    stats.limited += u64::from(code == self.too_fast);
                });
                (self.reply)(code, text)
            }
        }
    }
}
