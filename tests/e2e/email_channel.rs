//! The contract between our mail channel and a mail server, on both sides of a real socket and under real TLS.

use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::client::Certificate;
use reflex_notifications::channels::email::Email;
use reflex_notifications::channels::http::{HttpClient, Timeouts};
use reflex_notifications::channels::{About, Addressee, Channel, Endpoint, Outcome, Rendered};
use reflex_notifications::domain::account::Account;
use reflex_notifications::domain::channel::EndpointRules;
use reflex_runtime::clock::FixedClock;
use reflex_tests::simulator::{MAIL_HOST, MailFault, MailServer, MailStep, Tls};

use crate::chats_keep_the_contract::START;
use crate::dingtalk_channel::kind;

const USER: (&str, &str) = ("reflex", "p4ss");
const PATIENCE: Duration = Duration::from_secs(1);

struct Scene {
    server: MailServer,
    channel: Email,
}

impl Scene {
    async fn start(tls: Tls) -> Self {
        Self::start_with(tls, Timeouts::default()).await
    }

    async fn start_with(tls: Tls, timeouts: Timeouts) -> Self {
        let server = MailServer::start(tls, &[USER]).await.unwrap();
        let root = Certificate::from_der(server.certificate()).unwrap();
        Self {
            channel: channel(timeouts, &[MAIL_HOST], vec![root]),
            server,
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: self.server.url().into(),
            secret: Some(USER.1.into()),
            account: Account {
                user: USER.0.into(),
                sender: "Reflex 通知 <reflex@example.com>".into(),
                template: String::new(),
            },
        }
    }

    async fn send(&self) -> Outcome {
        self.channel.send(&self.endpoint(), &message()).await
    }

    async fn send_failing(&self, step: MailStep, line: &str) -> Outcome {
        self.server.fail(step, MailFault::Say(line.to_owned()));
        self.send().await
    }
}

fn channel(timeouts: Timeouts, hosts: &[&str], roots: Vec<Certificate>) -> Email {
    let rules = EndpointRules {
        allow_plain_http: false,
        allowed_hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
    };
    let clock = Arc::new(FixedClock::new(START.parse().unwrap()));
    Email::new(HttpClient::new(timeouts, rules), clock, roots)
}

fn message() -> Rendered {
    Rendered {
        title: "新线索 L-1\r\nBcc: canary@example.com".into(),
        text: "### 华东机床\n- 设备：**数控** <b>\n.\n[领取](https://reflex.example/a)".into(),
        to: Addressee {
            email: "zhang.wei@example.com".into(),
            ..Addressee::default()
        },
        about: About {
            message: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            ..About::default()
        },
        ..Rendered::default()
    }
}

fn told(outcome: &Outcome) -> (&'static str, &str) {
    (kind(outcome), outcome.provider_code())
}

