//! What each answer of the robot endpoint means for us.

use std::time::Duration;

use crate::channels::{Fault, robot::Verdict};

/// How long a robot that crossed its 20 messages a minute is left alone: the window is over then.
const LOCK: Duration = Duration::from_mins(1);

const ENDPOINT: Verdict = Verdict::GiveUp(Fault::Endpoint);
const MESSAGE: Verdict = Verdict::GiveUp(Fault::Message);

/// From the vendor's table 全局错误码, what can come to a robot.
const CODES: &[(i64, Verdict)] = &[
    (-1, Verdict::Retry),           // 系统繁忙
    (0, Verdict::Delivered),        // ok
    (40_008, MESSAGE),              // 不合法的msgtype参数
    (40_035, MESSAGE),              // 不合法的参数
    (40_058, MESSAGE),              // 不合法的参数, as a content above its limit
    (43_002, MESSAGE),              // 需要使用POST请求
    (44_001, MESSAGE),              // 多媒体文件为空
    (44_004, MESSAGE),              // 文本消息content参数为空
    (45_002, MESSAGE),              // 消息内容大小超过限制
    (45_009, Verdict::Limit(LOCK)), // 接口调用超过限制
    (45_033, Verdict::Retry),       // 接口并发调用超过限制
    (47_001, MESSAGE),              // 数据格式错误
    (60_020, ENDPOINT),             // not allow to access from your ip
    (93_000, ENDPOINT),             // 机器人webhookurl不合法或者机器人已经被移除出群
    (93_004, ENDPOINT),             // 机器人被停用
    (93_008, ENDPOINT),             // 机器人不在群里
];

/// Looks a code up. A code nobody documented is tried again: the provider did refuse, so nothing is sent twice, and a
/// caller's attempts are bounded.
pub(super) fn verdict(code: i64) -> Verdict {
    CODES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(Verdict::Retry, |(_, verdict)| *verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_only_zero_is_delivered() {
        assert!(CODES.is_sorted_by(|(left, _), (right, _)| left < right));
        let delivered = CODES.iter().filter(|(_, verdict)| *verdict == Verdict::Delivered);
        assert_eq!(delivered.collect::<Vec<_>>(), [&(0, Verdict::Delivered)]);
        assert_eq!(verdict(999_999), Verdict::Retry);
    }
}
