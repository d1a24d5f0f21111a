use proptest::prelude::*;

use super::*;

/// Reads a file that comes in pieces of this size; returns lines and cells.
fn read_in(file: &[u8], piece: usize, dialect: Dialect) -> (Table, Vec<(u64, Vec<String>)>) {
    let mut table = Table::new(dialect);
    let mut records = Vec::new();
    let mut take = |table: &mut Table| {
        while let Some(record) = table.next_record() {
            records.push((record.line(), record.cells().map(str::to_owned).collect()));
        }
    };
    for piece in file.chunks(piece) {
        table.feed(piece);
        take(&mut table);
    }
    table.end();
    take(&mut table);
    (table, records)
}

fn cells(file: &[u8]) -> (&'static str, Vec<Vec<String>>) {
    let (table, records) = read_in(file, usize::MAX, Dialect::default());
    let cells = records.into_iter().map(|(_, cells)| cells).collect();
    for piece in [1, 2, 3, 7] {
        let (again, records) = read_in(file, piece, Dialect::default());
        let records: Vec<Vec<String>> = records.into_iter().map(|(_, cells)| cells).collect();
        assert_eq!(records, cells, "in pieces of {piece}");
        assert_eq!(
            (again.encoding(), again.delimiter()),
            (table.encoding(), table.delimiter())
        );
    }
    (table.encoding().name(), cells)
}

fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
    units.flat_map(to_bytes).collect()
}

#[test]
fn encodings_are_told_by_their_mark_or_their_bytes() {
    let text = "公司,联系人\n上海市第一人民医院,王主任 😀\n";
    let expected = vec![vec!["公司", "联系人"], vec!["上海市第一人民医院", "王主任 😀"]];
    let (gb18030, _, _) = encoding_rs::GB18030.encode(text);
    for (file, encoding) in [
        (text.as_bytes().to_vec(), "UTF-8"),
        (format!("\u{feff}{text}").into_bytes(), "UTF-8"),
        (utf_16(text, u16::to_le_bytes), "UTF-16LE"),
        (utf_16(text, u16::to_be_bytes), "UTF-16BE"),
        (gb18030.to_vec(), "gb18030"),
    ] {
        let (found, cells) = cells(&file);
        assert_eq!((found, cells.len()), (encoding, 2));
        assert_eq!(cells, expected);
    }
    assert_eq!(cells(b"a,b\n").0, "UTF-8", "ASCII is everything");
}

#[test]
fn an_encoding_can_be_given_and_what_is_none_of_it_is_damage() {
    let (big5, _, _) = encoding_rs::BIG5.encode("公司\n臺北榮民總醫院\n");
    let given = Dialect {
        encoding: Encoding::find("big5"),
        delimiter: None,
    };
    assert_eq!(read_in(&big5, 3, given).1[1].1, ["臺北榮民總醫院"]);
    let mut table = Table::new(Dialect {
        encoding: Encoding::find("UTF-8"),
        delimiter: None,
    });
    table.feed(b"a\ngood\nb\xff\n");
    table.end();
    let mut damaged = Vec::new();
    while let Some(record) = table.next_record() {
        damaged.push(record.is_damaged());
    }
    assert_eq!(damaged, [false, false, true]);
    assert_eq!(Encoding::find("klingon"), None);
}

#[test]
fn the_encoding_is_decided_late_where_a_file_begins_with_ascii() {
    let mut file = "a,b\n".repeat(100_000).into_bytes();
    file.extend_from_slice(&encoding_rs::GBK.encode("王,强\n").0);
    let (table, records) = read_in(&file, 4_096, Dialect::default());
    assert_eq!(table.encoding().name(), "gb18030");
    assert_eq!(
        records.last().unwrap(),
        &(100_001, vec!["王".to_owned(), "强".to_owned()])
    );

    // A character across the end of the window.
    let file = "王".repeat(100_000);
    assert_eq!(
        read_in(file.as_bytes(), 1_000, Dialect::default()).0.encoding().name(),
        "UTF-8"
    );
}

