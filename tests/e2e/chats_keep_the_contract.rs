//! The contract between our channels and the providers that answer with a business code, on both sides of a real socket: one
//! table over all kinds.

use std::sync::Arc;

use jiff::SignedDuration;
use reflex_notifications::channels::http::{HttpClient, Timeouts};
use reflex_notifications::channels::{Addressee, Channel, Endpoint, Outcome, Providers, Rendered};
use reflex_notifications::domain::account::Account;
use reflex_notifications::domain::channel::{EndpointRules, Kind};
use reflex_runtime::clock::{FixedClock, SharedClock};
use reflex_tests::simulator::{
    Application, Fault, FeishuRobot, Robot, Simulator, SimulatorOptions, SmsAccount, WecomRobot,
};

use crate::dingtalk_channel::kind as word;

pub(crate) const START: &str = "2026-02-13T08:00:00Z";
/// Token, key, user and account of all alike.
const TOKEN: &str = "huadong";
const SECRET: &str = "W6kQ8mVx2c";
const MOBILE: &str = "13800000001";
const KINDS: [Kind; 6] = [
    Kind::DingtalkRobot,
    Kind::WecomRobot,
    Kind::FeishuRobot,
    Kind::Sms,
    Kind::DingtalkNotice,
    Kind::WecomApp,
];

/// A channel of a kind and its provider, each with a clock of its own.
pub(crate) struct Contract {
    kind: Kind,
    pub(crate) simulator: Simulator,
    providers: Providers,
    endpoint: Endpoint,
    provider_clock: Arc<FixedClock>,
    our_clock: Arc<FixedClock>,
}

impl Contract {
    async fn start(kind: Kind) -> Self {
        Self::start_with(kind, Timeouts::default()).await
    }

    async fn start_with(kind: Kind, timeouts: Timeouts) -> Self {
        let provider_clock = Arc::new(FixedClock::new(START.parse().unwrap()));
        let our_clock = Arc::new(FixedClock::new(START.parse().unwrap()));
        let simulator = Simulator::start(SimulatorOptions {
            clock: provider_clock.clone(),
            robots: vec![Robot {
                token: TOKEN.into(),
                secret: Some(SECRET.into()),
                keywords: Vec::new(),
            }],
            wecom_robots: vec![WecomRobot { key: TOKEN.into() }],
            feishu_robots: vec![FeishuRobot {
                token: TOKEN.into(),
                secret: Some(SECRET.into()),
            }],
            ..SimulatorOptions::default()
        })
        .await
        .unwrap();
        simulator.add_application(Application {
            user: TOKEN.into(),
            secret: SECRET.into(),
            agent: 4_321,
            people: [(MOBILE.to_owned(), "u-zhang".to_owned())].into(),
        });
        simulator.add_sms_account(sms_account(None));
        let rules = EndpointRules {
            allow_plain_http: true,
            ..EndpointRules::default()
        };
        let clock: SharedClock = our_clock.clone();
        Self {
            kind,
            providers: Providers::new(&HttpClient::new(timeouts, rules), &clock),
            endpoint: endpoint(kind, &simulator),
            simulator,
            provider_clock,
            our_clock,
        }
    }

    fn channel(&self) -> &dyn Channel {
        self.providers.of(self.kind)
    }

    async fn send(&self, text: &str) -> Outcome {
        self.channel().send(&self.endpoint, &message(text)).await
    }

    async fn send_failing(&self, fault: Fault) -> Outcome {
        self.simulator.fail(TOKEN, fault, 1);
        self.send("请尽快回电").await
    }
}

fn sms_account(per_number: Option<usize>) -> SmsAccount {
    SmsAccount {
        key: TOKEN.into(),
        secret: SECRET.into(),
        signature: "华东机床".into(),
        template: "SMS_1".into(),
        per_number,
    }
}

fn endpoint(kind: Kind, simulator: &Simulator) -> Endpoint {
    let (address, account) = match kind {
        Kind::DingtalkRobot => (simulator.dingtalk_address(TOKEN), ("", "", "")),
        Kind::WecomRobot => (simulator.wecom_address(TOKEN), ("", "", "")),
        Kind::FeishuRobot => (simulator.feishu_address(TOKEN), ("", "", "")),
        Kind::Sms => (simulator.sms_address(), (TOKEN, "华东机床", "SMS_1")),
        _ => (simulator.url(), (TOKEN, "4321", "")),
    };
    Endpoint {
        address: address.into(),
        secret: Some(SECRET.into()),
        account: Account {
            user: account.0.into(),
            sender: account.1.into(),
            template: account.2.into(),
        },
    }
}

