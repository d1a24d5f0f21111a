//! Messages of `WeCom` applications (企业微信应用消息): an application of the company tells one person.

use std::time::Duration;

use reflex_signatures::aliyun::encode;
use reflex_templates::Format as TextFormat;
use serde_json::{Value, json};

use super::application::{Application, Dialect, find};
use super::http::HttpClient;
use super::robot::{Verdict, links};
use super::wecom::with_tail;
use super::{Fault, Rendered};
use crate::domain::channel::Kind;

/// Longest content, in bytes of UTF-8.
const MAX_BYTES: usize = Kind::WecomApp.capability().max_size;

const ENDPOINT: Verdict = Verdict::GiveUp(Fault::Endpoint);
const PERSON: Verdict = Verdict::GiveUp(Fault::Address);
const MESSAGE: Verdict = Verdict::GiveUp(Fault::Message);
/// How long to be silent after too many calls: the vendor counts by minutes.
const LOCK: Duration = Duration::from_mins(1);

/// From the vendor's table 全局错误码, what can come to these three calls.
const CODES: &[(i64, Verdict)] = &[
    (-1, Verdict::Retry),           // 系统繁忙
    (0, Verdict::Delivered),        // ok
    (40_001, ENDPOINT),             // 不合法的secret参数
    (40_003, PERSON),               // 无效的UserID
    (40_008, MESSAGE),              // 不合法的msgtype参数
    (40_013, ENDPOINT),             // 不合法的CorpID
    (40_014, Verdict::Retry),       // 不合法的access_token
    (40_035, MESSAGE),              // 不合法的参数
    (40_056, ENDPOINT),             // 不合法的agentid
    (40_058, MESSAGE),              // 不合法的参数, as a content above its limit
    (41_001, ENDPOINT),             // 缺少access_token参数
    (42_001, Verdict::Retry),       // access_token已过期
    (44_004, MESSAGE),              // 文本消息content参数为空
    (45_002, MESSAGE),              // 消息内容大小超过限制
    (45_009, Verdict::Limit(LOCK)), // 接口调用超过限制
    (45_033, Verdict::Retry),       // 接口并发调用超过限制
    (46_004, PERSON),               // 不存在的用户
    (48_002, ENDPOINT),             // API接口无权限调用
    (60_011, ENDPOINT),             // 不合法的部门/成员/标签权限
    (60_020, ENDPOINT),             // not allow to access from your ip
    (60_111, PERSON),               // UserID不存在
    (81_013, PERSON),               // UserID、部门ID、标签ID全部非法或无权限
    (82_001, PERSON),               // 指定的成员/部门/标签全部无效
    (301_002, ENDPOINT),            // 无权限操作指定的应用
];

static DIALECT: Dialect = Dialect {
    token_path: |user, secret| {
        format!(
            "/cgi-bin/gettoken?corpid={}&corpsecret={}",
            encode(user),
            encode(secret)
        )
    },
    person_path: "/cgi-bin/user/getuserid",
    person_at: "/userid",
    send_path: "/cgi-bin/message/send",
    body,
    verdict: |code| find(CODES, code),
    is_stale: |code| matches!(code, 40_014 | 42_001),
};

/// Builds the channel; one serves all applications.
#[must_use]
pub fn channel(http: HttpClient) -> Application {
    Application::new(http, &DIALECT)
}

fn body(agent: i64, person: &str, message: &Rendered) -> Value {
    // The application refuses what is empty.
    let words = if message.text.trim().is_empty() {
        &message.title
    } else {
        &message.text
    };
    json!({
        "touser": person,
        "msgtype": "markdown",
        "agentid": agent,
        "markdown": { "content": with_tail(&TextFormat::WecomMarkdown.body(words), &links(&message.actions), MAX_BYTES) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_fits_whatever_is_said() {
        for unit in ["a", "线", "\"", "🚀"] {
            let message = Rendered {
                text: unit.repeat(3_000),
                ..Rendered::default()
            };
            let body = body(7, "u1", &message);
            assert!(
                body["markdown"]["content"].as_str().unwrap().len() <= MAX_BYTES,
                "{unit:?}"
            );
        }
    }

    #[test]
    fn the_table_is_sorted_and_only_zero_is_delivered() {
        assert!(CODES.is_sorted_by(|(left, _), (right, _)| left < right));
        let delivered = CODES.iter().filter(|(_, verdict)| *verdict == Verdict::Delivered);
        assert_eq!(delivered.collect::<Vec<_>>(), [&(0, Verdict::Delivered)]);
    }
}
