//! What may be found about a lead, with its weight and its words.

/// Something that speaks for or against a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No number has the form of one.
    PhoneMalformed,
    /// A number that people type instead of theirs.
    PhoneMadeUp,
    /// No mail address.
    MailMalformed,
    /// A mailbox for a few minutes.
    MailDisposable,
    /// A mail address that people type instead of theirs.
    MailMadeUp,
    /// The contact is a test.
    ContactTest,
    /// The contact is no name.
    ContactNonsense,
    /// The contact is called as in examples (张三, John Doe); a reason like the others, found in what the customer typed.
    ContactPlaceholder,
    /// The company is a test.
    CompanyTest,
    /// The company is no name.
    CompanyNonsense,
    /// The text says that it is a test.
    RemarkTest,
    /// The text says nothing.
    RemarkNonsense,
    /// The text sells something else.
    Advertising,
    /// There is no way to reach anybody.
    NoContact,
    /// A field is filled in that people do not see.
    Honeypot,
    /// Nobody types that fast.
    TooFast,
    /// A program sent it.
    BotAgent,
    /// Some people came the same way.
    Repeated,
    /// Many people came the same way.
    RepeatedOften,
    /// A number that may exist.
    PhoneSound,
    /// A company's own mail.
    MailOfCompany,
    /// A whole name of a company.
    CompanySound,
    /// A name of a person.
    ContactSound,
    /// A text that asks for something.
    RemarkSound,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 24] = [
        Self::PhoneMalformed,
        Self::PhoneMadeUp,
        Self::MailMalformed,
        Self::MailDisposable,
        Self::MailMadeUp,
        Self::ContactTest,
        Self::ContactNonsense,
        Self::ContactPlaceholder,
        Self::CompanyTest,
        Self::CompanyNonsense,
        Self::RemarkTest,
        Self::RemarkNonsense,
        Self::Advertising,
        Self::NoContact,
        Self::Honeypot,
        Self::TooFast,
        Self::BotAgent,
        Self::Repeated,
        Self::RepeatedOften,
        Self::PhoneSound,
        Self::MailOfCompany,
        Self::CompanySound,
        Self::ContactSound,
        Self::RemarkSound,
    ];

    /// Returns code, weight in nats, and the words in Chinese and English. A weight of 4.4 is enough against everything that may
    /// speak for a lead (prior -2.2, for it at most -1.5): these are what nobody can call, or nobody meant. What a person may do
    /// by mistake, or a customer with a strange name, weighs less and needs company.
    fn facts(self) -> (&'static str, f64, &'static str, &'static str) {
        match self {
            Self::PhoneMalformed => (
                "phone_malformed",
                4.4,
                "电话号码格式不对",
                "the phone number has no valid form",
            ),
            Self::PhoneMadeUp => (
                "phone_made_up",
                5.0,
                "电话号码像是随手编的",
                "the phone number looks made up",
            ),
            Self::MailMalformed => (
                "mail_malformed",
                2.4,
                "邮箱格式不对",
                "the mail address has no valid form",
            ),
            Self::MailDisposable => ("mail_disposable", 5.0, "一次性邮箱", "a disposable mailbox"),
            Self::MailMadeUp => (
                "mail_made_up",
                4.4,
                "邮箱像是随手编的",
                "the mail address looks made up",
            ),
            Self::ContactTest => ("contact_test", 5.0, "联系人是测试文字", "the contact is a test text"),
            Self::ContactNonsense => ("contact_nonsense", 4.4, "联系人不是姓名", "the contact is no name"),
            Self::ContactPlaceholder => (
                "contact_placeholder",
                1.8,
                "联系人是例子里的名字",
                "the contact is a name from examples",
            ),
            Self::CompanyTest => ("company_test", 5.0, "公司是测试文字", "the company is a test text"),
            Self::CompanyNonsense => ("company_nonsense", 4.0, "公司不是名称", "the company is no name"),
            Self::RemarkTest => ("remark_test", 5.0, "留言说明是测试", "the text says that it is a test"),
            Self::RemarkNonsense => ("remark_nonsense", 4.4, "留言没有内容", "the text says nothing"),
            Self::Advertising => ("advertising", 5.0, "留言是广告", "the text advertises something else"),
            Self::NoContact => (
                "no_contact",
                4.4,
                "没有任何联系方式",
                "there is no way to reach anybody",
            ),
            Self::Honeypot => (
                "honeypot",
                6.0,
                "填写了人看不见的字段",
                "a field is filled in that people do not see",
            ),
            Self::TooFast => ("too_fast", 4.4, "填写快于人手", "filled in faster than people can"),
            Self::BotAgent => ("bot_agent", 5.0, "由程序提交", "sent by a program"),
            Self::Repeated => (
                "repeated",
                2.6,
                "同一设备或号码换人提交",
                "several people from one device or number",
            ),
            Self::RepeatedOften => (
                "repeated_often",
                5.0,
                "同一设备或号码反复换人提交",
                "many people from one device or number",
            ),
            Self::PhoneSound => ("phone_sound", -0.6, "电话号码正常", "the phone number is sound"),
            Self::MailOfCompany => ("mail_of_company", -0.5, "企业邮箱", "a company's own mail"),
            Self::CompanySound => ("company_sound", -0.5, "公司名称完整", "a whole name of a company"),
            Self::ContactSound => ("contact_sound", -0.3, "姓名正常", "a name of a person"),
            Self::RemarkSound => ("remark_sound", -0.5, "留言有具体需求", "the text asks for something"),
        }
    }

    /// Returns its stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.facts().0
    }

    /// Returns its weight before corrections, in nats: positive against a lead.
    #[must_use]
    pub fn weight(self) -> f64 {
        self.facts().1
    }

    /// Returns what it says in Chinese.
    #[must_use]
    pub fn zh(self) -> &'static str {
        self.facts().2
    }

    /// Returns what it says in English.
    #[must_use]
    pub fn en(self) -> &'static str {
        self.facts().3
    }

    /// Returns the reason of a code.
    #[must_use]
    pub fn find(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}
