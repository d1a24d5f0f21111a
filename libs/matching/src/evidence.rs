//! What speaks for and against two records being the same, field by field, and in words.

use crate::record::{FIELDS, Field};

/// What the comparison of a field found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// One of both says nothing.
    Missing,
    /// The same.
    Same,
    /// The same, and a strong rule says that it decides.
    Decides,
    /// One says less than the other.
    Short,
    /// They sound the same.
    Sounds,
    /// One slip apart.
    Near,
    /// A former name of the other.
    Former,
    /// They have something in common.
    Alike,
    /// Initials fit.
    Initials,
    /// Only the surname is the same.
    SurnameOnly,
    /// The titles say a man and a woman.
    OtherGender,
    /// The surname is the same, the given name is not.
    OtherGiven,
    /// Another branch of the same company.
    OtherBranch,
    /// The same brand elsewhere.
    OtherPlace,
    /// The same brand in another trade.
    OtherTrade,
    /// One line with several extensions.
    OtherExtension,
    /// A line that several companies share.
    Shared,
    /// The mailbox spells the other's name.
    SpellsName,
    /// The mailbox spells somebody else's name.
    SpellsOther,
    /// The same domain.
    SameDomain,
    /// The same house, other rooms.
    SameHouse,
    /// They are different.
    Other,
}

impl Finding {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Missing,
        Self::Same,
        Self::Decides,
        Self::Short,
        Self::Sounds,
        Self::Near,
        Self::Former,
        Self::Alike,
        Self::Initials,
        Self::SurnameOnly,
        Self::OtherGender,
        Self::OtherGiven,
        Self::OtherBranch,
        Self::OtherPlace,
        Self::OtherTrade,
        Self::OtherExtension,
        Self::Shared,
        Self::SpellsName,
        Self::SpellsOther,
        Self::SameDomain,
        Self::SameHouse,
        Self::Other,
    ];

    /// Finds a finding by its name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.name() == name)
    }

    /// Returns the name of the finding.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// Returns the finding in Chinese.
    #[must_use]
    pub fn zh(self) -> &'static str {
        self.words().1
    }

    /// Returns the finding in English.
    #[must_use]
    pub fn en(self) -> &'static str {
        self.words().2
    }

    /// Returns how alike both are, between 0 and 1, as far as the finding tells.
    #[must_use]
    pub fn similarity(self) -> f64 {
        match self {
            Self::Same | Self::Decides | Self::Former => 1.0,
            Self::Sounds => 0.92,
            Self::Short | Self::SpellsName => 0.9,
            Self::Near => 0.88,
            Self::Initials => 0.8,
            Self::SurnameOnly | Self::SameHouse => 0.7,
            Self::Shared | Self::SameDomain | Self::OtherExtension => 0.6,
            Self::Alike | Self::OtherBranch => 0.5,
            Self::OtherPlace | Self::OtherTrade => 0.4,
            Self::OtherGiven | Self::OtherGender => 0.3,
            Self::Missing | Self::SpellsOther | Self::Other => 0.0,
        }
    }

    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Missing => ("missing", "至少一方没有填写", "at least one of them is missing"),
            Self::Same => ("same", "相同", "the same"),
            Self::Decides => (
                "decides",
                "完全相同,按强规则直接判定",
                "the same, which decides by itself",
            ),
            Self::Short => (
                "short",
                "一方写得较简短,其余相同",
                "one says less, the rest is the same",
            ),
            Self::Sounds => (
                "sounds",
                "读音相同或为拼音写法",
                "they sound the same, or one is in pinyin",
            ),
            Self::Near => ("near", "只差一处笔误", "one slip apart"),
            Self::Former => ("former", "一方是另一方的曾用名", "one is a former name of the other"),
            Self::Alike => ("alike", "部分相同", "partly the same"),
            Self::Initials => ("initials", "缩写相符", "the initials fit"),
            Self::SurnameOnly => (
                "surname_only",
                "姓氏相同,名字只有一方或都没有",
                "the surname is the same, a given name is missing",
            ),
            Self::OtherGender => (
                "other_gender",
                "姓氏相同,但称呼一男一女",
                "the surname is the same, the titles are a man's and a woman's",
            ),
            Self::OtherGiven => (
                "other_given",
                "姓氏相同,名字不同",
                "the surname is the same, the given name is not",
            ),
            Self::OtherBranch => (
                "other_branch",
                "同一公司的不同分支",
                "different branches of one company",
            ),
            Self::OtherPlace => (
                "other_place",
                "字号相同,注册地不同",
                "the same brand, registered elsewhere",
            ),
            Self::OtherTrade => ("other_trade", "字号相同,行业不同", "the same brand in another trade"),
            Self::OtherExtension => (
                "other_extension",
                "总机相同,分机不同",
                "the same switchboard, other extensions",
            ),
            Self::Shared => (
                "shared",
                "号码相同,但为多家公司共用",
                "the same, but several companies share it",
            ),
            Self::SpellsName => (
                "spells_name",
                "邮箱拼写与对方姓名相符",
                "the mailbox spells the other's name",
            ),
            Self::SpellsOther => (
                "spells_other",
                "邮箱拼写的是另一个人的姓名",
                "the mailbox spells somebody else's name",
            ),
            Self::SameDomain => ("same_domain", "邮箱域名相同", "the mailboxes have the same domain"),
            Self::SameHouse => ("same_house", "同一栋楼,房间不同", "the same house, other rooms"),
            Self::Other => ("other", "不同", "different"),
        }
    }
}

