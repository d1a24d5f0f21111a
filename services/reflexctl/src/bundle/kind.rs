//! What a bundle may hold, and how the API lists and puts it.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind as FieldKind, MessageDescriptor, MethodDescriptor};

/// A kind of resource; the order is the one in which they are applied, as later ones refer to earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Working calendar.
    Calendar,
    /// Statutory table of holidays and make-up workdays.
    Holidays,
    /// Region, province or city.
    Territory,
    /// Product or product line.
    Product,
    /// Team.
    Team,
    /// Member.
    Member,
    /// Leave of a member.
    Leave,
    /// Customer that leads belong to.
    Account,
    /// Field that a formula calculates.
    CalculatedField,
    /// Rule that gives leads tags.
    TagRule,
    /// Step of a sale that salespeople choose.
    ProgressTag,
    /// The tenant's one routing policy.
    RoutingPolicy,
    /// Escalation ladder.
    Ladder,
    /// The tenant's one pool policy.
    PoolPolicy,
    /// How the tenant's leads are compared.
    DuplicatePolicy,
    /// Which roles have to be reached by when after the first contact.
    DecisionMapPolicy,
    /// Something paid for a channel that leads come by.
    ChannelCost,
    /// The tenant's one gate.
    GatePolicy,
    /// Form of a website.
    Form,
    /// Other system that posts signed bodies.
    WebhookSource,
    /// Way out of the system, such as a robot.
    Channel,
    /// What may be sent in a month.
    Quota,
    /// Words of a message.
    Template,
    /// System outside that is told facts.
    Subscription,
}

/// Which of the services a resource lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The leads service.
    Leads,
    /// The notifications service.
    Notifications,
}

/// What is special about a kind; everything else follows from the descriptors.
struct Facts {
    kind: Kind,
    name: &'static str,
    message: &'static str,
    service: &'static str,
    put: &'static str,
    /// The method that returns what is stored, if there is one.
    read: Option<&'static str>,
    /// First part of its resource names.
    collection: Option<&'static str>,
    /// Fields that may name resources which do not exist yet: they are left out at first and put once all exist.
    late: &'static [&'static str],
    /// Fields the server fills in where the bundle is silent.
    filled_in: &'static [&'static str],
    /// Fields the server takes and never shows.
    write_only: &'static [&'static str],
    /// Fields only the server writes.
    output_only: &'static [&'static str],
}

const DIRECTORY: &str = "reflex.leads.v1.DirectoryService";
const CALENDAR: &str = "reflex.leads.v1.CalendarService";
const ROUTING: &str = "reflex.leads.v1.RoutingService";
const TAGS: &str = "reflex.leads.v1.TagService";

const PLAIN: Facts = Facts {
    kind: Kind::Calendar,
    name: "",
    message: "",
    service: "",
    put: "",
    read: None,
    collection: None,
    late: &[],
    filled_in: &[],
    write_only: &[],
    output_only: &[],
};

