//! What a channel must look like before it is stored.

use http::Uri;
use reflex_signatures::standard_webhooks::Keys;

use super::{Problem, budget::Limits};

/// Longest address, in bytes.
const MAX_ENDPOINT: usize = 1_000;
/// Stands where a token was.
const MASK: &str = "***";
/// In a list of hosts: every public one.
const EVERY_PUBLIC: &str = "*";

/// What a channel's messages go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The robot of a `DingTalk` group.
    DingtalkRobot,
    /// The robot of a `WeCom` group.
    WecomRobot,
    /// The robot of a Feishu group.
    FeishuRobot,
    /// A program that checks signatures.
    Webhook,
    /// A mail server.
    Email,
    /// A provider of text messages.
    Sms,
    /// An application of `DingTalk`, which tells single people (工作通知).
    DingtalkNotice,
    /// An application of `WeCom`, likewise (应用消息).
    WecomApp,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::DingtalkRobot,
        Self::WecomRobot,
        Self::FeishuRobot,
        Self::Webhook,
        Self::Email,
        Self::Sms,
        Self::DingtalkNotice,
        Self::WecomApp,
    ];

    /// Returns its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DingtalkRobot => "dingtalk_robot",
            Self::WecomRobot => "wecom_robot",
            Self::FeishuRobot => "feishu_robot",
            Self::Webhook => "webhook",
            Self::Email => "email",
            Self::Sms => "sms",
            Self::DingtalkNotice => "dingtalk_notice",
            Self::WecomApp => "wecom_app",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Checks the secret a channel would have; empty for none.
    ///
    /// # Errors
    /// What is wrong with it; the text does not repeat it.
    pub fn check_secret(self, secret: &str) -> Result<(), Problem> {
        let wrong = |description: &str| Err(Problem::new("channel.secret", description));
        match self {
            Self::WecomRobot if !secret.is_empty() => wrong("a WeCom robot has none, its address has the key"),
            Self::Webhook if Keys::parse(secret).is_none_or(|keys| !keys.can_sign()) => wrong(
                "must be whsec_ and the base64 of 24 to 64 bytes, whsk_ and the base64 of an Ed25519 key, or two of these with \
                 a space between them",
            ),
            Self::Sms | Self::DingtalkNotice | Self::WecomApp if secret.is_empty() => {
                wrong("is needed: the secret that belongs to the account")
            }
            _ => Ok(()),
        }
    }
}

/// Which addresses channels may have.
#[derive(Debug, Clone, Default)]
pub struct EndpointRules {
    /// Whether plain HTTP is allowed, whatever the host: for simulators only.
    pub allow_plain_http: bool,
    /// Hosts that are allowed, wherever they lead; empty, or with "*" in it, allows all public ones.
    pub allowed_hosts: Vec<String>,
}

/// Where a connection to a host may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Also into the own network: whoever runs the service named the host.
    Anywhere,
    /// To public addresses only.
    Public,
}

impl EndpointRules {
    /// Checks the address a channel of a kind would have.
    ///
    /// # Errors
    /// What is wrong with it; the text does not repeat the address, which may hold a token.
    pub fn check(&self, kind: Kind, endpoint: &str) -> Result<(), Problem> {
        let wrong = |description| Problem::new("channel.endpoint", description);
        if endpoint.len() > MAX_ENDPOINT {
            return Err(wrong("must have at most 1000 bytes"));
        }
        let uri = endpoint.parse::<Uri>().map_err(|_invalid| wrong("must be a URL"))?;
        let reach = match kind {
            Kind::Email => self.reach_by_mail(&uri),
            _ => self.reach(&uri),
        };
        reach.map(|_reach| ()).map_err(wrong)
    }

    /// Returns where a connection to a mail server may lead, asked like [`Self::reach`]. Always under TLS: `smtps://` from
    /// its first byte, `smtp://` from STARTTLS on.
    ///
    /// # Errors
    /// Why there may be none at all.
    pub fn reach_by_mail(&self, uri: &Uri) -> Result<Reach, &'static str> {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("must be an absolute URL");
        };
        if !matches!(scheme, "smtps" | "smtp") {
            return Err("must begin with smtps:// or smtp://");
        }
        if authority.as_str().contains('@') {
            return Err("must not contain a user");
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("must end with its host or port");
        }
        let reach = self.reach_host(authority.host())?;
        let is_usual = matches!(authority.port_u16(), None | Some(25 | 465 | 587 | 2525));
        if reach == Reach::Public && !is_usual {
            return Err("must have the port 465, 587, 25 or 2525");
        }
        Ok(reach)
    }

    /// Returns where a connection for an address may lead; asked when it is stored and again whenever one is opened.
    ///
    /// # Errors
    /// Why there may be none at all.
    pub fn reach(&self, uri: &Uri) -> Result<Reach, &'static str> {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("must be an absolute URL");
        };
        if authority.as_str().contains('@') {
            return Err("must not contain a user");
        }
        if scheme == "http" && self.allow_plain_http {
            return Ok(Reach::Anywhere);
        }
        if scheme != "https" {
            return Err("must begin with https://");
        }
        let reach = self.reach_host(authority.host())?;
        if reach == Reach::Public && authority.port_u16().is_some_and(|port| port != 443) {
            return Err("must have the port 443");
        }
        Ok(reach)
    }

    fn reach_host(&self, host: &str) -> Result<Reach, &'static str> {
        let lists = |wanted: &str| self.allowed_hosts.iter().any(|host| host.eq_ignore_ascii_case(wanted));
        if lists(host) && host != EVERY_PUBLIC {
            return Ok(Reach::Anywhere);
        }
        if !self.allowed_hosts.is_empty() && !lists(EVERY_PUBLIC) {
            return Err("its host is not allowed here");
        }
        // Names of hosts end in letters; whatever ends otherwise is an address in some notation.
        let is_name = host.contains('.') && host.ends_with(|last: char| last.is_ascii_alphabetic());
        if !is_name {
            return Err("must name a public host");
        }
        Ok(Reach::Public)
    }
}

