//! Everything on its usual addresses, with the demo's subsidiaries set up, until somebody stops it.

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use reflex_proto::leads::v1::{GetFormRequest, form_service_client::FormServiceClient};

use super::{
    Options, bundles, interrupted,
    patience::patiently,
    stage::{Stage, StageOptions},
};

/// Where the provider simulator listens: always the same, as channels keep the address.
const SIMULATOR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 18080);

/// A lead to send, the same as in the README.
const CALL: &str = r#"{"company":"上海市第一人民医院","contact_name":"王主任","phone":"138 0013 8000","territory":"上海","product":"骨科耗材","urgency":"红"}"#;

/// Runs everything until it is interrupted.
///
/// # Errors
/// When something cannot start or ends by itself.
pub async fn up(options: &Options, data_dir: Option<PathBuf>) -> anyhow::Result<()> {
    let data_dir = data_dir.map_or_else(default_data_dir, Ok)?;
    let stage = StageOptions {
        places: options,
        gateway: "127.0.0.1:8080".to_owned(),
        leads: "127.0.0.1:50051".to_owned(),
        notifications: "127.0.0.1:50052".to_owned(),
        simulator: SIMULATOR,
        log: data_dir.join("services.log"),
        data_dir,
        home: None,
    };
    let stage = tokio::select! {
        stage = Stage::set(stage) => stage?,
        interrupted = interrupted() => return interrupted,
    };
    let outcome = tokio::select! {
        outcome = serve(&stage, &options.data) => outcome,
        died = stage.died() => Err(died),
        interrupted = interrupted() => interrupted,
    };
    eprintln!("stopping");
    stage.leave().await;
    outcome
}

async fn serve(stage: &Stage, data: &Path) -> anyhow::Result<()> {
    bundles::apply(stage, data).await?;
    print_welcome(stage).await?;
    // Whoever called us waits for a signal, too.
    std::future::pending().await
}

async fn print_welcome(stage: &Stage) -> anyhow::Result<()> {
    let tenant = stage.tenants().first().context("there is a subsidiary")?;
    let request = GetFormRequest {
        name: "forms/website".to_owned(),
    };
    let client = FormServiceClient::new(stage.leads(tenant)?);
    let form = patiently(async || client.clone().get_form(request.clone()).await)
        .await?
        .form;
    let key = form.context("the form is there")?.write_key;
    let gateway = stage.gateway_url();
    let address = stage.connection_address();
    let (leads, notifications) = (address.server.as_deref(), address.notifications.as_deref());
    let reflexctl = shown(stage.reflexctl());
    let whose = match default_data_dir() {
        Ok(default) if default == stage.data_dir() => format!("--tenant {tenant}"),
        _ => format!("--tenant {tenant} --data-dir {}", stage.data_dir().display()),
    };
    writeln!(
        std::io::stdout(),
        "
Reflex runs; Ctrl-C stops it.
  gateway        {gateway} (GET {gateway}/v1/openapi.json)
  leads          {} (gRPC, with reflection)
  notifications  {} (gRPC, with reflection)
  providers      {}/control/messages (simulated DingTalk: what the groups see)
  data           {}

Send a lead, and see who got it and why:
  curl -s {gateway}/v1/forms/website \\
    -H 'content-type: application/json' \\
    -H 'x-write-key: {key}' \\
    -d '{CALL}'
  {reflexctl} leads list {whose}
  {reflexctl} leads explain L000001 {whose}
",
        leads.unwrap_or_default(),
        notifications.unwrap_or_default(),
        stage.simulator().url(),
        stage.data_dir().display(),
    )?;
    Ok(())
}

/// Returns a path as people would type it here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// Returns where `reflex-standalone` and `reflexctl` look by themselves.
fn default_data_dir() -> anyhow::Result<PathBuf> {
    let home = std::env::home_dir().context("HOME is not set: give --data-dir")?;
    if home == Path::new("/root") {
        // The servers run as an unprivileged account, which cannot enter root's home.
        return Ok(PathBuf::from("/var/lib/reflex"));
    }
    Ok(home.join(".local/share/reflex"))
}
