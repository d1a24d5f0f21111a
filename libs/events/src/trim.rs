//! Trims streams at the slowest group, never by length: entries that somebody still needs stay.

use std::time::Duration;

use redis::{
    AsyncCommands, RedisResult,
    aio::MultiplexedConnection,
    streams::{StreamInfoGroupsReply, StreamPendingReply},
};

/// Trims what every group of the stream has read and acknowledged; a stream nobody reads keeps what is younger than
/// `retention`, as the outbox does.
///
/// # Errors
/// When Redis is away.
pub(crate) async fn at_slowest_group(
    connection: &mut MultiplexedConnection,
    key: &str,
    retention: Duration,
) -> RedisResult<()> {
    if !connection.exists::<_, bool>(key).await? {
        return Ok(());
    }
    let groups: StreamInfoGroupsReply = connection.xinfo_groups(key).await?;
    if groups.groups.is_empty() {
        // The ids of entries are the milliseconds of Redis's own clock.
        let (seconds, _microseconds): (u64, u64) = redis::cmd("TIME").query_async(connection).await?;
        let oldest = seconds.saturating_sub(retention.as_secs()).saturating_mul(1_000);
        return trim_before(connection, key, (oldest, 0)).await;
    }
    let mut oldest_needed: Option<(u64, u64)> = None;
    for group in groups.groups {
        let mut needed = parsed(&group.last_delivered_id);
        if group.pending > 0
            && let StreamPendingReply::Data(pending) = connection.xpending(key, &group.name).await?
        {
            needed = needed.min(parsed(&pending.start_id));
        }
        oldest_needed = Some(oldest_needed.map_or(needed, |oldest| oldest.min(needed)));
    }
    trim_before(connection, key, oldest_needed.unwrap_or_default()).await
}

async fn trim_before(connection: &mut MultiplexedConnection, key: &str, oldest: (u64, u64)) -> RedisResult<()> {
    let (milliseconds, sequence) = oldest;
    if milliseconds == 0 {
        return Ok(());
    }
    let from = format!("{milliseconds}-{sequence}");
    redis::cmd("XTRIM")
        .arg(key)
        .arg("MINID")
        .arg("~")
        .arg(from)
        .query_async(connection)
        .await
}

fn parsed(id: &str) -> (u64, u64) {
    let (milliseconds, sequence) = id.split_once('-').unwrap_or((id, "0"));
    (milliseconds.parse().unwrap_or(0), sequence.parse().unwrap_or(0))
}
