use super::*;

#[test]
fn titles_are_told_from_names() {
    for (text, surname, given, gender) in [
        ("张伟", "张", "伟", None),
        ("张伟经理", "张", "伟", None),
        ("張偉總經理", "张", "伟", None),
        ("张总", "张", "", None),
        ("肖伟总", "肖", "伟", None),
        ("王先生", "王", "", Some(Gender::Male)),
        ("吕云怡女士", "吕", "云怡", Some(Gender::Female)),
        ("王主任", "王", "", None),
        ("王工", "王", "", None),
        ("王建工", "王", "建工", None),
        ("小王", "王", "", None),
        ("欧阳娜娜", "欧阳", "娜娜", None),
        ("司马先生", "司马", "", Some(Gender::Male)),
        ("董总", "董", "", None),
        ("董", "董", "", None),
        ("李娜（采购）", "李", "娜", None),
        ("李娜/王伟", "李", "娜", None),
        ("经理", "", "", None),
        ("", "", "", None),
    ] {
        let person = Person::parse(text);
        assert_eq!(
            (person.surname.as_str(), person.given.as_str(), person.gender),
            (surname, given, gender),
            "{text}"
        );
    }
}

#[test]
fn names_are_compared() {
    use NameLikeness::{Initials, Missing, Near, Other, OtherGender, OtherGiven, Same, Sounds, Surname};
    for (left, right, likeness) in [
        ("张伟", "张伟总", Same),
        ("张 伟", "張偉", Same),
        ("王星昌", "王兴昌", Sounds),
        ("王怡新", "Wang Yixin", Sounds),
        ("王怡新", "Yixin Wang", Sounds),
        ("王怡新", "wangyixin", Sounds),
        ("单晓", "Shan Xiao", Sounds),
        ("曾乐", "Zeng Yue", Sounds),
        ("吕云怡", "Lyu Yunyi", Sounds),
        ("王怡新", "Y. Wang", Initials),
        ("王怡新", "王经理", Surname),
        ("王经理", "王总", Surname),
        ("Wang Yixin", "王总", Surname),
        ("王先生", "王女士", OtherGender),
        ("王先生", "王怡新女士", OtherGender),
        ("王怡新", "王琳德", OtherGiven),
        ("李红信", "李红言", Near),
        ("王伟", "王强", OtherGiven),
        ("王怡新", "Wang Linde", OtherGiven),
        ("王怡新", "Li Na", Other),
        ("王怡新", "李总", Other),
        ("", "王怡新", Missing),
        ("John Smith", "Smith, John", Same),
        ("John Smith", "Jon Smith", Near),
        ("John Smith", "J. Smith", Initials),
        ("John Smith", "Mary Smith", OtherGiven),
        ("John Smith", "Peter Brown", Other),
        ("José García", "jose garcia", Same),
    ] {
        assert_eq!(
            Person::parse(left).compare(&Person::parse(right)),
            likeness,
            "{left} {right}"
        );
        assert_eq!(
            Person::parse(right).compare(&Person::parse(left)),
            likeness,
            "{right} {left}"
        );
    }
}

#[test]
fn hostile_names_are_read_too() {
    for text in [
        "\u{0}",
        "))))((((",
        "总总总总总",
        "👍",
        &"王".repeat(100_000),
        &"a ".repeat(100_000),
    ] {
        let person = Person::parse(text);
        let _ = person.compare(&Person::parse("王怡新"));
        let _ = person.letters();
    }
}
