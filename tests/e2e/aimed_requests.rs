//! For every RPC the requests that would reach another tenant's resources, and what they must come to.

use tonic::Code;

use Expected::{Nothing, Own, Refused, Same};

/// What a request with another tenant's names must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// An answer without the other tenant's resources; as if the names were invented.
    Nothing,
    /// A failure; as if the names were invented.
    Refused(Code),
    /// A change of one's own resources, as resources of two tenants may have the same name.
    Own,
    /// What everybody is told, as it rests on no resource.
    Same,
}

const MISSING: Expected = Refused(Code::NotFound);
/// What is stored cannot rest on what does not exist.
const UNKNOWN: Expected = Refused(Code::FailedPrecondition);
const INVALID: Expected = Refused(Code::InvalidArgument);

/// RPC, request as JSON, what it comes to. `<word>` stands for a name of the other tenant, and a text after `base64:` for its
/// bytes.
pub(crate) const AIMED: &[(&str, &str, Expected)] = &[
    (
        "leads.v1.AccountService/PutAccount",
        r#"{"account": {"name": "<account>", "displayName": "x"}}"#,
        Own,
    ),
    (
        "leads.v1.AccountService/GetAccount",
        r#"{"name": "<account>"}"#,
        MISSING,
    ),
    ("leads.v1.AccountService/ListAccounts", "{}", Nothing),
    (
        "leads.v1.AccountService/ListAccounts",
        r#"{"orderBy": "金丝雀度"}"#,
        INVALID,
    ),
    (
        "leads.v1.AccountService/ListAccounts",
        r#"{"pageSize": 1, "pageToken": "<page_of_accounts>"}"#,
        INVALID,
    ),
    (
        "leads.v1.CalendarService/PutCalendar",
        r#"{"calendar": {"name": "<calendar>", "spec": "{time_zone: Asia/Shanghai, days: [Mon-Fri], windows: [[\"10:00\", \"11:00\"]]}"}}"#,
        Own,
    ),
    ("leads.v1.CalendarService/ListCalendars", "{}", Nothing),
    (
        "leads.v1.CalendarService/ImportHolidays",
        r#"{"table": "{\"region\": \"CN\", \"years\": [2027], \"holidays\": [{\"date\": \"2027-02-01\"}], \"makeup_workdays\": []}"}"#,
        Own,
    ),
    (
        "leads.v1.CalendarService/ComputeDue",
        r#"{"calendar": "<calendar>", "workingTime": "3600s"}"#,
        MISSING,
    ),
    (
        "leads.v1.ChannelService/PutChannelCost",
        r#"{"channelCost": {"name": "<channel_cost>", "source": "x", "amountFen": "1", "firstMonth": "2026-03"}}"#,
        Own,
    ),
    ("leads.v1.ChannelService/ListChannelCosts", "{}", Nothing),
    (
        "leads.v1.ChannelService/ListChannelCosts",
        r#"{"pageSize": 1, "pageToken": "<page_of_channel_costs>"}"#,
        INVALID,
    ),
    (
        "leads.v1.ChannelService/RecordFirstOrder",
        r#"{"firstOrder": {"lead": "<lead>", "order": "x", "orderTime": "2026-03-02T01:31:00Z", "amountFen": "1"}}"#,
        MISSING,
    ),
    ("leads.v1.ChannelService/GetChannelReport", "{}", Nothing),
    ("leads.v1.ChannelService/ExportChannelReport", "{}", Nothing),
    (
        "leads.v1.CustomerService/PutCustomer",
        r#"{"customer": {"name": "<account>", "displayName": "x"}}"#,
        Own,
    ),
    (
        "leads.v1.CustomerService/PutCustomer",
        r#"{"customer": {"name": "accounts/mine", "displayName": "x", "industry": "C36"}}"#,
        UNKNOWN,
    ),
    (
        "leads.v1.CustomerService/GetCustomer",
        r#"{"name": "<account>"}"#,
        MISSING,
    ),
    ("leads.v1.CustomerService/ListCustomers", "{}", Nothing),
    (
        "leads.v1.CustomerService/ListCustomers",
        r#"{"pageSize": 1, "pageToken": "<page_of_customers>"}"#,
        INVALID,
    ),
    (
        "leads.v1.CustomerService/ListRelations",
        r#"{"customer": "<account>"}"#,
        Nothing,
    ),
    (
        "leads.v1.CustomerService/ListRelations",
        r#"{"customer": "<account>", "pageSize": 1, "pageToken": "<page_of_relations>"}"#,
        INVALID,
    ),
    (
        "leads.v1.CustomerService/PutRelation",
        r#"{"relation": {"customer": "<account>", "contact": "<contact>", "role": "x"}}"#,
        UNKNOWN,
    ),
    (
        "leads.v1.CustomerService/PutRelation",
        r#"{"relation": {"customer": "<account>", "device": "<device>"}}"#,
        UNKNOWN,
    ),
    (
        "leads.v1.CustomerService/EndRelation",
        r#"{"name": "<relation>"}"#,
        MISSING,
    ),
    (
        "leads.v1.CustomerService/PutContact",
        r#"{"contact": {"name": "<contact>", "displayName": "x"}}"#,
        Own,
    ),
    (
        "leads.v1.CustomerService/PutDevice",
        r#"{"device": {"name": "<device>", "model": "x", "serial": "9"}}"#,
        Own,
    ),
    (
        "leads.v1.CustomerService/PutCustomerPolicy",
        r#"{"policy": {"freshDays": 1}}"#,
        Own,
    ),
    ("leads.v1.CustomerService/GetCustomerPolicy", "{}", MISSING),
    (
        "leads.v1.IndustryService/ImportIndustries",
        r#"{"csv": "Y29kZSxwYXJlbnQsbmFtZV96aApBLCx4Cg==", "title": "x"}"#,
        Own,
    ),
    ("leads.v1.IndustryService/ListIndustryVersions", "{}", Nothing),
    ("leads.v1.IndustryService/ListIndustries", "{}", MISSING),
    (
        "leads.v1.IndustryService/ListIndustries",
        r#"{"version": 1, "text": "C36"}"#,
        MISSING,
    ),
    (
        "leads.v1.IndustryService/MapIndustries",
        r#"{"fromVersion": 1, "toVersion": 1}"#,
        MISSING,
    ),
    (
        "leads.v1.ClaimService/ClaimLead",
        r#"{"name": "<lead>", "member": "<member>", "fencingToken": "1"}"#,
        MISSING,
    ),
    (
        "leads.v1.ClaimService/ReleaseLead",
        r#"{"name": "<called_lead>", "member": "<member>", "fencingToken": "1"}"#,
        MISSING,
    ),
    (
        "leads.v1.DecisionMapService/PutDecisionMapPolicy",
        r#"{"policy": {"enabled": true, "roles": ["x"]}}"#,
        Own,
    ),
    ("leads.v1.DecisionMapService/GetDecisionMapPolicy", "{}", MISSING),
    (
        "leads.v1.DecisionMapService/PutDecisionRole",
        r#"{"lead": "<called_lead>", "role": {"role": "老板", "person": "x", "member": "<member>"}}"#,
        MISSING,
    ),
    (
        "leads.v1.DecisionMapService/GetDecisionMap",
        r#"{"lead": "<called_lead>"}"#,
        MISSING,
    ),
    ("leads.v1.DecisionMapService/ListOverdueDecisionMaps", "{}", Nothing),
    (
        "leads.v1.DirectoryService/PutMember",
        r#"{"member": {"name": "members/me", "displayName": "x", "team": "<team>", "role": "ROLE_SALES", "active": true}}"#,
        UNKNOWN,
    ),
    (
        "leads.v1.DirectoryService/GetMember",
        r#"{"name": "<member>"}"#,
        MISSING,
    ),
    ("leads.v1.DirectoryService/ListMembers", "{}", Nothing),
    (
        "leads.v1.DirectoryService/ListMembers",
        r#"{"team": "<team>"}"#,
        Nothing,
    ),
    (
        "leads.v1.DirectoryService/ListMembers",
        r#"{"pageSize": 1, "pageToken": "<page_of_members>"}"#,
        INVALID,
    ),
    (
        "leads.v1.DirectoryService/PutTeam",
        r#"{"team": {"name": "<team>", "displayName": "x"}}"#,
        Own,
    ),
    (
        "leads.v1.DirectoryService/PutTeam",
        r#"{"team": {"name": "teams/mine", "displayName": "x", "parent": "<team>"}}"#,
        UNKNOWN,
    ),
    ("leads.v1.DirectoryService/ListTeams", "{}", Nothing),
    (
        "leads.v1.DirectoryService/PutTerritory",
        r#"{"territory": {"name": "<territory>", "displayName": "x"}}"#,
        Own,
    ),
    (
        "leads.v1.DirectoryService/PutTerritory",
        r#"{"territory": {"name": "territories/mine", "displayName": "x", "parent": "<territory>"}}"#,
        UNKNOWN,
    ),
    ("leads.v1.DirectoryService/ListTerritories", "{}", Nothing),
    (
        "leads.v1.DirectoryService/PutProduct",
        r#"{"product": {"name": "<product>", "displayName": "x"}}"#,
        Own,
    ),
    (
        "leads.v1.DirectoryService/PutProduct",
        r#"{"product": {"name": "products/mine", "displayName": "x", "parent": "<product>"}}"#,
        UNKNOWN,
    ),
    ("leads.v1.DirectoryService/ListProducts", "{}", Nothing),
    (
        "leads.v1.DirectoryService/PutLeave",
        r#"{"leave": {"name": "<leave>", "member": "<member>", "startTime": "2026-10-01T00:00:00Z", "endTime": "2026-10-02T00:00:00Z"}}"#,
        MISSING,
    ),
    (
        "leads.v1.DirectoryService/PutLeave",
        r#"{"leave": {"member": "<member>", "startTime": "2026-10-01T00:00:00Z", "endTime": "2026-10-02T00:00:00Z"}}"#,
        MISSING,
    ),
    ("leads.v1.DirectoryService/ListLeaves", "{}", Nothing),
    (
        "leads.v1.DirectoryService/ListLeaves",
        r#"{"member": "<member>"}"#,
        Nothing,
    ),
    (
        "leads.v1.DirectoryService/DeleteLeave",
        r#"{"name": "<leave>"}"#,
        MISSING,
    ),
    // A file that puts the member of the other tenant into their team.
    (
        "leads.v1.DirectoryService/ImportMembers",
        r#"{"csv": "aWQsZGlzcGxheV9uYW1lLHRlYW0scm9sZSxjYXBhY2l0eQphZ25lcy5sdSx4LHRlYW1zL3NoYW5naGFpLTcsc2FsZXMsNQo=", "deactivateMissing": true}"#,
        INVALID,
    ),
    // An attribute that only the other tenant's accounts have.
    (
        "leads.v1.FieldService/PutCalculatedField",
        r#"{"field": {"name": "calculatedFields/mine", "entity": "ENTITY_LEAD", "fieldName": "mine", "formula": "LEN(客户.金丝雀)"}}"#,
        INVALID,
    ),
    (
        "leads.v1.FieldService/PutCalculatedField",
        r#"{"field": {"name": "<field>", "entity": "ENTITY_LEAD", "fieldName": "mine", "formula": "1"}}"#,
        Own,
    ),
    (
        "leads.v1.FieldService/GetCalculatedField",
        r#"{"name": "<field>"}"#,
        MISSING,
    ),
    (
        "leads.v1.FieldService/GetCalculatedField",
        r#"{"name": "<field>", "version": 1}"#,
        MISSING,
    ),
    ("leads.v1.FieldService/ListCalculatedFields", "{}", Nothing),
    (
        "leads.v1.FieldService/ListCalculatedFields",
        r#"{"pageSize": 1, "pageToken": "<page_of_fields>"}"#,
        INVALID,
    ),
    (
        "leads.v1.FieldService/DeleteCalculatedField",
        r#"{"name": "<field>"}"#,
        MISSING,
    ),
    (
        "leads.v1.FieldService/PreviewCalculatedField",
        r#"{"field": {"entity": "ENTITY_LEAD", "formula": "1"}, "records": ["<lead>"]}"#,
        MISSING,
    ),
    (
        "leads.v1.FieldService/PreviewCalculatedField",
        r#"{"field": {"entity": "ENTITY_ACCOUNT", "formula": "1"}, "records": ["<account>"]}"#,
        MISSING,
    ),
    (
        "leads.v1.FieldService/PreviewCalculatedField",
        r#"{"field": {"entity": "ENTITY_ACCOUNT", "formula": "客户"}}"#,
        Nothing,
    ),
    (
        "leads.v1.FollowUpService/RecordFollowUp",
        r#"{"followUp": {"lead": "<lead>", "member": "<member>", "kind": "KIND_CALL"}}"#,
        MISSING,
    ),
    (
        "leads.v1.FollowUpService/AcknowledgeEscalation",
        r#"{"name": "<lead>", "member": "<member>"}"#,
        MISSING,
    ),
    (
        "leads.v1.FollowUpService/ListFollowUps",
        r#"{"lead": "<called_lead>"}"#,
        MISSING,
    ),
    (
        "leads.v1.FormService/PutForm",
        r#"{"form": {"name": "<form>", "title": "x", "source": "x", "enabled": true}}"#,
        Own,
    ),
    (
        "leads.v1.FormService/PutForm",
        r#"{"form": {"name": "<form>", "title": "x", "source": "x", "enabled": true, "writeKey": "<write_key>"}}"#,
        INVALID,
    ),
    ("leads.v1.FormService/GetForm", r#"{"name": "<form>"}"#, MISSING),
    ("leads.v1.FormService/ListForms", "{}", Nothing),
    // A row with the source and the id of the other tenant's lead.
    (
        "leads.v1.ImportService/ImportLeads",
        r#"{"settings": {"source": "canary"}, "importId": "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b", "chunk": "57yW5Y+3LOWFrOWPuApFLTAwMDc3Nyx4Cg=="}"#,
        Nothing,
    ),
    (
        "leads.v1.ImportService/UndoImport",
        r#"{"name": "<import>", "otherConflicts": "CONFLICT_RESOLUTION_RESTORE"}"#,
        MISSING,
    ),
    (
        "leads.v1.ImportService/CancelImport",
        r#"{"name": "<import>"}"#,
        MISSING,
    ),
    ("leads.v1.ImportService/GetImport", r#"{"name": "<import>"}"#, MISSING),
    ("leads.v1.ImportService/ListImports", "{}", Nothing),
    (
        "leads.v1.ImportService/ListImports",
        r#"{"pageSize": 1, "pageToken": "<page_of_imports>"}"#,
        INVALID,
    ),
    (
        "leads.v1.FormService/PublishForm",
        r#"{"name": "<form>", "schema": {"fields": [{"id": "company", "kind": "KIND_SHORT_TEXT", "label": {"zh": "x"}, "fills": "LEAD_FIELD_COMPANY"}]}}"#,
        MISSING,
    ),
    (
        "leads.v1.FormService/GetFormVersion",
        r#"{"name": "<form_version>"}"#,
        MISSING,
    ),
    (
        "leads.v1.FormService/ListFormVersions",
        r#"{"parent": "<form>"}"#,
        Nothing,
    ),
    (
        "leads.v1.FormService/SubmitForm",
        r#"{"name": "<form>", "answers": {"company": "x"}, "externalId": "<external_id>", "requestId": "<request_id>"}"#,
        MISSING,
    ),
    (
        "leads.v1.LeadService/CaptureLead",
        r#"{"lead": {"source": "canary", "externalId": "<external_id>", "company": "x"}, "requestId": "<request_id>"}"#,
        Own,
    ),
    (
        "leads.v1.LeadService/StreamCaptureLeads",
        r#"{"lead": {"source": "canary", "externalId": "<external_id>", "company": "x"}, "requestId": "<request_id>"}"#,
        Own,
    ),
    ("leads.v1.LeadService/GetLead", r#"{"name": "<lead>"}"#, MISSING),
    ("leads.v1.LeadService/ListLeads", "{}", Nothing),
    ("leads.v1.LeadService/ListLeads", r#"{"owner": "<member>"}"#, Nothing),
    ("leads.v1.LeadService/ListLeads", r#"{"team": "<team>"}"#, Nothing),
    ("leads.v1.LeadService/ListLeads", r#"{"number": "<number>"}"#, Nothing),
    ("leads.v1.LeadService/ListLeads", r#"{"orderBy": "金丝雀度"}"#, INVALID),
    (
        "leads.v1.LeadService/ListLeads",
        r#"{"pageSize": 1, "pageToken": "<page_of_leads>"}"#,
        INVALID,
    ),
    ("leads.v1.LeadService/WatchLeads", r#"{"owner": "<member>"}"#, Nothing),
    (
        "leads.v1.LeadService/WatchLeads",
        r#"{"resumeToken": "<resume_token_of_leads>"}"#,
        INVALID,
    ),
    (
        "leads.v1.LeadService/CloseLead",
        r#"{"name": "<called_lead>", "outcome": "OUTCOME_LOST", "reason": "x"}"#,
        MISSING,
    ),
    (
        "leads.v1.PoolService/PutPoolPolicy",
        r#"{"policy": {"picksPerDay": 1, "rules": [{"title": "x", "lacking": "LACKING_CLAIM", "within": "3600s", "then": "THEN_WAIT"}]}}"#,
        Own,
    ),
    ("leads.v1.PoolService/GetPoolPolicy", "{}", MISSING),
    (
        "leads.v1.PoolService/PickLead",
        r#"{"name": "<lead>", "member": "<member>"}"#,
        MISSING,
    ),
    (
        "leads.v1.GateService/PutGatePolicy",
        r#"{"policy": {"enabled": false, "staleAfterDays": 90}}"#,
        Own,
    ),
    ("leads.v1.GateService/GetGatePolicy", "{}", MISSING),
    ("leads.v1.GateService/EvaluateGate", r#"{"lead": "<lead>"}"#, MISSING),
    (
        "leads.v1.GateService/ExplainGate",
        r#"{"lead": "<kept_lead>"}"#,
        MISSING,
    ),
    (
        "leads.v1.GateService/ImportCompanies",
        r#"{"csv": "ZG9tYWluLGNvbXBhbnksaW5kdXN0cnlfY29kZQphLmNuLHgsQzM0Cg=="}"#,
        Own,
    ),
    (
        "leads.v1.GateService/ImportCompetitorVisits",
        r#"{"csv": "dmlzaXRvcixjb21wZXRpdG9yLHZpc2l0X3RpbWUKYS5jbix4LDIwMjYtMDEtMDEK"}"#,
        Own,
    ),
    (
        "leads.v1.GateService/UndoGateImport",
        r#"{"kind": "KIND_COMPANIES", "version": 1}"#,
        MISSING,
    ),
    (
        "leads.v1.GateService/ListGateImports",
        r#"{"kind": "KIND_COMPANIES", "pageSize": 1, "pageToken": "<page_of_gate_imports>"}"#,
        INVALID,
    ),
    ("leads.v1.NurtureService/ListNurture", "{}", Nothing),
    (
        "leads.v1.NurtureService/ListNurture",
        r#"{"pageSize": 1, "pageToken": "<page_of_nurture>"}"#,
        INVALID,
    ),
    (
        "leads.v1.NurtureService/ReturnLead",
        r#"{"name": "<kept_lead>", "reason": "x"}"#,
        MISSING,
    ),
    (
        "leads.v1.NurtureService/NurtureLead",
        r#"{"name": "<called_lead>", "reason": "x"}"#,
        MISSING,
    ),
    (
        "leads.v1.ValidityService/CorrectValidity",
        r#"{"name": "<kept_lead>", "verdict": "LABEL_VALID", "note": "x"}"#,
        MISSING,
    ),
    ("leads.v1.ValidityService/ListValidityCorrections", "{}", Nothing),
    (
        "leads.v1.ValidityService/ListValidityCorrections",
        r#"{"pageSize": 1, "pageToken": "<page_of_corrections>"}"#,
        INVALID,
    ),
    (
        "leads.v1.MergeService/MergeLeads",
        r#"{"survivor": "<lead>", "loser": "<spare_lead>"}"#,
        MISSING,
    ),
    (
        "leads.v1.DuplicateService/CheckLead",
        r#"{"company": "金丝雀", "contactName": "金丝雀", "phone": "13812345678"}"#,
        Nothing,
    ),
    ("leads.v1.DuplicateService/ListDuplicates", "{}", Nothing),
    (
        "leads.v1.DuplicateService/ListDuplicates",
        r#"{"lead": "<merged_lead>"}"#,
        Nothing,
    ),
    (
        "leads.v1.DuplicateService/ListDuplicates",
        r#"{"pageSize": 1, "pageToken": "<page_of_duplicates>"}"#,
        INVALID,
    ),
    (
        "leads.v1.DuplicateService/GetDuplicate",
        r#"{"name": "<duplicate>"}"#,
        MISSING,
    ),
    (
        "leads.v1.DuplicateService/DecideDuplicate",
        r#"{"name": "<duplicate>", "decision": "DECISION_DISTINCT"}"#,
        MISSING,
    ),
    (
        "leads.v1.DuplicateService/PutDuplicatePolicy",
        r#"{"policy": {"threshold": 0.9}}"#,
        Own,
    ),
    ("leads.v1.DuplicateService/GetDuplicatePolicy", "{}", MISSING),
    ("leads.v1.MergeService/GetMerge", r#"{"name": "<merge>"}"#, MISSING),
    ("leads.v1.MergeService/ListMerges", "{}", Nothing),
    (
        "leads.v1.MergeService/ListMerges",
        r#"{"lead": "<merged_lead>"}"#,
        Nothing,
    ),
    (
        "leads.v1.MergeService/ListMerges",
        r#"{"pageSize": 1, "pageToken": "<page_of_merges>"}"#,
        INVALID,
    ),
    ("leads.v1.MergeService/UnmergeLeads", r#"{"name": "<merge>"}"#, MISSING),
    (
        "leads.v1.OwnershipService/ListOwnership",
        r#"{"lead": "<lead>"}"#,
        MISSING,
    ),
    (
        "leads.v1.OwnershipService/GetOwnerAt",
        r#"{"lead": "<lead>", "time": "2026-01-01T00:00:00Z"}"#,
        MISSING,
    ),
    (
        "leads.v1.OwnershipService/OpenDispute",
        r#"{"lead": "<called_lead>", "claimant": "<boss>", "reason": "x"}"#,
        // Nobody of theirs can claim anything here; the lead is not even looked for.
        UNKNOWN,
    ),
    (
        "leads.v1.OwnershipService/DecideDispute",
        r#"{"name": "<dispute>", "owner": "<member>", "reason": "x"}"#,
        MISSING,
    ),
    (
        "leads.v1.OwnershipService/GetDispute",
        r#"{"name": "<dispute>"}"#,
        MISSING,
    ),
    ("leads.v1.OwnershipService/ListDisputes", "{}", Nothing),
    (
        "leads.v1.OwnershipService/ListDisputes",
        r#"{"lead": "<lead>"}"#,
        Nothing,
    ),
    (
        "leads.v1.OwnershipService/ListDisputes",
        r#"{"pageSize": 1, "pageToken": "<page_of_disputes>"}"#,
        INVALID,
    ),
    (
        "leads.v1.PrivacyService/FindSubject",
        r#"{"subject": {"lead": "<lead>"}}"#,
        MISSING,
    ),
    (
        "leads.v1.PrivacyService/FindSubject",
        r#"{"subject": {"phone": "13812345678"}}"#,
        Nothing,
    ),
    (
        "leads.v1.PrivacyService/ExportSubject",
        r#"{"subject": {"lead": "<lead>"}}"#,
        MISSING,
    ),
    (
        "leads.v1.PrivacyService/GetErasure",
        r#"{"name": "<erasure>"}"#,
        MISSING,
    ),
    (
        "leads.v1.PrivacyService/EraseSubject",
        r#"{"subject": {"lead": "<merged_lead>"}}"#,
        MISSING,
    ),
    (
        "leads.v1.RoutingService/PutRoutingPolicy",
        r#"{"policy": {"defaultTeam": "<team>"}}"#,
        UNKNOWN,
    ),
    (
        "leads.v1.RoutingService/PutRoutingPolicy",
        r#"{"policy": {"entries": [{"territory": "<territory>", "product": "<product>", "team": "<team>"}]}}"#,
        UNKNOWN,
    ),
    (
        "leads.v1.RoutingService/CheckRoutingPolicy",
        r#"{"policy": {"entries": [{"territory": "<territory>", "product": "<product>", "team": "<team>", "skills": ["x"]}]}}"#,
        Nothing,
    ),
    (
        "leads.v1.RoutingService/CheckRoutingPolicy",
        r#"{"version": 1}"#,
        MISSING,
    ),
    (
        "leads.v1.RoutingService/ActivateRoutingPolicy",
        r#"{"version": 1}"#,
        MISSING,
    ),
    ("leads.v1.RoutingService/ListRoutingPolicies", "{}", Nothing),
    ("leads.v1.RoutingService/ListRoutingPolicyActivations", "{}", Nothing),
    (
        "leads.v1.RoutingService/ExportRoutingTable",
        r#"{"version": 1}"#,
        MISSING,
    ),
    (
        "leads.v1.RoutingService/ImportRoutingTable",
        r#"{"csv": "dGVycml0b3J5LHByb2R1Y3Qsd2hlbix0ZWFtLHNraWxscwo=", "baseVersion": 1}"#,
        MISSING,
    ),
    ("leads.v1.RoutingService/GetRoutingPolicy", "{}", MISSING),
    ("leads.v1.RoutingService/GetRoutingPolicy", r#"{"version": 1}"#, MISSING),
    (
        "leads.v1.RoutingService/PutLadder",
        r#"{"ladder": {"name": "<ladder>", "contactWithin": "60s", "steps": [{"audience": "AUDIENCE_OWNER", "channels": ["inbox"]}]}}"#,
        Own,
    ),
    (
        "leads.v1.RoutingService/PutLadder",
        r#"{"ladder": {"name": "ladders/mine", "product": "<product>", "contactWithin": "60s", "steps": [{"audience": "AUDIENCE_OWNER", "channels": ["inbox"]}]}}"#,
        INVALID,
    ),
    ("leads.v1.RoutingService/ListLadders", "{}", Nothing),
    (
        "leads.v1.RoutingService/ExplainAssignment",
        r#"{"name": "<lead>"}"#,
        MISSING,
    ),
    (
        "leads.v1.RoutingService/ExplainWhyNot",
        r#"{"name": "<lead>", "member": "<member>"}"#,
        MISSING,
    ),
    ("leads.v1.RoutingService/SimulateRouting", "{}", Nothing),
    (
        "leads.v1.RoutingService/SimulateRouting",
        r#"{"policy": {"defaultTeam": "<team>"}}"#,
        UNKNOWN,
    ),
    (
        "leads.v1.WebhookService/PutWebhookSource",
        r#"{"source": {"name": "<webhook_source>", "source": "x", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "mapping": "{\"version\": 1, \"fields\": {\"phone\": \"/a\"}}", "enabled": true}}"#,
        Own,
    ),
    ("leads.v1.WebhookService/ListWebhookSources", "{}", Nothing),
    (
        "leads.v1.WebhookService/CaptureWebhook",
        r#"{"name": "<webhook_source>", "webhookId": "a", "webhookTimestamp": "1", "body": "e30="}"#,
        MISSING,
    ),
    (
        "leads.v1.TagService/PutTagRule",
        r#"{"tagRule": {"name": "<tag_rule>", "tag": "x", "enabled": true}}"#,
        Own,
    ),
    // An attribute that only the other tenant's accounts have.
    (
        "leads.v1.TagService/PutTagRule",
        r#"{"tagRule": {"name": "tagRules/mine", "tag": "x", "condition": "LEN(客户.金丝雀) > 0", "enabled": true}}"#,
        INVALID,
    ),
    ("leads.v1.TagService/ListTagRules", "{}", Nothing),
    (
        "leads.v1.TagService/ListTagRules",
        r#"{"pageSize": 1, "pageToken": "<page_of_tag_rules>"}"#,
        INVALID,
    ),
    (
        "leads.v1.TagService/PutProgressTag",
        r#"{"progressTag": {"name": "<progress_tag>", "label": "x", "stage": "PROGRESS_STAGE_NEEDS"}}"#,
        Own,
    ),
    ("leads.v1.TagService/ListProgressTags", "{}", Nothing),
    (
        "leads.v1.TagService/AddLeadTag",
        r#"{"lead": "<lead>", "tag": "x"}"#,
        MISSING,
    ),
    (
        "leads.v1.TagService/RemoveLeadTag",
        r#"{"lead": "<lead>", "tag": "金丝雀"}"#,
        MISSING,
    ),
    (
        "leads.v1.TagService/SetLeadProgress",
        r#"{"lead": "<lead>", "progressTag": "<progress_tag>"}"#,
        MISSING,
    ),
    (
        "leads.v1.TagService/RecordLeadFacts",
        r#"{"lead": "<lead>", "facts": [{"id": "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1c", "kind": "x", "occurTime": "2026-01-01T00:00:00Z"}]}"#,
        MISSING,
    ),
    ("leads.v1.LeadService/ListLeads", r#"{"tag": "金丝雀"}"#, Nothing),
    (
        "notifications.v1.ActionService/GetAction",
        r#"{"token": "<action_token>"}"#,
        MISSING,
    ),
    (
        "notifications.v1.ActionService/AnswerAction",
        r#"{"token": "<action_token>"}"#,
        MISSING,
    ),
    (
        "notifications.v1.ChannelService/PutChannel",
        r#"{"channel": {"name": "<channel>", "kind": "KIND_DINGTALK_ROBOT", "endpoint": "https://oapi.dingtalk.com/robot/send?access_token=x"}}"#,
        Own,
    ),
    ("notifications.v1.ChannelService/ListChannels", "{}", Nothing),
    ("notifications.v1.ChannelService/ListChannelKinds", "{}", Same),
    (
        "notifications.v1.ChannelService/PutQuota",
        r#"{"quota": {"name": "<quota>", "channel": "<channel>", "messagesPerMonth": 5}}"#,
        Own,
    ),
    ("notifications.v1.ChannelService/ListQuotas", "{}", Nothing),
    // A report that is none, and one about a message that nobody has.
    (
        "notifications.v1.ChannelService/ReportBounce",
        r#"{"rawMessage": "base64:Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nx\n--b\nContent-Type: message/delivery-status\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <<message>@x>\n\nx\n--b--\n"}"#,
        MISSING,
    ),
    (
        "notifications.v1.InboxService/ListInboxItems",
        r#"{"recipient": "<member>"}"#,
        Nothing,
    ),
    (
        "notifications.v1.InboxService/ListInboxItems",
        r#"{"recipient": "<member>", "pageSize": 1, "pageToken": "<page_of_inbox>"}"#,
        INVALID,
    ),
    // What an open stream shows is the story of another test.
    (
        "notifications.v1.InboxService/WatchInbox",
        r#"{"recipient": "<member>"}"#,
        Nothing,
    ),
    (
        "notifications.v1.InboxService/WatchInbox",
        r#"{"recipient": "<member>", "resumeToken": "<resume_token>"}"#,
        INVALID,
    ),
    (
        "notifications.v1.InboxService/MarkInboxItemRead",
        r#"{"name": "<inbox_item>"}"#,
        MISSING,
    ),
    ("notifications.v1.MessageService/ListMessages", "{}", Nothing),
    (
        "notifications.v1.MessageService/ListMessages",
        r#"{"recipient": "<member>"}"#,
        Nothing,
    ),
    (
        "notifications.v1.MessageService/ListMessages",
        r#"{"subject": "<lead>"}"#,
        Nothing,
    ),
    (
        "notifications.v1.MessageService/ListMessages",
        r#"{"pageSize": 1, "pageToken": "<page_of_messages>"}"#,
        INVALID,
    ),
    (
        "notifications.v1.MessageService/GetMessage",
        r#"{"name": "<message>"}"#,
        MISSING,
    ),
    (
        "notifications.v1.SubscriptionService/PutSubscription",
        r#"{"subscription": {"name": "<subscription>", "endpoint": "https://oapi.dingtalk.com/x", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}"#,
        Own,
    ),
    (
        "notifications.v1.SubscriptionService/GetSubscription",
        r#"{"name": "<subscription>"}"#,
        MISSING,
    ),
    ("notifications.v1.SubscriptionService/ListSubscriptions", "{}", Nothing),
    (
        "notifications.v1.SubscriptionService/PauseSubscription",
        r#"{"name": "<subscription>"}"#,
        MISSING,
    ),
    (
        "notifications.v1.SubscriptionService/ResumeSubscription",
        r#"{"name": "<subscription>"}"#,
        MISSING,
    ),
    (
        "notifications.v1.SubscriptionService/RotateSubscriptionSecret",
        r#"{"name": "<subscription>", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#,
        MISSING,
    ),
    (
        "notifications.v1.SubscriptionService/ReplaySubscription",
        r#"{"name": "<subscription>"}"#,
        MISSING,
    ),
    (
        "notifications.v1.SubscriptionService/ListDeliveries",
        r#"{"parent": "<subscription>"}"#,
        MISSING,
    ),
    (
        "notifications.v1.SubscriptionService/ListDeliveries",
        r#"{"parent": "<subscription>", "pageSize": 1, "pageToken": "<page_of_deliveries>"}"#,
        INVALID,
    ),
    (
        "notifications.v1.SubscriptionService/RetryDelivery",
        r#"{"name": "<delivery>"}"#,
        MISSING,
    ),
    (
        "notifications.v1.SubscriptionService/TestSubscription",
        r#"{"name": "<subscription>"}"#,
        MISSING,
    ),
    // The last one, as its owner sends these requests, too.
    (
        "notifications.v1.SubscriptionService/DeleteSubscription",
        r#"{"name": "<subscription>"}"#,
        MISSING,
    ),
    (
        "notifications.v1.TemplateService/PutTemplate",
        r#"{"template": {"key": "lead_assigned", "locale": "zh-CN", "title": "{{number}}", "body": "{{number}} {{company}}"}}"#,
        Own,
    ),
    (
        "notifications.v1.TemplateService/GetTemplate",
        r#"{"key": "lead_assigned", "locale": "zh-CN"}"#,
        Nothing,
    ),
    ("notifications.v1.TemplateService/ListTemplates", "{}", Nothing),
    (
        "notifications.v1.TemplateService/ListTemplateVersions",
        r#"{"key": "lead_assigned", "locale": "zh-CN"}"#,
        Nothing,
    ),
    (
        "notifications.v1.TemplateService/PreviewTemplate",
        r#"{"draft": {"key": "lead_assigned", "locale": "zh-CN"}, "facts": {"number": "1"}}"#,
        Nothing,
    ),
    (
        "notifications.v1.TemplateService/PreviewTemplate",
        r#"{"draft": {"key": "lead_assigned", "locale": "zh-CN"}, "message": "<message>"}"#,
        MISSING,
    ),
    ("platform.v1.DeadLetterService/ListDeadLetters", "{}", Nothing),
    (
        "platform.v1.DeadLetterService/GetDeadLetter",
        r#"{"name": "<dead_letter>"}"#,
        MISSING,
    ),
    (
        "platform.v1.DeadLetterService/ReplayDeadLetter",
        r#"{"name": "<dead_letter>"}"#,
        MISSING,
    ),
    (
        "platform.v1.DeadLetterService/DropDeadLetter",
        r#"{"name": "<dead_letter>"}"#,
        MISSING,
    ),
];
