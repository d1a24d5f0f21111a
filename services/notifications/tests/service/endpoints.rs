//! Addresses that lead into the own network, in whatever notation and however they are looked up: refused when they are stored
//! and again when a connection is opened.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reflex_notifications::{
    channels::http::{Error, HttpClient, Lookup, Timeouts},
    domain::channel::EndpointRules,
};

/// Answers each look-up with the next of these, the last again and again; an empty one is an unknown name.
fn lookup(answers: &[&[&str]]) -> (Lookup, Arc<AtomicUsize>) {
    let at = |ip: &&str| SocketAddr::new(ip.parse().unwrap(), 0);
    let answers: Vec<Vec<SocketAddr>> = answers.iter().map(|answer| answer.iter().map(at).collect()).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let lookup: Lookup = Arc::new(move |_host| {
        let number = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        let answer = answers[number].clone();
        Box::pin(async move {
            if answer.is_empty() {
                return Err(io::ErrorKind::NotFound.into());
            }
            Ok(answer)
        })
    });
    (lookup, asked)
}

fn client(answers: &[&[&str]]) -> (HttpClient, Arc<AtomicUsize>) {
    let (lookup, asked) = lookup(answers);
    let timeouts = Timeouts {
        connect: Duration::from_secs(2),
        whole: Duration::from_secs(2),
    };
    (
        HttpClient::with_lookup(timeouts, EndpointRules::default(), lookup),
        asked,
    )
}

#[tokio::test]
async fn addresses_in_any_notation_are_refused_without_a_look() {
    let (http, asked) = client(&[&["1.1.1.1"]]);
    for address in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://0x7f000001/",
        "https://0x7f.0x0.0x0.0x1/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::]/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[fc00::1]/",
        "https://[fe80::1]/",
        "https://[ff02::1]/",
        "https://[2002:7f00:1::]/",
        "https://[64:ff9b::7f00:1]/",
        "https://1.1.1.1/",
        "https://localhost/",
        "https://localhost./",
        "https://redis/",
        "https://hooks.example:6379/",
        "https://hooks.example@127.0.0.1/",
        "http://hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "//hooks.example/",
        "hooks.example",
        "",
    ] {
        let problem = http.check(address).await.unwrap_err();
        assert!(!problem.description.is_empty(), "{address}");
        let sent = http.post_json(address, ::http::HeaderMap::new(), Vec::new()).await;
        assert!(
            matches!(sent, Err(Error::Forbidden | Error::Address)),
            "{address}: {sent:?}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_when_it_is_stored_and_when_it_is_used() {
    for inside in [
        "0.0.0.0",
        "10.1.2.3",
        "100.100.100.200",
        "127.0.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.251",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2001:0:53aa:64c::1",
        "2002:a00:1::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
    ] {
        // One public address beside it makes it no better. What ends in letters is a name to us, also where a resolver reads a
        // number in it.
        for (answer, address) in [
            (&[inside][..], "https://hooks.example/"),
            (&["1.1.1.1", inside], "https://hooks.example/"),
            (&[inside, "1.1.1.1"], "https://127.0.0.0xa/"),
        ] {
            let (http, asked) = client(&[answer]);
            let problem = http.check(address).await.unwrap_err();
            assert!(
                problem.description.contains("own network"),
                "{inside}: {}",
                problem.description
            );
            let sent = http.post_json(address, ::http::HeaderMap::new(), Vec::new()).await;
            assert!(matches!(sent, Err(Error::Forbidden)), "{inside}: {sent:?}");
            assert_eq!(asked.load(Ordering::SeqCst), 2);
        }
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let (http, asked) = client(&[&["1.1.1.1"], &["127.0.0.1"]]);
    let address = "https://hooks.example/";
    assert_eq!(http.check(address).await, Ok(()));
    let sent = http.post_json(address, ::http::HeaderMap::new(), Vec::new()).await;
    assert!(matches!(sent, Err(Error::Forbidden)), "{sent:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_yet_may_be_stored() {
    let (http, _) = client(&[&[]]);
    assert_eq!(http.check("https://hooks.example/").await, Ok(()));
    let (http, _) = client(&[&["1.1.1.1", "2606:4700:4700::1111"]]);
    assert_eq!(http.check("https://hooks.example/").await, Ok(()));
}
