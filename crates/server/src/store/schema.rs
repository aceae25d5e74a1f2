//! The tables, in SQL.

/// The layout's version, in SQLite's `user_version`.
pub(super) const VERSION: i64 = 2;

pub(super) const SCHEMA: &str = "
create table meta (
    key text primary key,
    value text not null
) strict;

create table scopes (
    mrn text primary key,
    kind text not null check (kind in ('organizations', 'spaces')),
    id text not null,
    -- An organization is its own organization.
    org_mrn text not null references scopes (mrn) on delete cascade,
    name text not null,
    description text,
    company text,
    settings text,
    annotations text not null default '[]',
    created_at integer not null,
    unique (kind, id)
) strict;
create index scopes_by_org on scopes (org_mrn, id);

create table users (
    mrn text primary key,
    email text not null unique,
    name text not null
) strict;

-- valid_to null: the row is the present state. Versions before it exist only while reads lag.
create table accounts (
    version integer primary key,
    mrn text not null,
    id text not null,
    scope_mrn text not null references scopes (mrn) on delete cascade,
    org_mrn text not null references scopes (mrn) on delete cascade,
    name text not null,
    description text not null,
    notes text not null,
    labels text not null,
    created_at integer not null,
    -- 0: never
    last_used integer not null,
    creator text,
    valid_until integer,
    certificate blob,
    valid_from integer not null,
    valid_to integer
) strict;
create unique index accounts_live on accounts (mrn) where valid_to is null;
create index accounts_history on accounts (mrn, valid_from);
create index accounts_history_of_scope on accounts (scope_mrn, id);
create index accounts_ended on accounts (valid_to) where valid_to is not null;
create index accounts_by_id on accounts (scope_mrn, id) where valid_to is null;
create index accounts_by_name on accounts (scope_mrn, name, id) where valid_to is null;
create index accounts_by_used on accounts (scope_mrn, last_used, id) where valid_to is null;
create index accounts_by_created on accounts (scope_mrn, created_at, id) where valid_to is null;
create index accounts_of_org on accounts (org_mrn, id) where valid_to is null;

-- The roles of one identity on one scope; an identity is an MRN or the email of somebody invited.
create table bindings (
    version integer primary key,
    scope_mrn text not null references scopes (mrn) on delete cascade,
    identity text not null,
    roles text not null,
    valid_from integer not null,
    valid_to integer
) strict;
create unique index bindings_live on bindings (identity, scope_mrn) where valid_to is null;
create index bindings_history on bindings (identity, scope_mrn, valid_from);
create index bindings_ended on bindings (valid_to) where valid_to is not null;
create index bindings_by_scope on bindings (scope_mrn, identity) where valid_to is null;

create table tokens (
    hash blob primary key,
    mrn text not null unique,
    scope_mrn text not null references scopes (mrn) on delete cascade,
    name text not null,
    created_at integer not null,
    last_used integer not null
) strict;
";

/// What version 2 added.
pub(super) const OBJECTS: &str = "
create index accounts_of_org_by_name on accounts (org_mrn, name, id) where valid_to is null;
create index accounts_of_org_by_used on accounts (org_mrn, last_used, id) where valid_to is null;
create index accounts_of_org_by_created on accounts (org_mrn, created_at, id)
    where valid_to is null;
-- How many accounts a scope has now: counting a hundred thousand rows takes longer than a page.
create table account_counts (
    scope_mrn text primary key references scopes (mrn) on delete cascade,
    org_mrn text not null,
    accounts integer not null
) strict;
create index account_counts_of_org on account_counts (org_mrn, accounts);
create trigger account_added after insert on accounts when new.valid_to is null begin
    insert into account_counts (scope_mrn, org_mrn, accounts)
    values (new.scope_mrn, new.org_mrn, 1)
    on conflict (scope_mrn) do update set accounts = accounts + 1;
end;
create trigger account_ended after update of valid_to on accounts
when old.valid_to is null and new.valid_to is not null begin
    update account_counts set accounts = accounts - 1 where scope_mrn = old.scope_mrn;
end;
create trigger account_removed after delete on accounts when old.valid_to is null begin
    update account_counts set accounts = accounts - 1 where scope_mrn = old.scope_mrn;
end;
insert into account_counts (scope_mrn, org_mrn, accounts)
    select scope_mrn, org_mrn, count(*) from accounts where valid_to is null group by scope_mrn;

create table objects (
    mrn text primary key,
    kind text not null,
    scope_mrn text references scopes (mrn) on delete cascade,
    parent text references objects (mrn) on delete cascade,
    key text not null,
    created_at integer not null,
    body text not null
) strict;
create index objects_of_scope on objects (scope_mrn, kind, mrn);
create index objects_of_parent on objects (parent);
create index objects_by_key on objects (kind, key, mrn);

create table audit (
    id integer primary key autoincrement,
    at integer not null,
    identity_mrn text not null,
    identity_name text not null,
    action text not null,
    resource text not null,
    parent text not null,
    org_mrn text not null,
    message text not null,
    ip text
) strict;
create index audit_of_resource on audit (resource, id);
create index audit_of_parent on audit (parent, id);
create index audit_of_organization on audit (org_mrn, id);
";
