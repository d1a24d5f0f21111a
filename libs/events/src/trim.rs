//! Trims streams at the slowest group, never by length: entries that somebody still needs stay.

use redis::{
    AsyncCommands, RedisResult,
    aio::MultiplexedConnection,
    streams::{StreamInfoGroupsReply, StreamPendingReply},
};

/// Trims what every group of the stream has read and acknowledged; a stream without groups stays whole.
///
/// # Errors
/// When Redis is away.
pub(crate) async fn at_slowest_group(connection: &mut MultiplexedConnection, key: &str) -> RedisResult<()> {
    if !connection.exists::<_, bool>(key).await? {
        return Ok(());
    }
    let groups: StreamInfoGroupsReply = connection.xinfo_groups(key).await?;
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
    if let Some((milliseconds, sequence)) = oldest_needed
        && milliseconds > 0
    {
        let from = format!("{milliseconds}-{sequence}");
        redis::cmd("XTRIM")
            .arg(key)
            .arg("MINID")
            .arg("~")
            .arg(from)
            .query_async::<()>(connection)
            .await?;
    }
    Ok(())
}

fn parsed(id: &str) -> (u64, u64) {
    let (milliseconds, sequence) = id.split_once('-').unwrap_or((id, "0"));
    (milliseconds.parse().unwrap_or(0), sequence.parse().unwrap_or(0))
}
