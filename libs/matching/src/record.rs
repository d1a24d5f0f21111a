//! A record as it comes, and as it is compared.

use serde::{Deserialize, Serialize};

use crate::address::{Address, city};
use crate::company::Company;
use crate::mailbox::Mailbox;
use crate::person::Person;
use crate::phone::Phones;
use crate::text::fold;
use crate::{birth_date, credit_code};

/// What is known of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Company.
    Company,
    /// The person there.
    Contact,
    /// Mobile number.
    Mobile,
    /// Landline number.
    Phone,
    /// E-mail address.
    Email,
    /// Address.
    Address,
    /// City.
    City,
    /// Postcode.
    Postcode,
    /// Birth date.
    BirthDate,
    /// Unified social credit code, or another number that identifies somebody.
    Code,
}

/// How many fields there are.
pub const FIELDS: usize = 10;

impl Field {
    /// All of them.
    pub const ALL: [Self; FIELDS] = [
        Self::Company,
        Self::Contact,
        Self::Mobile,
        Self::Phone,
        Self::Email,
        Self::Address,
        Self::City,
        Self::Postcode,
        Self::BirthDate,
        Self::Code,
    ];

    /// Returns its place among all of them.
    #[must_use]
    pub fn place(self) -> usize {
        self as usize
    }

    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Contact => "contact",
            Self::Mobile => "mobile",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Address => "address",
            Self::City => "city",
            Self::Postcode => "postcode",
            Self::BirthDate => "birth_date",
            Self::Code => "code",
        }
    }

    /// Finds a field by its name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// What a record says, as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values([String; FIELDS]);

impl Values {
    /// Returns what was typed.
    #[must_use]
    pub fn get(&self, field: Field) -> &str {
        &self.0[field.place()]
    }

    /// Adds what was typed behind what the field has.
    pub fn add(&mut self, field: Field, value: &str) {
        let value = value.trim();
        let typed = &mut self.0[field.place()];
        if !typed.is_empty() && !value.is_empty() {
            typed.push(' ');
        }
        typed.push_str(value);
    }

    /// Adds to a field; for records that are written out.
    #[must_use]
    pub fn with(mut self, field: Field, value: &str) -> Self {
        self.add(field, value);
        self
    }
}

/// A record as it is compared.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Its company.
    pub company: Option<Company>,
    /// Its person; may be missing.
    pub person: Person,
    /// Its telephones, from both fields.
    pub phones: Phones,
    /// Its mailbox.
    pub mailbox: Option<Mailbox>,
    /// Its address.
    pub address: Option<Address>,
    /// Its city; where it names none, that of its address.
    pub city: String,
    /// Its postcode.
    pub postcode: String,
    /// Its birth date.
    pub birth_date: Option<String>,
    /// Its code, and whether it is a unified social credit code whose check holds.
    pub code: Option<(String, bool)>,
}

impl Record {
    /// Reads what was typed.
    #[must_use]
    pub fn read(values: &Values) -> Self {
        let mut phones = Phones::default();
        phones.read(values.get(Field::Mobile));
        phones.read(values.get(Field::Phone));
        let address = Address::parse(values.get(Field::Address));
        let mut city = city(values.get(Field::City));
        if city.is_empty()
            && let Some(address) = &address
        {
            city.clone_from(&address.city);
        }
        let sign = |char: &char| char.is_alphanumeric();
        let code: String = fold(values.get(Field::Code)).chars().filter(sign).collect();
        let checked = credit_code::parse(&code);
        Self {
            company: Company::parse(values.get(Field::Company)),
            person: Person::parse(values.get(Field::Contact)),
            phones,
            mailbox: Mailbox::parse(values.get(Field::Email)),
            address,
            city,
            postcode: fold(values.get(Field::Postcode)).chars().filter(sign).collect(),
            birth_date: birth_date::parse(values.get(Field::BirthDate)),
            code: match checked {
                Some(code) => Some((code, true)),
                None if code.len() >= 4 => Some((code, false)),
                None => None,
            },
        }
    }

    /// Returns the place of its company: what its name says, else its city.
    #[must_use]
    pub fn place(&self) -> &str {
        let named = self.company.as_ref().map_or("", |company| &company.place);
        if named.is_empty() { &self.city } else { named }
    }
}
