//! What a tenant has set up, as one value: read once, then kept as long as the tenant's version stays the same.
//!
//! Belongs here: the snapshot and its cache. Does not: open leads and turns, which change with every assignment.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use reflex_calendar::{CalendarSpec, SpecError, StatutoryTable, WorkingCalendar};
use reflex_expr::Context;
use reflex_pg::DbError;
use reflex_runtime::clock::SharedClock;
use reflex_tenancy::TenantId;
use reflex_validity::Learned;
use sqlx::PgConnection;

use crate::{
    domain::{
        calculated::CalculatedFields,
        directory::{Directory, DirectoryRows},
        duplicates::DuplicatePolicy,
        gate::{Gate, Screening},
        ids::{CalendarId, MemberId, TeamId},
        ladder::Ladders,
        leave::Leaves,
        pool::Pool,
        routing::Policy,
        tags::TagRules,
    },
    store::{
        accounts, calculated_fields, calendars, catalogues, duplicates, gate_policies, ladders, leaves, members,
        policies, pools, setup_versions, tags, teams, validity_corrections,
    },
};

/// How long a leave that is over still counts in times that are computed anew: longer than any clock of a lead runs.
const LEAVES_KEPT: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Calendar of a tenant that set up none: an ordinary office in mainland China.
const DEFAULT_CALENDAR: &str = r#"{
    "time_zone": "Asia/Shanghai",
    "days": ["Mon-Fri"],
    "windows": [["09:00", "12:00"], ["13:00", "18:00"]],
    "statutory": "CN"
}"#;

/// Everything a tenant has set up, at one version.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Changes with every write.
    pub version: i64,
    /// Members, teams, territories, products.
    pub directory: Arc<Directory>,
    /// Who is away when.
    pub leaves: Arc<Leaves>,
    /// The active policy.
    pub policy: Option<Arc<Policy>>,
    /// When leads go back to the pool, and who may pick.
    pub pool: Option<Arc<Pool>>,
    /// Which leads go to salespeople; all without one.
    pub gate: Option<Arc<Gate>>,
    /// What screening learned from corrections; nothing where nobody screens.
    pub learned: Arc<Learned>,
    /// Calculated fields.
    pub fields: Arc<CalculatedFields>,
    /// Rules that give tags.
    pub tags: Arc<TagRules>,
    /// How leads are compared.
    pub duplicates: Arc<DuplicatePolicy>,
    /// Escalation ladders.
    pub ladders: Ladders,
    /// Working calendars; the tenant's default is always among them.
    pub calendars: HashMap<CalendarId, Arc<WorkingCalendar>>,
    /// Statutory tables by region: the shipped one with what the tenant imported over it.
    pub holidays: Holidays,
}

impl Setup {
    /// Returns the calendar a member works by, closed while they are on leave.
    #[must_use]
    pub fn calendar_of(&self, member: &MemberId) -> WorkingCalendar {
        self.calendar(&self.directory.calendar_of(member))
            .with_leave(self.leaves.of(member))
    }

    /// Returns the calendar of a team, or of the nearest team above that has one, or the tenant's.
    #[must_use]
    pub fn calendar_of_team(&self, team: Option<&TeamId>) -> CalendarId {
        let teams = team.map(|team| self.directory.teams_up(team)).unwrap_or_default();
        let own = teams.into_iter().find_map(|team| team.calendar.clone());
        own.unwrap_or_else(CalendarId::default_of_tenant)
    }

    /// Returns a calendar, or the tenant's default where there is none of this id.
    ///
    /// # Panics
    /// Never: the default is always there.
    #[must_use]
    pub fn calendar(&self, id: &CalendarId) -> &WorkingCalendar {
        let default = || self.calendars.get(&CalendarId::default_of_tenant());
        self.calendars
            .get(id)
            .or_else(default)
            .expect("loading puts the default calendar in")
    }

    /// Fixes when and where expressions are evaluated: in the zone of the tenant's default calendar.
    #[must_use]
    pub fn context(&self, now: Timestamp) -> Context {
        let calendar = self.calendar(&CalendarId::default_of_tenant());
        Context::new(now, calendar.time_zone().clone())
    }

