//! Workspaces and the conditions by which they select assets.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject, Union};
use serde::{Deserialize, Serialize};

use crate::{
    service::{PageRequest, directory, directory::Workspace as Stored, objects::Stored as In},
    status::Status,
};

use super::{
    context::{caller_of, core_of},
    inputs::{KeyValueInput, ResourceContactInput},
    leaves::{KeyValue, connection},
    organizations::contacts,
};

/// Enums of conditions, all of which are stored by name.
macro_rules! enums {
    ($($name:ident { $($value:ident),* })*) => {$(
        #[derive(Enum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum $name { $($value),* }
    )*};
}

enums! {
    WorkspaceSelectionConditionOperator { Unknown, And, AndNot }
    WorkspaceSelectionConditionStringField {
        Unknown, Platform, PlatformVersion, AssetName, AssetKind, Technology
    }
    WorkspaceSelectionConditionStringOperator { Unknown, Equal, NotEqual, Contains }
    WorkspaceSelectionConditionIntField { Unknown, RiskValue, RiskScore }
    WorkspaceSelectionConditionNumericOperator { Unknown, Equal, NotEqual, Gt, Lt }
    WorkspaceSelectionConditionRatingField { Unknown, Risk }
    WorkspaceSelectionConditionRatingOperator { Unknown, Equal, NotEqual }
    WorkspaceSelectionConditionKeyValueField { Unknown, Labels, Annotations }
    WorkspaceSelectionConditionKeyValueOperator { Unknown, Contains, NotContains }
    ScoreRating { Critical, High, Medium, Low, None, Unscored, Error }
}

#[derive(InputObject, Serialize)]
struct WorkspaceSelectionsInput {
    selections: Vec<WorkspaceSelectionInput>,
}

#[derive(InputObject, Serialize)]
struct WorkspaceSelectionInput {
    conditions: Vec<WorkspaceSelectionConditionInput>,
}

#[derive(InputObject, Serialize)]
struct WorkspaceSelectionConditionInput {
    operator: WorkspaceSelectionConditionOperator,
    string_condition: Option<WorkspaceSelectionStringConditionInput>,
    int_condition: Option<WorkspaceSelectionIntConditionInput>,
    rating_condition: Option<WorkspaceSelectionRatingConditionInput>,
    key_value_condition: Option<WorkspaceSelectionKeyValueConditionInput>,
}

#[derive(InputObject, Serialize)]
struct WorkspaceSelectionStringConditionInput {
    field: WorkspaceSelectionConditionStringField,
    operator: WorkspaceSelectionConditionStringOperator,
    values: Vec<String>,
}

#[derive(InputObject, Serialize)]
struct WorkspaceSelectionIntConditionInput {
    field: WorkspaceSelectionConditionIntField,
    operator: WorkspaceSelectionConditionNumericOperator,
    values: Vec<i32>,
}

#[derive(InputObject, Serialize)]
struct WorkspaceSelectionRatingConditionInput {
    field: WorkspaceSelectionConditionRatingField,
    operator: WorkspaceSelectionConditionRatingOperator,
    values: Vec<ScoreRating>,
}

#[derive(InputObject, Serialize)]
struct WorkspaceSelectionKeyValueConditionInput {
    field: WorkspaceSelectionConditionKeyValueField,
    operator: WorkspaceSelectionConditionKeyValueOperator,
    values: Vec<KeyValueInput>,
}

#[derive(InputObject)]
struct CreateWorkspaceInput {
    owner_mrn: String,
    name: String,
    selections: WorkspaceSelectionsInput,
    description: Option<String>,
    contacts: Option<Vec<ResourceContactInput>>,
}

#[derive(InputObject)]
struct UpdateWorkspaceInput {
    mrn: String,
    name: Option<String>,
    description: Option<String>,
    selections: Option<WorkspaceSelectionsInput>,
    contacts: Option<Vec<ResourceContactInput>>,
}

#[derive(InputObject)]
struct DeleteWorkspacesInput {
    mrns: Vec<String>,
}

