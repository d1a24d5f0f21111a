//! A mail server that takes messages under TLS (from the first byte, or from STARTTLS on), asks for a password, and can be told
//! to fail in any step of a conversation.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// Name the certificate is for.
pub const MAIL_HOST: &str = "localhost";
const MAX_LINE: u64 = 8 * 1024;
const MAX_MAIL: usize = 1024 * 1024;

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    FromStart,
    FromStarttls,
    /// STARTTLS is not offered, as by somebody in between.
    Never,
}

/// A step of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MailStep {
    Greeting,
    Auth,
    Sender,
    Recipient,
    Data,
    /// After the last line of the message.
    Words,
}

/// What happens instead of yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// These lines are said.
    Say(String),
    Hang(Duration),
    /// The connection is reset before the answer.
    Reset,
}

/// A message the server took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: String,
    /// Who signed in; empty for nobody.
    pub user: String,
    /// Headers and body, as they came.
    pub text: String,
}

/// The running server; dropping it closes everything.
pub struct MailServer {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    tls: Tls,
    acceptor: TlsAcceptor,
    /// Passwords by user; signing in is asked for where there are any.
    users: BTreeMap<String, String>,
    faults: Mutex<BTreeMap<MailStep, VecDeque<MailFault>>>,
    mails: Mutex<Vec<Mail>>,
}

impl MailServer {
    /// Starts on a free port with a certificate of its own.
    ///
    /// # Errors
    /// The address cannot be bound.
    ///
    /// # Panics
    /// Never: what it makes itself is a certificate.
    pub async fn start(tls: Tls, users: &[(&str, &str)]) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let made = rcgen::generate_simple_self_signed(vec![MAIL_HOST.to_owned()]).expect("a name makes a certificate");
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .expect("the key is the certificate's");
        let shared = Arc::new(Shared {
            tls,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            users: users
                .iter()
                .map(|(user, password)| ((*user).to_owned(), (*password).to_owned()))
                .collect(),
            faults: Mutex::default(),
            mails: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, shared.clone()));
        Ok(Self {
            address,
            certificate,
            shared,
            _tasks: tasks,
        })
    }

    /// Returns the address a person would type in.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.shared.tls == Tls::FromStart {
            "smtps"
        } else {
            "smtp"
        };
        format!("{scheme}://{MAIL_HOST}:{}", self.address.port())
    }

    /// Returns its certificate, which signs itself.
    #[must_use]
    pub fn certificate(&self) -> Vec<u8> {
        self.certificate.to_vec()
    }

    /// Lets the next conversation fail in a step; faults of a step queue up behind one another.
    pub fn fail(&self, step: MailStep, fault: MailFault) {
        self.shared.faults.lock().entry(step).or_default().push_back(fault);
    }

    /// Returns what was taken, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().clone()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _peer)) = listener.accept() => {
                let shared = shared.clone();
                // A client that goes away is no event worth telling.
                conversations.spawn(async move { shared.meet(stream).await.ok() });
            }
            Some(_ended) = conversations.join_next() => {}
        }
    }
}

/// How a conversation goes on.
enum Next {
    Ended,
    Starttls,
}

#[derive(Default)]
struct Envelope {
    user: String,
    from: String,
    to: String,
}

impl Shared {
    async fn meet(&self, stream: TcpStream) -> io::Result<()> {
        if self.tls == Tls::FromStart {
            let mut stream = BufReader::new(self.acceptor.accept(stream).await?);
            self.greet(&mut stream).await?;
            self.talk(&mut stream, true).await?;
            return Ok(());
        }
        let mut stream = BufReader::new(stream);
        self.greet(&mut stream).await?;
        if let Next::Starttls = self.talk(&mut stream, false).await? {
            let mut stream = BufReader::new(self.acceptor.accept(stream.into_inner()).await?);
            self.talk(&mut stream, true).await?;
        }
        Ok(())
    }

    async fn greet(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        self.say(stream, MailStep::Greeting, "220 mail.simulator ESMTP").await
    }

