//! Starts every service in this process, wired over real sockets as they are in a cluster.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::Context;
use reflex_gateway::{Gateway, Limits};
use reflex_host::{Environment, Foundation};
use reflex_rpc::{auth::Minter, client, readiness::Readiness};
use reflex_runtime::config;
use reflex_timers::TimerWake;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use crate::{
    places::Places,
    secrets::{ISSUER, Secrets},
};

/// Sockets the services listen on.
pub struct Listeners {
    /// HTTP.
    pub gateway: TcpListener,
    /// gRPC of leads.
    pub leads: TcpListener,
    /// gRPC of notifications.
    pub notifications: TcpListener,
}

/// Where the services listen.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// HTTP.
    pub gateway: SocketAddr,
    /// gRPC of leads.
    pub leads: SocketAddr,
    /// gRPC of notifications.
    pub notifications: SocketAddr,
}

impl Listeners {
    /// Binds three addresses; port 0 takes a free one.
    ///
    /// # Errors
    /// When an address is taken.
    pub async fn bind(gateway: &str, leads: &str, notifications: &str) -> anyhow::Result<Self> {
        let bind = async |address: &str| {
            TcpListener::bind(address)
                .await
                .with_context(|| format!("listening on {address}"))
        };
        Ok(Self {
            gateway: bind(gateway).await?,
            leads: bind(leads).await?,
            notifications: bind(notifications).await?,
        })
    }

    fn addresses(&self) -> anyhow::Result<Addresses> {
        Ok(Addresses {
            gateway: self.gateway.local_addr()?,
            leads: self.leads.local_addr()?,
            notifications: self.notifications.local_addr()?,
        })
    }
}

/// What differs between a laptop, a demo and a test.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether channels may have `http://` addresses, as the provider simulator has.
    pub allow_plain_http: bool,
    /// Whether messages have links that lead to this gateway, also where no base is set.
    pub links: bool,
    /// Wakes the timers of leads, for tests that move their clock.
    pub timers: TimerWake,
}

/// All services, running.
pub struct Services {
    /// Where they listen.
    pub addresses: Addresses,
    readiness: Vec<Readiness>,
    gateway: Gateway,
}

impl Services {
    /// Starts all services; they run as tasks of the environment.
    ///
    /// # Errors
    /// When one of them cannot start.
    pub async fn start(
        places: &Places,
        secrets: &Secrets,
        environment: &Environment,
        listeners: Listeners,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let addresses = listeners.addresses()?;

        let mut leads: reflex_leads::Config =
            config::load(reflex_leads::DEFAULTS, None, "REFLEX_LEADS").context("settings of leads")?;
        leads.database = places.leads.clone();
        leads.redis = places.redis.clone();
        leads.page_token_key = secrets.page_token_key.clone().into();
        leads.sealing_key = secrets.sealing_key.clone().into();
        let foundation = Foundation::open(&leads.foundation(), reflex_leads::SCHEMA, environment.clone())
            .await
            .context("leads")?;
        let leads_readiness = reflex_leads::serve(&leads, &foundation, listeners.leads, options.timers.clone())
            .await
            .context("leads")?;

        let mut notifications: reflex_notifications::Config =
            config::load(reflex_notifications::DEFAULTS, None, "REFLEX_NOTIFICATIONS")
                .context("settings of notifications")?;
        notifications.database = places.notifications.clone();
        notifications.redis = places.redis.clone();
        notifications.page_token_key = secrets.page_token_key.clone().into();
        notifications.sealing_key = secrets.sealing_key.clone().into();
        notifications.allow_plain_http = options.allow_plain_http;
        if options.links && notifications.links.base_url.is_empty() {
            notifications.links.base_url = format!("http://{}", addresses.gateway);
        }
        if notifications.links.key.expose_secret().is_empty() {
            // What it signs is told apart from what it seals.
            notifications.links.key = secrets.sealing_key.clone().into();
        }
        let foundation = Foundation::open(
            &notifications.foundation(),
            reflex_notifications::SCHEMA,
            environment.clone(),
        )
        .await
        .context("notifications")?;
        let notifications_readiness = reflex_notifications::serve(&notifications, &foundation, listeners.notifications)
            .await
            .context("notifications")?;

        let gateway = gateway(&addresses, secrets, environment, listeners.gateway).context("gateway")?;
        Ok(Self {
            addresses,
            readiness: vec![leads_readiness, notifications_readiness],
            gateway,
        })
    }

    /// Says that none of them wants to be called any more.
    pub async fn off(&self) {
        self.gateway.readiness.off();
        for readiness in &self.readiness {
            readiness.off().await;
        }
    }
}

fn gateway(
    addresses: &Addresses,
    secrets: &Secrets,
    environment: &Environment,
    listener: TcpListener,
) -> anyhow::Result<Gateway> {
    let backend = |address: SocketAddr| client::connect(&format!("http://{address}"), &environment.tasks);
    let backends = BTreeMap::from([
        ("leads".to_owned(), backend(addresses.leads)?),
        ("notifications".to_owned(), backend(addresses.notifications)?),
    ]);
    let minter = Minter::new(&secrets.private_pem, &secrets.kid, ISSUER, environment.clock.clone())?;
    let parts = reflex_gateway::Parts {
        limits: Limits::default(),
        backends,
        minter,
        clock: environment.clock.clone(),
        ids: environment.ids.clone(),
        tasks: environment.tasks.clone(),
    };
    Ok(reflex_gateway::serve(parts, listener)?)
}
