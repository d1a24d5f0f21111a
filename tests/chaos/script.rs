//! What happens in a run, decided by a seed before it begins: the same seed asks for the same again.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::index};
use reflex_tenancy::TenantId;
use uuid::{Builder, Uuid};

/// Leads that arrive.
pub(crate) const LEADS: usize = 5_000;
/// How often the process is killed.
pub(crate) const KILLS: usize = 20;
/// The line whose ladder runs in seconds.
pub(crate) const URGENT: &str = "急救设备";
/// Kills that hit a process which is still starting.
const KILLS_IN_START: usize = 4;
/// The longest start that is cut short.
const LONGEST_START: u64 = 2_500;

/// A run.
pub(crate) struct Script {
    pub(crate) tenants: Vec<TenantId>,
    /// In order of arrival.
    pub(crate) leads: Vec<PlannedLead>,
    /// In order of the leads they follow.
    pub(crate) faults: Vec<Planned>,
}

/// A lead that will be sent until it is acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct PlannedLead {
    /// Tells it from all others, whatever happens to it.
    pub(crate) key: String,
    pub(crate) tenant: TenantId,
    pub(crate) way: Way,
    pub(crate) product: &'static str,
    /// Tells the source's repetitions apart; some sources have none and rely on the request id alone.
    pub(crate) external_id: String,
    pub(crate) request_id: Uuid,
    /// When somebody calls, counted from the acknowledgement.
    pub(crate) call: Option<PlannedCall>,
}

/// A call that will be recorded until that is acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlannedCall {
    pub(crate) after: Duration,
    pub(crate) request_id: Uuid,
}

/// How a lead arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Posted at the gateway.
    Form,
    /// A call of its own.
    Call,
    /// In a stream with others, acknowledged together.
    Stream,
}

/// A fault, and how many acknowledged leads it waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    pub(crate) after: usize,
    pub(crate) fault: Fault,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The process is killed this much later, and started again.
    Kill(Duration),
    /// As `Kill`, and killed again this long after its start.
    KillTwice(Duration, Duration),
    /// Redis loses everything.
    EmptyRedis,
    /// Nothing goes wrong: those who were full can take more.
    MoreRoom,
}

impl Script {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let tenants: Vec<TenantId> = ["huakang-east", "huakang-north", "huakang-south"]
            .map(|id| id.parse().unwrap())
            .into();
        let leads = (0..LEADS)
            .map(|number| planned_lead(&mut rng, number, &tenants))
            .collect();
        Self {
            tenants,
            leads,
            faults: faults(&mut rng),
        }
    }

    /// The tenant whose people are full until there is more room.
    pub(crate) fn crowded(&self) -> &TenantId {
        &self.tenants[2]
    }
}

fn planned_lead(rng: &mut StdRng, number: usize, tenants: &[TenantId]) -> PlannedLead {
    let key = format!("lead-{number:05}");
    let way = [Way::Form, Way::Form, Way::Call, Way::Call, Way::Stream][rng.random_range(0..5)];
    let urgent = rng.random_bool(0.25);
    // The ladder of the urgent line takes three seconds: calls come before, between and after its steps.
    let called = way != Way::Stream && rng.random_bool(if urgent { 0.5 } else { 0.1 });
    let call = called.then(|| PlannedCall {
        after: Duration::from_millis(rng.random_range(0..4_500)),
        request_id: id(rng),
    });
    PlannedLead {
        external_id: if way == Way::Call && rng.random_bool(0.5) {
            String::new()
        } else {
            key.clone()
        },
        key,
        tenant: tenants[number % tenants.len()].clone(),
        way,
        product: if urgent { URGENT } else { "骨科耗材" },
        request_id: id(rng),
        call,
    }
}

fn faults(rng: &mut StdRng) -> Vec<Planned> {
    let rounds = KILLS - KILLS_IN_START;
    let moments = index::sample(rng, LEADS - 100, rounds);
    let twice: Vec<usize> = index::sample(rng, rounds, KILLS_IN_START).into_vec();
    let mut faults: Vec<Planned> = moments
        .into_iter()
        .enumerate()
        .map(|(round, moment)| {
            // Where between two acknowledgements it hits is left to chance as well.
            let later = Duration::from_micros(rng.random_range(0..30_000));
            let fault = if twice.contains(&round) {
                Fault::KillTwice(later, Duration::from_millis(rng.random_range(0..LONGEST_START)))
            } else {
                Fault::Kill(later)
            };
            Planned {
                after: moment + 50,
                fault,
            }
        })
        .collect();
    faults.push(Planned {
        after: rng.random_range(LEADS / 4..LEADS * 3 / 4),
        fault: Fault::EmptyRedis,
    });
    faults.push(Planned {
        after: LEADS * 3 / 5,
        fault: Fault::MoreRoom,
    });
    faults.sort_by_key(|planned| planned.after);
    faults
}

fn id(rng: &mut StdRng) -> Uuid {
    Builder::from_random_bytes(rng.random()).into_uuid()
}