    /// Says a line, or what was scripted instead.
    async fn say(&self, stream: &mut (impl AsyncWrite + Unpin), step: MailStep, line: &str) -> io::Result<()> {
        let fault = self.faults.lock().get_mut(&step).and_then(VecDeque::pop_front);
        match fault {
            None => say(stream, line).await,
            Some(MailFault::Say(line)) => say(stream, &line).await,
            Some(MailFault::Hang(time)) => {
                tokio::time::sleep(time).await;
                say(stream, line).await
            }
            Some(MailFault::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    fn is_failing(&self, step: MailStep) -> bool {
        self.faults.lock().get(&step).is_some_and(|faults| !faults.is_empty())
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        is_encrypted: bool,
    ) -> io::Result<Next> {
        let mut envelope = Envelope::default();
        loop {
            let line = line(stream).await?;
            let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match word.as_str() {
                "" => return Ok(Next::Ended),
                "EHLO" | "HELO" => self.introduce(stream, is_encrypted).await?,
                "STARTTLS" if !is_encrypted && self.tls == Tls::FromStarttls => {
                    say(stream, "220 go on").await?;
                    return Ok(Next::Starttls);
                }
                "AUTH" if is_encrypted => self.sign_in(stream, &line, &mut envelope).await?,
                "MAIL" if !is_encrypted || (!self.users.is_empty() && envelope.user.is_empty()) => {
                    say(stream, "530 5.7.0 sign in first").await?;
                }
                "MAIL" => {
                    envelope.from = between(&line);
                    self.say(stream, MailStep::Sender, "250 2.1.0 fine").await?;
                }
                "RCPT" => {
                    envelope.to = between(&line);
                    self.say(stream, MailStep::Recipient, "250 2.1.5 fine").await?;
                }
                "DATA" if self.is_failing(MailStep::Data) => self.say(stream, MailStep::Data, "").await?,
                "DATA" => {
                    say(stream, "354 go on").await?;
                    let text = text(stream).await?;
                    if !self.is_failing(MailStep::Words) {
                        self.mails.lock().push(Mail {
                            from: envelope.from.clone(),
                            to: envelope.to.clone(),
                            user: envelope.user.clone(),
                            text,
                        });
                    }
                    self.say(stream, MailStep::Words, "250 2.0.0 taken").await?;
                }
                "QUIT" => {
                    say(stream, "221 bye").await?;
                    return Ok(Next::Ended);
                }
                _ => say(stream, "502 5.5.1 unknown").await?,
            }
        }
    }

    async fn introduce(&self, stream: &mut (impl AsyncWrite + Unpin), is_encrypted: bool) -> io::Result<()> {
        let offer = match (is_encrypted, self.tls) {
            (true, _) => "250-AUTH PLAIN LOGIN\r\n",
            (false, Tls::FromStarttls) => "250-STARTTLS\r\n",
            (false, _) => "",
        };
        say(stream, &format!("250-mail.simulator\r\n{offer}250 SIZE {MAX_MAIL}")).await
    }

    /// AUTH PLAIN with its words in the same line, as the client sends them.
    async fn sign_in(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        line: &str,
        envelope: &mut Envelope,
    ) -> io::Result<()> {
        let words = line.split(' ').nth(2).unwrap_or_default();
        let words = BASE64_STANDARD.decode(words).unwrap_or_default();
        let words = String::from_utf8(words).unwrap_or_default();
        let mut parts = words.split('\0').skip(1);
        let (user, password) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if self.users.get(user).is_none_or(|known| known != password) {
            return say(stream, "535 5.7.8 who are you").await;
        }
        user.clone_into(&mut envelope.user);
        self.say(stream, MailStep::Auth, "235 2.7.0 welcome").await
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), line: &str) -> io::Result<()> {
    stream.write_all(line.as_bytes()).await?;
    stream.write_all(b"\r\n").await?;
    stream.flush().await
}

async fn line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    stream.take(MAX_LINE).read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

async fn text(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut text = String::new();
    while text.len() < MAX_MAIL {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            break;
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
    Ok(text)
}

fn between(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(address, _)| address.to_owned())
}
