-- Who published a version, "members/{member}"; empty when it was not a member.
alter table templates add column publisher text collate "C" not null default '';
