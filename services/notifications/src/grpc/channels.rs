//! `ChannelService`.

use reflex_proto::notifications::v1::{
    Channel, ListChannelKindsRequest, ListChannelKindsResponse, ListChannelsRequest, ListChannelsResponse,
    ListQuotasRequest, ListQuotasResponse, PutChannelRequest, PutChannelResponse, PutQuotaRequest, PutQuotaResponse,
    Quota, ReportBounceRequest, ReportBounceResponse, channel_service_server::ChannelService,
};
use reflex_rpc::{identity::Caller, page::page_size, status::Violations};
use tonic::{Request, Response, Status};

use super::{Rpc, check_name, cut, request_id};
use crate::{
    api,
    app::{put_channel::WantedChannel, put_quota::WantedQuota},
    domain::{
        account::Account,
        bounce,
        budget::Limits,
        channel::{self, Kind},
        message::CHANNEL_PREFIX,
        quota::{MAX_ADMINISTRATORS, Monthly, Scope},
    },
};

/// Most teams a channel may serve; none serves everybody.
const MAX_TEAMS: usize = 100;
/// What the names of quotas begin with.
const QUOTA_PREFIX: &str = "quotas/";
/// Longest signing secret, in characters.
const MAX_SECRET: usize = 200;

#[tonic::async_trait]
impl ChannelService for Rpc {
    async fn put_channel(&self, request: Request<PutChannelRequest>) -> Result<Response<PutChannelResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let request_id = request_id(&request.request_id, &mut violations);
        let wanted = wanted(request.channel.clone().unwrap_or_default(), &mut violations);
        violations.finish()?;
        let response = self
            .app
            .put_channel(&caller.tenant, wanted, request_id, &request)
            .await?;
        Ok(Response::new(response))
    }

    async fn list_channels(
        &self,
        request: Request<ListChannelsRequest>,
    ) -> Result<Response<ListChannelsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let size = page_size(request.page_size, 100, 500)?;
        let query = ("channels", &caller.tenant);
        let after: Option<String> = self.pages.decode(&query, &request.page_token)?;
        let mut channels = self
            .app
            .list_channels(&caller.tenant, after.as_deref(), size + 1)
            .await?;
        let next_page_token = cut(&self.pages, &query, size, &mut channels, |(channel, _)| {
            channel.name.clone()
        });
        let now = self.app.clock.now();
        Ok(Response::new(ListChannelsResponse {
            channels: channels
                .iter()
                .map(|(channel, held)| api::channel(channel, *held, now))
                .collect(),
            next_page_token,
        }))
    }

    async fn list_channel_kinds(
        &self,
        request: Request<ListChannelKindsRequest>,
    ) -> Result<Response<ListChannelKindsResponse>, Status> {
        Caller::of(&request)?;
        let kinds = Kind::ALL.map(api::channel_capability).to_vec();
        Ok(Response::new(ListChannelKindsResponse { kinds }))
    }

    async fn put_quota(&self, request: Request<PutQuotaRequest>) -> Result<Response<PutQuotaResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let request_id = request_id(&request.request_id, &mut violations);
        let wanted = wanted_quota(request.quota.clone().unwrap_or_default(), &mut violations);
        violations.finish()?;
        let response = self.app.put_quota(&caller.tenant, wanted, request_id, &request).await?;
        Ok(Response::new(response))
    }

    async fn list_quotas(&self, request: Request<ListQuotasRequest>) -> Result<Response<ListQuotasResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let size = page_size(request.page_size, 100, 500)?;
        let query = ("quotas", &caller.tenant);
        let after: Option<String> = self.pages.decode(&query, &request.page_token)?;
        let (mut quotas, month) = self.app.list_quotas(&caller.tenant, after.as_deref(), size + 1).await?;
        let next_page_token = cut(&self.pages, &query, size, &mut quotas, |quota| quota.name.clone());
        Ok(Response::new(ListQuotasResponse {
            quotas: quotas
                .into_iter()
                .map(|quota| api::quota(quota, month.clone()))
                .collect(),
            next_page_token,
        }))
    }

    async fn report_bounce(
        &self,
        request: Request<ReportBounceRequest>,
    ) -> Result<Response<ReportBounceResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let request_id = request_id(&request.request_id, &mut violations);
        let bounce = bounce::read(&request.raw_message);
        if bounce.is_none() {
            violations.add(
                "raw_message",
                "must be the report of a mail server (RFC 3464) about a message of ours, of at most 256 KiB",
            );
        }
        violations.finish()?;
        let bounce = bounce.expect("without one there is a violation");
        let response = self
            .app
            .report_bounce(&caller.tenant, bounce, request_id, &request)
            .await?;
        Ok(Response::new(response))
    }
}