fn message(text: &str) -> Rendered {
    Rendered {
        title: "新线索".into(),
        text: text.into(),
        to: Addressee {
            mobile: MOBILE.into(),
            ..Addressee::default()
        },
        ..Rendered::default()
    }
}

fn told(outcome: &Outcome) -> (&'static str, &str) {
    (word(outcome), outcome.provider_code())
}

#[tokio::test]
async fn every_kind_delivers_and_keeps_its_connection() {
    for kind in KINDS {
        let contract = Contract::start(kind).await;
        for text in ["一 🚀", "二 \"引号\""] {
            // Another instant, as every text message is signed with one.
            contract.our_clock.advance(SignedDuration::from_secs(1));
            let outcome = contract.send(text).await;
            assert_eq!(word(&outcome), "delivered", "{kind:?} {outcome:?}");
        }
        let messages = contract.simulator.messages();
        assert_eq!(messages.len(), 2, "{kind:?}");
        if matches!(kind, Kind::Sms | Kind::DingtalkNotice | Kind::WecomApp) {
            assert_eq!(messages[0].mobiles, [MOBILE], "{kind:?}");
        }
        assert_eq!(contract.simulator.connections(), 1, "{kind:?}");
    }
}

const LATER: &str = "retry";

/// The vendors' tables, written down a second time on purpose: here is what we owe the caller for each answer.
const CONSEQUENCES: &[(Kind, &[(&str, &str)])] = &[
    (
        Kind::WecomRobot,
        &[
            ("0", "delivered"),
            ("-1", LATER),
            ("40008", "message"),
            ("40035", "message"),
            ("40058", "message"),
            ("43002", "message"),
            ("44001", "message"),
            ("44004", "message"),
            ("45002", "message"),
            ("45009", "limit"),
            ("45033", LATER),
            ("47001", "message"),
            ("60020", "endpoint"),
            ("93000", "endpoint"),
            ("93004", "endpoint"),
            ("93008", "endpoint"),
            ("777777", LATER),
        ],
    ),
    (
        Kind::FeishuRobot,
        &[
            ("0", "delivered"),
            ("9499", "message"),
            ("10003", "message"),
            ("11232", "limit"),
            ("11247", LATER),
            ("19001", "endpoint"),
            ("19002", "message"),
            ("19021", "endpoint"),
            ("19022", "endpoint"),
            ("19024", "endpoint"),
            ("230020", "limit"),
            ("99991400", "limit"),
            ("777777", LATER),
        ],
    ),
    (
        Kind::DingtalkNotice,
        &[
            ("0", "delivered"),
            ("-1", LATER),
            ("88", "endpoint"),
            ("33012", "address"),
            ("40003", "address"),
            ("40035", "message"),
            ("50002", "message"),
            ("60011", "endpoint"),
            ("60020", "endpoint"),
            ("60121", "address"),
            ("90002", "limit"),
            ("90018", "limit"),
            ("400002", "message"),
            ("777777", LATER),
        ],
    ),
    (
        Kind::WecomApp,
        &[
            ("0", "delivered"),
            ("-1", LATER),
            ("40001", "endpoint"),
            ("40003", "address"),
            ("40008", "message"),
            ("40013", "endpoint"),
            ("40056", "endpoint"),
            ("40058", "message"),
            ("45002", "message"),
            ("45009", "limit"),
            ("45033", LATER),
            ("46004", "address"),
            ("48002", "endpoint"),
            ("60020", "endpoint"),
            ("60111", "address"),
            ("81013", "address"),
            ("82001", "address"),
            ("301002", "endpoint"),
            ("777777", LATER),
        ],
    ),
    (
        Kind::Sms,
        &[
            ("OK", "delivered"),
            ("isp.SYSTEM_ERROR", LATER),
            ("isp.RAM_PERMISSION_DENY", "endpoint"),
            ("isv.ACCOUNT_ABNORMAL", "endpoint"),
            ("isv.AMOUNT_NOT_ENOUGH", "endpoint"),
            ("isv.BLACK_KEY_CONTROL_LIMIT", "message"),
            ("isv.BUSINESS_LIMIT_CONTROL", LATER),
            ("isv.DAY_LIMIT_CONTROL", "limit"),
            ("isv.MONTH_LIMIT_CONTROL", "limit"),
            ("isv.INVALID_JSON_PARAM", "message"),
            ("isv.MOBILE_NUMBER_ILLEGAL", "address"),
            ("isv.OUT_OF_SERVICE", "endpoint"),
            ("isv.PARAM_LENGTH_LIMIT", "message"),
            ("isv.SMS_SIGNATURE_ILLEGAL", "endpoint"),
            ("isv.SMS_TEMPLATE_ILLEGAL", "endpoint"),
            ("isv.TEMPLATE_MISSING_PARAMETERS", "endpoint"),
            ("SignatureDoesNotMatch", "endpoint"),
            ("Throttling.User", "limit"),
            ("isv.OF_TOMORROW", LATER),
        ],
    ),
];