    /// Reads what the transaction sees, its own writes included; the version is not part of that.
    async fn load(tx: &mut PgConnection, tenant: &TenantId, version: i64, now: Timestamp) -> Result<Self, DbError> {
        let members = members::list(tx, tenant, &members::Filter::default()).await?;
        let directory = Directory::new(DirectoryRows {
            members: members.into_iter().map(|loaded| loaded.member).collect(),
            teams: teams::list(tx, tenant, None, None).await?,
            territories: catalogues::list(tx, tenant, None, None).await?,
            products: catalogues::list(tx, tenant, None, None).await?,
        });
        let leaves_since = now.saturating_sub(LEAVES_KEPT).unwrap_or(Timestamp::MIN);
        let leaves = Leaves::new(leaves::list_since(tx, tenant, leaves_since).await?);
        let policy = policies::find(tx, tenant, None).await?;
        let definitions = calculated_fields::list_definitions(tx, tenant).await?;
        let fields = CalculatedFields::new(definitions, accounts::list_attributes(tx, tenant).await?);
        let policy = policy.map(|(version, spec)| Arc::new(Policy::new(version, spec, fields.names())));
        let pool = pools::find(tx, tenant).await?;
        let pool = pool.map(|(spec, _)| Arc::new(Pool::new(spec, fields.names())));
        let gate = gate_policies::find(tx, tenant)
            .await?
            .map(|stored| Arc::new(stored.gate));
        let screens = |gate: &&Arc<Gate>| gate.spec.screening != Screening::Off;
        let learned = match gate.as_ref().filter(screens) {
            Some(_) => validity_corrections::learn(tx, tenant).await?,
            None => Learned::default(),
        };
        let rules = tags::list_rules(tx, tenant, None, None).await?;
        let rules = rules.iter().map(tags::RuleRow::versioned).collect();
        let tags = Arc::new(TagRules::new(rules, fields.names()));
        let duplicates = duplicates::find_policy(tx, tenant).await?;
        let duplicates = Arc::new(duplicates.map(|(policy, _)| policy).unwrap_or_default());
        let holidays = Holidays::over_shipped(calendars::list_holidays(tx, tenant).await?);
        let specs = calendars::list(tx, tenant, None, None).await?;
        let calendars = holidays.compile_all(specs).map_err(unreadable)?;
        Ok(Self {
            version,
            directory: Arc::new(directory),
            leaves: Arc::new(leaves),
            policy,
            pool,
            gate,
            learned: Arc::new(learned),
            fields: Arc::new(fields),
            tags,
            duplicates,
            ladders: Ladders::new(ladders::list(tx, tenant, None, None).await?),
            calendars,
            holidays,
        })
    }
}

/// What was accepted once cannot be read any more: a defect, told like one of the row.
fn unreadable(error: SpecError) -> DbError {
    DbError::Statement(sqlx::Error::Decode(Box::new(error)))
}

/// Statutory tables by region.
#[derive(Debug, Clone)]
pub struct Holidays(BTreeMap<String, Arc<StatutoryTable>>);

impl Holidays {
    /// Lays tables over the one that the program brings along.
    #[must_use]
    pub fn over_shipped(imported: Vec<StatutoryTable>) -> Self {
        let shipped = StatutoryTable::china();
        let mut holidays = Self(BTreeMap::from([(shipped.region().to_owned(), shipped)]));
        for table in imported {
            holidays.lay_over(table);
        }
        holidays
    }

    /// Lays a table over the one of its region; years it covers replace the ones there.
    ///
    /// # Panics
    /// Never: tables are kept by region.
    pub fn lay_over(&mut self, table: StatutoryTable) {
        let region = table.region().to_owned();
        match self.0.get_mut(&region) {
            Some(known) => Arc::make_mut(known)
                .merge(table)
                .expect("both tables are of one region"),
            None => drop(self.0.insert(region, Arc::new(table))),
        }
    }

    /// Returns the table of a region, if there is one.
    #[must_use]
    pub fn find(&self, region: &str) -> Option<&Arc<StatutoryTable>> {
        self.0
            .values()
            .find(|table| table.region().eq_ignore_ascii_case(region))
    }

    /// Compiles a calendar file.
    ///
    /// # Errors
    /// When the file is malformed or names a region without a table.
    pub fn compile(&self, spec: &str) -> Result<WorkingCalendar, SpecError> {
        let spec = CalendarSpec::parse(spec)?;
        let table = spec.statutory_region().and_then(|region| self.find(region));
        WorkingCalendar::new(&spec, table.cloned())
    }

    fn compile_all(
        &self,
        specs: Vec<(CalendarId, String)>,
    ) -> Result<HashMap<CalendarId, Arc<WorkingCalendar>>, SpecError> {
        let default = (CalendarId::default_of_tenant(), DEFAULT_CALENDAR.to_owned());
        let compile = |(id, spec): (CalendarId, String)| Ok((id, Arc::new(self.compile(&spec)?)));
        // The tenant's own default comes later and replaces ours.
        std::iter::once(default).chain(specs).map(compile).collect()
    }
}

/// The setups of all tenants, cached.
pub struct Setups {
    cached: RwLock<HashMap<TenantId, Arc<Setup>>>,
    clock: SharedClock,
}

