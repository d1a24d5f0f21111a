//! Gates, and what they say.

use jiff::Timestamp;
use reflex_proto::leads::v1::{self as pb, gate_policy as policy_pb, gate_verdict as verdict_pb};

use crate::{
    convert::{duration, duration_message, timestamp},
    domain::{
        gate::{
            BehaviourSpec, CompetitorSpec, Criterion, Gate, GateSpec, IndustrySpec, Judgement, OutagePolicy, RawGate,
            RegistrySource, Screening, SubVerdict, Truth, Verdict,
        },
        violation::Violation,
    },
};

/// Converts a sent gate to what the domain checks.
///
/// # Errors
/// When a time is negative.
pub(crate) fn raw_gate(message: &pb::GatePolicy) -> Result<RawGate, Violation> {
    let mut unknown = Vec::new();
    let mut outage = |field: &'static str, value: i32| match policy_pb::OutagePolicy::try_from(value) {
        Ok(policy_pb::OutagePolicy::Unspecified | policy_pb::OutagePolicy::Hold) => OutagePolicy::Hold,
        Ok(policy_pb::OutagePolicy::Pass) => OutagePolicy::Pass,
        Ok(policy_pb::OutagePolicy::Nurture) => OutagePolicy::Nurture,
        Err(_) => {
            unknown.push(field);
            OutagePolicy::Hold
        }
    };
    let behaviour = message.behaviour.clone().unwrap_or_default();
    let industry = message.industry.clone().unwrap_or_default();
    let competitors = message.competitors.clone().unwrap_or_default();
    let mut spec = GateSpec {
        enabled: message.enabled,
        behaviour: BehaviourSpec {
            dwell_over: duration("policy.behaviour.dwell_over", behaviour.dwell_over.as_ref())?,
            pages: behaviour.pages,
            on_unknown: outage("policy.behaviour.on_unknown", behaviour.on_unknown),
        },
        industry: IndustrySpec {
            codes: industry.codes,
            source: RegistrySource::Snapshot,
            max_age: duration("policy.industry.max_age", industry.max_age.as_ref())?,
            on_unknown: outage("policy.industry.on_unknown", industry.on_unknown),
        },
        competitors: CompetitorSpec {
            domains: competitors.domains,
            window: duration("policy.competitors.window", competitors.window.as_ref())?,
            max_age: duration("policy.competitors.max_age", competitors.max_age.as_ref())?,
            on_unknown: outage("policy.competitors.on_unknown", competitors.on_unknown),
        },
        max_hold: duration("policy.max_hold", message.max_hold.as_ref())?,
        retry_every: duration("policy.retry_every", message.retry_every.as_ref())?,
        after_hold: None,
        stale_after_days: message.stale_after_days,
        screening: Screening::Off,
    };
    match policy_pb::Screening::try_from(message.screening) {
        Ok(policy_pb::Screening::Unspecified | policy_pb::Screening::Off) => {}
        Ok(policy_pb::Screening::Label) => spec.screening = Screening::Label,
        Ok(policy_pb::Screening::SetAside) => spec.screening = Screening::SetAside,
        Err(_) => unknown.push("policy.screening"),
    }
    match policy_pb::Source::try_from(industry.source) {
        Ok(policy_pb::Source::Unspecified | policy_pb::Source::Snapshot) => {}
        Ok(policy_pb::Source::Http) => spec.industry.source = RegistrySource::Http,
        Err(_) => unknown.push("policy.industry.source"),
    }
    match pb::Verdict::try_from(message.after_hold) {
        Ok(pb::Verdict::Unspecified) => {}
        Ok(pb::Verdict::Pass) => spec.after_hold = Some(Verdict::Pass),
        Ok(pb::Verdict::Nurture) => spec.after_hold = Some(Verdict::Nurture),
        Ok(pb::Verdict::Hold) | Err(_) => unknown.push("policy.after_hold"),
    }
    Ok(RawGate { spec, unknown })
}

