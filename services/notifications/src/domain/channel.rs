//! What a channel must look like before it is stored.

use http::Uri;

use super::{
    Problem,
    budget::{DEFAULT_PER_MINUTE, Limits, PROVIDER_LIMIT},
};

/// Longest address, in bytes.
const MAX_ENDPOINT: usize = 1_000;
/// Stands where a token was.
const MASK: &str = "***";

/// Which addresses channels may have.
#[derive(Debug, Clone, Default)]
pub struct EndpointRules {
    /// Whether plain HTTP is allowed, whatever the host: for simulators only.
    pub allow_plain_http: bool,
    /// Hosts that are allowed; empty allows all public ones.
    pub allowed_hosts: Vec<String>,
}

impl EndpointRules {
    /// Checks an address.
    ///
    /// # Errors
    /// What is wrong with it; the text does not repeat the address, which holds a token.
    pub fn check(&self, endpoint: &str) -> Result<(), Problem> {
        let wrong = |description: &str| Err(Problem::new("channel.endpoint", description));
        if endpoint.len() > MAX_ENDPOINT {
            return wrong("must have at most 1000 bytes");
        }
        let Ok(uri) = endpoint.parse::<Uri>() else {
            return wrong("must be a URL");
        };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return wrong("must be an absolute URL");
        };
        if authority.as_str().contains('@') {
            return wrong("must not contain a user");
        }
        if scheme == "http" && self.allow_plain_http {
            return Ok(());
        }
        if scheme != "https" {
            return wrong("must begin with https://");
        }
        let host = authority.host();
        if !self.allowed_hosts.is_empty() {
            let is_allowed = self
                .allowed_hosts
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(host));
            return if is_allowed {
                Ok(())
            } else {
                wrong("its host is not allowed here")
            };
        }
        // Names of hosts end in letters; whatever ends otherwise is an address in some notation.
        let is_name = host.contains('.') && host.ends_with(|last: char| last.is_ascii_alphabetic());
        if is_name {
            Ok(())
        } else {
            wrong("must name a public host")
        }
    }
}

/// Returns an address as it may be shown: without the values of its query.
#[must_use]
pub fn masked(endpoint: &str) -> String {
    let Some((path, query)) = endpoint.split_once('?') else {
        return endpoint.to_owned();
    };
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
pub fn limits(per_minute: i32, reserved: i32) -> Result<Limits, Problem> {
    let per_minute = if per_minute == 0 {
        DEFAULT_PER_MINUTE
    } else {
        per_minute
    };
    if !(1..=PROVIDER_LIMIT).contains(&per_minute) {
        let description = format!("must be 1 to {PROVIDER_LIMIT}, or 0");
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
        rules.check(endpoint).err().map(|problem| problem.description)
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
            "https://redis:6379/",
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
    fn tokens_are_not_shown() {
        for (endpoint, shown) in [
            (
                "https://a.example/robot/send?access_token=secret",
                "https://a.example/robot/send?access_token=***",
            ),
            ("https://a.example/send?a=1&secret", "https://a.example/send?a=***&***"),
            ("https://a.example/send", "https://a.example/send"),
        ] {
            assert_eq!(masked(endpoint), shown);
            assert_eq!(masked(&masked(endpoint)), shown, "masking twice changes nothing");
        }
    }

    #[test]
    fn zeros_stand_for_defaults() {
        let of = |per_minute, reserved| {
            limits(per_minute, reserved)
                .ok()
                .map(|limits| (limits.per_minute, limits.reserved))
        };
        assert_eq!(of(0, 0), Some((18, 4)));
        assert_eq!(of(20, 0), Some((20, 5)));
        assert_eq!(of(1, 0), Some((1, 0)));
        assert_eq!(of(10, 9), Some((10, 9)));
        for (per_minute, reserved) in [(21, 0), (-1, 0), (10, 10), (10, -1), (0, 18)] {
            assert_eq!(of(per_minute, reserved), None, "{per_minute} {reserved}");
        }
    }
}
