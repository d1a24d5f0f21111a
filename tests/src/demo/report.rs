//! The table at the end. Figures stand before their labels, so that columns line up whatever the width of the letters.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use jiff::SignedDuration;
use reflex_proto::{
    leads::v1::{ExplainAssignmentResponse, Lead, lead::State},
    notifications::v1::{Message, message},
};

use super::{
    book::{Book, Chapter, ESCALATED, assignments, instant},
    check::{ASSIGNMENT, INBOX},
    enquiries::Posts,
    fairness::shares,
    salespeople::Calls,
};

/// Problems that are named; the rest is counted.
const NAMED: usize = 20;

/// All that is to be told.
pub(super) struct Report<'a> {
    /// What the services say.
    pub(super) book: &'a Book,
    /// What became of the forms.
    pub(super) posts: &'a Posts,
    /// What the salespeople did.
    pub(super) calls: &'a Calls,
    /// What is missing.
    pub(super) problems: &'a [String],
    /// How long the play took.
    pub(super) elapsed: Duration,
}

impl Report<'_> {
    /// Prints the table.
    pub(super) fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "\n结果 Results")?;
        self.print_leads(&mut out)?;
        self.print_teams(&mut out)?;
        self.print_ladders(&mut out)?;
        self.print_messages(&mut out)?;
        self.print_times(&mut out)
    }

    /// Prints whether every lead is accounted for.
    pub(super) fn print_verdict(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.problems.is_empty() {
            let count = self.posts.taken.len();
            writeln!(
                out,
                "\n{count} 条线索全部对账无误 all leads are accounted for, in {:.0} s",
                self.elapsed.as_secs_f64()
            )?;
            return Ok(());
        }
        writeln!(out, "\n对账不符 {} things do not add up:", self.problems.len())?;
        for problem in self.problems.iter().take(NAMED) {
            writeln!(out, "  - {problem}")?;
        }
        if self.problems.len() > NAMED {
            writeln!(out, "  and {} more", self.problems.len() - NAMED)?;
        }
        Ok(())
    }

    fn print_leads(&self, out: &mut impl Write) -> io::Result<()> {
        let (mut states, mut waiting): (BTreeMap<i32, usize>, BTreeMap<&str, usize>) = Default::default();
        for (lead, _) in self.book.leads() {
            *states.entry(lead.state).or_default() += 1;
            if lead.state() == State::Queued {
                *waiting.entry(&lead.queue_reason).or_default() += 1;
            }
        }
        let count = |state: State| states.get(&state.into()).copied().unwrap_or_default();
        let waiting: Vec<String> = waiting
            .into_iter()
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        writeln!(out, "\n线索 Leads")?;
        writeln!(
            out,
            "{:8}  已采集 captured, of {} forms sent",
            self.posts.taken.len(),
            self.posts.sent
        )?;
        writeln!(
            out,
            "{:8}  已分配待领取 assigned, not claimed yet",
            count(State::Assigned)
        )?;
        writeln!(out, "{:8}  已领取 claimed", count(State::Claimed))?;
        writeln!(out, "{:8}  已首次联系 contacted", count(State::Contacted))?;
        writeln!(out, "{:8}  排队 queued: {}", count(State::Queued), waiting.join(", "))
    }

    fn print_teams(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\n分配与公平 Assigned by team, and how evenly")?;
        writeln!(out, "   leads  people  leads per 100 weight  turns ahead  team")?;
        for chapter in &self.book.chapters {
            for (team, share) in shares(chapter) {
                let (fewest, most) = share.per_weight;
                let title = chapter.teams.iter().find(|known| known.name == team);
                writeln!(
                    out,
                    "{:8}{:8}{fewest:12.1} … {most:<7.1}{:13.2}  {} {team} {}",
                    share.assigned,
                    share.members,
                    share.ahead,
                    chapter.tenant,
                    title.map(|team| team.display_name.as_str()).unwrap_or_default()
                )?;
            }
        }
        writeln!(
            out,
            "   领先不超过一轮 nobody may be more than 1.00 weighted turn ahead of another who can take the lead;"
        )?;
        writeln!(
            out,
            "   名额与技能使份额不同 capacity and skills make the shares differ"
        )
    }

    fn print_ladders(&self, out: &mut impl Write) -> io::Result<()> {
        let mut sent: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut golden, mut stopped, mut untouched) = (0, 0, 0);
        for chapter in &self.book.chapters {
            for (lead, explanation) in chapter.explained() {
                let Some(ladder) = chapter.fast_ladder(explanation) else {
                    continue;
                };
                golden += 1;
                let steps: Vec<&str> = audiences(explanation).collect();
                untouched += usize::from(steps.is_empty());
                if lead.first_contact_time.is_some() {
                    stopped += ladder.steps.len() - steps.len();
                }
                for audience in steps {
                    *sent.entry(audience).or_default() += 1;
                }
            }
        }
        let of = |audience| sent.get(audience).copied().unwrap_or_default();
        let total: usize = sent.values().sum();
        writeln!(
            out,
            "\n升级提醒 Ladders ({golden} leads with a golden window of seconds)"
        )?;
        let by_audience = format!(
            "owner {}, supervisor {}, director {}",
            of("owner"),
            of("supervisor"),
            of("director")
        );
        writeln!(out, "{total:8}  已发出 steps sent: {by_audience}")?;
        writeln!(
            out,
            "{stopped:8}  被电话终止 steps stopped by a call; {untouched} leads were called in time"
        )?;
        let Calls {
            people,
            recorded,
            clocks_stopped,
        } = self.calls;
        writeln!(
            out,
            "{recorded:8}  电话 calls by {people} salespeople, {clocks_stopped} stopped a clock"
        )
    }

    fn print_messages(&self, out: &mut impl Write) -> io::Result<()> {
        let count = |is_inbox: bool, state: message::State| {
            let counted = |message: &&Message| (message.channel == INBOX) == is_inbox && message.state() == state;
            self.book.messages().filter(counted).count()
        };
        writeln!(out, "\n消息 Messages")?;
        writeln!(out, "   inbox  robots")?;
        for (state, label) in [
            (message::State::Delivered, "已送达 delivered"),
            (
                message::State::Merged,
                "并入摘要 merged into digests, within the robots' limit",
            ),
            (
                message::State::Pending,
                "待发 pending until the limit allows the next digest",
            ),
            (message::State::Stopped, "已终止 stopped, as the call came first"),
            (message::State::Failed, "失败 failed"),
        ] {
            writeln!(out, "{:8}{:8}  {label}", count(true, state), count(false, state))?;
        }
        let stats = self.book.providers;
        writeln!(
            out,
            "{:16}  钉钉模拟器 by the provider simulator: accepted; {} rejected, {} locks, {} duplicates",
            stats.accepted, stats.rejected, stats.locks, stats.duplicates
        )
    }

    fn print_times(&self, out: &mut impl Write) -> io::Result<()> {
        let answered = self
            .posts
            .taken
            .iter()
            .filter_map(|post| post.latency.try_into().ok())
            .collect();
        writeln!(
            out,
            "\n耗时 Times, while {} forms came in {:.1} s",
            self.posts.sent,
            self.posts.elapsed.as_secs_f64()
        )?;
        writeln!(out, "  p50 ms  p99 ms")?;
        for (times, label) in [
            (answered, "表单应答 form → answer"),
            (self.times(to_assigned), "采集→分配 captured → assigned"),
            (self.times(to_told), "采集→通知 captured → in the owner's inbox"),
        ] {
            writeln!(out, "{}{}  {label}", millis(&times, 50), millis(&times, 99))?;
        }
        Ok(())
    }

    /// Measures the leads that got an owner at once.
    fn times(&self, measure: impl Fn(&Chapter, &Lead) -> Option<SignedDuration>) -> Vec<SignedDuration> {
        let mut times = Vec::new();
        for chapter in &self.book.chapters {
            let at_once = chapter.explained().filter(|(_, explanation)| {
                explanation.decisions.len() == 1 && assignments(explanation).next().is_some()
            });
            times.extend(at_once.filter_map(|(lead, _)| measure(chapter, lead)));
        }
        times
    }
}

