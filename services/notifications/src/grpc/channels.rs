//! `ChannelService`.

use reflex_proto::notifications::v1::{
    Channel, ListChannelsRequest, ListChannelsResponse, PutChannelRequest, PutChannelResponse,
    channel_service_server::ChannelService,
};
use reflex_rpc::{identity::Caller, page::page_size, status::Violations};
use tonic::{Request, Response, Status};

use super::{Rpc, check_name, cut, request_id};
use crate::{
    api,
    app::put_channel::WantedChannel,
    domain::{
        budget::Limits,
        channel::{self, Kind},
        message::CHANNEL_PREFIX,
    },
};

/// Most teams a channel may serve; none serves everybody.
const MAX_TEAMS: usize = 100;
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
}

fn wanted(channel: Channel, violations: &mut Violations) -> WantedChannel {
    check_name(violations, "channel.name", CHANNEL_PREFIX, &channel.name);
    let kind = api::channel_kind(channel.kind).unwrap_or_else(|| {
        violations.add(
            "channel.kind",
            "must be KIND_DINGTALK_ROBOT, KIND_WECOM_ROBOT, KIND_FEISHU_ROBOT or KIND_WEBHOOK",
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
        teams: channel.teams,
        limits,
        enabled: channel.enabled,
    }
}
