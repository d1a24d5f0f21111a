//! What the links of messages do: what one is for, and that it was carried out.

use jiff::Timestamp;
use reflex_events::outbox;
use reflex_pg::once::{self, Once};
use reflex_proto::notifications::v1::{self as proto, AnswerActionRequest, AnswerActionResponse};
use reflex_runtime::telemetry;
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use uuid::Uuid;

use super::App;
use crate::{
    api,
    domain::{
        action::Action,
        action_link::{Claim, effect_request_id},
    },
    error::Error,
    events::{self, Occasion},
    store::{
        answers::{self, Linked},
        attempts::Told,
    },
};

impl App {
    /// Returns what a link does.
    ///
    /// # Errors
    /// [`Error::NotFound`] for every token that is no use.
    pub async fn get_action(&self, tenant: &TenantId, token: &str) -> Result<proto::Action, Error> {
        let claim = self.read_link(tenant, token)?;
        let mut tx = self.database.begin("get_action", &TenantSet::one(tenant)).await?;
        let linked = find(&mut tx, &claim).await?;
        Ok(self.shown(&claim, &linked))
    }

    /// Records that what a link does was carried out.
    ///
    /// # Errors
    /// [`Error::NotFound`] for every token that is no use, [`Error::WrongState`] when what it is about is gone.
    pub async fn answer_action(
        &self,
        tenant: &TenantId,
        request_id: Option<Uuid>,
        request: &AnswerActionRequest,
    ) -> Result<AnswerActionResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.ActionService/AnswerAction";
        let claim = self.read_link(tenant, &request.token)?;
        let now = self.clock.now();
        let mut tx = self.database.begin("answer_action", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claimed) => claimed,
            Once::Answered(response) => return Ok(response),
        };
        let mut linked = find(&mut tx, &claim).await?;
        if let Some(gone) = linked.gone.as_deref().filter(|_| linked.answer_time.is_none()) {
            return Err(Error::WrongState(format!("what the message is about is {gone}")));
        }
        let is_first = answers::insert(&mut tx, tenant, claim.message, claim.action, now).await?;
        if is_first {
            linked.answer_time = Some(now);
            self.tell_answer(&mut tx, &claim, &linked, now).await?;
        } else if linked.answer_time.is_none() {
            // Whoever was faster committed while this one waited.
            linked = find(&mut tx, &claim).await?;
        }
        let response = AnswerActionResponse {
            action: Some(self.shown(&claim, &linked)),
            existed: !is_first,
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        if is_first {
            self.relay_wake.wake();
        }
        Ok(response)
    }

    fn read_link(&self, tenant: &TenantId, token: &str) -> Result<Claim, Error> {
        let links = self.links.as_ref().ok_or_else(absent)?;
        links.read(tenant, token, self.clock.now()).ok_or_else(absent)
    }

    async fn tell_answer(
        &self,
        tx: &mut PgConnection,
        claim: &Claim,
        linked: &Linked,
        now: Timestamp,
    ) -> Result<(), Error> {
        let told = Told {
            message: claim.message,
            recipient: linked.recipient.clone(),
            subject: linked.subject.clone(),
            cause_event: linked.cause_event,
            is_digest: false,
        };
        let occasion = || Occasion {
            tenant: claim.tenant.clone(),
            id: self.ids.next(),
            time: now,
            traceparent: telemetry::current_traceparent(),
        };
        let mut facts = vec![events::notification_answered(occasion(), &told, claim.action)];
        if claim.action == Action::Ack {
            let tenant = &claim.tenant;
            let was_read = answers::mark_read(tx, tenant, linked.cause_event, &linked.recipient, now).await?;
            // Whoever read it in the inbox has acknowledged it there.
            if !was_read {
                let (class, template) = (linked.class, &linked.template);
                facts.push(events::notification_acknowledged(occasion(), &told, class, template));
            }
        }
        outbox::push(tx, &facts).await?;
        Ok(())
    }

    fn shown(&self, claim: &Claim, linked: &Linked) -> proto::Action {
        let effect = effect_request_id(&claim.tenant, linked.cause_event, &linked.recipient, claim.action);
        let answered = linked.answer_time.map(|time| time.to_zoned(self.zone.clone()));
        api::action(
            claim,
            linked,
            effect,
            answered.map(|time| time.strftime("%m-%d %H:%M").to_string()),
        )
    }
}

async fn find(tx: &mut PgConnection, claim: &Claim) -> Result<Linked, Error> {
    let linked = answers::find_linked(tx, &claim.tenant, claim.message, claim.action).await?;
    linked
        .filter(|linked| linked.recipient == claim.recipient)
        .ok_or_else(absent)
}

/// One answer for whatever is wrong with a token, which it does not repeat.
fn absent() -> Error {
    Error::NotFound("the action of this link".to_owned())
}
