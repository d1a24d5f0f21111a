//! The RPCs: parse, call, convert; no rules, no SQL. One file a service.

mod account;
mod calendar;
mod channel;
mod claim;
mod customer;
mod decision_map;
mod directory;
mod duplicate;
mod field;
mod follow_up;
mod form;
mod gate;
mod import;
mod industry;
mod lead;
mod merge;
mod nurture;
mod ownership;
mod pool;
mod privacy;
mod routing;
mod tag;
mod validity;
mod webhook;

use std::sync::Arc;

use reflex_proto::leads::v1::{
    account_service_server::AccountServiceServer, calendar_service_server::CalendarServiceServer,
    channel_service_server::ChannelServiceServer, claim_service_server::ClaimServiceServer,
    customer_service_server::CustomerServiceServer, decision_map_service_server::DecisionMapServiceServer,
    directory_service_server::DirectoryServiceServer, duplicate_service_server::DuplicateServiceServer,
    field_service_server::FieldServiceServer, follow_up_service_server::FollowUpServiceServer,
    form_service_server::FormServiceServer, gate_service_server::GateServiceServer,
    import_service_server::ImportServiceServer, industry_service_server::IndustryServiceServer,
    lead_service_server::LeadServiceServer, merge_service_server::MergeServiceServer,
    nurture_service_server::NurtureServiceServer, ownership_service_server::OwnershipServiceServer,
    pool_service_server::PoolServiceServer, privacy_service_server::PrivacyServiceServer,
    routing_service_server::RoutingServiceServer, tag_service_server::TagServiceServer,
    validity_service_server::ValidityServiceServer, webhook_service_server::WebhookServiceServer,
};
use tonic::service::Routes;

use crate::app::App;

/// Full names of the services served.
pub(crate) const SERVICES: &[&str] = &[
    "reflex.leads.v1.AccountService",
    "reflex.leads.v1.CalendarService",
    "reflex.leads.v1.ChannelService",
    "reflex.leads.v1.ClaimService",
    "reflex.leads.v1.CustomerService",
    "reflex.leads.v1.DecisionMapService",
    "reflex.leads.v1.DirectoryService",
    "reflex.leads.v1.DuplicateService",
    "reflex.leads.v1.FieldService",
    "reflex.leads.v1.FollowUpService",
    "reflex.leads.v1.FormService",
    "reflex.leads.v1.GateService",
    "reflex.leads.v1.ImportService",
    "reflex.leads.v1.IndustryService",
    "reflex.leads.v1.LeadService",
    "reflex.leads.v1.MergeService",
    "reflex.leads.v1.NurtureService",
    "reflex.leads.v1.OwnershipService",
    "reflex.leads.v1.PoolService",
    "reflex.leads.v1.PrivacyService",
    "reflex.leads.v1.RoutingService",
    "reflex.leads.v1.TagService",
    "reflex.leads.v1.ValidityService",
    "reflex.leads.v1.WebhookService",
];

/// Proto packages that reflection shows.
pub(crate) const PACKAGES: &[&str] = &["reflex.leads.v1"];

/// The use cases behind a gRPC service.
#[derive(Clone)]
pub(crate) struct Rpc(pub(crate) Arc<App>);

/// Returns all handlers.
pub(crate) fn routes(app: &Arc<App>) -> Routes {
    let rpc = || Rpc(Arc::clone(app));
    let mut routes = Routes::builder();
    routes
        .add_service(LeadServiceServer::new(rpc()))
        .add_service(ClaimServiceServer::new(rpc()))
        .add_service(FollowUpServiceServer::new(rpc()))
        .add_service(DirectoryServiceServer::new(rpc()))
        .add_service(CalendarServiceServer::new(rpc()))
        .add_service(RoutingServiceServer::new(rpc()))
        .add_service(FormServiceServer::new(rpc()))
        .add_service(ImportServiceServer::new(rpc()))
        .add_service(AccountServiceServer::new(rpc()))
        .add_service(FieldServiceServer::new(rpc()))
        .add_service(MergeServiceServer::new(rpc()))
        .add_service(OwnershipServiceServer::new(rpc()))
        .add_service(PrivacyServiceServer::new(rpc()))
        .add_service(PoolServiceServer::new(rpc()))
        .add_service(DuplicateServiceServer::new(rpc()))
        .add_service(ChannelServiceServer::new(rpc()))
        .add_service(CustomerServiceServer::new(rpc()))
        .add_service(IndustryServiceServer::new(rpc()))
        .add_service(DecisionMapServiceServer::new(rpc()))
        .add_service(TagServiceServer::new(rpc()))
        .add_service(WebhookServiceServer::new(rpc()))
        .add_service(GateServiceServer::new(rpc()))
        .add_service(NurtureServiceServer::new(rpc()))
        .add_service(ValidityServiceServer::new(rpc()));
    routes.routes()
}
