//! Work notices of `DingTalk` (钉钉工作通知): an application of the company tells one person.

use std::time::Duration;

use reflex_signatures::aliyun::encode;
use serde_json::{Value, json};

use super::application::{Application, Dialect, find};
use super::http::HttpClient;
use super::robot::{CUT, Verdict, fitting, links, shorten};
use super::{Fault, Rendered};
use crate::domain::channel::Kind;

/// Longest message, as JSON.
const MAX_BYTES: usize = Kind::DingtalkNotice.capability().max_size;
/// Longest title kept.
const MAX_TITLE_CHARS: usize = 60;

const ENDPOINT: Verdict = Verdict::GiveUp(Fault::Endpoint);
const PERSON: Verdict = Verdict::GiveUp(Fault::Address);
const MESSAGE: Verdict = Verdict::GiveUp(Fault::Message);
/// How long to be silent after too many calls.
const LOCK: Duration = Duration::from_mins(1);

/// From the vendor's table 全局错误码, what can come to these three calls.
const CODES: &[(i64, Verdict)] = &[
    (-1, Verdict::Retry),     // 系统繁忙
    (0, Verdict::Delivered),  // ok
    (88, ENDPOINT),           // 鉴权异常 without a sub_code
    (33_012, PERSON),         // 无效的USERID
    (40_001, ENDPOINT),       // 获取access_token时Secret错误
    (40_003, PERSON),         // 无效的UserID
    (40_014, Verdict::Retry), // 不合法的access_token
    (40_035, MESSAGE),        // 不合法的参数
    (40_089, ENDPOINT),       // 不合法的corpid或corpsecret
    (40_096, ENDPOINT),       // 不合法的appKey或appSecret
    (42_001, Verdict::Retry), // access_token超时
    (50_002, MESSAGE),        // 企业员工不在授权范围
    (60_011, ENDPOINT),       // 没有调用该接口的权限
    (60_020, ENDPOINT),       // 访问ip不在白名单之中
    (60_121, PERSON),         // 找不到该用户
    (400_002, MESSAGE),       // 无效的参数
];

static DIALECT: Dialect = Dialect {
    token_path: |user, secret| format!("/gettoken?appkey={}&appsecret={}", encode(user), encode(secret)),
    person_path: "/topapi/v2/user/getbymobile",
    person_at: "/result/userid",
    send_path: "/topapi/message/corpconversation/asyncsend_v2",
    body,
    verdict,
    is_stale: |code| matches!(code, 40_014 | 42_001),
};

/// Builds the channel; one serves all applications.
#[must_use]
pub fn channel(http: HttpClient) -> Application {
    Application::new(http, &DIALECT)
}

fn body(agent: i64, person: &str, message: &Rendered) -> Value {
    let title = shorten(&message.title, MAX_TITLE_CHARS);
    let said = |text: &str| json!({ "msgtype": "markdown", "markdown": { "title": title, "text": text } });
    let links = links(&message.actions);
    let mut msg = said(&format!("{}{links}", message.text));
    if msg.to_string().len() > MAX_BYTES {
        let tail = format!("{CUT}{links}");
        let room = MAX_BYTES.saturating_sub(said(&tail).to_string().len());
        msg = said(&format!("{}{tail}", fitting(&message.text, room)));
    }
    json!({ "agent_id": agent, "userid_list": person, "msg": msg })
}

fn verdict(code: i64) -> Verdict {
    // The vendor counts calls of servers, companies and applications, each with a code of its own.
    if (90_001..=90_018).contains(&code) {
        return Verdict::Limit(LOCK);
    }
    find(CODES, code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_fits_whatever_is_said() {
        for unit in ["a", "线", "\"", "\u{1}", "🚀"] {
            let message = Rendered {
                title: "长".repeat(500),
                text: unit.repeat(3_000),
                ..Rendered::default()
            };
            let body = body(7, "u1", &message);
            assert!(body["msg"].to_string().len() <= MAX_BYTES, "{unit:?}");
            assert!(body["msg"]["markdown"]["text"].as_str().unwrap().ends_with(CUT));
        }
    }

    #[test]
    fn the_table_is_sorted_and_only_zero_is_delivered() {
        assert!(CODES.is_sorted_by(|(left, _), (right, _)| left < right));
        let delivered = CODES.iter().filter(|(_, verdict)| *verdict == Verdict::Delivered);
        assert_eq!(delivered.collect::<Vec<_>>(), [&(0, Verdict::Delivered)]);
        assert_eq!(verdict(999_999), Verdict::Retry);
        assert_eq!(verdict(90_018), Verdict::Limit(LOCK));
    }
}
