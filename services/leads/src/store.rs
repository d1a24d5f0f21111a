//! SQL of the leads service, by what it is about.

pub(crate) mod calendars;
pub(crate) mod capture;
pub(crate) mod catalogues;
pub(crate) mod changes;
pub(crate) mod decisions;
pub(crate) mod escalations;
pub(crate) mod follow_ups;
pub(crate) mod form_versions;
pub(crate) mod forms;
pub(crate) mod history;
pub(crate) mod ids;
pub(crate) mod intake;
pub(crate) mod ladders;
pub(crate) mod lead_imports;
pub(crate) mod leads;
pub(crate) mod leaves;
pub(crate) mod members;
pub(crate) mod past_leads;
pub(crate) mod policies;
pub(crate) mod reroute;
pub(crate) mod running_clocks;
pub(crate) mod setup_versions;
pub(crate) mod teams;
