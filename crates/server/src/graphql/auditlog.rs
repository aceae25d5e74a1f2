//! The audit log.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use jiff::Timestamp;

use crate::{
    ids,
    service::{PageRequest, audit},
    status::Status,
    store::{Entry, Filter},
};

use super::{
    context::{caller_of, core_of},
    inputs::OrderDirection,
    leaves::connection,
};

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum AuditLogOrderField {
    Timestamp,
}

#[derive(InputObject)]
struct AuditLogOrder {
    direction: OrderDirection,
    field: AuditLogOrderField,
}

#[derive(InputObject)]
struct IdentityFilter {
    mrn: Option<String>,
    name: Option<String>,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum ComparisonOperator {
    Gt,
    Lt,
}

#[derive(InputObject)]
struct TimestampFilter {
    timestamp: String,
    operator: ComparisonOperator,
}

#[derive(SimpleObject)]
pub(crate) struct AuditLogEntry {
    identity: Option<AuditLogIdentity>,
    resource: Option<String>,
    action: Option<String>,
    timestamp: Option<String>,
    msg: Option<String>,
    ip: Option<String>,
    parent: Option<String>,
}

#[derive(SimpleObject)]
struct AuditLogIdentity {
    name: Option<String>,
    mrn: Option<String>,
}

connection!(AuditLogConnection, AuditLogEdge, AuditLogEntry);

fn entry(entry: Entry) -> AuditLogEntry {
    let Entry {
        id: _,
        at,
        identity_mrn,
        identity_name,
        action,
        resource,
        parent,
        message,
        ip,
    } = entry;
    AuditLogEntry {
        identity: Some(AuditLogIdentity {
            name: Some(identity_name),
            mrn: Some(identity_mrn),
        }),
        resource: Some(resource),
        action: Some(action),
        timestamp: Some(ids::rfc3339(at)),
        msg: Some(message),
        ip,
        parent: Some(parent),
    }
}

#[derive(Default)]
pub(crate) struct Query;

#[Object(name = "AuditlogQueryPart")]
impl Query {
    #[expect(clippy::too_many_arguments, reason = "the schema says so")]
    async fn auditlog(
        &self,
        context: &Context<'_>,
        resource_mrn: String,
        action_filter: Option<String>,
        identity_filter: Option<IdentityFilter>,
        timestamp_filter: Option<TimestampFilter>,
        order_by: Option<AuditLogOrder>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Option<AuditLogConnection>> {
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        let mut filter = Filter {
            resource: resource_mrn,
            action: text(action_filter),
            ..Filter::default()
        };
        if let Some(IdentityFilter { mrn, name }) = identity_filter {
            filter.identity_mrn = text(mrn);
            filter.identity_name = text(name);
        }
        if let Some(TimestampFilter {
            timestamp,
            operator,
        }) = timestamp_filter
        {
            let at: Timestamp = timestamp
                .parse()
                .map_err(|_| Status::invalid(format!("timestamp {timestamp:?} is not RFC 3339")))?;
            match operator {
                ComparisonOperator::Gt => filter.after = Some(at.as_millisecond()),
                ComparisonOperator::Lt => filter.before = Some(at.as_millisecond()),
            }
        }
        let descending = match order_by {
            Some(AuditLogOrder {
                direction,
                field: AuditLogOrderField::Timestamp,
            }) => direction == OrderDirection::Desc,
            None => true,
        };
        let (page, total) = audit::list(
            core_of(context)?,
            caller_of(context)?,
            &filter,
            descending,
            &PageRequest { first, after },
        )?;
        let total = usize::try_from(total).unwrap_or_default();
        Ok(Some(AuditLogConnection::of(page, total, entry)))
    }
}
