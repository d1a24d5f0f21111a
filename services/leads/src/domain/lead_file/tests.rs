use super::*;
use crate::domain::lead::Urgency;

fn settings(raw: &RawSettings) -> Settings {
    Settings::parse(raw).unwrap()
}

fn of_source(source: &str) -> RawSettings {
    RawSettings {
        source: source.into(),
        ..RawSettings::default()
    }
}

fn read_with(raw: &RawSettings, file: &str) -> Result<(LeadFile, Vec<Row>), Vec<Violation>> {
    let mut leads = LeadFile::new(settings(raw), "huadong");
    let mut rows = Vec::new();
    leads.feed(file.as_bytes());
    leads.end();
    while let Some(row) = leads.next_row()? {
        rows.push(row);
    }
    Ok((leads, rows))
}

fn leads(file: &str) -> Vec<NewLead> {
    let (_, rows) = read_with(&of_source("展会"), file).unwrap();
    rows.into_iter().map(|row| row.lead.unwrap()).collect()
}

/// Reads one row that must be refused; returns line, column, value and reason.
fn refused(file: &str) -> Vec<(u64, String, String, Reason)> {
    let (_, rows) = read_with(&of_source("展会"), file).unwrap();
    let faults = rows.into_iter().filter_map(|row| Some((row.line, row.lead.err()?)));
    faults
        .flat_map(|(line, refusals)| {
            refusals
                .into_iter()
                .map(move |refusal| (line, refusal.column, refusal.value, refusal.reason))
        })
        .collect()
}

fn fields(raw: &RawSettings, header: &str) -> Vec<&'static str> {
    let (leads, _) = read_with(raw, header).unwrap();
    leads
        .columns()
        .unwrap()
        .iter()
        .map(|column| column.field.name())
        .collect()
}

#[test]
fn chinese_and_english_headings_read_the_same() {
    let english = "source,lead_id,Company,Contact Name,mobile,e-mail,province,city,product,urgency,budget_min,budget_max,remark\n\
        website,7,上海医院,王主任,13800138000,w@x.cn,江苏省,苏州市,骨科,red,10.5,200000,=1+1\n";
    let chinese = "来源;线索编号;*公司名称;联系人（必填）;手机号;邮箱;省份;城市;意向产品;紧急程度;预算下限;预算(万元);备注\r\n\
        website;7;上海医院;王主任;13800138000;w@x.cn;江苏省;苏州市;骨科;红;10.5元;20;=1+1\r\n";
    let (mut one, mut other) = (leads(english).remove(0), leads(chinese).remove(0));
    assert_eq!(one.territory, "江苏省苏州市");
    assert_eq!(
        (one.urgency, one.budget_min_fen, one.budget_max_fen),
        (Some(Urgency::Red), 1_050, 20_000_000)
    );
    assert_eq!(one.remark, "=1+1", "what looks like a formula stays as typed");
    assert!(one.raw_payload.starts_with(b"website,7,"));
    one.raw_payload.clear();
    other.raw_payload.clear();
    assert_eq!(one, other);
}

#[test]
fn columns_follow_the_mapping_then_the_headings_and_the_rest_is_kept() {
    let plain = of_source("x");
    assert_eq!(
        fields(&plain, "单位,mobile,phone,科室,,来源"),
        ["company", "attribute", "phone", "attribute", "ignore", "source"]
    );
    let mapped = RawSettings {
        columns: [("A 列", "company"), ("科室", "ignore"), ("公司", "attribute")]
            .map(|(heading, field)| (heading.to_owned(), field.to_owned()))
            .into(),
        ..of_source("x")
    };
    assert_eq!(fields(&mapped, "公司,a 列,科室"), ["attribute", "company", "ignore"]);
    let lead = leads("公司,科室,联系方式,手机\n甲,骨科,1,2\n").remove(0);
    assert_eq!((lead.phone.as_str(), lead.attributes["科室"].as_str()), ("1", "骨科"));
    assert_eq!(lead.attributes["手机"], "2");
    assert_eq!(
        leads("公司,省份,城市\n甲,上海市,上海市\n乙,北京市,北京市海淀区\n")[0].territory,
        "上海市"
    );
}

#[test]
fn a_header_that_cannot_be_used_is_told_at_once() {
    let too_long = format!("公司,{}\n", "长".repeat(65));
    for (raw, file, field, telling) in [
        (of_source("x"), "a,b\n", "file", "line 1: no column is known as company"),
        (of_source("x"), "公司,科室,科室\n", "file", "column 科室: occurs twice"),
        (of_source("x"), too_long.as_str(), "file", "more than 64 characters"),
        (of_source("x"), "PK\u{3}\u{4}xl,\0\n", "file", "is no table of text"),
        (of_source("x"), "公\0司\n", "file", "is no table of text"),
        (of_source(""), "公司\n", "settings.source", "must be set"),
    ] {
        let found = read_with(&raw, file).err().unwrap();
        assert_eq!(found[0].field, field, "{file:?}");
        assert!(found[0].description.contains(telling), "{found:?}");
    }
    let unknown = RawSettings {
        columns: [("电话".to_owned(), "phone".to_owned())].into(),
        ..of_source("x")
    };
    let found = read_with(&unknown, "公司\n甲\n").err().unwrap();
    assert_eq!(found[0].description, "line 1: the file has no column 电话");
    let (file, rows) = read_with(&of_source("x"), "公司\n").unwrap();
    assert!(rows.is_empty() && file.columns().is_some());
    let (file, _) = read_with(&of_source("x"), "").unwrap();
    assert!(file.columns().is_none());
}

