//! Failures a test scripts for one robot, in the order in which they shall happen.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::server::Connection;

/// One way to fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// Refuses with a business code, the provider's usual way.
    Code { code: i64, message: String },
    /// Answers with an HTTP status, as a gateway before the provider does.
    Status {
        status: u16,
        #[serde(default)]
        retry_after_seconds: Option<u64>,
    },
    /// Answers 200 with this body instead of the provider's JSON.
    Body { body: String },
    /// Waits before it goes on as if nothing were; a client that hangs up meanwhile is not served.
    Hang { milliseconds: u64 },
    /// Resets the connection before the message is looked at.
    Reset,
    /// Accepts or refuses the message, then resets the connection: nobody learns the answer.
    LoseAnswer,
}

/// The scripts of all robots.
#[derive(Default)]
pub(super) struct Faults(Mutex<BTreeMap<String, VecDeque<(Fault, usize)>>>);

impl Faults {
    pub(super) fn script(&self, token: &str, fault: Fault, times: usize) {
        if times > 0 {
            let mut scripts = self.0.lock();
            scripts.entry(token.to_owned()).or_default().push_back((fault, times));
        }
    }

    pub(super) fn clear(&self, token: &str) {
        self.0.lock().remove(token);
    }

    /// Takes the fault of this call, if one is due.
    pub(super) fn take(&self, token: &str) -> Option<Fault> {
        let mut scripts = self.0.lock();
        let script = scripts.get_mut(token)?;
        let (fault, times) = script.front_mut()?;
        let fault = fault.clone();
        *times -= 1;
        if *times == 0 {
            script.pop_front();
        }
        Some(fault)
    }
}

/// Lets a fault happen around the provider's own answer; `refuse` writes a business refusal the provider's way.
pub(super) async fn inflict(
    fault: Fault,
    connection: &Connection,
    refuse: impl FnOnce(i64, &str) -> Response<Body>,
    answer: impl FnOnce() -> Response<Body>,
) -> Response<Body> {
    match fault {
        Fault::Code { code, message } => refuse(code, &message),
        Fault::Status {
            status,
            retry_after_seconds,
        } => failing(status, retry_after_seconds),
        Fault::Body { body } => Response::new(Body::from(body)),
        Fault::Hang { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            answer()
        }
        Fault::Reset => connection.reset().await,
        Fault::LoseAnswer => {
            answer();
            connection.reset().await
        }
    }
}

fn failing(status: u16, retry_after_seconds: Option<u64>) -> Response<Body> {
    let mut response = Response::new(Body::from("<html>the simulator was told to fail</html>"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(seconds) = retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_happen_in_order_and_only_as_often_as_asked() {
        let faults = Faults::default();
        let hang = Fault::Hang { milliseconds: 1 };
        faults.script("a", Fault::Reset, 2);
        faults.script("a", hang.clone(), 1);
        faults.script("a", Fault::LoseAnswer, 0);
        assert_eq!(faults.take("b"), None);
        let taken: Vec<_> = (0..4).map(|_| faults.take("a")).collect();
        assert_eq!(taken, [Some(Fault::Reset), Some(Fault::Reset), Some(hang), None]);
    }

    #[test]
    fn a_cleared_script_is_forgotten() {
        let faults = Faults::default();
        faults.script("a", Fault::Reset, 2);
        faults.clear("a");
        assert_eq!(faults.take("a"), None);
    }
}
