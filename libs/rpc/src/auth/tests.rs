//! The attacks on tokens that reliability.md lists as C1, and the honest tokens beside them.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey};
use reflex_runtime::clock::{Clock as _, FixedClock};
use reflex_tenancy::{TenantId, TenantSet};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://login.example";

struct Fixture {
    clock: Arc<FixedClock>,
    keys: KeyPair,
    minter: Minter,
    verifier: Verifier,
}

impl Fixture {
    fn new() -> Self {
        let clock = Arc::new(FixedClock::new("2026-03-02T09:00:00+08:00".parse().unwrap()));
        let keys = generate_keys();
        Self {
            minter: Minter::new(&keys.private_pem, &keys.kid, ISSUER, clock.clone()).unwrap(),
            verifier: Verifier::from_jwks(&keys.jwks_json, ISSUER, clock.clone()).unwrap(),
            clock,
            keys,
        }
    }

    /// Signs any header and payload with the right key.
    fn sign(&self, header: &Value, payload: &str) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(payload));
        let key = EncodingKey::from_ed_pem(self.keys.private_pem.as_bytes()).unwrap();
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "JWT", "kid": self.keys.kid})
    }

    fn payload(&self) -> Value {
        let now = self.clock.now().as_second();
        json!({
            "iss": ISSUER, "aud": "reflex", "sub": "zhang", "iat": now, "nbf": now, "exp": now + 600,
            "tenants": ["huadong"], "roles": ["sales"],
        })
    }

    fn refused(&self, token: &str) -> TokenError {
        self.verifier.verify(token).expect_err("must be refused")
    }
}

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut changed = object.clone();
    changed[name] = value;
    changed
}

fn tenants(names: &[&str]) -> Tenants {
    Tenants::Of(
        names
            .iter()
            .map(|name| name.parse::<TenantId>().unwrap())
            .collect::<TenantSet>(),
    )
}

fn sales() -> Claims {
    Claims {
        subject: "zhang".to_owned(),
        tenants: tenants(&["huadong"]),
        roles: vec![Role::Sales],
        member: Some("members/zhang.wei".to_owned()),
    }
}

#[test]
fn a_minted_token_says_what_was_minted() {
    let fixture = Fixture::new();
    let token = fixture.minter.mint(&sales(), Duration::from_mins(10));
    for _first_then_remembered in 0..2 {
        assert_eq!(fixture.verifier.verify(&token).unwrap().claims, sales());
    }
    let own = fixture.sign(&fixture.header(), &fixture.payload().to_string());
    assert_eq!(
        fixture.verifier.verify(&own).unwrap().claims,
        Claims {
            member: None,
            ..sales()
        }
    );
}

#[test]
fn time_is_checked_also_for_remembered_tokens() {
    let fixture = Fixture::new();
    let token = fixture.minter.mint(&sales(), Duration::from_mins(10));
    assert!(fixture.verifier.verify(&token).is_ok());
    for (seconds, expected) in [
        (629, Ok(())),
        (630, Err(TokenError::Expired)),
        (-30, Ok(())),
        (-31, Err(TokenError::NotYet)),
        (i64::from(i32::MAX), Err(TokenError::Expired)),
    ] {
        let now = fixture.clock.now();
        fixture.clock.advance(SignedDuration::from_secs(seconds));
        assert_eq!(
            fixture.verifier.verify(&token).map(|_| ()),
            expected,
            "after {seconds} s"
        );
        fixture.clock.set(now);
    }
    let expired = fixture.minter.mint(&sales(), Duration::ZERO);
    fixture.clock.advance(SignedDuration::from_secs(31));
    assert_eq!(
        fixture.refused(&expired),
        TokenError::Expired,
        "also when seen for the first time"
    );
    let endless = fixture.minter.mint(&sales(), Duration::MAX);
    assert!(fixture.verifier.verify(&endless).is_ok());
    fixture.clock.set(Timestamp::MAX);
    assert!(
        fixture.verifier.verify(&endless).is_ok(),
        "no overflow at the end of time"
    );
}