#[tokio::test]
async fn every_documented_code_has_its_consequence() {
    for &(kind, expected) in CONSEQUENCES {
        let contract = Contract::start(kind).await;
        for (code, consequence) in expected {
            let fault = match code.parse() {
                Ok(code) => Fault::Code {
                    code,
                    message: "…".into(),
                },
                Err(_a_word) => Fault::Body {
                    body: format!(r#"{{"Code": "{code}", "Message": "…"}}"#),
                },
            };
            let outcome = contract.send_failing(fault).await;
            assert_eq!(told(&outcome), (*consequence, *code), "{kind:?}");
        }
        assert_eq!(
            contract.simulator.stats().accepted,
            0,
            "HTTP 200 is no success: {kind:?}"
        );
    }
}

#[tokio::test]
async fn whatever_else_comes_back_is_read_alike() {
    let status = |status, retry_after_seconds| Fault::Status {
        status,
        retry_after_seconds,
    };
    for kind in KINDS {
        let contract = Contract::start(kind).await;
        for (fault, expected) in [
            (Fault::Reset, ("retry", "connection")),
            (Fault::LoseAnswer, ("retry", "connection")),
            (Fault::Body { body: "<html>".into() }, ("retry", "malformed")),
            (Fault::Body { body: "{}".into() }, ("retry", "malformed")),
            (status(429, Some(30)), ("retry", "http_429")),
            (status(500, None), ("retry", "http_500")),
            (status(503, Some(30)), ("retry", "http_503")),
            (status(404, None), ("endpoint", "http_404")),
        ] {
            let outcome = contract.send_failing(fault.clone()).await;
            assert_eq!(told(&outcome), expected, "{kind:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_hangs_is_not_waited_for() {
    let patience = std::time::Duration::from_secs(1);
    let timeouts = Timeouts {
        connect: patience,
        whole: patience,
    };
    for kind in [Kind::Sms, Kind::DingtalkNotice, Kind::WecomApp] {
        let contract = Contract::start_with(kind, timeouts).await;
        let outcome = contract.send_failing(Fault::Hang { milliseconds: 60_000 }).await;
        assert_eq!(told(&outcome), ("retry", "timeout"), "{kind:?}");
    }
}

#[tokio::test]
async fn no_kind_sends_where_it_must_not() {
    let rules = EndpointRules::default();
    let clock: SharedClock = Arc::new(FixedClock::new(START.parse().unwrap()));
    let providers = Providers::new(&HttpClient::new(Timeouts::default(), rules), &clock);
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    for kind in KINDS {
        for address in [
            simulator.url(),
            "https://127.0.0.1/".into(),
            "https://localhost/".into(),
        ] {
            let endpoint = Endpoint {
                address: address.into(),
                ..endpoint(kind, &simulator)
            };
            let outcome = providers.of(kind).send(&endpoint, &message("…")).await;
            assert_eq!(told(&outcome), ("endpoint", "address"), "{kind:?}");
        }
    }
    assert_eq!(simulator.connections(), 0);
}

#[tokio::test]
async fn a_token_is_used_until_it_is_over_and_then_renewed() {
    for kind in [Kind::DingtalkNotice, Kind::WecomApp] {
        let contract = Contract::start(kind).await;
        for text in ["一", "二"] {
            assert_eq!(word(&contract.send(text).await), "delivered");
        }
        assert_eq!(contract.simulator.tokens_given(TOKEN), 1);
        contract.simulator.expire_tokens(TOKEN);
        assert_eq!(
            word(&contract.send("三").await),
            "delivered",
            "the end of a token is nobody's fault"
        );
        // Said of the message, too, and said again: then the caller hears of it.
        for code in [40_014, 42_001] {
            let stale = |times| {
                let message = "expired".to_owned();
                contract.simulator.fail(TOKEN, Fault::Code { code, message }, times);
            };
            stale(1);
            assert_eq!(word(&contract.send("四").await), "delivered");
            stale(2);
            let outcome = contract.send("五").await;
            assert_eq!(told(&outcome), ("retry", code.to_string().as_str()));
        }
    }
}

#[tokio::test]
async fn whoever_may_not_sign_in_or_is_not_there_is_told_apart() {
    for kind in [Kind::DingtalkNotice, Kind::WecomApp] {
        let contract = Contract::start(kind).await;
        let wrong = Endpoint {
            secret: Some("other".into()),
            ..contract.endpoint.clone()
        };
        let outcome = contract.channel().send(&wrong, &message("…")).await;
        assert_eq!(told(&outcome), ("endpoint", "40001"), "{kind:?}");

        let mut to_nobody = message("…");
        to_nobody.to.mobile = "13900000009".into();
        let outcome = contract.channel().send(&contract.endpoint, &to_nobody).await;
        let nobody = if kind == Kind::WecomApp { "46004" } else { "60121" };
        assert_eq!(told(&outcome), ("address", nobody), "{kind:?}");
        to_nobody.to.mobile.clear();
        let outcome = contract.channel().send(&contract.endpoint, &to_nobody).await;
        assert_eq!(told(&outcome), ("message", "no_address"), "{kind:?}");

        for (step, code) in [("token", 45_033), ("person", -1)] {
            let contract = Contract::start(kind).await;
            let fault = Fault::Code {
                code,
                message: "…".into(),
            };
            contract.simulator.fail(&format!("{TOKEN}/{step}"), fault, 1);
            let outcome = contract.send("…").await;
            assert_eq!(told(&outcome), ("retry", code.to_string().as_str()), "{kind:?} {step}");
            assert_eq!(word(&contract.send("…").await), "delivered", "{kind:?} {step}");
        }
    }
}

#[tokio::test]
async fn wecom_says_yes_to_the_call_and_no_to_the_person() {
    let contract = Contract::start(Kind::WecomApp).await;
    let body = r#"{"errcode": 0, "errmsg": "ok", "invaliduser": "someone|U-ZHANG"}"#.to_owned();
    let outcome = contract.send_failing(Fault::Body { body }).await;
    assert_eq!(told(&outcome), ("address", "invaliduser"));
}

#[tokio::test]
async fn dingtalk_hides_the_code_behind_another() {
    let contract = Contract::start(Kind::DingtalkNotice).await;
    let body = |code: &str| Fault::Body {
        body: format!(r#"{{"errcode": 88, "sub_code": "{code}", "sub_msg": "…", "errmsg": "ding talk error"}}"#),
    };
    assert_eq!(told(&contract.send_failing(body("60011")).await), ("endpoint", "60011"));
    assert_eq!(told(&contract.send_failing(body("90018")).await), ("limit", "90018"));
    assert_eq!(word(&contract.send_failing(body("40014")).await), "delivered");
}

#[tokio::test]
async fn text_messages_are_believed_by_signature_time_and_nonce() {
    let contract = Contract::start(Kind::Sms).await;
    assert_eq!(told(&contract.send("…").await), ("delivered", "OK"));
    // The same message in the same microsecond: the provider takes it for a replay.
    assert_eq!(told(&contract.send("…").await), ("retry", "SignatureNonceUsed"));
    let wrong = Endpoint {
        secret: Some("other".into()),
        ..contract.endpoint.clone()
    };
    contract.our_clock.advance(SignedDuration::from_secs(1));
    let outcome = contract.channel().send(&wrong, &message("…")).await;
    assert_eq!(told(&outcome), ("endpoint", "SignatureDoesNotMatch"));
    contract.our_clock.advance(SignedDuration::from_mins(20));
    assert_eq!(told(&contract.send("…").await), ("retry", "InvalidTimeStamp.Expired"));
    contract.provider_clock.advance(SignedDuration::from_mins(20));
    assert_eq!(told(&contract.send("…").await), ("delivered", "OK"));

    // The limit of a number silences nobody else.
    contract.simulator.add_sms_account(sms_account(Some(1)));
    for expected in [("delivered", "OK"), ("retry", "isv.BUSINESS_LIMIT_CONTROL")] {
        contract.our_clock.advance(SignedDuration::from_secs(1));
        let outcome = contract.send("…").await;
        assert_eq!(told(&outcome), expected);
        if let Outcome::RetryLater { after, .. } = outcome {
            assert_eq!(after, Some(std::time::Duration::from_mins(1)));
        }
    }
    for (mobile, expected) in [
        ("", ("message", "no_address")),
        ("12", ("address", "isv.MOBILE_NUMBER_ILLEGAL")),
    ] {
        contract.our_clock.advance(SignedDuration::from_secs(1));
        let mut message = message("…");
        message.to.mobile = mobile.into();
        let outcome = contract.channel().send(&contract.endpoint, &message).await;
        assert_eq!(told(&outcome), expected);
    }
}
