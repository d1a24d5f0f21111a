//! Calls as a careful client makes them: what the services cannot do now is asked for again.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Code, Response, Status};

/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(250);
/// How long to try.
const LIMIT: Duration = Duration::from_secs(30);

/// Makes a call that may be repeated: a read, or a write with an id of its own.
pub(super) async fn patiently<T>(call: impl AsyncFn() -> Result<Response<T>, Status>) -> Result<T, Status> {
    let limit = Instant::now() + LIMIT;
    loop {
        match call().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if is_passing(status.code()) && Instant::now() < limit => sleep(PAUSE).await,
            Err(status) => return Err(status),
        }
    }
}

/// Tells whether a failure may be gone in a moment, for example because the machine has too much to do.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded
    )
}
