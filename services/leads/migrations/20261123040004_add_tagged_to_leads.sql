-- Whether the lead ever had a tag: only then is anybody who reads it looking for tags.
alter table leads add column tagged boolean not null default false;
