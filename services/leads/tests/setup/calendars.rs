//! Working calendars, holidays, and the clocks that run by them.

use reflex_proto::leads::v1::{
    Calendar, ComputeDueRequest, ComputeDueResponse, ImportHolidaysRequest, ListCalendarsRequest, PutCalendarRequest,
};

use crate::harness::{Caller, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, assert_refused, member};

const FOUR_HOURS: i64 = 4 * 3600;

fn calendar(id: &str, spec: &str) -> PutCalendarRequest {
    let calendar = Calendar {
        name: format!("calendars/{id}"),
        spec: spec.into(),
    };
    PutCalendarRequest {
        calendar: Some(calendar),
        request_id: String::new(),
    }
}

fn at(time: &str) -> prost_types::Timestamp {
    let time: jiff::Timestamp = time.parse().unwrap();
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: 0,
    }
}

fn due(calendar: &str, start: &str) -> ComputeDueRequest {
    ComputeDueRequest {
        calendar: calendar.into(),
        start_time: (!start.is_empty()).then(|| at(start)),
        working_time: Some(prost_types::Duration {
            seconds: FOUR_HOURS,
            nanos: 0,
        }),
    }
}

async fn computed(caller: &mut Caller, calendar: &str, start: &str) -> ComputeDueResponse {
    caller
        .calendars
        .compute_due(due(calendar, start))
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test]
async fn without_a_calendar_the_office_hours_of_china_hold() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let answer = computed(&mut admin, "", "2026-02-13T16:00:00+08:00").await;
    let expected = ComputeDueResponse {
        due_time: Some(at("2026-02-14T11:00:00+08:00")),
        provisional: false,
    };
    assert_eq!(answer, expected, "the Saturday before the Spring Festival is worked");
    // From now: 09:30 of a Monday.
    assert_eq!(
        computed(&mut admin, "", "").await.due_time,
        Some(at("2026-03-02T14:30:00+08:00"))
    );
    let absent = admin.calendars.compute_due(due("calendars/night", "")).await;
    assert_refused(absent, NOT_FOUND, "calendars/night");
    for (seconds, nanos) in [(-1, 0), (0, -1), (11 * 366 * 86_400, 0)] {
        let working_time = Some(prost_types::Duration { seconds, nanos });
        let request = ComputeDueRequest {
            working_time,
            ..ComputeDueRequest::default()
        };
        assert_refused(admin.calendars.compute_due(request).await, INVALID, "working_time");
    }
}

#[tokio::test]
async fn calendars_are_stored_as_sent_and_listed() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let yaml = "# 夜班\ntime_zone: Asia/Shanghai\nwindows: [['22:00', '06:00']]\n";
    let stored = admin
        .calendars
        .put_calendar(calendar("night", yaml))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stored.calendar, calendar("night", yaml).calendar);
    admin
        .calendars
        .put_calendar(calendar(
            "default",
            "{\"time_zone\": \"UTC\", \"windows\": [[\"00:00\", \"24:00\"]]}",
        ))
        .await
        .unwrap();
    let start = "2026-03-02T20:00:00+08:00";
    let night = computed(&mut admin, "calendars/night", start).await;
    assert_eq!(night.due_time, Some(at("2026-03-03T02:00:00+08:00")));
    assert_eq!(
        computed(&mut admin, "", start).await.due_time,
        Some(at("2026-03-03T00:00:00+08:00"))
    );

    let request = ListCalendarsRequest {
        page_size: 1,
        page_token: String::new(),
    };
    let page = admin.calendars.list_calendars(request).await.unwrap().into_inner();
    assert_eq!(page.calendars[0].name, "calendars/default");
    let request = ListCalendarsRequest {
        page_size: 1,
        page_token: page.next_page_token,
    };
    let page = admin
        .calendars
        .list_calendars(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (page.calendars[0].spec.as_str(), page.next_page_token.as_str()),
        (yaml, "")
    );
    let mut other = leads.admin(HUABEI);
    assert_refused(other.calendars.list_calendars(request).await, OTHER_PAGE, "page_token");
    assert_refused(
        other.calendars.compute_due(due("calendars/night", "")).await,
        NOT_FOUND,
        "calendars/night",
    );
}

