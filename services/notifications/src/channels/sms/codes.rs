//! What each documented answer of `SendSms` means for us.

use std::time::Duration;

use crate::channels::{Fault, robot::Verdict};

const ENDPOINT: Verdict = Verdict::GiveUp(Fault::Endpoint);
const MESSAGE: Verdict = Verdict::GiveUp(Fault::Message);
/// Limits of the account by days and months are looked at again after this.
const ACCOUNT: Verdict = Verdict::Limit(Duration::from_hours(1));
const THROTTLED: Verdict = Verdict::Limit(Duration::from_secs(10));

/// "触发号码流控": of this number alone, by minutes, hours or days, told apart by the text.
const OF_NUMBER: &str = "isv.BUSINESS_LIMIT_CONTROL";

/// The vendor's table API 错误码 of 短信服务, with the codes its gateway adds.
const CODES: &[(&str, Verdict)] = &[
    ("Forbidden.RAM", ENDPOINT),       // the key may not send
    ("InternalError", Verdict::Retry), // of the gateway
    ("InvalidAccessKeyId.Inactive", ENDPOINT),
    ("InvalidAccessKeyId.NotFound", ENDPOINT),
    ("InvalidTimeStamp.Expired", Verdict::Retry), // heals as soon as the clocks agree again
    ("OK", Verdict::Delivered),
    ("ServiceUnavailable", Verdict::Retry),
    ("SignatureDoesNotMatch", ENDPOINT),
    ("SignatureNonceUsed", Verdict::Retry),
    ("Throttling", THROTTLED),
    ("Throttling.Api", THROTTLED),
    ("Throttling.User", THROTTLED),
    ("isp.GATEWAY_ERROR", Verdict::Retry),
    ("isp.RAM_PERMISSION_DENY", ENDPOINT),                          // RAM权限不足
    ("isp.SYSTEM_ERROR", Verdict::Retry),                           // 系统出现错误
    ("isv.ACCOUNT_ABNORMAL", ENDPOINT),                             // 账户异常
    ("isv.ACCOUNT_NOT_EXISTS", ENDPOINT),                           // 账户不存在
    ("isv.AMOUNT_NOT_ENOUGH", ENDPOINT),                            // 账户余额不足
    ("isv.BLACK_KEY_CONTROL_LIMIT", MESSAGE),                       // 变量中存在黑名单关键字
    ("isv.DAY_LIMIT_CONTROL", ACCOUNT),                             // 触发日发送限额
    ("isv.DENY_IP_RANGE", ENDPOINT),                                // 源IP地址所在的地区被禁用
    ("isv.INVALID_JSON_PARAM", MESSAGE),                            // JSON参数不合法
    ("isv.INVALID_PARAMETERS", MESSAGE),                            // 参数格式不正确
    ("isv.MOBILE_COUNT_OVER_LIMIT", MESSAGE),                       // 手机号码数量超过限制
    ("isv.MOBILE_NUMBER_ILLEGAL", Verdict::GiveUp(Fault::Address)), // 手机号码格式错误
    ("isv.MONTH_LIMIT_CONTROL", ACCOUNT),                           // 触发月发送限额
    ("isv.OUT_OF_SERVICE", ENDPOINT),                               // 业务停机
    ("isv.PARAM_LENGTH_LIMIT", MESSAGE),                            // 参数超过长度限制
    ("isv.PARAM_NOT_SUPPORT_URL", MESSAGE),                         // 变量不支持传入URL
    ("isv.PRODUCT_UN_SUBSCRIPT", ENDPOINT),                         // 未开通云通信产品的阿里云客户
    ("isv.SMS_CONTENT_ILLEGAL", MESSAGE),                           // 短信内容包含禁止发送内容
    ("isv.SMS_SIGNATURE_ILLEGAL", ENDPOINT),                        // 签名不合法
    ("isv.SMS_SIGNATURE_SCENE_ILLEGAL", ENDPOINT),                  // 签名和模板类型不一致
    ("isv.SMS_TEMPLATE_ILLEGAL", ENDPOINT),                         // 模板不合法
    ("isv.TEMPLATE_MISSING_PARAMETERS", ENDPOINT), // 模板变量缺少参数: the template wants others than we have
    ("isv.TEMPLATE_PARAMS_ILLEGAL", MESSAGE),      // 模板变量里包含非法关键字
];

/// Looks a code up. A code nobody documented is tried again: the provider did refuse, so nothing is sent twice, and a
/// caller's attempts are bounded.
pub(super) fn verdict(code: &str, text: &str) -> Verdict {
    if code == OF_NUMBER {
        return if text.contains('天') {
            MESSAGE
        } else if text.contains("小时") {
            Verdict::RetryAfter(Duration::from_mins(30))
        } else {
            Verdict::RetryAfter(Duration::from_mins(1))
        };
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
    fn the_table_is_sorted_and_only_ok_is_delivered() {
        assert!(CODES.is_sorted_by(|(left, _), (right, _)| left < right));
        let delivered = CODES.iter().filter(|(_, verdict)| *verdict == Verdict::Delivered);
        assert_eq!(delivered.collect::<Vec<_>>(), [&("OK", Verdict::Delivered)]);
        assert_eq!(verdict("isv.OF_TOMORROW", "?"), Verdict::Retry);
    }

    #[test]
    fn the_limit_of_a_number_is_told_apart_by_its_words() {
        for (text, expected) in [
            ("触发分钟级流控Permits:1", Verdict::RetryAfter(Duration::from_mins(1))),
            ("触发小时级流控Permits:5", Verdict::RetryAfter(Duration::from_mins(30))),
            ("触发天级流控Permits:10", MESSAGE),
        ] {
            assert_eq!(verdict(OF_NUMBER, text), expected, "{text}");
        }
    }
}
