//! Sets the subsidiaries up, as `reflexctl apply` does.

use std::path::Path;

use anyhow::Context;
use reflex_tenancy::TenantId;
use reflexctl::{
    apply::{PlanOptions, plan},
    bundle::{Bundle, Variables},
};

use super::stage::Stage;

/// What the bundles call the address of the providers.
const SIMULATOR_URL: &str = "SIMULATOR_URL";

/// Returns whom the bundles are for.
pub(super) fn tenants(data: &Path) -> anyhow::Result<Vec<TenantId>> {
    let bundles = load(data, "http://127.0.0.1:1")?;
    Ok(bundles.into_iter().map(|bundle| bundle.tenant).collect())
}

/// Brings every subsidiary to what its bundle says.
pub(super) async fn apply(stage: &Stage, data: &Path) -> anyhow::Result<()> {
    for bundle in load(data, &stage.simulator().url())? {
        let plan = plan(stage.connection(), &bundle, PlanOptions::default()).await?;
        let shown = plan.to_string();
        // The last line counts; the lines above name everything, which `reflexctl apply --dry-run` shows as well.
        let summary = shown.lines().last().unwrap_or_default().trim();
        stage.tell(&format!("{}: {summary}", bundle.tenant));
        plan.run(stage.connection(), stage.ids(), |_| {}).await?;
    }
    Ok(())
}

fn load(data: &Path, simulator_url: &str) -> anyhow::Result<Vec<Bundle>> {
    let variables = Variables::from([(SIMULATOR_URL.to_owned(), simulator_url.to_owned())]);
    Bundle::load(data, None, &variables).context("the bundles of the demo")
}
