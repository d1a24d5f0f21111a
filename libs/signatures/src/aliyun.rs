//! The signature of requests to Aliyun in the form of its older APIs (RPC 风格签名, HMAC-SHA1), as text messages use it.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// Returns parameters as they stand in a query or a form, in the order in which they are signed.
#[must_use]
pub fn encoded(parameters: &[(&str, &str)]) -> String {
    let mut pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| (*name, format!("{}={}", encode(name), encode(value))))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.into_iter().map(|(_, pair)| pair).collect();
    pairs.join("&")
}

/// Signs parameters (`Signature` is not among them) of a request by `method` to the root of the API.
#[must_use]
pub fn sign(method: &str, parameters: &[(&str, &str)], secret: &str) -> String {
    let text = format!("{method}&%2F&{}", encode(&encoded(parameters)));
    let mac = keyed(&format!("{secret}&")).chain_update(text.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

fn keyed(key: &str) -> Hmac<Sha1> {
    Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length")
}

/// Writes everything but letters, digits and `-_.~` as per cent signs and digits.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            for digit in [byte >> 4, byte & 0xf] {
                encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
            encoded.insert(encoded.len() - 2, '%');
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vendor's own examples: 短信服务 `SendSms` 签名, and 云服务器 `DescribeRegions`.
    #[test]
    fn the_vendors_vectors_are_reproduced() {
        let send_sms = [
            ("AccessKeyId", "testId"),
            ("Timestamp", "2017-07-12T02:42:19Z"),
            ("Format", "XML"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "45e25e9b-0a6f-4070-8c85-2956eda1b466"),
            ("SignatureVersion", "1.0"),
            ("Action", "SendSms"),
            ("Version", "2017-05-25"),
            ("RegionId", "cn-hangzhou"),
            ("PhoneNumbers", "15300000001"),
            ("SignName", "阿里云短信测试专用"),
            ("TemplateParam", r#"{"customer":"test"}"#),
            ("TemplateCode", "SMS_71390007"),
            ("OutId", "123"),
        ];
        assert_eq!(sign("GET", &send_sms, "testSecret"), "zJDF+Lrzhj/ThnlvIToysFRq6t4=");
        assert_ne!(sign("POST", &send_sms, "testSecret"), "zJDF+Lrzhj/ThnlvIToysFRq6t4=");
        let describe_regions = [
            ("Timestamp", "2016-02-23T12:46:24Z"),
            ("Format", "XML"),
            ("AccessKeyId", "testid"),
            ("Action", "DescribeRegions"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
            ("Version", "2014-05-26"),
            ("SignatureVersion", "1.0"),
        ];
        assert_eq!(
            sign("GET", &describe_regions, "testsecret"),
            "OLeaidS1JvxuMvnyHOwuJ+uX5qY="
        );
    }

    #[test]
    fn only_unreserved_characters_stand_for_themselves() {
        assert_eq!(encode("a-Z_0.9~ *+/线"), "a-Z_0.9~%20%2A%2B%2F%E7%BA%BF");
        assert_eq!(encoded(&[("b", "1&2"), ("a", "=")]), "a=%3D&b=1%262");
    }
}