#[derive(InputObject)]
struct WorkspacesInput {
    scope_mrn: String,
    query: Option<String>,
}

#[derive(SimpleObject)]
pub(crate) struct Workspace {
    mrn: String,
    owner_mrn: Option<String>,
    name: String,
    description: Option<String>,
    selections: Option<WorkspaceSelections>,
}

connection!(WorkspaceConnection, WorkspaceEdge, Workspace);

#[derive(SimpleObject)]
struct RequestError {
    message: String,
    code: String,
}

#[derive(SimpleObject)]
struct NotFoundError {
    message: String,
    code: String,
}

#[derive(Union)]
enum WorkspaceResult {
    Workspace(Workspace),
    RequestError(RequestError),
    NotFoundError(NotFoundError),
}

#[derive(SimpleObject, Deserialize)]
struct WorkspaceSelections {
    selections: Vec<WorkspaceSelection>,
}

#[derive(SimpleObject, Deserialize)]
struct WorkspaceSelection {
    conditions: Vec<WorkspaceSelectionCondition>,
}

#[derive(SimpleObject, Deserialize)]
#[serde(try_from = "StoredCondition")]
struct WorkspaceSelectionCondition {
    operator: WorkspaceSelectionConditionOperator,
    condition: WorkspaceSelectionConditionUnion,
}

#[derive(Union)]
enum WorkspaceSelectionConditionUnion {
    String(WorkspaceSelectionStringCondition),
    Int(WorkspaceSelectionIntCondition),
    Rating(WorkspaceSelectionRatingCondition),
    KeyValue(WorkspaceSelectionKeyValueCondition),
}

#[derive(SimpleObject, Deserialize)]
struct WorkspaceSelectionStringCondition {
    field: WorkspaceSelectionConditionStringField,
    operator: WorkspaceSelectionConditionStringOperator,
    values: Vec<WorkspaceSelectionStringConditionValue>,
}

#[derive(SimpleObject, Deserialize)]
#[serde(from = "String")]
struct WorkspaceSelectionStringConditionValue {
    value: String,
    display_name: Option<String>,
}

impl From<String> for WorkspaceSelectionStringConditionValue {
    fn from(value: String) -> Self {
        Self {
            value,
            display_name: None,
        }
    }
}

#[derive(SimpleObject, Deserialize)]
struct WorkspaceSelectionIntCondition {
    field: WorkspaceSelectionConditionIntField,
    operator: WorkspaceSelectionConditionNumericOperator,
    values: Vec<i32>,
}

#[derive(SimpleObject, Deserialize)]
struct WorkspaceSelectionRatingCondition {
    field: WorkspaceSelectionConditionRatingField,
    operator: WorkspaceSelectionConditionRatingOperator,
    values: Vec<ScoreRating>,
}

#[derive(SimpleObject, Deserialize)]
struct WorkspaceSelectionKeyValueCondition {
    field: WorkspaceSelectionConditionKeyValueField,
    operator: WorkspaceSelectionConditionKeyValueOperator,
    values: Vec<KeyValue>,
}

/// A condition as it was sent: one of the four.
#[derive(Deserialize)]
struct StoredCondition {
    operator: WorkspaceSelectionConditionOperator,
    string_condition: Option<WorkspaceSelectionStringCondition>,
    int_condition: Option<WorkspaceSelectionIntCondition>,
    rating_condition: Option<WorkspaceSelectionRatingCondition>,
    key_value_condition: Option<WorkspaceSelectionKeyValueCondition>,
}

impl TryFrom<StoredCondition> for WorkspaceSelectionCondition {
    type Error = String;

    fn try_from(stored: StoredCondition) -> std::result::Result<Self, String> {
        let StoredCondition {
            operator,
            string_condition,
            int_condition,
            rating_condition,
            key_value_condition,
        } = stored;
        type Any = WorkspaceSelectionConditionUnion;
        let mut all: Vec<Any> = Vec::new();
        all.extend(string_condition.map(Any::String));
        all.extend(int_condition.map(Any::Int));
        all.extend(rating_condition.map(Any::Rating));
        all.extend(key_value_condition.map(Any::KeyValue));
        match (all.pop(), all.is_empty()) {
            (Some(condition), true) => Ok(Self {
                operator,
                condition,
            }),
            _ => Err("a condition is exactly one of string, int, rating and key-value".to_owned()),
        }
    }
}