/// What one field says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// What was found.
    pub finding: Finding,
    /// How alike both are, between 0 and 1.
    pub similarity: f64,
    /// How much it speaks for the same company or household, in bits: 1 doubles the odds.
    pub company_bits: f64,
    /// How much it speaks for the same person, in bits.
    pub person_bits: f64,
}

impl Evidence {
    /// A field that says nothing.
    pub const NONE: Self = Self {
        finding: Finding::Missing,
        similarity: 0.0,
        company_bits: 0.0,
        person_bits: 0.0,
    };

    /// Evidence whose similarity is the usual one of its finding.
    #[must_use]
    pub fn new(finding: Finding, company_bits: f64, person_bits: f64) -> Self {
        Self {
            finding,
            similarity: finding.similarity(),
            company_bits,
            person_bits,
        }
    }

    /// Returns how much it says altogether, in bits.
    #[must_use]
    pub fn bits(&self) -> f64 {
        self.company_bits + self.person_bits
    }
}

/// What was decided about two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// They are different.
    Distinct,
    /// They are the same as far as can be told; somebody should look.
    Suspected,
    /// They are the same.
    Duplicate,
}

impl Verdict {
    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Distinct => "distinct",
            Self::Suspected => "suspected",
            Self::Duplicate => "duplicate",
        }
    }
}

/// Two records compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// What each field says.
    pub fields: [Evidence; FIELDS],
    /// How likely they are the same, between 0 and 1.
    pub score: f64,
    /// Whether something in them excludes that they are the same.
    pub is_excluded: bool,
    /// Whether what identifies a person is the same in both: mobile, mailbox, whole name.
    pub is_identified: bool,
}

impl Comparison {
    /// Returns what a field says.
    #[must_use]
    pub fn field(&self, field: Field) -> &Evidence {
        &self.fields[field.place()]
    }

    /// Returns what is decided with a threshold.
    #[must_use]
    pub fn verdict(&self, threshold: f64) -> Verdict {
        /// Above it, nobody needs to look.
        const SURE: f64 = 0.97;
        if self.score < threshold {
            Verdict::Distinct
        } else if self.score >= SURE.max(threshold) {
            Verdict::Duplicate
        } else {
            Verdict::Suspected
        }
    }
}
