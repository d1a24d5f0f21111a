-- Values of the calculated fields by name; an object in the place of a value says why there is none. Null for a tenant
-- without such fields, so that their leads are as narrow as before.
alter table leads add column calculated jsonb;