/// Returns an address as it may be shown: without the values of its query, and where the token is the end of the path, as
/// Feishu has it, without that.
#[must_use]
pub fn masked(kind: Kind, endpoint: &str) -> String {
    let (path, query) = match endpoint.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (endpoint, None),
    };
    let path = match path.rsplit_once('/') {
        Some((front, _token)) if kind == Kind::FeishuRobot => format!("{front}/{MASK}"),
        _ => path.to_owned(),
    };
    let Some(query) = query else { return path };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) => format!("{name}={MASK}"),
        None => MASK.to_owned(),
    });
    format!("{path}?{}", parameters.collect::<Vec<_>>().join("&"))
}

/// Returns the limits that were asked for, zeros replaced by what they stand for.
///
/// # Errors
/// When they cannot be.
pub fn limits(kind: Kind, per_minute: i32, reserved: i32) -> Result<Limits, Problem> {
    let per_minute = if per_minute == 0 {
        kind.capability().usual_per_minute
    } else {
        per_minute
    };
    let most = kind.capability().most_per_minute;
    if !(1..=most).contains(&per_minute) {
        let description = format!("must be 1 to {most}, or 0");
        return Err(Problem::new("channel.messages_per_minute", description));
    }
    let reserved = if reserved == 0 { per_minute / 4 } else { reserved };
    if !(0..per_minute).contains(&reserved) {
        let description = "must be less than messages_per_minute and not negative";
        return Err(Problem::new("channel.reserved_for_escalations", description));
    }
    Ok(Limits { per_minute, reserved })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rules: &EndpointRules, endpoint: &str) -> Option<String> {
        rules
            .check(Kind::DingtalkRobot, endpoint)
            .err()
            .map(|problem| problem.description)
    }

    #[test]
    fn only_public_https_addresses_pass() {
        let rules = EndpointRules::default();
        assert_eq!(
            verdict(&rules, "https://oapi.dingtalk.com/robot/send?access_token=x"),
            None
        );
        for refused in [
            "",
            "robot/send",
            "http://oapi.dingtalk.com/",
            "ftp://oapi.dingtalk.com/",
            "https://user:password@oapi.dingtalk.com/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://[::1]/",
            "https://localhost/",
            "https://localhost./",
            "https://redis:6379/",
            "https://oapi.dingtalk.com:6379/",
            "https://*/",
            "https://a b/",
        ] {
            assert!(verdict(&rules, refused).is_some(), "{refused}");
        }
        let long = format!("https://oapi.dingtalk.com/{}", "a".repeat(MAX_ENDPOINT));
        assert!(verdict(&rules, &long).is_some());
    }

    #[test]
    fn a_list_of_hosts_is_exhaustive() {
        let rules = EndpointRules {
            allow_plain_http: true,
            allowed_hosts: vec!["oapi.dingtalk.com".to_owned()],
        };
        assert_eq!(verdict(&rules, "https://OAPI.dingtalk.com/"), None);
        assert_eq!(verdict(&rules, "http://127.0.0.1:8080/robot/send"), None);
        for refused in [
            "https://oapi.dingtalk.com.evil.example/",
            "https://evil.example/?oapi.dingtalk.com",
            "https://127.0.0.2/",
        ] {
            assert_eq!(verdict(&rules, refused).unwrap(), "its host is not allowed here");
        }
    }

    #[test]
    fn listed_hosts_may_lie_inside_and_a_star_allows_the_public_ones_too() {
        let rules = EndpointRules {
            allow_plain_http: false,
            allowed_hosts: vec!["*".to_owned(), "mes.plant".to_owned(), "10.0.0.7".to_owned()],
        };
        for (endpoint, expected) in [
            ("https://mes.plant:8443/hook", Ok(Reach::Anywhere)),
            ("https://10.0.0.7/hook", Ok(Reach::Anywhere)),
            ("https://hooks.example/", Ok(Reach::Public)),
            ("https://hooks.example:443/", Ok(Reach::Public)),
            ("https://hooks.example:8443/", Err("must have the port 443")),
            ("https://10.0.0.8/", Err("must name a public host")),
            ("https://mes.plant.evil/", Ok(Reach::Public)),
            ("http://mes.plant/", Err("must begin with https://")),
            ("/hook", Err("must be an absolute URL")),
        ] {
            assert_eq!(rules.reach(&endpoint.parse().unwrap()), expected, "{endpoint}");
        }
    }

    #[test]
    fn mail_goes_to_public_servers_or_listed_ones() {
        let open = EndpointRules::default();
        let listed = EndpointRules {
            allow_plain_http: true,
            allowed_hosts: vec!["mail.plant".to_owned(), "localhost".to_owned()],
        };
        for (rules, endpoint, expected) in [
            (&open, "smtps://smtp.example.com", Ok(Reach::Public)),
            (&open, "smtps://smtp.example.com:465", Ok(Reach::Public)),
            (&open, "smtp://smtp.example.com:587", Ok(Reach::Public)),
            (
                &open,
                "smtp://smtp.example.com:6379",
                Err("must have the port 465, 587, 25 or 2525"),
            ),
            (&open, "smtp://localhost:25", Err("must name a public host")),
            (&open, "smtp://10.0.0.8", Err("must name a public host")),
            (&open, "smtps://[::1]", Err("must name a public host")),
            (&open, "smtps://a:b@smtp.example.com", Err("must not contain a user")),
            (
                &open,
                "https://smtp.example.com",
                Err("must begin with smtps:// or smtp://"),
            ),
            (
                &open,
                "smtps://smtp.example.com/x",
                Err("must end with its host or port"),
            ),
            (&listed, "smtp://localhost:40001", Ok(Reach::Anywhere)),
            (&listed, "smtps://mail.plant", Ok(Reach::Anywhere)),
            (&listed, "smtps://smtp.example.com", Err("its host is not allowed here")),
        ] {
            assert_eq!(rules.reach_by_mail(&endpoint.parse().unwrap()), expected, "{endpoint}");
        }
    }

    #[test]
    fn each_kind_has_its_own_secrets() {
        const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        for (kind, secret, is_good) in [
            (Kind::DingtalkRobot, "", true),
            (Kind::DingtalkRobot, "SEC1", true),
            (Kind::WecomRobot, "", true),
            (Kind::WecomRobot, "SEC1", false),
            (Kind::FeishuRobot, "", true),
            (Kind::FeishuRobot, "S3cret", true),
            (Kind::Webhook, "", false),
            (Kind::Webhook, "SEC1", false),
            (Kind::Webhook, WEBHOOK, true),
            (Kind::Email, "", true),
            (Kind::Email, "password", true),
            (Kind::Sms, "", false),
            (Kind::Sms, "testSecret", true),
            (Kind::DingtalkNotice, "", false),
            (Kind::WecomApp, "", false),
        ] {
            let verdict = kind.check_secret(secret);
            assert_eq!(verdict.is_ok(), is_good, "{kind:?} {secret}");
            assert!(secret.is_empty() || !format!("{verdict:?}").contains(secret));
        }
    }

    #[test]
    fn tokens_are_not_shown() {
        let feishu = "https://a.example/open-apis/bot/v2/hook/***";
        let token = "https://a.example/open-apis/bot/v2/hook/8a6d-5b";
        assert_eq!(masked(Kind::FeishuRobot, token), feishu);
        assert_eq!(masked(Kind::FeishuRobot, feishu), feishu);
        for (endpoint, shown) in [
            (
                "https://a.example/robot/send?access_token=secret",
                "https://a.example/robot/send?access_token=***",
            ),
            ("https://a.example/send?a=1&secret", "https://a.example/send?a=***&***"),
            ("https://a.example/send", "https://a.example/send"),
        ] {
            let masked = |endpoint: &str| masked(Kind::DingtalkRobot, endpoint);
            assert_eq!(masked(endpoint), shown);
            assert_eq!(masked(&masked(endpoint)), shown, "masking twice changes nothing");
        }
    }

    #[test]
    fn zeros_stand_for_defaults() {
        let of = |kind, per_minute, reserved| {
            limits(kind, per_minute, reserved)
                .ok()
                .map(|limits| (limits.per_minute, limits.reserved))
        };
        for robot in [Kind::DingtalkRobot, Kind::WecomRobot] {
            assert_eq!(of(robot, 0, 0), Some((18, 4)));
            assert_eq!(of(robot, 20, 0), Some((20, 5)));
            assert_eq!(of(robot, 1, 0), Some((1, 0)));
            assert_eq!(of(robot, 10, 9), Some((10, 9)));
            for (per_minute, reserved) in [(21, 0), (-1, 0), (10, 10), (10, -1), (0, 18)] {
                assert_eq!(of(robot, per_minute, reserved), None, "{per_minute} {reserved}");
            }
        }
        assert_eq!(of(Kind::FeishuRobot, 0, 0), Some((90, 22)));
        assert_eq!(of(Kind::FeishuRobot, 101, 0), None);
        assert_eq!(of(Kind::Webhook, 0, 0), Some((600, 150)));
        assert_eq!(of(Kind::Webhook, 601, 0), None);
        assert_eq!(of(Kind::Sms, 0, 0), Some((60, 15)));
    }
}