#[tokio::test]
async fn calendars_that_cannot_be_kept_are_refused() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    for (spec, telling) in [
        ("", "time_zone"),
        ("time_zone: Asia/Shanghai", "no working minute"),
        ("time_zone: Mars/Olympus\nwindows: [['09:00', '18:00']]", "Mars/Olympus"),
        (
            "time_zone: UTC\nwindows: [['09:00', '18:00'], ['17:00', '19:00']]",
            "windows",
        ),
        ("time_zone: UTC\nwindow: []", "unknown field"),
        ("time_zone: UTC\nwindows: [['09:00', '18:00']]\nstatutory: MOON", "MOON"),
    ] {
        assert_refused(
            admin.calendars.put_calendar(calendar("x", spec)).await,
            INVALID,
            telling,
        );
    }
    let spec = "time_zone: UTC\nwindows: [['09:00', '18:00']]";
    assert_refused(
        admin.calendars.put_calendar(calendar("X", spec)).await,
        INVALID,
        "calendar.name",
    );
    let huge = format!("{spec}\n# {}", "x".repeat(65 * 1024));
    assert_refused(
        admin.calendars.put_calendar(calendar("x", &huge)).await,
        INVALID,
        "calendar.spec",
    );
    let listed = admin
        .calendars
        .list_calendars(ListCalendarsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.calendars, []);
}

#[tokio::test]
async fn imported_holidays_make_provisional_answers_final() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let start = "2026-12-31T16:00:00+08:00";
    let before = computed(&mut admin, "", start).await;
    let guessed = ComputeDueResponse {
        due_time: Some(at("2027-01-01T11:00:00+08:00")),
        provisional: true,
    };
    assert_eq!(before, guessed, "nothing is known of 2027 yet");

    let import = |table: &str| ImportHolidaysRequest {
        table: table.into(),
        request_id: String::new(),
    };
    let first = r#"{"region": "CN", "years": [2027], "holidays": [{"date": "2027-01-01", "name": "元旦"}]}"#;
    let answer = admin
        .calendars
        .import_holidays(import(first))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.years, [2024, 2025, 2026, 2027]);
    let known = ComputeDueResponse {
        due_time: Some(at("2027-01-04T11:00:00+08:00")),
        provisional: false,
    };
    assert_eq!(computed(&mut admin, "", start).await, known);
    let version = leads.version(HUADONG).await;
    admin.calendars.import_holidays(import(first)).await.unwrap();
    assert_eq!(leads.version(HUADONG).await, version, "nothing changed");

    // A corrected notice replaces the year and leaves the others.
    let corrected = r#"{"region": "CN", "years": [2027], "holidays": [{"date": "2027-01-04", "name": "元旦"}]}"#;
    admin.calendars.import_holidays(import(corrected)).await.unwrap();
    assert_eq!(
        computed(&mut admin, "", start).await.due_time,
        Some(at("2027-01-01T11:00:00+08:00"))
    );
    let festival = computed(&mut admin, "", "2026-02-13T16:00:00+08:00").await;
    assert_eq!(festival.due_time, Some(at("2026-02-14T11:00:00+08:00")));
    assert!(
        computed(&mut leads.admin(HUABEI), "", start).await.provisional,
        "another tenant imports for itself"
    );

    for (table, telling) in [
        ("{}", "region"),
        (r#"{"region": "CN", "years": [2028], "holidays": []}"#, "years"),
        (
            r#"{"region": "cn", "years": [2027], "holidays": [{"date": "2027-01-01"}]}"#,
            "region",
        ),
        (
            r#"{"region": "CN", "years": [2027], "holidays": [{"date": "2027-02-30"}]}"#,
            "table",
        ),
    ] {
        assert_refused(admin.calendars.import_holidays(import(table)).await, INVALID, telling);
    }
}

#[tokio::test]
async fn running_clocks_follow_the_calendar() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    admin.put_member(member("wang", "zhang")).await;
    admin.route_all_to("teams/zhang").await;
    let lead = admin.capture("华东医院").await;
    let before = leads_owner(&admin, &lead).await;
    assert_eq!(before.contact_due_time, Some(at("2026-03-02T14:30:00+08:00")));
    assert_eq!(before.claim_due_time, Some(at("2026-03-02T11:30:00+08:00")));

    // Half the windows of a day.
    let spec = "{time_zone: Asia/Shanghai, windows: [['09:00', '12:00']], statutory: CN}";
    let answer = admin
        .calendars
        .put_calendar(calendar("default", spec))
        .await
        .unwrap()
        .into_inner();
    assert!(answer.recomputed_count > 0);
    let after = admin.lead(&lead).await;
    assert_eq!(after.contact_due_time, Some(at("2026-03-03T10:30:00+08:00")));
    assert_eq!(after.claim_due_time, before.claim_due_time);
    let again = admin
        .calendars
        .put_calendar(calendar("default", spec))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.recomputed_count, 0);
}

async fn leads_owner(caller: &Caller, lead: &str) -> reflex_proto::leads::v1::Lead {
    caller.wait_for_owner(lead, "members/wang").await
}
