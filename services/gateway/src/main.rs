//! Hands over to the library.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    reflex_gateway::main().await
}