#[tokio::test]
async fn mail_arrives_under_tls_from_the_start_or_from_starttls_on() {
    for tls in [Tls::FromStart, Tls::FromStarttls] {
        let scene = Scene::start(tls).await;
        let outcome = scene.send().await;
        assert_eq!(told(&outcome), ("delivered", "250"), "{tls:?} {outcome:?}");
        let mails = scene.server.mails();
        let [mail] = &mails[..] else { panic!("{mails:?}") };
        assert_eq!(
            (mail.from.as_str(), mail.to.as_str(), mail.user.as_str()),
            ("reflex@example.com", "zhang.wei@example.com", "reflex")
        );
        let (head, body) = mail.text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Message-ID: <messages/01890a5d-ac96-774b-bcce-b302099a8057@example.com>"));
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(head.contains("multipart/alternative"));
        for part in ["text/plain; charset=utf-8", "text/html; charset=utf-8"] {
            assert!(body.contains(part), "{body}");
        }
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_server_nobody_vouches_for() {
    // Somebody in between took the offer of STARTTLS away.
    let stripped = Scene::start(Tls::Never).await;
    assert_eq!(told(&stripped.send().await), ("endpoint", "tls"));
    // The certificate is nobody's.
    for tls in [Tls::FromStart, Tls::FromStarttls] {
        let scene = Scene::start(tls).await;
        let strict = channel(Timeouts::default(), &[MAIL_HOST], Vec::new());
        let outcome = strict.send(&scene.endpoint(), &message()).await;
        assert_ne!(kind(&outcome), "delivered", "{tls:?}");
        assert!(scene.server.mails().is_empty());
    }
    // The host is not allowed.
    let scene = Scene::start(Tls::FromStart).await;
    let guarded = channel(Timeouts::default(), &[], Vec::new());
    let outcome = guarded.send(&scene.endpoint(), &message()).await;
    assert_eq!(told(&outcome), ("endpoint", "address"));
}

#[tokio::test]
async fn every_reply_has_its_consequence() {
    let scene = Scene::start(Tls::FromStart).await;
    for (step, line, expected) in [
        (MailStep::Greeting, "421 4.3.2 not now", ("retry", "421")),
        (MailStep::Greeting, "421 4.7.0 too many connections", ("limit", "421")),
        (MailStep::Greeting, "554 5.3.2 no service here", ("endpoint", "554")),
        (MailStep::Auth, "454 4.7.0 temporary failure", ("retry", "454")),
        (MailStep::Auth, "535 5.7.8 bad credentials", ("endpoint", "535")),
        (MailStep::Sender, "550 5.7.1 not as this sender", ("endpoint", "550")),
        (MailStep::Sender, "452 4.5.3 too many messages", ("limit", "452")),
        (MailStep::Recipient, "450 4.2.1 mailbox busy", ("retry", "450")),
        (MailStep::Recipient, "451 4.7.1 greylisted", ("retry", "451")),
        (MailStep::Recipient, "452 4.2.2 mailbox full", ("retry", "452")),
        (MailStep::Recipient, "550 5.1.1 no such user", ("address", "550")),
        (MailStep::Recipient, "553 no such mailbox", ("address", "553")),
        (MailStep::Recipient, "550 5.7.1 blocked", ("message", "550")),
        (MailStep::Data, "554 5.5.1 no valid recipients", ("message", "554")),
        (MailStep::Words, "451 4.3.0 try again", ("retry", "451")),
        (MailStep::Words, "552 5.3.4 too big", ("message", "552")),
        (MailStep::Words, "554 5.7.1 looks like spam", ("message", "554")),
        (MailStep::Words, "what", ("retry", "malformed")),
    ] {
        let outcome = scene.send_failing(step, line).await;
        assert_eq!(told(&outcome), expected, "{step:?} {line} {outcome:?}");
    }
    assert!(scene.server.mails().is_empty());
    let wrong = Endpoint {
        secret: Some("other".into()),
        ..scene.endpoint()
    };
    let outcome = scene.channel.send(&wrong, &message()).await;
    assert_eq!(told(&outcome), ("endpoint", "535"));
}

#[tokio::test]
async fn a_server_that_hangs_or_breaks_off_is_tried_again() {
    let timeouts = Timeouts {
        connect: PATIENCE,
        whole: PATIENCE,
    };
    let scene = Scene::start_with(Tls::FromStarttls, timeouts).await;
    for step in [MailStep::Greeting, MailStep::Recipient, MailStep::Words] {
        scene.server.fail(step, MailFault::Hang(PATIENCE * 60));
        assert_eq!(told(&scene.send().await), ("retry", "timeout"), "{step:?}");
        scene.server.fail(step, MailFault::Reset);
        let outcome = scene.send().await;
        assert_eq!(kind(&outcome), "retry", "{step:?} {outcome:?}");
    }
    assert_eq!(kind(&scene.send().await), "delivered");
}

#[tokio::test]
async fn whoever_has_no_address_or_one_that_mail_came_back_from_is_not_tried() {
    let scene = Scene::start(Tls::FromStart).await;
    for (email, is_bounced, code) in [
        ("", false, "no_address"),
        ("zhang.wei", false, "no_address"),
        ("张伟@example.com", false, "no_address"),
        ("a@example.com>\r\nRCPT TO:<b@example.com", false, "no_address"),
        ("zhang.wei@example.com", true, "bounced"),
    ] {
        let mut message = message();
        message.to.email = email.into();
        message.to.is_bounced = is_bounced;
        let outcome = scene.channel.send(&scene.endpoint(), &message).await;
        assert_eq!(told(&outcome), ("message", code), "{email}");
    }
    assert!(scene.server.mails().is_empty());
}
