//! Makes two leads of one again. What is clear is restored; what somebody did while they were one, and could have meant for
//! either, is listed for the caller to decide.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reflex_pg::{
    once::{self, Once},
    retried,
};
use reflex_proto::leads::v1::{
    ConflictResolution, LeadUnmerged, MergeConflict, UnmergeLeadsRequest, UnmergeLeadsResponse,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    App,
    claim_lead::check_is_own,
    list_directory::resource,
    merge_leads::{check_reason, lock_pair, state_with},
    rehome,
};
use crate::{
    convert,
    domain::{
        decision::Trigger,
        duplicates,
        ids::{FollowUpId, LeadId, MemberId, MergeId},
        lead::State,
        merge::{self, Images, Undone},
        violation::Violation,
    },
    error::{Error, Obstacle},
    events,
    setup::Setup,
    store::{
        follow_ups, history,
        intake::instant,
        leads::{self, LeadRow},
        merges::{self, Comeback, MergeRow},
        reroute, running_clocks,
    },
};

/// The conflict of a survivor that was closed while it was also the other lead.
const CLOSED: &str = "closed";

/// What is asked for.
struct Command<'a> {
    merge: MergeId,
    request_id: Option<Uuid>,
    request: &'a UnmergeLeadsRequest,
}

/// A merge as it could be undone now.
pub(super) struct Undoing {
    row: MergeRow,
    survivor: LeadRow,
    loser: LeadRow,
    /// The merges that hold into the survivor, in their order, this one among them.
    active: Vec<MergeRow>,
    at: usize,
    undone: Undone,
    /// Follow-ups that were recorded for the survivor since.
    follow_ups: Vec<Uuid>,
    /// Whether the survivor was closed since and the other lead had not been.
    closed: bool,
}

impl App {
    /// Takes a merge back.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::Obstacles`] with the conflicts that are not decided,
    /// [`Error::WrongState`] when it was taken back before or the survivor was itself merged.
    pub(crate) async fn unmerge_leads(
        &self,
        caller: &Caller,
        request: &UnmergeLeadsRequest,
    ) -> Result<UnmergeLeadsResponse, Error> {
        let command = Command {
            merge: resource("name", &request.name)?,
            request_id: RequestId::parse(&request.request_id)?,
            request,
        };
        check_reason(&request.reason)?;
        let response = retried(|| self.unmerge_once(caller, &command)).await?;
        self.relay.wake();
        self.intake.wake(&caller.tenant);
        self.timers.wake();
        Ok(response)
    }

