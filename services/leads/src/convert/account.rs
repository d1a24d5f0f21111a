//! Accounts between messages, domain types and rows.

use reflex_proto::leads::v1 as pb;

use super::{fields, timestamp};
use crate::{domain::account::RawAccount, store::accounts::AccountRow};

/// Converts a sent account to what the domain checks.
pub(crate) fn raw_account(account: &pb::Account) -> RawAccount {
    RawAccount {
        name: account.name.clone(),
        display_name: account.display_name.clone(),
        attributes: account.attributes.clone().into_iter().collect(),
    }
}

/// Converts an account.
pub(crate) fn account(row: &AccountRow) -> pb::Account {
    let account = row.account();
    pb::Account {
        name: account.id.to_string(),
        display_name: account.display_name,
        attributes: account.attributes,
        owner: row.owner().map(|owner| owner.to_string()).unwrap_or_default(),
        calculated_values: fields::values(row.calculated.as_deref()),
        create_time: Some(timestamp(row.create_time.to_jiff())),
        update_time: Some(timestamp(row.update_time.to_jiff())),
    }
}
