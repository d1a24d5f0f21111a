//! Calculated fields over the server: what the stories about them have in common.

mod definitions;
mod order;
mod values;

use std::collections::BTreeMap;

use prost_types::value::Kind;
use reflex_proto::leads::v1::{
    Account, CalculatedField, CalculatedValue, CaptureLeadRequest, DeleteCalculatedFieldRequest, GetAccountRequest,
    GetCalculatedFieldRequest, GetLeadRequest, ListAccountsRequest, ListCalculatedFieldsRequest, ListLeadsRequest,
    NewLead, PreviewCalculatedFieldRequest, PutAccountRequest, PutCalculatedFieldRequest, PutRoutingPolicyRequest,
    RoutingPolicy, calculated_field, lead, routing_policy,
};
use reflex_rpc::identity::Role;
use reflex_testing::eventually;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::harness::{
    Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, REUSED, WRONG_STATE, assert_refused, member,
};

const MATCH: &str = "IF(CONTAINS(客户.设备型号,'锻造'),0.8,IF(CONTAINS(客户.设备型号,'机加工'),0.6,0.3))";
/// Three customers, and what the formula gives for each.
const CUSTOMERS: [(&str, &str, f64); 3] = [
    ("suzhou", "锻造压力机", 0.8),
    ("wuxi", "五轴机加工中心", 0.6),
    ("ningbo", "注塑机", 0.3),
];

fn field(id: &str, entity: calculated_field::Entity, names: &str, formula: &str) -> CalculatedField {
    let (field_name, alias) = names.split_once('/').unwrap_or((names, ""));
    CalculatedField {
        name: format!("calculatedFields/{id}"),
        entity: entity.into(),
        field_name: field_name.into(),
        alias: alias.into(),
        formula: formula.into(),
        ..CalculatedField::default()
    }
}

fn of_lead(id: &str, names: &str, formula: &str) -> CalculatedField {
    field(id, calculated_field::Entity::Lead, names, formula)
}

fn of_account(id: &str, names: &str, formula: &str) -> CalculatedField {
    field(id, calculated_field::Entity::Account, names, formula)
}

fn account(key: &str, attributes: &[(&str, &str)]) -> Account {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Account {
        name: format!("accounts/{key}"),
        display_name: format!("{key} 公司"),
        attributes: attributes.iter().map(owned).collect(),
        ..Account::default()
    }
}

fn number(value: &CalculatedValue) -> Option<f64> {
    match value.value.as_ref()?.kind.as_ref()? {
        Kind::NumberValue(number) => Some(*number),
        _ => None,
    }
}

fn values(values: &[CalculatedValue]) -> BTreeMap<&str, Option<f64>> {
    values
        .iter()
        .map(|value| (value.field.as_str(), number(value)))
        .collect()
}

impl Caller {
    async fn put_field(&mut self, field: CalculatedField) -> Result<CalculatedField, Status> {
        let request = PutCalculatedFieldRequest {
            field: Some(field),
            request_id: String::new(),
        };
        let response = self.fields.put_calculated_field(request).await?;
        Ok(response.into_inner().field.unwrap())
    }

    async fn field(&self, id: &str, version: i32) -> CalculatedField {
        let request = GetCalculatedFieldRequest {
            name: format!("calculatedFields/{id}"),
            version,
        };
        let response = self.fields.clone().get_calculated_field(request).await.unwrap();
        response.into_inner().field.unwrap()
    }

    /// Waits until a field is ready and nothing is recomputed any more.
    async fn settled(&self, id: &str) -> CalculatedField {
        eventually(&format!("{id} is settled"), async || {
            Some(self.field(id, 0).await).filter(|field| field.ready && !field.recomputing)
        })
        .await
    }

    async fn delete_field(&mut self, id: &str) -> Result<(), Status> {
        let request = DeleteCalculatedFieldRequest {
            name: format!("calculatedFields/{id}"),
            request_id: String::new(),
        };
        self.fields.delete_calculated_field(request).await.map(drop)
    }

    async fn put_account(&mut self, account: Account) -> Account {
        let request = PutAccountRequest {
            account: Some(account),
            request_id: String::new(),
        };
        let response = self.accounts.put_account(request).await.unwrap();
        response.into_inner().account.unwrap()
    }

    async fn put_customers(&mut self) {
        for (key, model, _) in CUSTOMERS {
            self.put_account(account(key, &[("设备型号", model)])).await;
        }
    }

    async fn account(&self, key: &str) -> Account {
        let request = GetAccountRequest {
            name: format!("accounts/{key}"),
        };
        let response = self.accounts.clone().get_account(request).await.unwrap();
        response.into_inner().account.unwrap()
    }

    async fn capture_of(&mut self, account: &str, company: &str, budget_fen: i64) -> String {
        let lead = NewLead {
            source: "website".into(),
            external_id: company.into(),
            company: company.into(),
            account: account.into(),
            budget_max_fen: budget_fen,
            ..NewLead::default()
        };
        let request = CaptureLeadRequest {
            lead: Some(lead),
            request_id: String::new(),
        };
        self.leads.capture_lead(request).await.unwrap().into_inner().name
    }

    /// Waits until a lead has this value, `None` for a blank.
    async fn until_value(&self, lead: &str, field: &str, wanted: Option<f64>) {
        let request = GetLeadRequest { name: lead.into() };
        eventually(&format!("{field} of {lead} is {wanted:?}"), async || {
            let mut client = self.leads.clone();
            let lead = client
                .get_lead(request.clone())
                .await
                .unwrap()
                .into_inner()
                .lead
                .unwrap();
            values(&lead.calculated_values).get(field) == Some(&wanted)
        })
        .await;
    }

    /// Lists the companies of leads, page by page.
    async fn ordered(&self, page_size: i32, request: &ListLeadsRequest) -> Vec<String> {
        let mut request = ListLeadsRequest {
            page_size,
            ..request.clone()
        };
        let mut seen = Vec::new();
        loop {
            let page = self
                .leads
                .clone()
                .list_leads(request.clone())
                .await
                .unwrap()
                .into_inner();
            assert!(page.leads.len() <= usize::try_from(page_size).unwrap());
            seen.extend(page.leads.into_iter().map(|lead| lead.company));
            if page.next_page_token.is_empty() {
                return seen;
            }
            request.page_token = page.next_page_token;
        }
    }
}

fn order(order_by: &str) -> ListLeadsRequest {
    ListLeadsRequest {
        order_by: order_by.into(),
        ..ListLeadsRequest::default()
    }
}
