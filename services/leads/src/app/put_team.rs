//! Creating and changing teams.

use reflex_proto::leads::v1::{PutTeamRequest, PutTeamResponse};
use reflex_rpc::identity::Caller;

use super::{App, change_setup::Begun};
use crate::{
    convert,
    domain::{decision::Trigger, member::Team},
    error::Error,
    store::{reroute, teams},
};

impl App {
    /// Creates or changes a team.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::WrongState`] for an unknown team above or calendar and for a circle of teams.
    pub(crate) async fn put_team(&self, caller: &Caller, request: &PutTeamRequest) -> Result<PutTeamResponse, Error> {
        let team = request
            .team
            .as_ref()
            .ok_or_else(|| Error::invalid("team", "must be given"))?;
        let team = Team::parse(&convert::directory::raw_team(team))?;
        let mut change = match self
            .begin_change("put_team", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        change.before.directory.check_team(&team)?;
        change.check_calendar(team.calendar.as_ref())?;
        if change.before.directory.find_team(&team.id) != Some(&team) {
            teams::put(&mut change.tx, &change.tenant, &team, self.clock.now()).await?;
            reroute::request(
                &mut change.tx,
                &change.tenant,
                Trigger::DirectoryChanged,
                Some(&team.id),
            )
            .await?;
            change.publish().await?;
        }
        let response = PutTeamResponse {
            team: Some(convert::directory::team(&team)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }
}
