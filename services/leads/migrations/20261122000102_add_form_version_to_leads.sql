-- The version of the form whose schema the lead was checked against; null for forms without a schema and for other ways.
alter table leads add column form_version integer;
