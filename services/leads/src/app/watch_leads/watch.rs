//! One watch: what was asked for, and what is answered.

use jiff::{SignedDuration, Timestamp};
use reflex_proto::leads::v1::{WatchLeadsRequest, WatchLeadsResponse};
use reflex_rpc::{identity::Caller, page::PageTokens};
use reflex_runtime::clock::SharedClock;
use serde::{Deserialize, Serialize};

use super::{Ended, News, Subscription};
use crate::{
    app::{App, get_lead::optional},
    convert,
    error::Error,
    store::{changes::Place, leads::Filter},
};

/// How long before facts are deleted a token that rests on them is refused.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

/// What a resume token says.
#[derive(Serialize, Deserialize)]
struct Resume {
    after: Place,
    /// When it was made: everything later was seen, or is still there unless the token is too old.
    time: Timestamp,
}

/// A caller's watch.
pub(crate) struct Watch {
    subscription: Subscription,
    caller: Caller,
    filter: Filter,
    pages: PageTokens,
    clock: SharedClock,
}

impl App {
    /// Watches leads.
    ///
    /// # Errors
    /// [`Error::Violations`] for an unknown filter or a token that is too old, [`Error::Refused`] for the token of another
    /// query or too many watchers.
    pub(crate) async fn watch_leads(&self, caller: Caller, request: &WatchLeadsRequest) -> Result<Watch, Error> {
        let filter = Filter {
            state: convert::state_filter("state", request.state).map_err(|violation| vec![violation])?,
            owner: optional("owner", &request.owner)?,
            team: optional("team", &request.team)?,
            number: None,
            tag: None,
        };
        let query = ("watch_leads", caller.tenant.as_str(), &filter);
        let resume: Option<Resume> = self.pages.decode(&query, &request.resume_token)?;
        if let Some(resume) = &resume {
            let kept = SignedDuration::try_from(self.fact_retention).unwrap_or(SignedDuration::MAX);
            if self.clock.now().duration_since(resume.time) > kept.saturating_sub(MARGIN) {
                let description = "is older than facts are kept; list the leads and watch anew";
                return Err(Error::invalid("resume_token", description));
            }
        }
        let after = resume.map(|resume| resume.after);
        let subscription = self.watchers.watch(&caller.tenant, filter.clone(), after).await?;
        Ok(Watch {
            subscription,
            caller,
            filter,
            pages: self.pages.clone(),
            clock: self.clock.clone(),
        })
    }
}

impl Watch {
    /// Returns the next response, or why there are no more.
    ///
    /// # Errors
    /// The end, again and again.
    pub(crate) async fn next(&mut self) -> Result<WatchLeadsResponse, Ended> {
        let News { place, change } = self.subscription.next().await?;
        let query = ("watch_leads", self.caller.tenant.as_str(), &self.filter);
        let resume = Resume {
            after: place,
            time: self.clock.now(),
        };
        Ok(WatchLeadsResponse {
            change: change.map(|change| change.show(&self.caller)),
            resume_token: self.pages.encode(&query, &resume),
        })
    }
}