#[test]
fn the_header_tells_the_delimiter() {
    for (file, delimiter, first) in [
        ("a,b;c,d\n", b',', "a"),
        ("a;b;c,d\n", b';', "a"),
        ("a\tb\n1\t2,3,4\n", b'\t', "a"),
        ("\"a;b;c\",d\n", b',', "a;b;c"),
        ("a;b,c\n", b',', "a;b"),
        ("a\n1;2;3\n", b',', "a"),
        ("\n\r\n;a;b", b';', ""),
    ] {
        let (table, records) = read_in(file.as_bytes(), 2, Dialect::default());
        assert_eq!(
            (table.delimiter(), records[0].1[0].as_str()),
            (delimiter, first),
            "{file:?}"
        );
    }
    let given = Dialect {
        encoding: None,
        delimiter: Some(b';'),
    };
    assert_eq!(read_in(b"a,b,c;d\n", 1, given).1[0].1, ["a,b,c", "d"]);
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    for (file, expected) in [
        ("a\nb\nc", vec![1, 2, 3]),
        ("a\r\nb\r\n\r\nc\r\n", vec![1, 2, 4]),
        ("a\rb\r\rc", vec![1, 2, 4]),
        ("\n\na\n\"x\ny\r\nz\",1\nb\n", vec![3, 4, 7]),
        ("a\n\"never closed\nb\nc", vec![1, 2]),
    ] {
        for piece in [1, 2, 100] {
            let (_, records) = read_in(file.as_bytes(), piece, Dialect::default());
            let lines: Vec<u64> = records.into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, expected, "{file:?} in pieces of {piece}");
        }
    }
}

#[test]
fn nothing_and_breaks_alone_have_no_record() {
    for file in ["", "\n", "\r\n\r\n", "\u{feff}"] {
        assert_eq!(read_in(file.as_bytes(), 1, Dialect::default()).1, []);
    }
    let (_, blank) = cells(b" , ,\n");
    assert_eq!(blank, [[" ", " ", ""]]);
}

#[test]
fn a_record_that_never_ends_takes_no_memory_and_spoils_only_itself() {
    let mut table = Table::new(Dialect::default());
    table.feed(b"a,b\n1,\"");
    for _ in 0..200 {
        while table.next_record().is_some() {}
        table.feed(&[b'x'; 10_000]);
    }
    table.feed(b"\",z\n2,3\n");
    let broken = table.next_record().unwrap();
    assert_eq!((broken.line(), broken.is_oversized(), broken.count()), (2, true, 0));
    assert!(broken.raw().len() <= MAX_RECORD_BYTES && !broken.is_blank());
    let next = table.next_record().unwrap();
    assert_eq!(next.cells().collect::<Vec<_>>(), ["2", "3"]);

    let many = ",".repeat(5_000);
    let (_, records) = read_in(format!("{many}\n1,2\n").as_bytes(), 64, Dialect::default());
    assert_eq!(records[0].1.len(), 0);
    assert_eq!(records[1].1, ["1", "2"]);
}

#[test]
fn headings_are_compared_by_their_words() {
    for (heading, key) in [
        ("Contact Name", "contact_name"),
        ("*手机号（必填）", "手机号"),
        (" E-mail: ", "e_mail"),
        ("预算(万元)", "预算"),
        ("(x)", ""),
    ] {
        assert_eq!(heading_key(heading), key);
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_read_the_same(file in prop::collection::vec(any::<u8>(), 0..400), piece in 1_usize..50) {
        let whole = read_in(&file, usize::MAX, Dialect::default()).1;
        prop_assert_eq!(read_in(&file, piece, Dialect::default()).1, whole);
    }

    #[test]
    fn what_is_written_is_read(rows in prop::collection::vec(prop::collection::vec("[a王,;\"\n\r\t =]{0,8}", 2..5), 1..6)) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let lines = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n");
        let file: String = lines.collect();
        let dialect = Dialect { encoding: None, delimiter: Some(b',') };
        let read: Vec<Vec<String>> = read_in(file.as_bytes(), 5, dialect).1.into_iter().map(|(_, cells)| cells).collect();
        prop_assert_eq!(read, rows);
    }
}
