//! Storing a routing policy as the next version, as a draft or to be worked by at once.

use reflex_expr::Lang;
use reflex_proto::leads::v1::{PutRoutingPolicyRequest, PutRoutingPolicyResponse};
use reflex_rpc::identity::Caller;

use super::{
    App,
    change_setup::{Begun, Change},
};
use crate::{
    convert,
    domain::{
        calculated::Names,
        decision::Trigger,
        directory::Directory,
        routing::{Finding, PolicySpec, Problem, RawPolicy},
        violation::{Violation, Violations},
    },
    error::{Error, Obstacle},
    store::{
        policies::{self, NewActivation, NewVersion},
        reroute,
    },
};

/// A policy of sound shape that shall be stored.
pub(crate) struct Wanted {
    pub(crate) spec: PolicySpec,
    note: String,
    draft: bool,
}

/// What became of a wanted policy.
pub(crate) struct Kept {
    pub(crate) version: i32,
    pub(crate) findings: Vec<Finding>,
}

impl Wanted {
    /// Checks the shape of a policy whose conditions may read these names.
    ///
    /// # Errors
    /// Returns everything that is malformed.
    pub(crate) fn parse(raw: &RawPolicy, note: &str, draft: bool, names: &Names) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let note = parse_note(&mut violations, note);
        let mut violations = violations.into_vec();
        match PolicySpec::parse(raw, names) {
            Ok(spec) if violations.is_empty() => Ok(Self { spec, note, draft }),
            Ok(_) => Err(violations),
            Err(others) => {
                violations.extend(others);
                Err(violations)
            }
        }
    }
}

impl App {
    /// Stores a policy as the next version and, unless it is a draft, makes it the active one.
    ///
    /// # Errors
    /// [`Error::Violations`] for what cannot be read, [`refusal`] for what cannot be worked by.
    pub(crate) async fn put_routing_policy(
        &self,
        caller: &Caller,
        request: &PutRoutingPolicyRequest,
    ) -> Result<PutRoutingPolicyResponse, Error> {
        let policy = request
            .policy
            .as_ref()
            .ok_or_else(|| Error::invalid("policy", "must be given"))?;
        let raw = convert::routing::raw_policy(policy).map_err(|violation| vec![violation])?;
        let mut change = match self
            .begin_change("put_routing_policy", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        // Only now, as conditions may read what the tenant has defined.
        let wanted = Wanted::parse(&raw, &request.note, request.draft, change.before.fields.names())?;
        let kept = self.keep_policy(&mut change, caller, &wanted).await?;
        let directory = &change.before.directory;
        let (findings, finding_count) = convert::routing::findings(&kept.findings, &wanted.spec, directory);
        let response = PutRoutingPolicyResponse {
            policy: Some(convert::routing::policy(kept.version, &wanted.spec)),
            findings,
            finding_count,
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Stores what differs from the active and from the newest version, and activates what is no draft.
    ///
    /// # Errors
    /// As [`App::put_routing_policy`].
    pub(crate) async fn keep_policy(
        &self,
        change: &mut Change,
        caller: &Caller,
        wanted: &Wanted,
    ) -> Result<Kept, Error> {
        let active = change.before.policy.clone();
        // Once active, a policy is not questioned again.
        if let Some(active) = active.as_ref().filter(|active| *active.spec() == wanted.spec) {
            return Ok(Kept {
                version: active.version(),
                findings: Vec::new(),
            });
        }
        let setup = change.before.clone();
        let findings = self
            .findings(&mut change.tx, &change.tenant, &setup, &wanted.spec)
            .await?;
        let stands_in_the_way = |finding: &&Finding| match finding.problem {
            Problem::Mistake(_) => true,
            _ => !wanted.draft && finding.problem.refuses(),
        };
        let refused: Vec<&Finding> = findings.iter().filter(stands_in_the_way).collect();
        if !refused.is_empty() {
            return Err(refusal_of_request(&refused, &wanted.spec, &setup.directory));
        }
        let (tx, now, by) = (&mut change.tx, self.clock.now(), actor(caller));
        let newest = policies::find_newest(tx, &change.tenant).await?;
        let same = newest
            .as_ref()
            .filter(|newest| newest.spec == wanted.spec && (wanted.note.is_empty() || wanted.note == newest.note));
        let version = match same {
            Some(same) => same.version,
            None => newest.as_ref().map_or(0, |newest| newest.version) + 1,
        };
        if same.is_none() {
            let new = NewVersion {
                version,
                spec: &wanted.spec,
                author: by,
                note: &wanted.note,
            };
            policies::insert(tx, &change.tenant, &new, now).await?;
        }
        if !wanted.draft {
            let new = NewActivation {
                version,
                previous: active.map(|active| active.version()),
                actor: by,
                note: &wanted.note,
            };
            self.make_active(change, &new).await?;
        }
        Ok(Kept { version, findings })
    }

    /// Makes a version the active one and has waiting leads routed anew.
    pub(crate) async fn make_active(&self, change: &mut Change, new: &NewActivation<'_>) -> Result<(), Error> {
        policies::activate(&mut change.tx, &change.tenant, new, self.clock.now()).await?;
        reroute::request(&mut change.tx, &change.tenant, Trigger::PolicyChanged, None).await?;
        change.publish().await
    }
}

/// Returns who acts, as versions and activations keep it.
pub(crate) fn actor(caller: &Caller) -> &str {
    caller.member.as_deref().unwrap_or(&caller.subject)
}

/// Checks why somebody did something.
pub(crate) fn parse_note(violations: &mut Violations, note: &str) -> String {
    violations.text("note", note, 0..=1000)
}

/// Tells what keeps a version from becoming active.
pub(crate) fn refusal(refused: &[&Finding], spec: &PolicySpec, directory: &Directory) -> Error {
    let obstacle = |finding: &&Finding| Obstacle {
        code: finding.code(),
        violation: violation(finding, spec, directory),
    };
    Error::Obstacles(refused.iter().map(obstacle).collect())
}

/// Tells what keeps a sent policy from being stored: the request is at fault as soon as anything in the policy itself is.
pub(crate) fn refusal_of_request(refused: &[&Finding], spec: &PolicySpec, directory: &Directory) -> Error {
    if refused.iter().any(|finding| finding.problem.is_flaw()) {
        let violations = refused.iter().map(|finding| violation(finding, spec, directory));
        return Error::Violations(violations.collect());
    }
    refusal(refused, spec, directory)
}

fn violation(finding: &Finding, spec: &PolicySpec, directory: &Directory) -> Violation {
    let (zh, en) = (
        finding.text(spec, directory, Lang::Zh),
        finding.text(spec, directory, Lang::En),
    );
    Violation {
        field: finding.field(),
        description: format!("{zh} / {en}"),
    }
}
