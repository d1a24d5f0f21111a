//! Creating and changing members, with what follows for their leads.

use std::collections::BTreeMap;
use std::fmt;

use reflex_events::outbox;
use reflex_pg::retried;
use reflex_proto::leads::v1::{PutMemberRequest, PutMemberResponse};
use reflex_rpc::identity::Caller;
use reflex_runtime::telemetry;

use super::{
    App,
    change_setup::{Begun, Change},
    rehome,
};
use crate::{
    convert,
    domain::{directory::DirectoryError, member::Member, member_change::MemberChange, tree::PlacementError},
    error::Error,
    events::{self, Facts},
    store::{members, reroute},
};

impl App {
    /// Creates or changes a member; one who leaves loses their open leads to others.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::WrongState`] for an unknown team, supervisor, deputy or calendar and for a circle
    /// of supervisors.
    pub(crate) async fn put_member(
        &self,
        caller: &Caller,
        request: &PutMemberRequest,
    ) -> Result<PutMemberResponse, Error> {
        let member = request
            .member
            .as_ref()
            .ok_or_else(|| Error::invalid("member", "must be given"))?;
        let member = Member::parse(&convert::directory::raw_member(member))?;
        // Whoever works on a lead of a member who leaves locks the lead first and the member second, this the other way
        // round: if they meet, one of them starts again.
        retried(|| self.put_checked_member(caller, request, &member)).await
    }

    async fn put_checked_member(
        &self,
        caller: &Caller,
        request: &PutMemberRequest,
        member: &Member,
    ) -> Result<PutMemberResponse, Error> {
        let mut change = match self
            .begin_change("put_member", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        change.before.directory.check_member(member)?;
        change.check_calendar(member.calendar.as_ref())?;
        let rehomed_leads = self.write_members(&mut change, std::slice::from_ref(member)).await?;
        let stored = members::find(&mut change.tx, &change.tenant, &member.id).await?;
        let open_leads = stored.map_or(0, |stored| stored.open_leads);
        let member = Some(convert::directory::member(member, open_leads));
        let response = PutMemberResponse { member, rehomed_leads };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Writes those members that differ from what is stored, tells others, and gives leads of those who leave to others;
    /// returns how many leads that were.
    pub(crate) async fn write_members(&self, change: &mut Change, members: &[Member]) -> Result<i32, Error> {
        let before = change.before.clone();
        let changes: Vec<MemberChange> = members
            .iter()
            .map(|member| MemberChange::new(before.directory.find_member(&member.id), member))
            .filter(|change| change.kind().is_some())
            .collect();
        if changes.is_empty() {
            return Ok(0);
        }
        let written: Vec<Member> = changes.iter().map(|change| change.after().clone()).collect();
        members::put(&mut change.tx, &change.tenant, &written, self.clock.now()).await?;
        self.tell_members(change, &changes).await?;
        // After the write, which waits for assignments that are under way: none of their leads is missed.
        let mut rehomed = 0;
        for leaver in changes.iter().filter(|change| change.leaves()) {
            let leaver = &leaver.after().id;
            rehomed += rehome::leads_of(self, &mut change.tx, &change.tenant, leaver).await?;
        }
        let waiting: BTreeMap<_, _> = changes
            .iter()
            .filter_map(|change| Some((&change.after().team, change.reroutes()?)))
            .collect();
        for (team, trigger) in waiting {
            reroute::request(&mut change.tx, &change.tenant, trigger, Some(team)).await?;
        }
        change.publish().await?;
        Ok(rehomed)
    }

    async fn tell_members(&self, change: &mut Change, changes: &[MemberChange<'_>]) -> Result<(), Error> {
        let facts = Facts {
            tenant: &change.tenant,
            ids: &self.ids,
            time: self.clock.now(),
        };
        let fact = |member: &Member| {
            let message = convert::directory::member_changed(member);
            facts.fact(
                events::MEMBER_CHANGED,
                &member.id,
                telemetry::current_traceparent(),
                &message,
            )
        };
        let told: Vec<_> = changes
            .iter()
            .filter(|change| change.is_told())
            .map(|change| fact(change.after()))
            .collect();
        Ok(outbox::push(&mut change.tx, &told).await?)
    }
}

impl From<DirectoryError> for Error {
    fn from(error: DirectoryError) -> Self {
        Self::WrongState(error.to_string())
    }
}

impl<Id: fmt::Debug + fmt::Display> From<PlacementError<Id>> for Error {
    fn from(error: PlacementError<Id>) -> Self {
        Self::WrongState(error.to_string())
    }
}
