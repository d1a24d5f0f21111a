//! What each documented answer of the robot endpoint means for us.

use std::time::Duration;

use crate::channels::{Fault, robot::Verdict};

/// How long a robot stays silent once it has crossed its limit.
const LOCK: Duration = Duration::from_mins(10);

/// "消息校验未通过": one code for keywords, signature, timestamp and address list, told apart by the text alone.
const SECURITY: i64 = 310_000;

const ENDPOINT: Verdict = Verdict::GiveUp(Fault::Endpoint);
const MESSAGE: Verdict = Verdict::GiveUp(Fault::Message);
const LIMIT: Verdict = Verdict::Limit(LOCK);

/// The vendor's table 自定义机器人发送群消息 · 错误码 with the two codes its edge adds (130101, 660026).
const CODES: &[(i64, Verdict)] = &[
    (-1, Verdict::Retry),    // 系统繁忙
    (0, Verdict::Delivered), // ok
    (88, ENDPOINT),          // 鉴权异常, access_token is blank
    (40_035, MESSAGE),       // 缺少参数 json, or a required part of it
    (43_002, MESSAGE),       // 需要POST请求
    (43_004, MESSAGE),       // 无效的HTTP HEADER Content-Type
    (130_101, LIMIT),        // send too fast, exceed 20 times per minute
    (130_102, LIMIT),        // not in the table; read like its neighbour, since sending on is the dearer mistake
    (300_001, ENDPOINT),     // token is not exist
    (300_004, ENDPOINT),     // the same family
    (300_005, ENDPOINT),     // token is not exist, as answered since 2026
    (SECURITY, ENDPOINT),    // keywords not in content, sign not match, ip X.X.X.X not in whitelist
    (400_013, ENDPOINT),     // 群已被解散
    (400_101, ENDPOINT),     // access_token不存在
    (400_102, ENDPOINT),     // 机器人已停用
    (400_105, MESSAGE),      // 不支持的消息类型
    (400_106, ENDPOINT),     // 机器人不存在
    (410_100, LIMIT),        // 发送速度太快而限流
    (430_101, MESSAGE),      // 含有不安全的外链
    (430_102, MESSAGE),      // 含有不合适的文本
    (430_103, MESSAGE),      // 含有不合适的图片
    (430_104, MESSAGE),      // 含有不合适的内容
    (460_101, MESSAGE),      // message too long, exceed 20000 bytes
    (660_026, LIMIT),        // sending too many messages per minute
];

/// Looks a code up. A code nobody documented is tried again: the provider did refuse, so nothing is sent twice, and a
/// caller's attempts are bounded.
pub(super) fn verdict(code: i64, text: &str) -> Verdict {
    // Every attempt is signed anew, so this heals as soon as the clocks agree again.
    if code == SECURITY && text.contains("timestamp") {
        return Verdict::Retry;
    }
    // The keyword list is the robot's, but the next message may well contain one.
    if code == SECURITY && text.contains("keywords") {
        return MESSAGE;
    }
    CODES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(Verdict::Retry, |(_, verdict)| *verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_code_once() {
        assert!(CODES.is_sorted_by(|(left, _), (right, _)| left < right));
    }

    #[test]
    fn one_security_code_has_three_consequences() {
        for (text, expected) in [
            ("sign not match, more: [https://example.com]", ENDPOINT),
            ("ip 203.0.113.7 not in whitelist", ENDPOINT),
            ("keywords not in content", MESSAGE),
            ("invalid timestamp", Verdict::Retry),
        ] {
            assert_eq!(verdict(SECURITY, text), expected, "{text}");
        }
    }

    #[test]
    fn only_zero_is_delivered_and_an_unknown_code_is_tried_again() {
        let delivered: Vec<_> = CODES
            .iter()
            .filter(|(_, verdict)| *verdict == Verdict::Delivered)
            .collect();
        assert_eq!(delivered, [&(0, Verdict::Delivered)]);
        assert_eq!(verdict(999_999, "?"), Verdict::Retry);
    }
}