impl Setups {
    /// Returns an empty cache.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self {
            cached: RwLock::default(),
            clock,
        }
    }

    /// Returns what the tenant has set up; one cheap select as long as nothing changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, tx: &mut PgConnection, tenant: &TenantId) -> Result<Arc<Setup>, DbError> {
        let version = setup_versions::get(tx, tenant).await?;
        self.at(tx, tenant, version).await
    }

    /// Returns what the tenant has set up, for a version the caller has just read; a newer one if it changed since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn at(&self, tx: &mut PgConnection, tenant: &TenantId, version: i64) -> Result<Arc<Setup>, DbError> {
        if let Some(setup) = self.cached.read().get(tenant).filter(|setup| setup.version == version) {
            return Ok(Arc::clone(setup));
        }
        let mut version = version;
        loop {
            let setup = Setup::load(tx, tenant, version, self.clock.now()).await?;
            // Each statement sees what is committed when it starts. A version that stayed says that all saw the same.
            let current = setup_versions::get(tx, tenant).await?;
            if current == version {
                let setup = Arc::new(setup);
                self.cached.write().insert(tenant.clone(), Arc::clone(&setup));
                return Ok(setup);
            }
            version = current;
        }
    }

    /// Keeps everybody else from changing the tenant's setup until the transaction ends, and returns what it is now.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn lock(&self, tx: &mut PgConnection, tenant: &TenantId) -> Result<Arc<Setup>, DbError> {
        let version = setup_versions::lock(tx, tenant).await?;
        self.at(tx, tenant, version).await
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, civil::date};
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        ids::LeaveId,
        leave::Leave,
        member::{Member, RawMember, Role},
    };

    const FOUR_HOURS: Duration = Duration::from_hours(4);

    fn table(json: &str) -> StatutoryTable {
        StatutoryTable::parse(json).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn without_a_calendar_the_office_hours_of_china_hold() {
        let calendars = Holidays::over_shipped(Vec::new()).compile_all(Vec::new()).unwrap();
        let calendar = &calendars[&CalendarId::default_of_tenant()];
        // Friday before the Spring Festival; the Saturday after it is worked.
        let due = calendar.add(at("2026-02-13T16:00:00+08:00"), FOUR_HOURS).unwrap();
        assert_eq!((due.at, due.provisional), (at("2026-02-14T11:00:00+08:00"), false));
    }

    #[test]
    fn the_tenants_default_replaces_ours() {
        let id = CalendarId::default_of_tenant();
        let spec = "{time_zone: UTC, windows: [['00:00', '24:00']]}".to_owned();
        let calendars = Holidays::over_shipped(Vec::new())
            .compile_all(vec![(id.clone(), spec)])
            .unwrap();
        assert_eq!(calendars[&id].time_zone().iana_name(), Some("UTC"));
    }

    #[test]
    fn a_member_on_leave_does_not_work() {
        let raw = RawMember {
            name: "members/wang".into(),
            display_name: "王强".into(),
            team: "teams/zhang".into(),
            role: Some(Role::Sales),
            ..RawMember::default()
        };
        let wang = Member::parse(&raw).unwrap();
        let away = Leave {
            id: LeaveId(uuid::Uuid::nil()),
            member: wang.id.clone(),
            start: at("2026-03-02T00:00:00+08:00"),
            end: at("2026-03-03T00:00:00+08:00"),
            reason: String::new(),
        };
        let holidays = Holidays::over_shipped(Vec::new());
        let setup = Setup {
            version: 1,
            directory: Arc::new(Directory::new(DirectoryRows {
                members: vec![wang.clone()],
                ..DirectoryRows::default()
            })),
            leaves: Arc::new(Leaves::new([away])),
            policy: None,
            pool: None,
            gate: None,
            learned: Arc::default(),
            fields: Arc::default(),
            tags: Arc::default(),
            duplicates: Arc::default(),
            ladders: Ladders::new(Vec::new()),
            calendars: holidays.compile_all(Vec::new()).unwrap(),
            holidays,
        };
        let monday = at("2026-03-02T09:00:00+08:00");
        let due = |calendar: &WorkingCalendar| calendar.add(monday, FOUR_HOURS).unwrap().at;
        assert_eq!(due(&setup.calendar_of(&wang.id)), at("2026-03-03T14:00:00+08:00"));
        assert_eq!(
            due(setup.calendar(&CalendarId::default_of_tenant())),
            at("2026-03-02T14:00:00+08:00")
        );
        let unknown = "members/nobody".parse().unwrap();
        assert_eq!(due(&setup.calendar_of(&unknown)), at("2026-03-02T14:00:00+08:00"));
    }

    #[test]
    fn imported_years_lie_over_the_shipped_ones() {
        let imported = table(
            r#"{"region": "CN", "years": [2027], "holidays": [{"date": "2027-01-01", "name": "元旦"}],
                "makeup_workdays": [{"date": "2026-12-27", "name": "元旦"}]}"#,
        );
        let holidays = Holidays::over_shipped(vec![imported]);
        let china = holidays.find("cn").unwrap();
        assert_eq!(china.years().collect::<Vec<_>>(), [2024, 2025, 2026, 2027]);
        assert!(china.day(date(2026, 10, 1)).is_some(), "the shipped year stays");
        assert!(
            china.day(date(2026, 12, 27)).is_some(),
            "a day of the year before is added"
        );
        assert_eq!(
            StatutoryTable::china().years().max(),
            Some(2026),
            "the shipped table itself is not touched"
        );
    }

    #[test]
    fn other_regions_exist_once_imported() {
        let spec = "{time_zone: Asia/Hong_Kong, windows: [['09:00', '18:00']], statutory: HK}";
        assert!(Holidays::over_shipped(Vec::new()).compile(spec).is_err());
        let hongkong = table(r#"{"region": "HK", "years": [2026], "holidays": [{"date": "2026-12-25"}]}"#);
        assert!(Holidays::over_shipped(vec![hongkong]).compile(spec).is_ok());
    }
}
