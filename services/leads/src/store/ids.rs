//! How ids that people choose are read from text columns; a text that is none is a defect of its row.

use sqlx::{
    Decode, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueRef},
};

use crate::domain::ids::{
    CalendarId, FormId, LadderId, MemberId, ProductId, ResourceId, TeamId, TerritoryId, WebhookSourceId,
};

macro_rules! text_columns {
    ($($id:ident),*) => {$(
        impl Type<Postgres> for $id {
            fn type_info() -> PgTypeInfo {
                <str as Type<Postgres>>::type_info()
            }

            fn compatible(column: &PgTypeInfo) -> bool {
                <str as Type<Postgres>>::compatible(column)
            }
        }

        impl<'row> Decode<'row, Postgres> for $id {
            fn decode(value: PgValueRef<'row>) -> Result<Self, BoxDynError> {
                Ok(Self::from_id(<&str as Decode<Postgres>>::decode(value)?)?)
            }
        }
    )*};
}

text_columns!(
    CalendarId,
    FormId,
    LadderId,
    MemberId,
    ProductId,
    TeamId,
    TerritoryId,
    WebhookSourceId
);
