//! Message providers in a process of their own, for demos, benches and chaos runs.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use reflex_tests::simulator::{FeishuRobot, Hook, Robot, Simulator, SimulatorOptions, WecomRobot};

/// Plays message providers over HTTP, their limits and refusals included.
#[derive(Parser)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,

    /// Token of a DingTalk robot that exists from the start.
    #[arg(long, default_value = "demo")]
    dingtalk_token: String,

    /// Signing secret of that robot; without it the robot asks for no signature.
    #[arg(long)]
    dingtalk_secret: Option<String>,

    /// JSON file with a list of more robots: objects of `token` and, where wanted, `secret` and `keywords`.
    #[arg(long)]
    robots: Option<PathBuf>,

    /// Key of a WeCom robot that exists from the start.
    #[arg(long, default_value = "demo")]
    wecom_key: String,

    /// Token of a Feishu robot that exists from the start.
    #[arg(long, default_value = "demo")]
    feishu_token: String,

    /// Signing secret of that robot; without it the robot asks for no signature.
    #[arg(long)]
    feishu_secret: Option<String>,

    /// Secret (`whsec_…`) of a receiver of webhooks at `/hooks/demo`; without it there is none.
    #[arg(long)]
    webhook_secret: Option<String>,

    /// Messages a robot takes in a sliding minute.
    #[arg(long, default_value_t = 20)]
    limit_per_minute: usize,

    /// How long a DingTalk robot refuses everything after one message more.
    #[arg(long, default_value_t = 600)]
    lock_seconds: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let simulator = Simulator::start(SimulatorOptions {
        listen: arguments.listen,
        robots: robots(&arguments)?,
        wecom_robots: vec![WecomRobot {
            key: arguments.wecom_key.clone(),
        }],
        feishu_robots: vec![FeishuRobot {
            token: arguments.feishu_token.clone(),
            secret: arguments.feishu_secret.clone(),
        }],
        webhooks: hooks(&arguments),
        limit_per_minute: arguments.limit_per_minute,
        lock: Duration::from_secs(arguments.lock_seconds),
        ..SimulatorOptions::default()
    })
    .await
    .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    writeln!(std::io::stdout(), "provider simulator listens on {}", simulator.url())?;
    stopped().await
}

fn robots(arguments: &Arguments) -> anyhow::Result<Vec<Robot>> {
    let mut robots = vec![Robot {
        token: arguments.dingtalk_token.clone(),
        secret: arguments.dingtalk_secret.clone(),
        keywords: Vec::new(),
    }];
    if let Some(path) = &arguments.robots {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let more: Vec<Robot> =
            serde_json::from_str(&text).with_context(|| format!("{} is not a list of robots", path.display()))?;
        robots.extend(more);
    }
    Ok(robots)
}

fn hooks(arguments: &Arguments) -> Vec<Hook> {
    let hook = |secret: &String| Hook {
        token: "demo".to_owned(),
        secret: secret.clone(),
    };
    arguments.webhook_secret.iter().map(hook).collect()
}

async fn stopped() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _terminated = terminate.recv() => {}
    }
    Ok(())
}
