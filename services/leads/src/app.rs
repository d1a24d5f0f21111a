//! Use cases, one file each; they own the transactions.

pub(crate) mod acknowledge_escalation;
pub(crate) mod activate_routing_policy;
pub(crate) mod capture_lead;
pub(crate) mod capture_webhook;
pub(crate) mod change_contents;
pub(crate) mod change_setup;
pub(crate) mod channel_costs;
pub(crate) mod channel_report;
pub(crate) mod check_lead;
pub(crate) mod check_routing_policy;
pub(crate) mod claim_lead;
pub(crate) mod close_lead;
pub(crate) mod correct_validity;
pub(crate) mod customer_relations;
pub(crate) mod customers;
pub(crate) mod decide_dispute;
pub(crate) mod decide_duplicate;
pub(crate) mod decision_maps;
pub(crate) mod erase_subject;
pub(crate) mod explain_assignment;
pub(crate) mod explain_gate;
pub(crate) mod explain_why_not;
pub(crate) mod find_duplicates;
pub(crate) mod find_subject;
pub(crate) mod fire_timers;
pub(crate) mod gate;
pub(crate) mod gate_due;
pub(crate) mod gate_sweep;
pub(crate) mod get_lead;
pub(crate) mod import_gate_lists;
pub(crate) mod import_leads;
pub(crate) mod import_members;
pub(crate) mod import_routing_table;
pub(crate) mod industries;
pub(crate) mod intake;
pub(crate) mod lead_facts;
pub(crate) mod list_accounts;
pub(crate) mod list_calculated_fields;
pub(crate) mod list_directory;
pub(crate) mod list_duplicates;
pub(crate) mod list_imports;
pub(crate) mod list_merges;
pub(crate) mod list_nurture;
pub(crate) mod list_ownership;
pub(crate) mod list_routing_policies;
pub(crate) mod look_up_companies;
pub(crate) mod merge_leads;
pub(crate) mod nurture_lead;
pub(crate) mod ordering;
pub(crate) mod paging;
pub(crate) mod past;
pub(crate) mod pick_lead;
pub(crate) mod pool_clocks;
pub(crate) mod preview_calculated_field;
pub(crate) mod publish_form;
pub(crate) mod put_account;
pub(crate) mod put_calculated_field;
pub(crate) mod put_calendar;
pub(crate) mod put_duplicate_policy;
pub(crate) mod put_form;
pub(crate) mod put_gate_policy;
pub(crate) mod put_ladder;
pub(crate) mod put_leave;
pub(crate) mod put_member;
pub(crate) mod put_pool_policy;
pub(crate) mod put_routing_policy;
pub(crate) mod put_tag_rule;
pub(crate) mod put_team;
pub(crate) mod put_territory;
pub(crate) mod put_webhook_source;
pub(crate) mod recompute;
pub(crate) mod recompute_fields;
pub(crate) mod record_follow_up;
pub(crate) mod record_lead_facts;
pub(crate) mod recycle_leads;
pub(crate) mod rehome;
pub(crate) mod simulate_routing;
pub(crate) mod submit_form;
pub(crate) mod tag_lead;
pub(crate) mod tagging;
pub(crate) mod undo_import;
pub(crate) mod unmerge_leads;
pub(crate) mod watch_leads;

use std::{sync::Arc, time::Duration};

use reflex_events::RelayWake;
use reflex_pg::{Database, batcher::Batcher};
use reflex_rpc::page::PageTokens;
use reflex_runtime::{clock::SharedClock, ids::SharedIds};
use reflex_sealing::Sealer;
use reflex_tenancy::TenantId;
use reflex_timers::TimerWake;
use tokio::sync::Notify;

use crate::{
    ports::HttpRegistry,
    setup::Setups,
    store::reroute::{INTAKE_SHARDS, intake_shard},
};

/// What every use case needs; shared by all requests and loops.
pub(crate) struct App {
    pub(crate) db: Database,
    pub(crate) clock: SharedClock,
    pub(crate) ids: SharedIds,
    pub(crate) relay: RelayWake,
    pub(crate) intake: IntakeWake,
    pub(crate) imports: ImportsUnderWay,
    /// The registry of companies, if one is connected.
    pub(crate) registry: Option<HttpRegistry>,
    pub(crate) lookups: look_up_companies::LookupWake,
    pub(crate) recomputes: recompute_fields::RecomputeWake,
    pub(crate) timers: TimerWake,
    pub(crate) setups: Setups,
    pub(crate) pages: PageTokens,
    pub(crate) captures: Batcher<capture_lead::Capture, capture_lead::Outcome>,
    pub(crate) watchers: Arc<watch_leads::Watchers>,
    /// Seals the secrets of webhook sources; none without a key, and then there are no such sources.
    pub(crate) sealer: Option<Sealer>,
    pub(crate) webhook_posts: capture_webhook::WebhookPosts,
    /// How long facts are kept after they were published.
    pub(crate) fact_retention: Duration,
}

/// Counts the imports that this process is storing, to which routing gives way.
#[derive(Debug, Default)]
pub(crate) struct ImportsUnderWay(Arc<()>);

impl ImportsUnderWay {
    /// Returns what an import holds as long as it is under way.
    pub(crate) fn begin(&self) -> Arc<()> {
        Arc::clone(&self.0)
    }

    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// Wakes the intake loops of this process after a commit that gave them work; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct IntakeWake(Arc<[Notify; INTAKE_SHARDS as usize]>);

impl IntakeWake {
    /// Wakes the loop that works for a tenant; a wake that finds it busy is kept for when it looks next.
    pub(crate) fn wake(&self, tenant: &TenantId) {
        self.shard(intake_shard(tenant)).notify_one();
    }

    /// Returns what the loop of a shard waits on.
    pub(crate) fn shard(&self, shard: i16) -> &Notify {
        &self.0[usize::from(shard.unsigned_abs()) % self.0.len()]
    }
}