    async fn unmerge_once(&self, caller: &Caller, command: &Command<'_>) -> Result<UnmergeLeadsResponse, Error> {
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let mut tx = self.db.begin("unmerge_leads", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "UnmergeLeads", command.request_id, command.request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let setup = self.hold_setup(&mut tx, tenant).await?;
        let undoing = Undoing::load(&mut tx, tenant, command.merge).await?;
        let decisions = decide(&undoing.conflicts(), command.request)?;
        let is_kept = |conflict: &str| decisions.get(conflict) == Some(&ConflictResolution::Keep);

        let moved: Vec<Uuid> = undoing
            .follow_ups
            .iter()
            .copied()
            .filter(|id| !is_kept(&FollowUpId(*id).to_string()))
            .collect();
        follow_ups::move_to(&mut tx, tenant, &moved, undoing.loser_id()).await?;
        let mut content = undoing.undone.content.clone();
        for conflict in &undoing.undone.conflicts {
            if !is_kept(&conflict.field) {
                content.set(&conflict.field, conflict.restored.as_deref());
            }
        }
        let survivor_waits = undoing.restore_survivor(&mut tx, tenant, &content).await?;
        let stays_closed = undoing.closed && is_kept(CLOSED);
        let waits = self
            .restore_loser(&mut tx, tenant, &setup, &undoing, stays_closed)
            .await?;
        for lead in [undoing.survivor_id(), undoing.loser_id()] {
            self.recalculate(&mut tx, tenant, &setup, lead).await?;
        }
        let member: Option<MemberId> = caller.member.as_deref().and_then(|name| name.parse().ok());
        merges::set_undone(
            &mut tx,
            tenant,
            command.merge,
            member.as_ref(),
            &command.request.reason,
            now,
        )
        .await?;
        // Who undoes a merge says that they are two.
        let pair = [undoing.survivor_id(), undoing.loser_id()];
        self.settle_pair(
            &mut tx,
            caller,
            pair,
            (duplicates::State::Distinct, &command.request.reason),
        )
        .await?;
        let from = format!("{} from {}", undoing.loser_id(), undoing.survivor_id());
        let entries =
            [&undoing.survivor, &undoing.loser].map(|lead| self.entry(lead, "unmerged", member.clone(), from.clone()));
        history::add(&mut tx, tenant, &entries).await?;
        let told = LeadUnmerged {
            lead: undoing.loser_id().to_string(),
            survivor: undoing.survivor_id().to_string(),
            merge: command.merge.to_string(),
            member: member.map(|member| member.to_string()).unwrap_or_default(),
            waits,
            survivor_waits,
        };
        self.tell(&mut tx, caller, events::LEAD_UNMERGED, undoing.loser_id(), &told)
            .await?;
        let stored = merges::find(&mut tx, tenant, command.merge).await?;
        let response = UnmergeLeadsResponse {
            merge: stored.map(|stored| convert::merge::merge(&stored)),
            survivor: Some(self.shown(&mut tx, caller, undoing.survivor_id()).await?),
            restored: Some(self.shown(&mut tx, caller, undoing.loser_id()).await?),
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// Makes the other lead one of its own again, and returns whether it waits for its first contact.
    async fn restore_loser(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        setup: &Setup,
        undoing: &Undoing,
        stays_closed: bool,
    ) -> Result<bool, Error> {
        let (loser, images) = (&undoing.loser, &undoing.row.images.0);
        let id = undoing.loser_id();
        let first_contact = match instant(loser.first_contact_time) {
            Some(time) => Some(time),
            None => follow_ups::find_first_contact(tx, tenant, id, loser.require_screening).await?,
        };
        let state = match images.loser_state {
            State::Assigned | State::Claimed if first_contact.is_some() => State::Contacted,
            state => state,
        };
        if stays_closed {
            let comeback = Comeback {
                state: State::Closed,
                queue_reason: None,
                close_time: merges::find_close_time(tx, tenant, undoing.survivor_id()).await?,
                outcome: undoing.survivor.outcome.as_deref(),
                first_contact,
            };
            merges::set_unmerged(tx, tenant, id, &comeback).await?;
            return Ok(false);
        }
        let comeback = Comeback {
            state,
            queue_reason: images.loser_queue_reason.as_deref(),
            close_time: images.loser_close_time,
            outcome: loser.outcome.as_deref(),
            first_contact,
        };
        merges::set_unmerged(tx, tenant, id, &comeback).await?;
        running_clocks::go_on(tx, tenant, &undoing.row.loser_timers).await?;
        match loser.owner().filter(|_| state.is_owned()) {
            Some(owner) if setup.directory.find_member(&owner).is_some_and(|owner| owner.active) => {
                leads::add_open_leads(tx, tenant, &owner, 1).await?;
            }
            Some(owner) => {
                // They left meanwhile: as with their other leads then.
                history::add(tx, tenant, &[rehome::left(self, loser.lead_id, &owner)]).await?;
                leads::set_queued(tx, tenant, &[id.0], Trigger::OwnerLeft).await?;
                reroute::request_leads(tx, tenant, Trigger::OwnerLeft, &[id.0]).await?;
            }
            None if state == State::Queued => {
                reroute::request_leads(tx, tenant, Trigger::DirectoryChanged, &[id.0]).await?;
            }
            None => {}
        }
        Ok(first_contact.is_none() && state.is_open())
    }
}

impl Undoing {
    /// Locks what a merge is about and looks what undoing it would do.
    pub(super) async fn load(tx: &mut PgConnection, tenant: &TenantId, merge: MergeId) -> Result<Self, Error> {
        let missing = || Error::NotFound(merge.to_string());
        let found = merges::find(tx, tenant, merge).await?.ok_or_else(missing)?;
        let (survivor, loser) = lock_pair(tx, tenant, LeadId(found.survivor), LeadId(found.loser)).await?;
        // What holds is read under the locks.
        let active = merges::list_into(tx, tenant, LeadId(found.survivor)).await?;
        let Some(at) = active.iter().position(|active| active.merge_id == merge.0) else {
            return Err(Error::WrongState(format!("{merge} was undone before")));
        };
        check_is_own(&survivor)?;
        let chain: Vec<_> = active
            .iter()
            .map(|row| (row.images.0.clone(), row.preference(), row.choices.0.clone()))
            .collect();
        let undone = merge::without(&chain, at, &merges::content_of(&survivor));
        let follow_ups = follow_ups::list_ids_after(tx, tenant, LeadId(found.survivor), merge.0).await?;
        let was_open = active[at].images.survivor_state.is_open() && active[at].images.loser_state.is_open();
        let row = merges::find(tx, tenant, merge).await?.ok_or_else(missing)?;
        Ok(Self {
            closed: was_open && !survivor.state().is_open(),
            row,
            survivor,
            loser,
            active,
            at,
            undone,
            follow_ups,
        })
    }

    /// Lists what the caller has to decide.
    pub(super) fn conflicts(&self) -> Vec<MergeConflict> {
        let fields = self.undone.conflicts.iter().map(|conflict| MergeConflict {
            name: conflict.field.clone(),
            description: "was changed since: the value of now is kept, or the one from before restored".into(),
            kept_value: conflict.kept.clone().unwrap_or_default(),
            restored_value: conflict.restored.clone().unwrap_or_default(),
        });
        let follow_ups = self.follow_ups.iter().map(|id| MergeConflict {
            name: FollowUpId(*id).to_string(),
            description: "was recorded since: the survivor keeps it, or it goes to the lead that comes back".into(),
            ..MergeConflict::default()
        });
        let closed = self.closed.then(|| MergeConflict {
            name: CLOSED.into(),
            description: "the survivor was closed since: the lead that comes back is closed too, or open again".into(),
            ..MergeConflict::default()
        });
        fields.chain(follow_ups).chain(closed).collect()
    }

    fn survivor_id(&self) -> LeadId {
        LeadId(self.survivor.lead_id)
    }

    fn loser_id(&self) -> LeadId {
        LeadId(self.loser.lead_id)
    }

    /// Gives the survivor what it would have without the merge, and returns whether it waits for its first contact again.
    async fn restore_survivor(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        content: &merge::Content,
    ) -> Result<bool, Error> {
        let (id, now) = (self.survivor_id(), instant(self.survivor.first_contact_time));
        let others = self.others().map(|row| &row.images.0);
        let carried = others.fold(None, |first, images| merge::first_contact(first, images.contact_loser));
        let images: Vec<&Images> = self.active.iter().map(|row| &row.images.0).collect();
        let own = match merge::own_contact(images, now) {
            Some(time) => Some(time),
            None => follow_ups::find_first_contact(tx, tenant, id, self.survivor.require_screening).await?,
        };
        let contact = merge::first_contact(own, carried);
        let state = self.survivor_state(contact);
        merges::set_content(tx, tenant, id, content, state, contact).await?;
        for (row, images) in self.active[self.at + 1..].iter().zip(&self.undone.later) {
            merges::set_images(tx, tenant, row.merge_id, images).await?;
        }
        let stopped = &self.row.survivor_timers;
        let keeper = self.others().find(|row| row.images.contact_loser.is_some());
        match keeper.filter(|_| own.is_none()) {
            Some(keeper) => merges::keep_timers(tx, tenant, keeper.merge_id, stopped).await?,
            None => running_clocks::go_on(tx, tenant, stopped).await?,
        }
        Ok(contact.is_none() && now.is_some() && state.is_open())
    }

    /// Returns where the survivor stands with this first contact.
    fn survivor_state(&self, contact: Option<Timestamp>) -> State {
        match self.survivor.state() {
            State::Contacted if contact.is_none() && self.survivor.claim_time.is_some() => State::Claimed,
            State::Contacted if contact.is_none() => State::Assigned,
            _ => state_with(&self.survivor, contact),
        }
    }

    /// Returns the other merges that hold into the survivor.
    fn others(&self) -> impl Iterator<Item = &MergeRow> {
        let this = self.row.merge_id;
        self.active.iter().filter(move |row| row.merge_id != this)
    }
}

/// Returns what is done about each conflict.
fn decide(
    conflicts: &[MergeConflict],
    request: &UnmergeLeadsRequest,
) -> Result<BTreeMap<String, ConflictResolution>, Error> {
    let mut decided = BTreeMap::new();
    for (at, decision) in request.decisions.iter().enumerate() {
        let field = format!("decisions[{at}]");
        if !conflicts.iter().any(|conflict| conflict.name == decision.conflict) {
            return Err(Error::invalid(
                format!("{field}.conflict"),
                "is no conflict of this merge",
            ));
        }
        let resolution = resolution(&format!("{field}.resolution"), decision.resolution)?;
        if resolution == ConflictResolution::Unspecified {
            return Err(Error::invalid(format!("{field}.resolution"), "must be KEEP or RESTORE"));
        }
        if decided.insert(decision.conflict.clone(), resolution).is_some() {
            return Err(Error::invalid(format!("{field}.conflict"), "is decided twice"));
        }
    }
    let others = resolution("other_conflicts", request.other_conflicts)?;
    let mut obstacles = Vec::new();
    for conflict in conflicts
        .iter()
        .filter(|conflict| !request.decisions.iter().any(|it| it.conflict == conflict.name))
    {
        if others == ConflictResolution::Unspecified {
            obstacles.push(Obstacle {
                code: "UNMERGE_CONFLICT",
                violation: Violation {
                    field: conflict.name.clone(),
                    description: conflict.description.clone(),
                },
            });
        } else {
            decided.insert(conflict.name.clone(), others);
        }
    }
    if obstacles.is_empty() {
        Ok(decided)
    } else {
        Err(Error::Obstacles(obstacles))
    }
}

fn resolution(field: &str, value: i32) -> Result<ConflictResolution, Error> {
    ConflictResolution::try_from(value).map_err(|_| Error::invalid(field, "is no known resolution"))
}
