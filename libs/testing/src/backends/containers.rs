//! PostgreSQL and Redis in containers.

use std::time::Duration;

use anyhow::{Context as _, Result};
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt as _,
    core::{ContainerPort, IntoContainerPort as _},
    runners::AsyncRunner as _,
};
use tokio::{process::Command, time::timeout};
use url::Url;

use super::{setting, shared::Started};
use crate::eventually;

/// How long getting an image may take before the machine's own programs are used in its place.
const PULL_LIMIT: Duration = Duration::from_mins(2);

/// Returns whether an engine answers and has or gets both images.
pub(super) async fn are_possible() -> bool {
    docker(&["version"]).await && has(&postgres_image()).await && has(&redis_image()).await
}

/// Starts both with empty data.
pub(super) async fn start() -> Result<Started> {
    let (postgres, redis) = tokio::try_join!(start_postgres(), start_redis())?;
    let ids = format!("{} {}", postgres.container.id(), redis.container.id());
    let started = Started {
        postgres: postgres.url,
        redis: redis.url,
        alive: format!("docker inspect {ids}"),
        end: format!("docker rm --force --volumes {ids}"),
    };
    // Dropping the handles would remove the containers, which other test processes share; the keeper removes them.
    std::mem::forget((postgres.container, redis.container));
    Ok(started)
}

struct Server {
    container: ContainerAsync<GenericImage>,
    url: Url,
}

async fn start_postgres() -> Result<Server> {
    let port = 5432.tcp();
    let container = image(&postgres_image(), port)
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_cmd([
            "postgres",
            "-c",
            "fsync=off",
            "-c",
            "synchronous_commit=off",
            "-c",
            "max_connections=300",
        ])
        .start()
        .await
        .context("start the PostgreSQL container")?;
    let url: Url = format!("postgres://postgres@{}/", address(&container, port).await?).parse()?;
    // The image starts a first server that does not listen here, makes its files and starts the real one.
    eventually("PostgreSQL answers", async || {
        let connection = <sqlx::PgConnection as sqlx::Connection>::connect(url.as_str()).await;
        connection.is_ok()
    })
    .await;
    Ok(Server { container, url })
}

async fn start_redis() -> Result<Server> {
    let port = 6379.tcp();
    let container = image(&redis_image(), port)
        .with_cmd([
            "redis-server",
            "--save",
            "",
            "--appendonly",
            "no",
            "--maxmemory-policy",
            "noeviction",
        ])
        .start()
        .await
        .context("start the Redis container")?;
    let url: Url = format!("redis://{}/", address(&container, port).await?).parse()?;
    let client = redis::Client::open(url.as_str())?;
    eventually("Redis answers", async || {
        client.get_multiplexed_async_connection().await.is_ok()
    })
    .await;
    Ok(Server { container, url })
}

fn image(name: &str, port: ContainerPort) -> GenericImage {
    let (name, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
    GenericImage::new(name, tag).with_exposed_port(port)
}

async fn address(container: &ContainerAsync<GenericImage>, port: ContainerPort) -> Result<String> {
    Ok(format!(
        "{}:{}",
        container.get_host().await?,
        container.get_host_port_ipv4(port).await?
    ))
}

fn postgres_image() -> String {
    setting("REFLEX_TEST_POSTGRES_IMAGE").unwrap_or_else(|| "postgres:17".to_owned())
}

fn redis_image() -> String {
    setting("REFLEX_TEST_REDIS_IMAGE").unwrap_or_else(|| "redis:7".to_owned())
}

async fn has(image: &str) -> bool {
    docker(&["image", "inspect", image]).await || docker(&["pull", "--quiet", image]).await
}

/// Runs the docker program, which the keeper needs too, and returns whether it succeeded in time.
async fn docker(arguments: &[&str]) -> bool {
    let mut command = Command::new("docker");
    command.args(arguments).kill_on_drop(true);
    let output = timeout(PULL_LIMIT, command.output()).await;
    output.is_ok_and(|output| output.is_ok_and(|output| output.status.success()))
}
