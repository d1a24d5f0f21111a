//! A tenant that has one of everything, with the same mark in all of its words.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::SignedDuration;
use reflex_events::{NewEvent, outbox};
use reflex_pg::Database;
use reflex_proto::{
    leads::v1::{
        ImportLeadsRequest, LeadFileSettings, WatchLeadsRequest, import_service_client::ImportServiceClient,
        lead_service_client::LeadServiceClient,
    },
    notifications::v1::{WatchInboxRequest, inbox_service_client::InboxServiceClient},
};
use reflex_rpc::identity::Role;
use reflex_runtime::{
    clock::{Clock as _, FixedClock},
    ids::{IdSource as _, SystemIds},
};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::eventually;
use reflex_tests::{
    simulator::{Hook, Robot, Simulator, SimulatorOptions},
    suite::Suite,
};
use serde_json::{Value, json};

use crate::any_rpc::Wires;

/// Stands in every text the tenant wrote: nobody else may ever read it.
pub(crate) const MARK: &str = "金丝雀";
/// The one who gets the leads.
pub(crate) const MEMBER: &str = "members/agnes.lu";
const BOSS: &str = "members/boss.ma";
const TEAM: &str = "teams/shanghai-7";
const ROBOT: &str = "robot-of-shanghai";

/// The tenant, and what its resources are called.
pub(crate) struct Furnished {
    pub(crate) tenant: TenantId,
    /// Names and tokens by the placeholders of requests.
    pub(crate) names: BTreeMap<&'static str, String>,
    _simulator: Simulator,
}

struct Furnishing<'a> {
    suite: &'a Suite,
    wires: &'a Wires,
    tenant: TenantId,
    names: BTreeMap<&'static str, String>,
}

impl Furnished {
    /// Makes one resource of each kind, lets a ladder climb, and waits until everything is told.
    pub(crate) async fn create(suite: &Suite, wires: &Wires, clock: &Arc<FixedClock>) -> Self {
        let robot = Robot {
            token: ROBOT.into(),
            secret: Some("SEC1".into()),
            keywords: Vec::new(),
        };
        let options = SimulatorOptions {
            clock: clock.clone(),
            robots: vec![robot],
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.unwrap();
        let tenant: TenantId = "huadong".parse().unwrap();
        let mut furnishing = Furnishing {
            suite,
            wires,
            tenant,
            names: BTreeMap::new(),
        };
        furnishing.directory().await;
        furnishing.fields().await;
        furnishing.tags().await;
        furnishing.decision_maps().await;
        furnishing.customers().await;
        furnishing.routing().await;
        furnishing.pool().await;
        furnishing.webhooks().await;
        furnishing.notifications(&simulator).await;
        furnishing.leads().await;
        clock.advance(SignedDuration::from_mins(3));
        suite.timers.wake();
        eventually("the ladder has climbed", async || {
            let messages = furnishing
                .ask("notifications.v1.MessageService/ListMessages", json!({}))
                .await;
            messages["messages"].to_string().contains("lead_escalated")
        })
        .await;
        let delivered = eventually("a system outside is told", async || {
            let request = json!({"parent": "subscriptions/crm-9", "state": "STATE_DELIVERED"});
            let answer = furnishing
                .ask("notifications.v1.SubscriptionService/ListDeliveries", request)
                .await;
            answer["deliveries"].is_array().then_some(answer)
        })
        .await;
        furnishing.keep(&delivered, &[("delivery", "/deliveries/0/name")]);
        furnishing.links(&simulator).await;
        furnishing.calls().await;
        furnishing.imports().await;
        clock.advance(SignedDuration::from_mins(2));
        suite.timers.wake();
        eventually("the map of who decides is overdue", async || {
            let maps = furnishing
                .ask("leads.v1.DecisionMapService/ListOverdueDecisionMaps", json!({}))
                .await;
            maps["maps"].is_array()
        })
        .await;
        furnishing.pairs().await;
        furnishing.gate().await;
        furnishing.dead_letter(clock).await;
        furnishing.tokens().await;
        let Furnishing { tenant, names, .. } = furnishing;
        Self {
            tenant,
            names,
            _simulator: simulator,
        }
    }
}

impl Furnishing<'_> {
    async fn ask(&self, method: &str, request: Value) -> Value {
        self.wires
            .ask(self.suite, &self.tenant, &format!("reflex.{method}"), request)
            .await
    }

