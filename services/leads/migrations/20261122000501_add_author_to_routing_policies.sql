-- Who stored a version, and why. Versions that older releases stored have no author.
alter table routing_policies
    add column author text,
    add column note text not null default '';
