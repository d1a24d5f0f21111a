-- What the bare loops write: the fields of a lead, of its fact and of a message, with the keys that keep each single.
create table leads (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    number bigint generated always as identity,
    state text collate "C" not null,
    source text not null,
    external_id text collate "C" not null,
    payload_hash bytea not null,
    company text not null,
    contact_name text not null,
    phone text not null,
    email text not null,
    territory text not null,
    product text not null,
    urgency text collate "C" not null,
    budget_min_fen bigint not null,
    budget_max_fen bigint not null,
    remark text not null,
    account text not null,
    attributes jsonb not null,
    raw_payload bytea not null,
    create_time timestamptz not null default now(),
    constraint leads_key primary key (tenant_id, lead_id)
);
create unique index leads_external_id_key on leads (tenant_id, source, external_id);
create table outbox (
    id bigint generated always as identity,
    tenant_id text collate "C" not null,
    event_id uuid not null,
    kind text collate "C" not null,
    subject text collate "C" not null,
    time timestamptz not null default now(),
    data bytea not null,
    constraint outbox_key primary key (id)
);
create table messages (
    tenant_id text collate "C" not null,
    message uuid not null,
    event_id uuid not null,
    subject text collate "C" not null,
    title text not null,
    body text not null,
    create_time timestamptz not null default now(),
    constraint messages_key primary key (tenant_id, message),
    constraint messages_event_key unique (tenant_id, event_id)
);