fn wanted_quota(quota: Quota, violations: &mut Violations) -> WantedQuota {
    check_name(violations, "quota.name", QUOTA_PREFIX, &quota.name);
    let kind = api::channel_kind(quota.of_kind);
    if kind.is_none() && quota.of_kind != 0 {
        violations.add("quota.of_kind", "must be a kind of channel, or none");
    }
    let scope = match (kind, quota.channel.is_empty()) {
        (Some(kind), true) => Scope::Kind(kind),
        (None, true) => Scope::Every,
        (None, false) => {
            check_name(violations, "quota.channel", CHANNEL_PREFIX, &quota.channel);
            Scope::Channel(quota.channel)
        }
        (Some(_), false) => {
            violations.add("quota.channel", "must be empty where a kind is named");
            Scope::Every
        }
    };
    if quota.administrators.len() > MAX_ADMINISTRATORS {
        let description = format!("must have at most {MAX_ADMINISTRATORS} entries");
        violations.add("quota.administrators", description);
    }
    for (at, member) in quota.administrators.iter().take(MAX_ADMINISTRATORS).enumerate() {
        check_name(violations, &format!("quota.administrators[{at}]"), "members/", member);
    }
    let monthly = match quota.messages_per_month {
        0 => None,
        messages => Monthly::new(messages, quota.reserved_for_escalations)
            .map_err(|problem| violations.add(problem.field, problem.description))
            .ok(),
    };
    WantedQuota {
        name: quota.name,
        scope,
        monthly,
        administrators: quota.administrators,
    }
}

fn wanted(channel: Channel, violations: &mut Violations) -> WantedChannel {
    check_name(violations, "channel.name", CHANNEL_PREFIX, &channel.name);
    let kind = api::channel_kind(channel.kind).unwrap_or_else(|| {
        violations.add(
            "channel.kind",
            "must be KIND_DINGTALK_ROBOT, KIND_WECOM_ROBOT, KIND_FEISHU_ROBOT, KIND_WEBHOOK, KIND_EMAIL, KIND_SMS, \
             KIND_DINGTALK_NOTICE or KIND_WECOM_APP",
        );
        Kind::DingtalkRobot
    });
    violations.text("channel.secret", &channel.secret, 0..=MAX_SECRET);
    if channel.teams.len() > MAX_TEAMS {
        violations.add("channel.teams", format!("must have at most {MAX_TEAMS} entries"));
    }
    for (at, team) in channel.teams.iter().take(MAX_TEAMS).enumerate() {
        check_name(violations, &format!("channel.teams[{at}]"), "teams/", team);
    }
    let limits = channel::limits(kind, channel.messages_per_minute, channel.reserved_for_escalations);
    let limits = limits.unwrap_or_else(|problem| {
        violations.add(problem.field, problem.description);
        Limits {
            per_minute: 1,
            reserved: 0,
        }
    });
    WantedChannel {
        name: channel.name,
        kind,
        endpoint: channel.endpoint.into(),
        secret: channel.secret.into(),
        account: Account {
            user: channel.account,
            sender: channel.sender,
            template: channel.template,
        },
        teams: channel.teams,
        limits,
        enabled: channel.enabled,
    }
}