/// Converts a gate to its message.
pub(crate) fn policy(gate: &Gate, update_time: Timestamp) -> pb::GatePolicy {
    let term = |term: std::time::Duration| (!term.is_zero()).then(|| duration_message(term));
    let spec = &gate.spec;
    let source = match spec.industry.source {
        RegistrySource::Snapshot => policy_pb::Source::Snapshot,
        RegistrySource::Http => policy_pb::Source::Http,
    };
    pb::GatePolicy {
        enabled: spec.enabled,
        behaviour: Some(policy_pb::Behaviour {
            dwell_over: term(spec.behaviour.dwell_over),
            pages: spec.behaviour.pages.clone(),
            on_unknown: outage(spec.behaviour.on_unknown).into(),
        }),
        industry: Some(policy_pb::Industry {
            codes: spec.industry.codes.clone(),
            source: source.into(),
            max_age: term(spec.industry.max_age),
            on_unknown: outage(spec.industry.on_unknown).into(),
        }),
        competitors: Some(policy_pb::Competitors {
            domains: spec.competitors.domains.clone(),
            window: term(spec.competitors.window),
            max_age: term(spec.competitors.max_age),
            on_unknown: outage(spec.competitors.on_unknown).into(),
        }),
        max_hold: term(spec.max_hold),
        retry_every: term(spec.retry_every),
        after_hold: spec.after_hold.map_or(0, |verdict| verdict_message(verdict).into()),
        stale_after_days: spec.stale_after_days,
        screening: match spec.screening {
            Screening::Off => policy_pb::Screening::Off,
            Screening::Label => policy_pb::Screening::Label,
            Screening::SetAside => policy_pb::Screening::SetAside,
        }
        .into(),
        version: gate.version,
        update_time: Some(timestamp(update_time)),
    }
}

/// Converts a verdict to its message.
pub(crate) fn verdict(judgement: &Judgement) -> pb::GateVerdict {
    pb::GateVerdict {
        verdict: verdict_message(judgement.verdict).into(),
        sub_verdicts: judgement.parts.iter().map(part).collect(),
        by_policy: judgement.by_policy(),
        hold_over: judgement.hold_over,
        policy_version: judgement.policy_version,
        company_version: judgement.company_version,
        visit_version: judgement.visit_version,
    }
}

fn part(part: &SubVerdict) -> verdict_pb::SubVerdict {
    let criterion = match part.criterion {
        Criterion::Behaviour => verdict_pb::Criterion::Behaviour,
        Criterion::Industry => verdict_pb::Criterion::Industry,
        Criterion::NoCompetitor => verdict_pb::Criterion::NoCompetitor,
    };
    let evidence = part.evidence.iter().map(|evidence| verdict_pb::Evidence {
        zh: evidence.zh.clone(),
        en: evidence.en.clone(),
    });
    verdict_pb::SubVerdict {
        criterion: criterion.into(),
        truth: truth(part.truth).into(),
        unknown: part.unknown.map(|why| why.as_str().to_owned()).unwrap_or_default(),
        on_unknown: outage(part.on_unknown).into(),
        counted_as: truth(part.settled()).into(),
        evidence: evidence.collect(),
    }
}

fn truth(truth: Truth) -> verdict_pb::Truth {
    match truth {
        Truth::True => verdict_pb::Truth::True,
        Truth::False => verdict_pb::Truth::False,
        Truth::Unknown => verdict_pb::Truth::Unknown,
    }
}

fn outage(policy: OutagePolicy) -> policy_pb::OutagePolicy {
    match policy {
        OutagePolicy::Hold => policy_pb::OutagePolicy::Hold,
        OutagePolicy::Pass => policy_pb::OutagePolicy::Pass,
        OutagePolicy::Nurture => policy_pb::OutagePolicy::Nurture,
    }
}

fn verdict_message(verdict: Verdict) -> pb::Verdict {
    match verdict {
        Verdict::Pass => pb::Verdict::Pass,
        Verdict::Nurture => pb::Verdict::Nurture,
        Verdict::Hold => pb::Verdict::Hold,
    }
}
