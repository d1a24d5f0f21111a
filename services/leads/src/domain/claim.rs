//! Taking a lead and giving it back: one owner at any instant.

use super::ids::MemberId;
use super::lead::{Standing, State};

/// Why a lead cannot be claimed or released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The lead changed hands since the caller looked.
    #[error("the fencing token is {seen}, the lead's is {current}")]
    Stale {
        /// What the caller saw.
        seen: i64,
        /// What holds now.
        current: i64,
    },
    /// It is somebody else's, or nobody's.
    #[error("the lead is not owned by {0}")]
    NotOwner(MemberId),
    /// It is not in a state the verb starts from.
    #[error("the lead is {}", .0.as_str())]
    WrongState(State),
}

/// Checks that `member`, who saw `fencing_token`, may claim the lead.
///
/// # Errors
/// Fails when the token is stale, the lead is not theirs, or it is not waiting to be claimed.
pub fn check_claim(lead: &Standing, member: &MemberId, fencing_token: i64) -> Result<(), ClaimError> {
    check_owner(lead, member, fencing_token)?;
    if lead.state.may_become(State::Claimed) {
        Ok(())
    } else {
        Err(ClaimError::WrongState(lead.state))
    }
}

/// Checks that `member`, who saw `fencing_token`, may give the lead back.
///
/// # Errors
/// Fails when the token is stale, the lead is not theirs, or it is closed.
pub fn check_release(lead: &Standing, member: &MemberId, fencing_token: i64) -> Result<(), ClaimError> {
    check_owner(lead, member, fencing_token)?;
    if lead.state.is_owned() {
        Ok(())
    } else {
        Err(ClaimError::WrongState(lead.state))
    }
}

/// Tells whether the claim fuse that was lit for ownership `fencing_token` still has something to burn.
#[must_use]
pub fn claim_expires(lead: &Standing, fencing_token: i64) -> bool {
    lead.state == State::Assigned && lead.fencing_token == fencing_token && lead.first_contact_time.is_none()
}

fn check_owner(lead: &Standing, member: &MemberId, fencing_token: i64) -> Result<(), ClaimError> {
    // The token goes first: who saw an older ownership shall look again, whatever else is wrong.
    if lead.fencing_token != fencing_token {
        return Err(ClaimError::Stale {
            seen: fencing_token,
            current: lead.fencing_token,
        });
    }
    if lead.owner.as_ref() != Some(member) {
        return Err(ClaimError::NotOwner(member.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str) -> MemberId {
        format!("members/{id}").parse().unwrap()
    }

    fn lead(state: State) -> Standing {
        Standing {
            state,
            owner: Some(member("li")),
            fencing_token: 7,
            first_contact_time: None,
        }
    }

    #[test]
    fn only_the_owner_with_the_current_token_claims() {
        let (li, wang) = (member("li"), member("wang"));
        assert_eq!(check_claim(&lead(State::Assigned), &li, 7), Ok(()));
        assert_eq!(
            check_claim(&lead(State::Assigned), &wang, 6),
            Err(ClaimError::Stale { seen: 6, current: 7 })
        );
        assert_eq!(
            check_claim(&lead(State::Assigned), &wang, 7),
            Err(ClaimError::NotOwner(wang.clone()))
        );
        for state in [State::Claimed, State::Contacted, State::Closed] {
            assert_eq!(check_claim(&lead(state), &li, 7), Err(ClaimError::WrongState(state)));
        }
    }

    #[test]
    fn an_owned_lead_can_be_given_back() {
        let li = member("li");
        for state in [State::Assigned, State::Claimed, State::Contacted] {
            assert_eq!(check_release(&lead(state), &li, 7), Ok(()));
        }
        assert_eq!(
            check_release(&lead(State::Closed), &li, 7),
            Err(ClaimError::WrongState(State::Closed))
        );
        let queued = Standing {
            owner: None,
            ..lead(State::Queued)
        };
        assert_eq!(check_release(&queued, &li, 7), Err(ClaimError::NotOwner(li)));
    }

    #[test]
    fn the_fuse_burns_only_for_the_ownership_it_was_lit_for() {
        assert!(claim_expires(&lead(State::Assigned), 7));
        assert!(!claim_expires(&lead(State::Assigned), 6));
        assert!(!claim_expires(&lead(State::Claimed), 7));
        let called = Standing {
            first_contact_time: Some(jiff::Timestamp::UNIX_EPOCH),
            ..lead(State::Assigned)
        };
        assert!(!claim_expires(&called, 7), "a rehomed lead that was called has no fuse");
    }
}
