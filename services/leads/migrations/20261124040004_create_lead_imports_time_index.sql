-- Lists of imports, newest first.
create index lead_imports_time_index on lead_imports (tenant_id, create_time, import_id);