#[test]
fn settings_are_checked() {
    let columns = |pairs: &[(&str, &str)]| RawSettings {
        columns: pairs
            .iter()
            .map(|(heading, field)| ((*heading).into(), (*field).into()))
            .collect(),
        ..RawSettings::default()
    };
    for (raw, field) in [
        (of_source(&"x".repeat(65)), "settings.source"),
        (
            RawSettings {
                form: "expo".into(),
                ..RawSettings::default()
            },
            "settings.form",
        ),
        (
            RawSettings {
                encoding: "klingon".into(),
                ..RawSettings::default()
            },
            "settings.encoding",
        ),
        (
            RawSettings {
                delimiter: "|".into(),
                ..RawSettings::default()
            },
            "settings.delimiter",
        ),
        (columns(&[("a", "salary")]), "settings.columns[a]"),
        (columns(&[("a", "phone"), ("b", "phone")]), "settings.columns[b]"),
        (columns(&[("A", "ignore"), ("a", "ignore")]), "settings.columns[a]"),
    ] {
        assert_eq!(Settings::parse(&raw).unwrap_err()[0].field, field);
    }
}

#[test]
fn ragged_and_blank_rows() {
    let file = "公司,电话,备注\n甲\n乙,1\n丙,1,x,,  \n,,\n\n丁,1,x,y\n戊,1,\n";
    let (_, rows) = read_with(&of_source("x"), file).unwrap();
    let read: Vec<(u64, u64, bool)> = rows
        .iter()
        .map(|row| (row.number, row.line, row.lead.is_ok()))
        .collect();
    assert_eq!(
        read,
        [(1, 2, true), (2, 3, true), (3, 4, true), (5, 7, false), (6, 8, true)]
    );
    assert_eq!(refused(file)[0].2, "y");
    assert_eq!(refused(file)[0].3.en, "has 4 cells, the header has 3");
}

#[test]
fn faults_name_line_column_and_value_in_two_languages() {
    let head = "公司,手机号,预算,紧急程度,邮箱,表单,租户,科室";
    let long = format!(",,,,,,,{}", "科".repeat(1001));
    for (row, column, value, en) in [
        ("甲,1.38E+10,,,,,,", "手机号", "1.38E+10", "was cut by a spreadsheet"),
        ("甲,,很多,,,,,", "预算", "很多", "must be an amount in yuan"),
        ("甲,,,紫,,,,", "紧急程度", "紫", "must be red"),
        ("甲,,,,,A B,,", "表单", "A B", "must be"),
        ("甲,,,,,,huabei,", "租户", "huabei", "is not the tenant"),
        ("甲,1\u{1},,,,,,", "手机号", "1\u{1}", "must not contain control"),
        ("甲,,,,a\u{fffd},,,", "邮箱", "a\u{fffd}", "has bytes"),
        (",,1,,,,,", "", "", "must have a company"),
        (
            &format!("甲{long}"),
            "科室",
            &"科".repeat(100),
            "must be at most 1000 characters, has 1001",
        ),
    ] {
        let found = refused(&format!("{head}\n{row}\n"));
        assert_eq!(found.len(), 1, "{row}: {found:?}");
        let (line, found_column, found_value, reason) = &found[0];
        assert_eq!((*line, found_column.as_str(), found_value.as_str()), (2, column, value));
        assert!(reason.en.starts_with(en), "{reason:?}");
        let is_han = |character: char| ('\u{4e00}'..='\u{9fff}').contains(&character);
        assert!(
            reason.zh.chars().any(is_han) && !reason.zh.contains("无法接受"),
            "{reason:?}"
        );
    }
    let all = refused(&format!("{head}\n,1e9,x,y,,,,\n"));
    assert_eq!(all.len(), 4, "everything at once: {all:?}");
    let open = format!("{head}\n甲,\"{}\n", "x".repeat(100_000));
    assert!(refused(&open)[0].3.en.contains("quotation mark"));
}

#[test]
fn the_digest_is_that_of_settings_and_rows() {
    let digest = |raw: &RawSettings, file: &str| read_with(raw, file).unwrap().0.digest();
    let raw = of_source("x");
    let file = "公司,电话\n甲,1\n乙,2\n";
    assert_eq!(digest(&raw, file), digest(&raw, file));
    for other in [
        "公司,电话\n甲,1\n乙,3\n",
        "公司,电话\n甲,1\n",
        "公司,电话\n甲,1\n\"乙\",2\n",
        "公司,手机\n甲,1\n乙,2\n",
    ] {
        assert_ne!(digest(&raw, other), digest(&raw, file), "{other:?}");
    }
    assert_ne!(digest(&of_source("y"), file), digest(&raw, file));
}