const FACTS: [Facts; 24] = [
    Facts {
        kind: Kind::Calendar,
        name: "Calendar",
        message: "reflex.leads.v1.Calendar",
        service: CALENDAR,
        put: "PutCalendar",
        read: Some("ListCalendars"),
        collection: Some("calendars"),
        ..PLAIN
    },
    Facts {
        kind: Kind::Holidays,
        name: "Holidays",
        message: "reflex.leads.v1.ImportHolidaysRequest",
        service: CALENDAR,
        put: "ImportHolidays",
        ..PLAIN
    },
    Facts {
        kind: Kind::Territory,
        name: "Territory",
        message: "reflex.leads.v1.Territory",
        service: DIRECTORY,
        put: "PutTerritory",
        read: Some("ListTerritories"),
        collection: Some("territories"),
        ..PLAIN
    },
    Facts {
        kind: Kind::Product,
        name: "Product",
        message: "reflex.leads.v1.Product",
        service: DIRECTORY,
        put: "PutProduct",
        read: Some("ListProducts"),
        collection: Some("products"),
        ..PLAIN
    },
    Facts {
        kind: Kind::Team,
        name: "Team",
        message: "reflex.leads.v1.Team",
        service: DIRECTORY,
        put: "PutTeam",
        read: Some("ListTeams"),
        collection: Some("teams"),
        late: &["supervisor", "director"],
        ..PLAIN
    },
    Facts {
        kind: Kind::Member,
        name: "Member",
        message: "reflex.leads.v1.Member",
        service: DIRECTORY,
        put: "PutMember",
        read: Some("ListMembers"),
        collection: Some("members"),
        late: &["supervisor", "deputy"],
        filled_in: &["weight", "locale"],
        output_only: &["open_leads"],
        ..PLAIN
    },
    Facts {
        kind: Kind::Leave,
        name: "Leave",
        message: "reflex.leads.v1.Leave",
        service: DIRECTORY,
        put: "PutLeave",
        read: Some("ListLeaves"),
        collection: Some("leaves"),
        filled_in: &["name"],
        ..PLAIN
    },
    Facts {
        kind: Kind::Account,
        name: "Account",
        message: "reflex.leads.v1.Account",
        service: "reflex.leads.v1.AccountService",
        put: "PutAccount",
        read: Some("ListAccounts"),
        collection: Some("accounts"),
        output_only: &["owner", "calculated_values", "create_time", "update_time"],
        ..PLAIN
    },
    Facts {
        kind: Kind::CalculatedField,
        name: "CalculatedField",
        message: "reflex.leads.v1.CalculatedField",
        service: "reflex.leads.v1.FieldService",
        put: "PutCalculatedField",
        read: Some("ListCalculatedFields"),
        collection: Some("calculatedFields"),
        output_only: &["type", "version", "ready", "recomputing", "update_time"],
        ..PLAIN
    },
    Facts {
        kind: Kind::TagRule,
        name: "TagRule",
        message: "reflex.leads.v1.TagRule",
        service: TAGS,
        put: "PutTagRule",
        read: Some("ListTagRules"),
        collection: Some("tagRules"),
        output_only: &["version", "update_time"],
        ..PLAIN
    },
    Facts {
        kind: Kind::ProgressTag,
        name: "ProgressTag",
        message: "reflex.leads.v1.ProgressTag",
        service: TAGS,
        put: "PutProgressTag",
        read: Some("ListProgressTags"),
        collection: Some("progressTags"),
        ..PLAIN
    },
    Facts {
        kind: Kind::RoutingPolicy,
        name: "RoutingPolicy",
        message: "reflex.leads.v1.RoutingPolicy",
        service: ROUTING,
        put: "PutRoutingPolicy",
        read: Some("GetRoutingPolicy"),
        filled_in: &["claim_within"],
        output_only: &["version"],
        ..PLAIN
    },
    Facts {
        kind: Kind::Ladder,
        name: "Ladder",
        message: "reflex.leads.v1.Ladder",
        service: ROUTING,
        put: "PutLadder",
        read: Some("ListLadders"),
        collection: Some("ladders"),
        ..PLAIN
    },
    Facts {
        kind: Kind::PoolPolicy,
        name: "PoolPolicy",
        message: "reflex.leads.v1.PoolPolicy",
        service: "reflex.leads.v1.PoolService",
        put: "PutPoolPolicy",
        read: Some("GetPoolPolicy"),
        output_only: &["update_time"],
        ..PLAIN
    },
    Facts {
        kind: Kind::DuplicatePolicy,
        name: "DuplicatePolicy",
        message: "reflex.leads.v1.DuplicatePolicy",
        service: "reflex.leads.v1.DuplicateService",
        put: "PutDuplicatePolicy",
        read: Some("GetDuplicatePolicy"),
        output_only: &["update_time"],
        ..PLAIN
    },
    Facts {
        kind: Kind::DecisionMapPolicy,
        name: "DecisionMapPolicy",
        message: "reflex.leads.v1.DecisionMapPolicy",
        service: "reflex.leads.v1.DecisionMapService",
        put: "PutDecisionMapPolicy",
        read: Some("GetDecisionMapPolicy"),
        filled_in: &["within", "roles"],
        output_only: &["update_time"],
        ..PLAIN
    },
    Facts {
        kind: Kind::ChannelCost,
        name: "ChannelCost",
        message: "reflex.leads.v1.ChannelCost",
        service: "reflex.leads.v1.ChannelService",
        put: "PutChannelCost",
        read: Some("ListChannelCosts"),
        collection: Some("channelCosts"),
        filled_in: &["month_count"],
        output_only: &["update_time"],
        ..PLAIN
    },
    Facts {
        kind: Kind::GatePolicy,
        name: "GatePolicy",
        message: "reflex.leads.v1.GatePolicy",
        service: "reflex.leads.v1.GateService",
        put: "PutGatePolicy",
        read: Some("GetGatePolicy"),
        output_only: &["version", "update_time"],
        ..PLAIN
    },
    Facts {
        kind: Kind::Form,
        name: "Form",
        message: "reflex.leads.v1.Form",
        service: "reflex.leads.v1.FormService",
        put: "PutForm",
        read: Some("ListForms"),
        collection: Some("forms"),
        filled_in: &["write_key", "posts_per_minute", "schema"],
        output_only: &["version"],
        ..PLAIN
    },
    Facts {
        kind: Kind::WebhookSource,
        name: "WebhookSource",
        message: "reflex.leads.v1.WebhookSource",
        service: "reflex.leads.v1.WebhookService",
        put: "PutWebhookSource",
        read: Some("ListWebhookSources"),
        collection: Some("webhookSources"),
        filled_in: &["posts_per_minute"],
        write_only: &["secret"],
        output_only: &["update_time"],
        ..PLAIN
    },
    Facts {
        kind: Kind::Channel,
        name: "Channel",
        message: "reflex.notifications.v1.Channel",
        service: "reflex.notifications.v1.ChannelService",
        put: "PutChannel",
        read: Some("ListChannels"),
        collection: Some("channels"),
        filled_in: &["messages_per_minute", "reserved_for_escalations"],
        write_only: &["secret"],
        output_only: &["available_now"],
        ..PLAIN
    },
    Facts {
        kind: Kind::Quota,
        name: "Quota",
        message: "reflex.notifications.v1.Quota",
        service: "reflex.notifications.v1.ChannelService",
        put: "PutQuota",
        read: Some("ListQuotas"),
        collection: Some("quotas"),
        filled_in: &["reserved_for_escalations"],
        output_only: &["used", "month"],
        ..PLAIN
    },
    Facts {
        kind: Kind::Template,
        name: "Template",
        message: "reflex.notifications.v1.Template",
        service: "reflex.notifications.v1.TemplateService",
        put: "PutTemplate",
        read: Some("ListTemplates"),
        output_only: &["version", "publish_time", "publisher"],
        ..PLAIN
    },
    Facts {
        kind: Kind::Subscription,
        name: "Subscription",
        message: "reflex.notifications.v1.Subscription",
        service: "reflex.notifications.v1.SubscriptionService",
        put: "PutSubscription",
        read: Some("ListSubscriptions"),
        collection: Some("subscriptions"),
        write_only: &["secret"],
        output_only: &[
            "state",
            "reason",
            "public_keys",
            "overlap_end_time",
            "failures",
            "probe_time",
            "create_time",
            "update_time",
        ],
        ..PLAIN
    },
];

