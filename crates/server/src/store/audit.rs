//! The audit log: what was changed, by whom, when and from where. It outlives what it tells of.

use rusqlite::{Connection, Row, params, types::Value};

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) at: i64,
    pub(crate) identity_mrn: String,
    pub(crate) identity_name: String,
    /// The gRPC method, as the platform's own log names actions.
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The scope in which it happened.
    pub(crate) parent: String,
    pub(crate) message: String,
    pub(crate) ip: Option<String>,
}

/// Which lines are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// The scope or resource; a scope stands for all that happened in it, and an organization for
    /// its spaces too.
    pub(crate) resource: String,
    pub(crate) action: Option<String>,
    pub(crate) identity_mrn: Option<String>,
    pub(crate) identity_name: Option<String>,
    /// Later than this, in milliseconds.
    pub(crate) after: Option<i64>,
    /// Earlier than this, in milliseconds.
    pub(crate) before: Option<i64>,
}

impl Entry {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            at: row.get("at")?,
            identity_mrn: row.get("identity_mrn")?,
            identity_name: row.get("identity_name")?,
            action: row.get("action")?,
            resource: row.get("resource")?,
            parent: row.get("parent")?,
            message: row.get("message")?,
            ip: row.get("ip")?,
        })
    }

    /// Appends a line; its id and place in the order are the next ones. `org_mrn` is the
    /// organization of the parent.
    pub(crate) fn append(&self, connection: &Connection, org_mrn: &str) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "insert into audit (at, identity_mrn, identity_name, action, resource, parent,
                                    org_mrn, message, ip)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                self.at,
                self.identity_mrn,
                self.identity_name,
                self.action,
                self.resource,
                self.parent,
                org_mrn,
                self.message,
                self.ip
            ])?;
        Ok(())
    }

    /// Up to `limit` lines that follow a place in the order, newest first if `descending`.
    pub(crate) fn page(
        connection: &Connection,
        filter: &Filter,
        descending: bool,
        after: Option<i64>,
        limit: u32,
    ) -> rusqlite::Result<Vec<Self>> {
        let (mut sql, mut values) = select("*", filter);
        let (sign, direction) = if descending {
            ("<", "desc")
        } else {
            (">", "asc")
        };
        if let Some(id) = after {
            values.push(Value::Integer(id));
            sql += &format!(" and id {sign} ?{}", values.len());
        }
        sql += &format!(" order by id {direction} limit {limit}");
        connection
            .prepare_cached(&sql)?
            .query_map(rusqlite::params_from_iter(values), Self::from_row)?
            .collect()
    }

    pub(crate) fn count(connection: &Connection, filter: &Filter) -> rusqlite::Result<i32> {
        let (sql, values) = select("count(*)", filter);
        connection
            .prepare_cached(&sql)?
            .query_row(rusqlite::params_from_iter(values), |row| row.get(0))
    }
}

fn select(columns: &str, filter: &Filter) -> (String, Vec<Value>) {
    let Filter {
        resource,
        action,
        identity_mrn,
        identity_name,
        after,
        before,
    } = filter;
    let mut values = vec![Value::Text(resource.clone())];
    let mut sql =
        format!("select {columns} from audit where (resource = ?1 or parent = ?1 or org_mrn = ?1)");
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        sql += &format!(" and {condition} ?{}", values.len());
    };
    let text = |text: &String| Value::Text(text.clone());
    if let Some(action) = action {
        add("action =", text(action));
    }
    if let Some(mrn) = identity_mrn {
        add("identity_mrn =", text(mrn));
    }
    if let Some(name) = identity_name {
        add("identity_name =", text(name));
    }
    if let Some(after) = after {
        add("at >", Value::Integer(*after));
    }
    if let Some(before) = before {
        add("at <", Value::Integer(*before));
    }
    (sql, values)
}
