use super::*;

fn parse(text: &str) -> Result<Bundle, BundleError> {
    Bundle::parse("demo.yaml", text, None, &Variables::new())
}

fn problem(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

const GOOD: &str = r#"# The tenant's own file.
tenant: huadong
---
kind: Team
name: teams/east
display_name: 华东一部
supervisor: members/zhang.wei
---
kind: Member
name: members/zhang.wei
displayName: 张伟
team: teams/east
role: ROLE_SUPERVISOR
capacity: 20
skills: [骨科, 脊柱]
active: true
---
kind: Calendar
name: calendars/default
spec:
  time_zone: Asia/Shanghai
  windows: [["09:00", "18:00"]]
  statutory: CN
---
kind: Channel
name: channels/group
channel_kind: KIND_DINGTALK_ROBOT
endpoint: http://127.0.0.1:18080/robot/send?access_token=abc
---
kind: Ladder
name: ladders/fast
contact_within: 30s
steps:
  - {after: 0s, audience: AUDIENCE_OWNER, channels: [inbox]}
"#;

#[test]
fn documents_become_messages() {
    let bundle = parse(GOOD).expect("good");
    assert_eq!(bundle.tenant.as_str(), "huadong");
    let labels: Vec<_> = bundle
        .resources
        .iter()
        .map(|resource| (resource.label(), resource.origin.clone()))
        .collect();
    let expected = [
        ("teams/east", 4),
        ("members/zhang.wei", 9),
        ("calendars/default", 18),
        ("channels/group", 25),
        ("ladders/fast", 30),
    ];
    let expected: Vec<_> = expected
        .map(|(label, line)| (label.to_owned(), format!("demo.yaml:{line}")))
        .into();
    assert_eq!(labels, expected);
    let member: reflex_proto::leads::v1::Member = bundle.resources[1].message.transcode_to().expect("a member");
    assert_eq!((member.display_name.as_str(), member.capacity), ("张伟", 20));
    assert_eq!(member.skills, ["骨科", "脊柱"]);
    let calendar: reflex_proto::leads::v1::Calendar = bundle.resources[2].message.transcode_to().expect("a calendar");
    let spec = reflex_calendar::CalendarSpec::parse(&calendar.spec).expect("as text again");
    assert_eq!(spec.time_zone, "Asia/Shanghai");
    let channel: reflex_proto::notifications::v1::Channel =
        bundle.resources[3].message.transcode_to().expect("channel");
    assert_eq!(channel.kind, 1);
}

#[test]
fn mistakes_are_told_with_their_line() {
    let cases = [
        ("kind: Team\nname: teams/a", "demo.yaml:1: no document says tenant"),
        ("tenant: A\nkind: Team", "demo.yaml:1: tenant \"A\""),
        (
            "tenant: a\n---\ntenant: b\n",
            "demo.yaml:3: tenant b, but it is a so far",
        ),
        (
            "tenant: a\n---\nname: teams/a\n",
            "demo.yaml:3: kind is missing; it is one of Calendar, ",
        ),
        (
            "tenant: a\n---\n\n# x\nkind: Teams\n",
            "demo.yaml:5: kind \"Teams\" is unknown",
        ),
        (
            "tenant: a\nkind: Team\nname: team/a\n",
            "demo.yaml:1: Team name \"team/a\" must be \"teams/\" and an id",
        ),
        ("tenant: a\nkind: Team\n", "Team name \"\" must be"),
        (
            "tenant: a\n---\nkind: Team\nname: teams/a\ndisplay: x\n",
            "demo.yaml:5: unknown field \"display\"; there are name, display_name",
        ),
        (
            "tenant: a\n---\nkind: Member\nname: members/a\nrole: BOSS\n",
            "demo.yaml:5: role: unrecognized enum value",
        ),
        (
            "tenant: a\n---\nkind: Member\nname: members/a\nmobile: [138]\n",
            "demo.yaml:5: mobile: invalid type",
        ),
        (
            "tenant: a\n---\nkind: Ladder\nname: ladders/a\nsteps:\n  - after: 5 minutes\n",
            "demo.yaml:6: steps[0].after",
        ),
        (
            "tenant: a\nkind: Calendar\nname: calendars/a\nspec: {time_zone: Mars}\n",
            "demo.yaml:4: spec: time_zone",
        ),
        (
            "tenant: a\nkind: Calendar\nname: calendars/a\nspec:\n  time_zone: UTC\n  window: []\n",
            "demo.yaml:6",
        ),
        (
            "tenant: a\nkind: Team\nname: teams/a\n---\nkind: Team\nname: teams/a\n",
            "demo.yaml:5: Team teams/a is given twice",
        ),
        ("tenant: a\nkind: Team\nname: [\n", "demo.yaml:4"),
        (
            "tenant: a\nkind: Team\nname: teams/${X}\n",
            "demo.yaml:3: ${X} has no value; give one with --set X=VALUE",
        ),
    ];
    for (text, expected) in cases {
        let problem = problem(text);
        assert!(problem.contains(expected), "{text:?} gave {problem:?}");
    }
}

#[test]
fn the_tenant_may_come_from_the_call() {
    let tenant: TenantId = "huabei".parse().expect("valid");
    let bundle = Bundle::parse("x", "kind: Team\nname: teams/a", Some(&tenant), &Variables::new()).expect("good");
    assert_eq!(bundle.tenant, tenant);
    let bundle = Bundle::parse("x", GOOD, Some(&tenant), &Variables::new()).expect("good");
    assert_eq!(bundle.tenant.as_str(), "huadong", "the file's own tenant wins");
}

#[test]
fn variables_are_filled_in() {
    let variables = Variables::from([("PLACE".to_owned(), "east".to_owned())]);
    let bundle = Bundle::parse("x", "tenant: a\nkind: Team\nname: teams/${PLACE}", None, &variables).expect("good");
    assert_eq!(bundle.resources[0].label(), "teams/east");
}
