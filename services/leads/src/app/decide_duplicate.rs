//! Decides, for good, whether two leads are the same.

use reflex_pg::{
    once::{self, Once},
    retried,
};
use reflex_proto::leads::v1::{
    DecideDuplicateRequest, DecideDuplicateResponse, MergeLeadsRequest, decide_duplicate_request::Decision,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::TenantSet;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    App,
    claim_lead::lead_name,
    list_directory::resource,
    list_duplicates::show,
    merge_leads::{self, check_reason},
};
use crate::{
    domain::{
        duplicates::State,
        ids::{DuplicateId, LeadId, MemberId},
        lead,
    },
    error::Error,
    store::{
        duplicates::{self, Decided, DuplicateRow, index},
        leads,
    },
};

/// What is asked for.
struct Command<'a> {
    duplicate: DuplicateId,
    merges: bool,
    survivor: Option<LeadId>,
    request_id: Option<Uuid>,
    request: &'a DecideDuplicateRequest,
}

impl App {
    /// Decides about a pair.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`] when it was decided before; as `merge_leads`.
    pub(crate) async fn decide_duplicate(
        &self,
        caller: &Caller,
        request: &DecideDuplicateRequest,
    ) -> Result<DecideDuplicateResponse, Error> {
        let command = parse(request)?;
        let response = retried(|| self.decide_once(caller, &command)).await?;
        self.relay.wake();
        self.intake.wake(&caller.tenant);
        Ok(response)
    }

    async fn decide_once(&self, caller: &Caller, command: &Command<'_>) -> Result<DecideDuplicateResponse, Error> {
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("decide_duplicate", &TenantSet::one(tenant)).await?;
        let (id, request) = (command.request_id, command.request);
        let claimed = match once::claim(&mut tx, tenant, "DecideDuplicate", id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let missing = || Error::NotFound(command.duplicate.to_string());
        let found = duplicates::find(&mut tx, tenant, command.duplicate).await?;
        let found = found.ok_or_else(missing)?;
        let merge = if command.merges {
            let request = self.merge_request(&mut tx, caller, command, &found).await?;
            check_open(&found)?;
            let merged = self.merge_pair(&mut tx, caller, &merge_leads::parse(&request)?).await?;
            merged.merge
        } else {
            let pair = [found.earlier_id, found.later_id].map(LeadId);
            leads::list_for_update(&mut tx, tenant, &pair).await?;
            let locked = duplicates::find_for_update(&mut tx, tenant, command.duplicate).await?;
            check_open(&locked.ok_or_else(missing)?)?;
            self.settle_pair(&mut tx, caller, pair, (State::Distinct, &request.reason))
                .await?;
            None
        };
        let decided = duplicates::find(&mut tx, tenant, command.duplicate).await?;
        let response = DecideDuplicateResponse {
            duplicate: show(&mut tx, caller, &[decided.ok_or_else(missing)?]).await?.pop(),
            merge,
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// Writes that two locked leads are one, or two, and has both compared anew.
    pub(super) async fn settle_pair(
        &self,
        tx: &mut PgConnection,
        caller: &Caller,
        pair: [LeadId; 2],
        (state, reason): (State, &str),
    ) -> Result<(), Error> {
        let member: Option<MemberId> = caller.member.as_deref().and_then(|name| name.parse().ok());
        let decided = Decided {
            id: DuplicateId(self.ids.next()),
            leads: pair,
            state,
            time: self.clock.now(),
            member: member.as_ref(),
            reason,
        };
        duplicates::decide(tx, &caller.tenant, &decided).await?;
        index::request(tx, &caller.tenant, &pair.map(|lead| lead.0)).await?;
        Ok(())
    }

    /// Makes the request that merges a pair.
    async fn merge_request(
        &self,
        tx: &mut PgConnection,
        caller: &Caller,
        command: &Command<'_>,
        pair: &DuplicateRow,
    ) -> Result<MergeLeadsRequest, Error> {
        let (earlier, later) = (LeadId(pair.earlier_id), LeadId(pair.later_id));
        let survivor = match command.survivor {
            Some(survivor) if survivor != earlier && survivor != later => {
                return Err(Error::invalid("survivor", "must be one of the two leads"));
            }
            Some(survivor) => survivor,
            None => {
                let closed = leads::find(tx, &caller.tenant, earlier)
                    .await?
                    .is_some_and(|row| row.state() == lead::State::Closed);
                let open = leads::find(tx, &caller.tenant, later)
                    .await?
                    .is_some_and(|row| row.state().is_open());
                if closed && open { later } else { earlier }
            }
        };
        let loser = if survivor == earlier { later } else { earlier };
        Ok(MergeLeadsRequest {
            survivor: survivor.to_string(),
            loser: loser.to_string(),
            choices: command.request.choices.clone(),
            reason: command.request.reason.clone(),
            request_id: String::new(),
        })
    }
}

fn check_open(pair: &DuplicateRow) -> Result<(), Error> {
    if pair.state().is_decided() {
        let id = DuplicateId(pair.duplicate_id);
        return Err(Error::WrongState(format!("{id} is decided: {}", pair.state().as_str())));
    }
    Ok(())
}

fn parse(request: &DecideDuplicateRequest) -> Result<Command<'_>, Error> {
    let merges = match Decision::try_from(request.decision) {
        Ok(Decision::Distinct) => false,
        Ok(Decision::Merge) => true,
        _ => return Err(Error::invalid("decision", "must be DISTINCT or MERGE")),
    };
    if !merges && !request.survivor.is_empty() {
        return Err(Error::invalid("survivor", "is only given when leads are merged"));
    }
    if !merges && !request.choices.is_empty() {
        return Err(Error::invalid("choices", "are only given when leads are merged"));
    }
    check_reason(&request.reason)?;
    let survivor = (!request.survivor.is_empty()).then(|| lead_name("survivor", &request.survivor));
    Ok(Command {
        duplicate: resource("name", &request.name)?,
        merges,
        survivor: survivor.transpose()?,
        request_id: RequestId::parse(&request.request_id)?,
        request,
    })
}