fn to_assigned(_: &Chapter, lead: &Lead) -> Option<SignedDuration> {
    Some(instant(lead.assign_time)?.duration_since(instant(lead.create_time)?))
}

fn to_told(chapter: &Chapter, lead: &Lead) -> Option<SignedDuration> {
    let told = chapter.messages.iter().find(|message| {
        message.channel == INBOX && message.message_class == ASSIGNMENT && message.subject == lead.name
    })?;
    Some(instant(told.deliver_time)?.duration_since(instant(lead.create_time)?))
}

/// Reads who was told out of "step 2 of 3, supervisor".
fn audiences(explanation: &ExplainAssignmentResponse) -> impl Iterator<Item = &str> {
    let steps = explanation.history.iter().filter(|entry| entry.kind == ESCALATED);
    steps.filter_map(|entry| entry.detail.rsplit(", ").next())
}

fn millis(times: &[SignedDuration], percent: usize) -> String {
    let mut times = times.to_vec();
    times.sort();
    let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times
        .get(at)
        .map_or("       -".to_owned(), |time| format!("{:8}", time.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<SignedDuration> = (1..=200).rev().map(SignedDuration::from_millis).collect();
        assert_eq!(millis(&times, 50).trim(), "100");
        assert_eq!(millis(&times, 99).trim(), "198");
        assert_eq!(millis(&times[..1], 99).trim(), "200");
        assert_eq!(millis(&[], 50).trim(), "-");
    }
}