#[test]
fn the_algorithm_is_the_keys_and_not_the_tokens() {
    let fixture = Fixture::new();
    let payload = fixture.payload().to_string();
    let good = fixture.sign(&fixture.header(), &payload);
    let (_, signature) = good.rsplit_once('.').unwrap();
    for algorithm in [
        "none", "None", "NONE", "", "HS256", "ES256", "RS256", "eddsa", "Ed25519",
    ] {
        let header = with(&fixture.header(), "alg", json!(algorithm));
        let message = format!("{}.{}", encode(header.to_string()), encode(&payload));
        let signed = fixture.sign(&header, &payload);
        for token in [format!("{message}."), format!("{message}.{signature}"), signed] {
            assert_eq!(fixture.refused(&token), TokenError::Signature, "{algorithm}");
        }
    }

    // The classic: the public key as the secret of an HMAC.
    let x: Value = serde_json::from_str(&fixture.keys.jwks_json).unwrap();
    let public = URL_SAFE_NO_PAD.decode(x["keys"][0]["x"].as_str().unwrap()).unwrap();
    for secret in [public, fixture.keys.jwks_json.clone().into_bytes(), b"".to_vec()] {
        let header = with(&fixture.header(), "alg", json!("HS256"));
        let message = format!("{}.{}", encode(header.to_string()), encode(&payload));
        let key = EncodingKey::from_secret(&secret);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        assert_eq!(
            fixture.refused(&format!("{message}.{signature}")),
            TokenError::Signature
        );
    }
}

