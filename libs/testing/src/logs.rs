//! Log lines of a failing test.

/// Shows warnings and errors of our own code beside a failing test; `RUST_LOG` asks for more. Later calls do nothing.
pub fn show_logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // An earlier test of this process has installed it already.
    let _already = tracing_subscriber::fmt()
        .with_test_writer()
        .with_env_filter(filter)
        .try_init();
}