    /// Remembers the texts of an answer under placeholders.
    fn keep(&mut self, answer: &Value, places: &[(&'static str, &str)]) {
        for (name, pointer) in places {
            let text = answer.pointer(pointer).and_then(Value::as_str);
            let text = text.unwrap_or_else(|| panic!("{name} is at {pointer} of {answer}"));
            self.names.insert(name, text.to_owned());
        }
    }

    async fn directory(&mut self) {
        let spec = "{time_zone: Asia/Shanghai, days: [Mon-Fri], windows: [[\"09:00\", \"18:00\"]], statutory: CN}";
        let calendar = json!({"name": "calendars/late-shift", "spec": spec});
        let answer = self
            .ask("leads.v1.CalendarService/PutCalendar", json!({"calendar": calendar}))
            .await;
        self.keep(&answer, &[("calendar", "/calendar/name")]);
        self.ask("leads.v1.CalendarService/ImportHolidays", json!({"table": HOLIDAYS}))
            .await;

        let team = json!({"name": TEAM, "displayName": MARK, "supervisor": BOSS, "director": BOSS});
        let answer = self
            .ask("leads.v1.DirectoryService/PutTeam", json!({"team": team}))
            .await;
        self.keep(&answer, &[("team", "/team/name")]);
        for (name, role, capacity) in [(MEMBER, "ROLE_SALES", 9), (BOSS, "ROLE_SUPERVISOR", 0)] {
            let member = json!({"name": name, "displayName": MARK, "team": TEAM, "role": role, "capacity": capacity,
                "active": true, "mobile": "13912345678"});
            self.ask("leads.v1.DirectoryService/PutMember", json!({"member": member}))
                .await;
        }
        self.names.insert("member", MEMBER.into());
        let territory = json!({"name": "territories/minhang", "displayName": MARK});
        let answer = self
            .ask(
                "leads.v1.DirectoryService/PutTerritory",
                json!({"territory": territory}),
            )
            .await;
        self.keep(&answer, &[("territory", "/territory/name")]);
        let product = json!({"name": "products/ct-scanner", "displayName": MARK});
        let answer = self
            .ask("leads.v1.DirectoryService/PutProduct", json!({"product": product}))
            .await;
        self.keep(&answer, &[("product", "/product/name")]);
        let leave = json!({"member": MEMBER, "startTime": "2026-10-01T00:00:00Z", "endTime": "2026-10-09T00:00:00Z",
            "reason": MARK});
        let answer = self
            .ask("leads.v1.DirectoryService/PutLeave", json!({"leave": leave}))
            .await;
        self.keep(&answer, &[("leave", "/leave/name")]);
        let form = json!({"name": "forms/kontakt-7", "title": MARK, "source": "website", "enabled": true});
        let answer = self.ask("leads.v1.FormService/PutForm", json!({"form": form})).await;
        self.keep(&answer, &[("form", "/form/name"), ("write_key", "/form/writeKey")]);
        let company = json!({"id": "company", "kind": "KIND_SHORT_TEXT", "label": {"zh": MARK},
            "fills": "LEAD_FIELD_COMPANY"});
        let schema = json!({"name": "forms/kontakt-7", "schema": {"fields": [company]}});
        let answer = self.ask("leads.v1.FormService/PublishForm", schema).await;
        self.keep(&answer, &[("form_version", "/version/name")]);
    }

    async fn fields(&mut self) {
        for name in ["accounts/a-9", "accounts/b-9"] {
            let account = json!({"name": name, "displayName": MARK, "attributes": {(MARK): MARK}});
            let answer = self
                .ask("leads.v1.AccountService/PutAccount", json!({"account": account}))
                .await;
            self.keep(&answer, &[("account", "/account/name")]);
        }
        // The last one is for requests that delete it.
        for (name, entity, field_name) in [
            ("calculatedFields/fit-9", "ENTITY_ACCOUNT", "度"),
            ("calculatedFields/weight-9", "ENTITY_LEAD", "度"),
            ("calculatedFields/spare-9", "ENTITY_LEAD", "余"),
        ] {
            let (field_name, formula) = (format!("{MARK}{field_name}"), format!("LEN(客户.{MARK})"));
            let field = json!({"name": name, "entity": entity, "fieldName": field_name, "formula": formula});
            let answer = self
                .ask("leads.v1.FieldService/PutCalculatedField", json!({"field": field}))
                .await;
            self.keep(&answer, &[("field", "/field/name")]);
        }
        eventually("the fields are ready", async || {
            let listed = self.ask("leads.v1.FieldService/ListCalculatedFields", json!({})).await;
            let fields = listed["fields"].as_array().unwrap();
            fields.iter().all(|field| field["ready"] == true)
        })
        .await;
    }

    async fn tags(&mut self) {
        for name in ["tagRules/all-9", "tagRules/fact-9"] {
            let rule = json!({"name": name, "tag": MARK, "condition": format!("来源 <> '{MARK}'"), "enabled": true});
            let answer = self
                .ask("leads.v1.TagService/PutTagRule", json!({"tagRule": rule}))
                .await;
            self.keep(&answer, &[("tag_rule", "/tagRule/name")]);
        }
        let label = format!("{MARK}已报价");
        let progress = json!({"name": "progressTags/quoted-9", "label": label, "stage": "PROGRESS_STAGE_QUOTATION",
            "enabled": true});
        let answer = self
            .ask("leads.v1.TagService/PutProgressTag", json!({"progressTag": progress}))
            .await;
        self.keep(&answer, &[("progress_tag", "/progressTag/name")]);
    }

    /// Has a customer with somebody, something and a cycle, and what channels cost.
    async fn customers(&mut self) {
        let csv = format!("code,parent,name_zh\nC36,,{MARK}\n");
        let csv = base64::engine::general_purpose::STANDARD.encode(csv);
        let tree = json!({"csv": csv, "title": MARK});
        self.ask("leads.v1.IndustryService/ImportIndustries", tree).await;
        let policy = json!({"cutoverDate": "2026-01-01"});
        self.ask("leads.v1.CustomerService/PutCustomerPolicy", json!({"policy": policy}))
            .await;
        let customer = json!({"name": "accounts/b-9", "displayName": MARK, "industry": "C36"});
        self.ask("leads.v1.CustomerService/PutCustomer", json!({"customer": customer}))
            .await;
        let contact = json!({"name": "contacts/c-9", "displayName": MARK, "phones": ["13812345679"]});
        let answer = self
            .ask("leads.v1.CustomerService/PutContact", json!({"contact": contact}))
            .await;
        self.keep(&answer, &[("contact", "/name")]);
        let device = json!({"name": "devices/d-9", "model": MARK, "serial": "9", "installDate": "2021-03-02"});
        let answer = self
            .ask("leads.v1.CustomerService/PutDevice", json!({"device": device}))
            .await;
        self.keep(&answer, &[("device", "/device/name")]);
        for (kind, object) in [
            ("contact", json!("contacts/c-9")),
            ("purchaseCycle", json!({"product": MARK, "periodDays": 9})),
        ] {
            let relation =
                json!({"customer": "accounts/b-9", kind: object, "role": MARK, "validFrom": "2026-01-01T00:00:00Z"});
            let answer = self
                .ask("leads.v1.CustomerService/PutRelation", json!({"relation": relation}))
                .await;
            self.keep(&answer, &[("relation", "/relation/name")]);
        }
        let cost = json!({"name": "channelCosts/cost-9", "source": MARK, "title": MARK, "amountFen": "900",
            "firstMonth": "2026-03", "monthCount": 1});
        let spare = json!({"name": "channelCosts/spare-9", "source": MARK, "amountFen": "9", "firstMonth": "2026-03"});
        for cost in [spare, cost] {
            let answer = self
                .ask("leads.v1.ChannelService/PutChannelCost", json!({"channelCost": cost}))
                .await;
            self.keep(&answer, &[("channel_cost", "/channelCost/name")]);
        }
    }

    async fn decision_maps(&mut self) {
        let policy = json!({"enabled": true, "within": "60s", "roles": [MARK, "老板"]});
        self.ask(
            "leads.v1.DecisionMapService/PutDecisionMapPolicy",
            json!({"policy": policy}),
        )
        .await;
    }

    async fn routing(&mut self) {
        let ladder = json!({"name": "ladders/steep-9", "contactWithin": "60s", "wallClock": true, "steps": [
            {"after": "0s", "audience": "AUDIENCE_SUPERVISOR", "channels": ["inbox", "dingtalk"]},
            {"after": "86400s", "audience": "AUDIENCE_DIRECTOR", "channels": ["inbox"]}]});
        let answer = self
            .ask("leads.v1.RoutingService/PutLadder", json!({"ladder": ladder}))
            .await;
        self.keep(&answer, &[("ladder", "/ladder/name")]);
        let policy = json!({"entries": [{"territory": "territories/minhang", "team": TEAM}], "defaultTeam": TEAM});
        self.ask(
            "leads.v1.RoutingService/PutRoutingPolicy",
            json!({"policy": policy, "note": MARK}),
        )
        .await;
    }

    /// Has a rule that no lead of the furnishing meets.
    async fn pool(&mut self) {
        let rule = json!({"title": MARK, "when": "来源 = '展会'", "lacking": "LACKING_FOLLOW_UP", "within": "864000s",
            "then": "THEN_WAIT", "cooldown": "86400s"});
        let policy = json!({"picksPerDay": 7, "rules": [rule]});
        self.ask("leads.v1.PoolService/PutPoolPolicy", json!({"policy": policy}))
            .await;
        let policy = json!({"threshold": 0.86});
        self.ask(
            "leads.v1.DuplicateService/PutDuplicatePolicy",
            json!({"policy": policy}),
        )
        .await;
    }

    /// Has a source of signed bodies.
    async fn webhooks(&mut self) {
        let mapping = json!({"version": 1, "fields": {"phone": "/tel", "remark": {"otherwise": MARK}}});
        let source = json!({"name": "webhookSources/ads-9", "source": MARK, "mapping": mapping.to_string(),
            "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "enabled": true});
        let answer = self
            .ask("leads.v1.WebhookService/PutWebhookSource", json!({"source": source}))
            .await;
        self.keep(&answer, &[("webhook_source", "/source/name")]);
    }

    async fn notifications(&mut self, simulator: &Simulator) {
        let channel = json!({"name": "channels/dd-9", "kind": "KIND_DINGTALK_ROBOT", "secret": "SEC1",
            "endpoint": simulator.dingtalk_address(ROBOT), "enabled": true});
        let answer = self
            .ask(
                "notifications.v1.ChannelService/PutChannel",
                json!({"channel": channel}),
            )
            .await;
        self.keep(&answer, &[("channel", "/channel/name")]);
        let quota = json!({"name": "quotas/all-9", "messagesPerMonth": 100_000, "administrators": [MEMBER]});
        let answer = self
            .ask("notifications.v1.ChannelService/PutQuota", json!({"quota": quota}))
            .await;
        self.keep(&answer, &[("quota", "/quota/name")]);
        simulator.add_webhook(Hook {
            token: "crm-9".to_owned(),
            secret: HOOK_SECRET.to_owned(),
        });
        let subscription = json!({"name": "subscriptions/crm-9", "endpoint": simulator.webhook_address("crm-9"),
            "secret": HOOK_SECRET, "filter": format!("subject <> '{MARK}'")});
        let answer = self
            .ask(
                "notifications.v1.SubscriptionService/PutSubscription",
                json!({"subscription": subscription}),
            )
            .await;
        self.keep(&answer, &[("subscription", "/subscription/name")]);
        let template = json!({"key": "lead_assigned", "locale": "zh-CN", "title": format!("{MARK} {{{{number}}}}"),
            "body": "{{number}} {{company}}"});
        self.ask(
            "notifications.v1.TemplateService/PutTemplate",
            json!({"template": template}),
        )
        .await;
    }

    /// Captures a lead that waits for a call and one that is called, and watches the inbox meanwhile.
    async fn leads(&mut self) {
        let wire = self.suite.notifications(&self.tenant, Role::Admin, None);
        let watch = WatchInboxRequest {
            recipient: MEMBER.into(),
            resume_token: String::new(),
        };
        let mut watched = InboxServiceClient::new(wire)
            .watch_inbox(watch)
            .await
            .unwrap()
            .into_inner();
        let mut watched_leads = LeadServiceClient::new(self.suite.leads(&self.tenant, Role::Admin, None))
            .watch_leads(WatchLeadsRequest::default())
            .await
            .unwrap()
            .into_inner();
        let start = watched_leads.message().await.unwrap().unwrap();
        self.names.insert("resume_token_of_leads", start.resume_token);

        let request_id = SystemIds.next().to_string();
        let lead = json!({"source": "canary", "externalId": "E-000777", "company": MARK, "contactName": MARK,
            "phone": "13812345678", "territory": MARK, "form": "forms/kontakt-7", "remark": MARK});
        let request = json!({"lead": lead, "requestId": request_id});
        let answer = self.ask("leads.v1.LeadService/CaptureLead", request).await;
        self.keep(&answer, &[("lead", "/name"), ("number", "/number")]);
        self.names.insert("external_id", "E-000777".into());
        self.names.insert("request_id", request_id);
        let lead = json!({"source": "canary", "externalId": "E-000778", "company": MARK, "account": MARK});
        let answer = self
            .ask("leads.v1.LeadService/CaptureLead", json!({"lead": lead}))
            .await;
        self.keep(&answer, &[("called_lead", "/name")]);

        let first = watched.message().await.unwrap().unwrap();
        self.names.insert("resume_token", first.resume_token);
        let item = first.item.unwrap();
        self.names.insert("inbox_item", item.name);
        self.names.insert("message", item.message);
        watched.message().await.unwrap().unwrap();
    }

    /// Keeps the link of a message that nobody used, and uses another.
    async fn links(&mut self, simulator: &Simulator) {
        let tokens: Vec<String> = eventually("messages with links are sent", async || {
            let messages = simulator.messages();
            let texts = messages.iter().map(|message| message.text.split_once("/v1/actions/"));
            let links = texts.filter_map(|text| text?.1.split(')').next().map(str::to_owned));
            Some(links.collect::<Vec<_>>()).filter(|tokens| tokens.len() >= 2)
        })
        .await;
        let done = json!({"token": tokens[1]});
        self.ask("notifications.v1.ActionService/AnswerAction", done).await;
        self.names.insert("action_token", tokens[0].clone());
    }

    /// Claims and calls the second lead.
    async fn calls(&mut self) {
        let called = self.names["called_lead"].clone();
        let claim = json!({"name": called, "member": MEMBER, "fencingToken": "1"});
        self.ask("leads.v1.ClaimService/ClaimLead", claim).await;
        let call = json!({"lead": called, "member": MEMBER, "kind": "KIND_CALL", "note": MARK});
        self.ask("leads.v1.FollowUpService/RecordFollowUp", json!({"followUp": call}))
            .await;
        let fact = json!({"id": SystemIds.next().to_string(), "kind": "page_visited", "object": MARK,
            "occurTime": "2026-01-01T00:00:00Z"});
        let seen = json!({"lead": called, "facts": [fact]});
        self.ask("leads.v1.TagService/RecordLeadFacts", seen).await;
        let role = json!({"role": MARK, "person": MARK, "minutes": MARK, "member": MEMBER});
        self.ask(
            "leads.v1.DecisionMapService/PutDecisionRole",
            json!({"lead": called, "role": role}),
        )
        .await;
        let order = json!({"lead": called, "order": MARK, "orderTime": "2026-03-02T01:31:00Z", "amountFen": "9"});
        self.ask("leads.v1.ChannelService/RecordFirstOrder", json!({"firstOrder": order}))
            .await;
    }

    /// Imports two files of a lead each.
    async fn imports(&mut self) {
        for _ in 0..2 {
            let import = SystemIds.next().to_string();
            let request = ImportLeadsRequest {
                settings: Some(LeadFileSettings {
                    source: "canary".into(),
                    ..LeadFileSettings::default()
                }),
                import_id: import.clone(),
                chunk: format!("公司\n{MARK}\n").into_bytes(),
                ..ImportLeadsRequest::default()
            };
            let wire = self.suite.leads(&self.tenant, Role::Admin, None);
            let told = ImportServiceClient::new(wire)
                .import_leads(tokio_stream::once(request))
                .await;
            let told = told.unwrap().into_inner().message().await.unwrap().unwrap();
            assert!(told.done && told.stored_count == 1, "{told:?}");
            self.names.insert("import", format!("imports/{import}"));
        }
    }

    /// Merges two pairs of leads, disputes two leads, and erases somebody.
    async fn pairs(&mut self) {
        let mut leads = Vec::new();
        for number in 1..=7 {
            let lead = json!({"source": "canary", "externalId": format!("E-00080{number}"), "company": MARK,
                "contactName": MARK, "phone": format!("1370000000{number}")});
            let answer = self
                .ask("leads.v1.LeadService/CaptureLead", json!({"lead": lead}))
                .await;
            leads.push(answer["name"].as_str().unwrap().to_owned());
        }
        eventually("all of them have their owner", async || {
            let request = json!({"state": "STATE_CAPTURED"});
            let waiting = self.ask("leads.v1.LeadService/ListLeads", request).await;
            waiting["leads"].is_null()
        })
        .await;
        for pair in [&leads[..2], &leads[2..4]] {
            let request = json!({"survivor": pair[0], "loser": pair[1], "reason": MARK});
            let answer = self.ask("leads.v1.MergeService/MergeLeads", request).await;
            self.keep(&answer, &[("merge", "/merge/name"), ("merged_lead", "/merge/loser")]);
        }
        self.names.insert("spare_lead", leads[4].clone());
        self.names.insert("boss", BOSS.into());
        for lead in [leads[0].clone(), self.names["lead"].clone()] {
            let request = json!({"lead": lead, "claimant": BOSS, "reason": MARK});
            let answer = self.ask("leads.v1.OwnershipService/OpenDispute", request).await;
            let dispute = answer["dispute"]["name"].as_str().unwrap().to_owned();
            self.names.insert("dispute", dispute);
        }
        let subject = json!({"phone": "13700000006"});
        let answer = self
            .ask("leads.v1.PrivacyService/EraseSubject", json!({"subject": subject}))
            .await;
        self.keep(&answer, &[("erasure", "/certificate/name")]);
        // Pairs of whoever was erased are gone.
        let answer = self.ask("leads.v1.DuplicateService/ListDuplicates", json!({})).await;
        self.keep(&answer, &[("duplicate", "/duplicates/0/name")]);
    }

    /// Has a gate with its lists, and two leads in the nurture pool.
    async fn gate(&mut self) {
        let policy = json!({"behaviour": {"pages": [MARK]}, "competitors": {"domains": ["rival-9.cn"]}});
        self.ask("leads.v1.GateService/PutGatePolicy", json!({"policy": policy}))
            .await;
        let companies = format!("domain,company,industry_code\njinsique-9.cn,{MARK},C34\n");
        let visits = format!("visitor,competitor,visit_time\njinsique-9.cn,{MARK},2026-01-01\n");
        for _ in 0..2 {
            let csv = BASE64_STANDARD.encode(&companies);
            self.ask("leads.v1.GateService/ImportCompanies", json!({"csv": csv}))
                .await;
        }
        let csv = BASE64_STANDARD.encode(&visits);
        self.ask("leads.v1.GateService/ImportCompetitorVisits", json!({"csv": csv}))
            .await;
        for number in 1..=2 {
            let lead = json!({"source": "canary", "externalId": format!("E-00090{number}"), "company": MARK});
            let answer = self
                .ask("leads.v1.LeadService/CaptureLead", json!({"lead": lead}))
                .await;
            let name = answer["name"].as_str().unwrap().to_owned();
            eventually("the lead was routed", async || {
                let lead = self.ask("leads.v1.LeadService/GetLead", json!({"name": name})).await;
                lead["lead"]["owner"].is_string()
            })
            .await;
            let request = json!({"name": name, "reason": MARK});
            let answer = self.ask("leads.v1.NurtureService/NurtureLead", request).await;
            self.keep(&answer, &[("kept_lead", "/lead/name")]);
            let request = json!({"name": name, "verdict": "LABEL_VALID", "note": MARK});
            self.ask("leads.v1.ValidityService/CorrectValidity", request).await;
        }
    }

    /// Tells a fact that nobody can read.
    async fn dead_letter(&mut self, clock: &FixedClock) {
        let id = SystemIds.next();
        let event = NewEvent {
            tenant: self.tenant.clone(),
            id,
            kind: "reflex.leads.v1.LeadAssigned",
            subject: format!("leads/{MARK}"),
            time: clock.now(),
            traceparent: None,
            causation_id: None,
            data: vec![0xff; 8],
        };
        let leads = Database::connect(&self.suite.places.leads).unwrap();
        let mut tx = leads.begin("tell", &TenantSet::one(&self.tenant)).await.unwrap();
        outbox::push(&mut tx, &[event]).await.unwrap();
        tx.commit().await.unwrap();
        self.names.insert("dead_letter", format!("deadLetters/{id}"));
        eventually("the fact is buried", async || {
            let letters = self
                .ask("platform.v1.DeadLetterService/ListDeadLetters", json!({}))
                .await;
            letters["deadLetters"].is_array()
        })
        .await;
    }

    /// Takes a token for the second page of everything that has one.
    async fn tokens(&mut self) {
        for (name, method, request) in [
            (
                "page_of_leads",
                "leads.v1.LeadService/ListLeads",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_accounts",
                "leads.v1.AccountService/ListAccounts",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_fields",
                "leads.v1.FieldService/ListCalculatedFields",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_tag_rules",
                "leads.v1.TagService/ListTagRules",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_customers",
                "leads.v1.CustomerService/ListCustomers",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_relations",
                "leads.v1.CustomerService/ListRelations",
                json!({"customer": "accounts/b-9", "pageSize": 1}),
            ),
            (
                "page_of_channel_costs",
                "leads.v1.ChannelService/ListChannelCosts",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_members",
                "leads.v1.DirectoryService/ListMembers",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_duplicates",
                "leads.v1.DuplicateService/ListDuplicates",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_merges",
                "leads.v1.MergeService/ListMerges",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_imports",
                "leads.v1.ImportService/ListImports",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_disputes",
                "leads.v1.OwnershipService/ListDisputes",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_gate_imports",
                "leads.v1.GateService/ListGateImports",
                json!({"kind": "KIND_COMPANIES", "pageSize": 1}),
            ),
            (
                "page_of_nurture",
                "leads.v1.NurtureService/ListNurture",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_corrections",
                "leads.v1.ValidityService/ListValidityCorrections",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_messages",
                "notifications.v1.MessageService/ListMessages",
                json!({"pageSize": 1}),
            ),
            (
                "page_of_deliveries",
                "notifications.v1.SubscriptionService/ListDeliveries",
                json!({"parent": "subscriptions/crm-9", "pageSize": 1}),
            ),
            (
                "page_of_inbox",
                "notifications.v1.InboxService/ListInboxItems",
                json!({"recipient": MEMBER, "pageSize": 1}),
            ),
        ] {
            let answer = self.ask(method, request).await;
            self.keep(&answer, &[(name, "/nextPageToken")]);
        }
    }
}

/// What the system outside checks signatures with.
const HOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The days off of a year to come.
pub(crate) const HOLIDAYS: &str =
    r#"{"region": "CN", "years": [2027], "holidays": [{"date": "2027-01-01", "name": "元旦"}], "makeup_workdays": []}"#;