impl Kind {
    /// Every kind, in the order of application.
    pub fn all() -> impl Iterator<Item = Self> {
        FACTS.iter().map(|facts| facts.kind)
    }

    /// Returns the kind that a document's `kind:` names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FACTS.iter().find(|facts| facts.name == name).map(|facts| facts.kind)
    }

    /// Returns the name, as documents write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Returns the service the kind lives in.
    #[must_use]
    pub fn owner(self) -> Owner {
        if self.facts().service.starts_with("reflex.notifications.") {
            Owner::Notifications
        } else {
            Owner::Leads
        }
    }

    pub(crate) fn collection(self) -> Option<&'static str> {
        self.facts().collection
    }

    pub(crate) fn late_fields(self) -> &'static [&'static str] {
        self.facts().late
    }

    pub(crate) fn filled_in_fields(self) -> &'static [&'static str] {
        self.facts().filled_in
    }

    pub(crate) fn write_only_fields(self) -> &'static [&'static str] {
        self.facts().write_only
    }

    pub(crate) fn output_only_fields(self) -> &'static [&'static str] {
        self.facts().output_only
    }

    /// Returns the message that a document of this kind is.
    pub(crate) fn message(self) -> MessageDescriptor {
        reflex_proto::descriptor_pool()
            .get_message_by_name(self.facts().message)
            .expect("the table names messages of our own protos")
    }

    pub(crate) fn put_method(self) -> MethodDescriptor {
        self.method(self.facts().put)
    }

    pub(crate) fn read_method(self) -> Option<MethodDescriptor> {
        self.facts().read.map(|name| self.method(name))
    }

    fn method(self, name: &str) -> MethodDescriptor {
        let service = reflex_proto::descriptor_pool()
            .get_service_by_name(self.facts().service)
            .expect("the table names services of our own protos");
        let method = service.methods().find(|method| method.name() == name);
        method.expect("the table names methods of our own protos")
    }

    fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }
}

/// Returns the field of a request or response that holds the resource itself, alone or as a list.
pub(crate) fn resource_field(message: &MessageDescriptor) -> Option<FieldDescriptor> {
    message
        .fields()
        .find(|field| matches!(field.kind(), FieldKind::Message(_)))
}

/// Returns a text field, empty if it is not set or not there.
pub(crate) fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_protos() {
        for (at, facts) in FACTS.iter().enumerate() {
            let kind = facts.kind;
            assert_eq!(kind as usize, at, "{kind:?}");
            assert_eq!(Kind::named(kind.name()), Some(kind));
            let message = kind.message();
            let fields = [facts.late, facts.filled_in, facts.write_only, facts.output_only];
            for field in fields.into_iter().flatten() {
                assert!(message.get_field_by_name(field).is_some(), "{kind:?} has no {field}");
            }
            if kind != Kind::Holidays {
                let put = resource_field(&kind.put_method().input()).expect("a put request holds its resource");
                assert_eq!(put.kind().as_message(), Some(&message));
                let read = kind.read_method().expect("everything but holidays can be read");
                let read = resource_field(&read.output()).expect("a list holds its resources");
                assert_eq!(read.kind().as_message(), Some(&message));
            }
        }
    }
}