/// The selections as they are stored, if they can be read back.
fn stored(selections: &WorkspaceSelectionsInput) -> Result<serde_json::Value> {
    let value = serde_json::to_value(selections)?;
    serde_json::from_value::<WorkspaceSelections>(value.clone())
        .map_err(|error| Status::invalid(error.to_string()))?;
    Ok(value)
}

fn workspace(found: In<Stored>) -> Workspace {
    let Stored {
        name,
        description,
        selections,
    } = found.value;
    Workspace {
        mrn: found.mrn,
        owner_mrn: found.scope_mrn,
        name,
        description,
        // What was stored was read back before.
        selections: serde_json::from_value(selections).ok(),
    }
}

#[derive(Default)]
pub(crate) struct Query;

#[Object(name = "WorkspacesQueryPart")]
impl Query {
    async fn workspace(
        &self,
        context: &Context<'_>,
        mrn: String,
    ) -> Result<Option<WorkspaceResult>> {
        let found = directory::workspace(core_of(context)?, caller_of(context)?, &mrn)?;
        Ok(Some(match found {
            Some(found) => WorkspaceResult::Workspace(workspace(found)),
            None if mrn.starts_with("//") => WorkspaceResult::NotFoundError(NotFoundError {
                message: format!("workspace {mrn} not found"),
                code: "NotFound".to_owned(),
            }),
            None => WorkspaceResult::RequestError(RequestError {
                message: format!("invalid workspace mrn {mrn:?}"),
                code: "InvalidArgument".to_owned(),
            }),
        }))
    }

    async fn workspaces(
        &self,
        context: &Context<'_>,
        input: WorkspacesInput,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Option<WorkspaceConnection>> {
        let WorkspacesInput { scope_mrn, query } = input;
        let query = query.filter(|query| !query.is_empty());
        let (page, total) = directory::workspaces(
            core_of(context)?,
            caller_of(context)?,
            &scope_mrn,
            query.as_deref(),
            &PageRequest { first, after },
        )?;
        Ok(Some(WorkspaceConnection::of(page, total, workspace)))
    }
}

#[derive(Default)]
pub(crate) struct Mutation;

#[Object(name = "WorkspacesMutationPart")]
impl Mutation {
    async fn create_workspace(
        &self,
        context: &Context<'_>,
        input: CreateWorkspaceInput,
    ) -> Result<Option<Workspace>> {
        let CreateWorkspaceInput {
            owner_mrn,
            name,
            selections,
            description,
            contacts: people,
        } = input;
        let new = Stored {
            name,
            description,
            selections: stored(&selections)?,
        };
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let made = directory::create_workspace(core, caller, &owner_mrn, new)?;
        contacts(context, &made.mrn, people)?;
        Ok(Some(workspace(made)))
    }

    async fn update_workspace(
        &self,
        context: &Context<'_>,
        input: UpdateWorkspaceInput,
    ) -> Result<Option<Workspace>> {
        let UpdateWorkspaceInput {
            mrn,
            name,
            description,
            selections,
            contacts: people,
        } = input;
        let selections = selections.as_ref().map(stored).transpose()?;
        let found = directory::update_workspace(
            core_of(context)?,
            caller_of(context)?,
            &mrn,
            name,
            description,
            selections,
        )?;
        contacts(context, &mrn, people)?;
        Ok(Some(workspace(found)))
    }

    async fn delete_workspaces(
        &self,
        context: &Context<'_>,
        input: DeleteWorkspacesInput,
    ) -> Result<Option<bool>> {
        directory::delete_workspaces(core_of(context)?, caller_of(context)?, &input.mrns)?;
        Ok(Some(true))
    }
}
