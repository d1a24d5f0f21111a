//! Those who send leads and record calls: each repeats what it asks, word for word, until it is acknowledged.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use futures_util::stream;
use http::{Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use reflex_proto::leads::v1::{
    CaptureLeadRequest, FollowUp, NewLead, RecordFollowUpRequest, StreamCaptureLeadsRequest, follow_up,
    follow_up_service_client::FollowUpServiceClient, lead_service_client::LeadServiceClient,
};
use reflex_rpc::{identity::Role, status::reason_of};
use reflex_tests::suite::Wire;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tonic::{Code, Status};

use crate::{
    installation::{Installation, http_client},
    ledger::{LeadName, Ledger},
    script::{PlannedCall, PlannedLead, Script, Way},
};

/// Senders of a tenant for each way.
const SENDERS: usize = 2;
/// Leads of one stream.
const STREAM: usize = 20;
/// An answer that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause before the next try.
const PAUSE: Duration = Duration::from_millis(25);
/// Form of each tenant's website.
pub(crate) const FORM: &str = "forms/website";
/// Who records the calls.
const CALLER: &str = "members/s1";

/// Sends everything the script has, in its order for each sender; done when all of it is acknowledged.
pub(crate) fn send(installation: &Installation, script: &Script, ledger: &Arc<Ledger>) -> JoinSet<()> {
    let mut crowd = JoinSet::new();
    for tenant in &script.tenants {
        for way in [Way::Form, Way::Call, Way::Stream] {
            let leads: Vec<PlannedLead> = script
                .leads
                .iter()
                .filter(|lead| lead.tenant == *tenant && lead.way == way)
                .cloned()
                .collect();
            for sender in 0..SENDERS {
                let part = leads.iter().skip(sender).step_by(SENDERS).cloned().collect();
                let sender = Sender {
                    http: http_client(),
                    form: format!("{}/v1/{FORM}", installation.gateway_url()),
                    leads: installation.leads(tenant, Role::Integration),
                    calls: installation.leads(tenant, Role::Manager),
                    ledger: Arc::clone(ledger),
                };
                crowd.spawn(sender.send(way, part));
            }
        }
    }
    crowd
}

/// Lets a time pass that the script chose. Not a wait for a state: which state it hits is the question.
pub(crate) async fn moment(length: Duration) {
    sleep_until(Instant::now() + length).await;
}

/// Returns the write key of a tenant's form.
pub(crate) fn write_key(tenant: &str) -> String {
    format!("wk_{tenant}_0123456789abcdef")
}

#[derive(Clone)]
struct Sender {
    http: Client<HttpConnector, Body>,
    form: String,
    leads: Wire,
    calls: Wire,
    ledger: Arc<Ledger>,
}

/// Why there is no acknowledgement.
enum Unanswered {
    /// Nobody knows what became of it: ask again.
    Lost,
    /// An answer that is no acknowledgement.
    Refused(String),
}

impl Sender {
    async fn send(self, way: Way, leads: Vec<PlannedLead>) {
        let mut calls = JoinSet::new();
        let parts = if way == Way::Stream { STREAM } else { 1 };
        for part in leads.chunks(parts) {
            match (way, part) {
                (Way::Stream, _) => {
                    if self.repeat(|| self.stream(part)).await.is_some() {
                        for lead in part {
                            self.ledger.lead(&lead.key, None);
                        }
                    }
                }
                (_, [lead]) => {
                    let send = || async {
                        if way == Way::Form {
                            self.post(lead).await
                        } else {
                            self.call(lead).await
                        }
                    };
                    let Some(name) = self.repeat(send).await else { continue };
                    if let Some(call) = lead.call {
                        calls.spawn(self.clone().record(name.name.clone(), call));
                    }
                    self.ledger.lead(&lead.key, Some(name));
                }
                _ => unreachable!("one lead at a time"),
            }
        }
        calls.join_all().await;
    }

    /// Records the call of a lead when its time has come; every third of them twice.
    async fn record(self, lead: String, call: PlannedCall) {
        moment(call.after).await;
        let follow_up = FollowUp {
            lead: lead.clone(),
            member: CALLER.into(),
            kind: follow_up::Kind::Call.into(),
            attitude: follow_up::Attitude::Undecided.into(),
            next_action: "预约演示".into(),
            ..FollowUp::default()
        };
        let request = RecordFollowUpRequest {
            follow_up: Some(follow_up),
            request_id: call.request_id.to_string(),
        };
        let record = || async {
            let mut service = FollowUpServiceClient::new(self.calls.clone());
            let answer = answered(service.record_follow_up(request.clone())).await?;
            Ok(answer.follow_up.unwrap().name)
        };
        let Some(name) = self.repeat(record).await else { return };
        if call.request_id.as_u128().is_multiple_of(3) {
            let again = self.repeat(record).await;
            if again.as_ref() != Some(&name) {
                self.ledger
                    .surprise(format!("{lead}: the call was recorded as {name}, then as {again:?}"));
            }
        }
        self.ledger.call(&lead, name);
    }

    async fn post(&self, lead: &PlannedLead) -> Result<LeadName, Unanswered> {
        let body = json!({
            "company": "上海市第一人民医院",
            "mobile": "13800138000",
            "product": lead.product,
            "remark": lead.key,
            "external_id": lead.external_id,
        });
        let request = Request::post(&self.form)
            .header(CONTENT_TYPE, "application/json")
            .header("x-write-key", write_key(lead.tenant.as_str()))
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = timeout(PATIENCE, async {
            let answer = self.http.request(request).await.map_err(drop)?;
            let status = answer.status();
            let body = answer.into_body().collect().await.map_err(drop)?.to_bytes();
            Ok::<_, ()>((status, body))
        });
        let (status, body) = answer
            .await
            .map_err(|_| Unanswered::Lost)?
            .map_err(|()| Unanswered::Lost)?;
        match status {
            StatusCode::ACCEPTED => {
                let body: Value = serde_json::from_slice(&body).unwrap();
                let text = |name: &str| body[name].as_str().unwrap().to_owned();
                Ok(LeadName {
                    name: text("name"),
                    number: text("number"),
                })
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Err(Unanswered::Lost)
            }
            _ => Err(Unanswered::Refused(format!(
                "{status} {}",
                String::from_utf8_lossy(&body)
            ))),
        }
    }

    async fn call(&self, lead: &PlannedLead) -> Result<LeadName, Unanswered> {
        let request = CaptureLeadRequest {
            lead: Some(new_lead(lead)),
            request_id: lead.request_id.to_string(),
        };
        let answer = answered(LeadServiceClient::new(self.leads.clone()).capture_lead(request)).await?;
        Ok(LeadName {
            name: answer.name,
            number: answer.number,
        })
    }

    async fn stream(&self, leads: &[PlannedLead]) -> Result<(), Unanswered> {
        let requests: Vec<StreamCaptureLeadsRequest> = leads
            .iter()
            .map(|lead| StreamCaptureLeadsRequest {
                lead: Some(new_lead(lead)),
                request_id: lead.request_id.to_string(),
            })
            .collect();
        let mut service = LeadServiceClient::new(self.leads.clone());
        let answer = answered(service.stream_capture_leads(stream::iter(requests))).await?;
        let all = i64::try_from(leads.len()).unwrap();
        if answer.refused_count == 0 && answer.captured_count + answer.existed_count == all {
            return Ok(());
        }
        Err(Unanswered::Refused(format!("of {all} leads of a stream: {answer:?}")))
    }

    /// Asks until there is an answer; an answer that should not be is noted, and nothing is returned.
    async fn repeat<T, F>(&self, mut ask: impl FnMut() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, Unanswered>>,
    {
        loop {
            match ask().await {
                Ok(answer) => return Some(answer),
                Err(Unanswered::Lost) => moment(PAUSE).await,
                Err(Unanswered::Refused(why)) => {
                    self.ledger.surprise(why);
                    return None;
                }
            }
        }
    }
}

fn new_lead(lead: &PlannedLead) -> NewLead {
    NewLead {
        source: if lead.way == Way::Stream { "import" } else { "erp" }.into(),
        external_id: lead.external_id.clone(),
        company: "上海市第一人民医院".into(),
        contact_name: "王主任".into(),
        phone: "13800138000".into(),
        product: lead.product.into(),
        remark: lead.key.clone(),
        ..NewLead::default()
    }
}

async fn answered<T>(call: impl Future<Output = Result<tonic::Response<T>, Status>>) -> Result<T, Unanswered> {
    let Ok(answer) = timeout(PATIENCE, call).await else {
        return Err(Unanswered::Lost);
    };
    answer.map(tonic::Response::into_inner).map_err(|status| {
        let may_come_back = matches!(
            status.code(),
            Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded
        );
        // A status without a reason is none of ours: the connection broke.
        if may_come_back || reason_of(&status).is_none() {
            Unanswered::Lost
        } else {
            Unanswered::Refused(status.to_string())
        }
    })
}
