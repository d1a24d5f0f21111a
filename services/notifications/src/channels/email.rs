//! Mail by SMTP, always under TLS: the words as HTML with the plain ones beside them, one message to one person.
//!
//! Each step of the conversation is judged for itself, as the same code means another thing when the server refuses the
//! sender, the person or the words.

use std::time::{Duration, Instant};

use ::http::Uri;
use futures_util::future::BoxFuture;
use lettre::{
    Address,
    message::Mailbox,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};
use reflex_runtime::clock::SharedClock;
use secrecy::ExposeSecret;

use super::http::{Error, HttpClient};
use super::{Channel, Endpoint, Fault, Outcome, Rendered};
use replies::Step;

mod letter;
mod replies;

/// How long a server may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(200);
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// Sends mail.
pub struct Email {
    http: HttpClient,
    clock: SharedClock,
    roots: Vec<Certificate>,
}

/// Where a server listens, and when TLS begins.
struct Server {
    host: String,
    port: u16,
    is_tls_from_start: bool,
}

impl Email {
    /// Builds the channel; one serves all servers. `roots` are believed besides the public ones.
    #[must_use]
    pub fn new(http: HttpClient, clock: SharedClock, roots: Vec<Certificate>) -> Self {
        Self { http, clock, roots }
    }

    async fn attempt(&self, endpoint: &Endpoint, message: &Rendered) -> Outcome {
        let to: Option<Address> = message.to.email.parse().ok();
        let Some(to) = to.filter(|_| message.to.email.is_ascii()) else {
            return Outcome::no_address("mail address");
        };
        if message.to.is_bounced {
            return Outcome::GiveUp {
                provider_code: "bounced".into(),
                reason: "mail to the person's address came back".into(),
                fault: Fault::Message,
            };
        }
        let Ok(from) = endpoint.account.sender.parse::<Mailbox>() else {
            return unusable("address", "the sender is no mail address");
        };
        let Some(letter) = letter::write(message, &from, &to, self.clock.now()) else {
            return Outcome::GiveUp {
                provider_code: "too_long".into(),
                reason: "the message cannot be written as mail".into(),
                fault: Fault::Message,
            };
        };
        let whole = self.http.timeouts().whole;
        match tokio::time::timeout(whole, self.talk(endpoint, &from.email, &to, &letter)).await {
            Ok(Ok(outcome) | Err(outcome)) => outcome,
            Err(_elapsed) => Outcome::unanswered(&Error::Timeout),
        }
    }

    async fn talk(&self, endpoint: &Endpoint, from: &Address, to: &Address, letter: &[u8]) -> Result<Outcome, Outcome> {
        let start = Instant::now();
        let mut server = self.connect(endpoint).await?;
        if !endpoint.account.user.is_empty() {
            let secret = endpoint.secret.as_ref().map_or("", |secret| secret.expose_secret());
            let credentials = Credentials::new(endpoint.account.user.clone(), secret.to_owned());
            let said = server.auth(&MECHANISMS, &credentials).await;
            said.map_err(|error| replies::judge(Step::Greeting, &error))?;
        }
        let said = server.command(Mail::new(Some(from.clone()), Vec::new())).await;
        said.map_err(|error| replies::judge(Step::Sender, &error))?;
        let said = server.command(Rcpt::new(to.clone(), Vec::new())).await;
        said.map_err(|error| replies::judge(Step::Recipient, &error))?;
        let said = server.command(Data).await;
        said.map_err(|error| replies::judge(Step::Words, &error))?;
        let said = server.message(letter).await;
        let said = said.map_err(|error| replies::judge(Step::Words, &error))?;
        let latency = start.elapsed();
        // It has the message; how it says goodbye changes nothing.
        let _goodbye = tokio::time::timeout(GOODBYE, server.quit()).await;
        Ok(Outcome::Delivered {
            provider_code: said.code().to_string(),
            latency,
        })
    }

    /// Opens a connection to the very address that was looked up and found allowed, TLS included.
    async fn connect(&self, endpoint: &Endpoint) -> Result<AsyncSmtpConnection, Outcome> {
        let unanswered = |error: Error| Outcome::unanswered(&error);
        let uri: Uri = endpoint
            .address
            .expose_secret()
            .parse()
            .map_err(|_invalid| unanswered(Error::Address))?;
        let reach = self.http.rules().reach_by_mail(&uri);
        let reach = reach.map_err(|_why| unanswered(Error::Forbidden))?;
        let at = Server::of(&uri).ok_or_else(|| unanswered(Error::Address))?;
        let addresses = self
            .http
            .addresses(&at.host, at.port, reach)
            .await
            .map_err(unanswered)?;
        let mut tls = TlsParameters::builder(at.host.clone());
        for root in &self.roots {
            tls = tls.add_root_certificate(root.clone());
        }
        let tls = tls
            .build()
            .map_err(|_invalid| unusable("address", "the host cannot have a certificate"))?;
        let hello = ClientId::default();
        let from_start = at.is_tls_from_start.then(|| tls.clone());
        let patience = Some(self.http.timeouts().connect);
        let connected =
            AsyncSmtpConnection::connect_tokio1(addresses.as_slice(), patience, &hello, from_start, None).await;
        let mut server = connected.map_err(|error| replies::judge(Step::Greeting, &error))?;
        if !at.is_tls_from_start {
            // Whoever took the offer out of the greeting gets no password and no words.
            if !server.can_starttls() {
                server.abort().await;
                return Err(unusable("tls", "the server offers no STARTTLS"));
            }
            let upgraded = server.starttls(tls, &hello).await;
            upgraded.map_err(|error| replies::judge(Step::Greeting, &error))?;
        }
        Ok(server)
    }
}

impl Server {
    fn of(uri: &Uri) -> Option<Self> {
        let is_tls_from_start = uri.scheme_str()? == "smtps";
        let usual = if is_tls_from_start { 465 } else { 587 };
        Some(Self {
            host: uri.host()?.to_owned(),
            port: uri.port_u16().unwrap_or(usual),
            is_tls_from_start,
        })
    }
}

impl Channel for Email {
    fn send<'a>(&'a self, endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome> {
        Box::pin(self.attempt(endpoint, message))
    }
}

fn unusable(code: &str, reason: &str) -> Outcome {
    Outcome::GiveUp {
        provider_code: code.into(),
        reason: reason.into(),
        fault: Fault::Endpoint,
    }
}