#[test]
fn only_known_keys_count() {
    let fixture = Fixture::new();
    let payload = fixture.payload().to_string();
    let long = "k".repeat(4_000);
    for kid in [
        "",
        "../../etc/passwd",
        "' or 1=1 --",
        "https://evil.example/jwks.json",
        "\0",
        &long,
    ] {
        let header = with(&fixture.header(), "kid", json!(kid));
        assert_eq!(fixture.refused(&fixture.sign(&header, &payload)), TokenError::Signature);
    }
    for header in [json!({"alg": "EdDSA"}), with(&fixture.header(), "kid", json!(7))] {
        assert_eq!(
            fixture.refused(&fixture.sign(&header, &payload)),
            TokenError::Malformed,
            "{header}"
        );
    }

    // A stranger's key under our key's id, offered in every way a header can offer one.
    let stranger = generate_keys();
    let minter = Minter::new(&stranger.private_pem, &fixture.keys.kid, ISSUER, fixture.clock.clone()).unwrap();
    assert_eq!(
        fixture.refused(&minter.mint(&sales(), Duration::from_mins(1))),
        TokenError::Signature
    );
    let jwks: Value = serde_json::from_str(&stranger.jwks_json).unwrap();
    let key = EncodingKey::from_ed_pem(stranger.private_pem.as_bytes()).unwrap();
    for (name, value) in [
        ("jwk", jwks["keys"][0].clone()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/chain.pem")),
    ] {
        let header = with(&fixture.header(), name, value);
        let message = format!("{}.{}", encode(header.to_string()), encode(&payload));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap();
        assert_eq!(
            fixture.refused(&format!("{message}.{signature}")),
            TokenError::Signature,
            "{name}"
        );
    }
    let critical = with(&fixture.header(), "crit", json!(["exp"]));
    assert_eq!(
        fixture.refused(&fixture.sign(&critical, &payload)),
        TokenError::Malformed
    );
}

#[test]
fn claims_must_be_right_and_complete() {
    let fixture = Fixture::new();
    let (header, payload) = (fixture.header(), fixture.payload());
    for (name, value, expected) in [
        ("iss", json!("https://evil.example"), TokenError::NotForUs),
        ("iss", json!(format!("{ISSUER}/")), TokenError::NotForUs),
        ("aud", json!("another"), TokenError::NotForUs),
        ("aud", json!(["another", "reflexes"]), TokenError::NotForUs),
        ("aud", json!([]), TokenError::NotForUs),
        ("exp", json!("tomorrow"), TokenError::Malformed),
        ("exp", Value::Null, TokenError::Malformed),
        ("exp", json!(0), TokenError::Expired),
        ("nbf", json!(4_102_444_800_i64), TokenError::NotYet),
        ("sub", json!(""), TokenError::Malformed),
        ("tenants", json!("huadong"), TokenError::Malformed),
        ("tenants", json!(["Hua Dong"]), TokenError::Malformed),
        ("tenants", json!(["*"]), TokenError::Malformed),
        ("roles", json!("admin"), TokenError::Malformed),
    ] {
        let token = fixture.sign(&header, &with(&payload, name, value.clone()).to_string());
        assert_eq!(fixture.refused(&token), expected, "{name} = {value}");
    }
    for name in ["iss", "aud", "sub", "exp", "tenants", "roles"] {
        let mut without = payload.clone();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(
            fixture.refused(&fixture.sign(&header, &without.to_string())),
            TokenError::Malformed,
            "no {name}"
        );
    }

    // Which of two would count? Neither.
    let twice = payload.to_string().replacen('{', r#"{"tenants":["huabei"],"#, 1);
    assert_eq!(fixture.refused(&fixture.sign(&header, &twice)), TokenError::Malformed);
}

#[test]
fn odd_but_right_claims_are_taken() {
    let fixture = Fixture::new();
    let odd = json!({
        "iss": ISSUER, "aud": ["another", "reflex"], "sub": "zhang", "exp": fixture.clock.now().as_second() + 60,
        "tenants": ["huadong", "huabei", "huadong"], "roles": ["sales", "beekeeper"], "email_verified": true,
    });
    let identity = fixture
        .verifier
        .verify(&fixture.sign(&fixture.header(), &odd.to_string()))
        .unwrap();
    assert_eq!(identity.claims.roles, [Role::Sales], "unknown roles grant nothing");
    assert_eq!(identity.claims.tenants, tenants(&["huabei", "huadong"]));
    assert_eq!(identity.claims.tenants.only(), None);

    let everywhere = Claims {
        tenants: Tenants::Every,
        roles: vec![Role::Service],
        ..sales()
    };
    let token = fixture.minter.mint(&everywhere, Duration::from_mins(1));
    let identity = fixture.verifier.verify(&token).unwrap();
    assert!(identity.claims.tenants.contain(&"any-tenant".parse().unwrap()));
    assert_eq!(identity.claims.tenants.only(), None, "a service has to name the tenant");
}

#[test]
fn damaged_tokens_are_refused() {
    let fixture = Fixture::new();
    let token = fixture.minter.mint(&sales(), Duration::from_mins(10));
    let (message, _) = token.rsplit_once('.').unwrap();
    let megabyte = format!("{message}.{}", "A".repeat(1 << 20));
    assert_eq!(fixture.refused(&megabyte), TokenError::TooLong);
    for damaged in ["", ".", "..", "...", "a.b", "a.b.c", message] {
        assert_eq!(fixture.refused(damaged), TokenError::Malformed, "{damaged:?}");
    }
    for damaged in [
        format!("{message}."),
        format!("{token}="),
        format!("{token} "),
        format!("{message}.AAAA"),
    ] {
        assert_eq!(fixture.refused(&damaged), TokenError::Signature, "{damaged:?}");
    }
    for at in (0..token.len()).step_by(9).filter(|&at| token.as_bytes()[at] != b'.') {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(fixture.verifier.verify(&changed).is_err(), "changed at {at}");
    }
    assert!(
        fixture.verifier.verify(&token).is_ok(),
        "what was refused spoils nothing"
    );
}

#[test]
fn es256_keys_work_beside_ed25519() {
    // Appendix A.3 of RFC 7515: key and signature over its example payload, which is no token of ours.
    let jwks = json!({"keys": [{
        "kty": "EC", "crv": "P-256", "kid": "rfc7515", "alg": "ES256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }]});
    let keys = keys::public_keys(&jwks.to_string()).unwrap();
    let message = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let key = &keys["rfc7515"];
    assert_eq!(key.algorithm, Algorithm::ES256);
    assert!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.key, key.algorithm).unwrap());
}
