//! Settings of spaces: stored as they were sent, shown as they are stored.

use async_graphql::SimpleObject;
use serde::Deserialize;

/// Makes the output types, which also read the stored JSON of the input types.
macro_rules! settings {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Deserialize, SimpleObject)]
        #[serde(rename_all = "camelCase", default)]
        pub(crate) struct $name { $($field: Option<$type>),* }
    )*};
}

settings! {
    SpaceSettings {
        terminated_assets_configuration: TerminatedAssetsConfiguration,
        unused_service_accounts_configuration: UnusedServiceAccountsConfiguration,
        garbage_collect_assets_configuration: GarbageCollectAssetsConfiguration,
        platform_vulnerability_configuration: PlatformVulnerabilityConfiguration,
        platform_mql_vex_configuration: PlatformMqlVexConfiguration,
        landscape_configuration: LandscapeConfiguration,
        eol_assets_configuration: EolAssetsConfiguration,
        cases_configuration: CasesConfiguration,
        exceptions_configuration: ExceptionsConfiguration,
        mvd_experimental_sources_configuration: MvdExperimentalSourcesConfiguration,
        rc_packages_configuration: RcPackagesConfiguration,
        trending_cves_configuration: TrendingCvesConfiguration,
    }
    TerminatedAssetsConfiguration { cleanup: bool, after: i32 }
    UnusedServiceAccountsConfiguration { cleanup: bool, after: i32 }
    GarbageCollectAssetsConfiguration { enable: bool, after_days: i32 }
    PlatformVulnerabilityConfiguration { enable: bool }
    PlatformMqlVexConfiguration { enable: bool }
    LandscapeConfiguration { enable: bool }
    EolAssetsConfiguration { enable: bool, months_in_advance: i32 }
    CasesConfiguration { enable: bool, auto_create: bool, aggregation_window: i32 }
    ExceptionsConfiguration {
        require_approval: bool,
        allow_indefinite_valid_until: bool,
        allow_self_approval: bool,
    }
    RcPackagesConfiguration { exclude: bool }
    TrendingCvesConfiguration { disable: bool }
}

/// The sources that were switched on; which others there are is the platform's own knowledge.
#[derive(Clone, Debug, Default, Deserialize, SimpleObject)]
#[serde(from = "StoredSources")]
pub(crate) struct MvdExperimentalSourcesConfiguration {
    sources: Option<Vec<MvdSource>>,
}

#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct MvdSource {
    id: String,
    name: Option<String>,
    enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct StoredSources {
    enabled_sources: Option<Vec<StoredSource>>,
}

#[derive(Deserialize)]
struct StoredSource {
    id: String,
}

impl From<StoredSources> for MvdExperimentalSourcesConfiguration {
    fn from(stored: StoredSources) -> Self {
        let source = |StoredSource { id }| MvdSource {
            id,
            name: None,
            enabled: Some(true),
        };
        let sources = stored.enabled_sources;
        Self {
            sources: sources.map(|all| all.into_iter().map(source).collect()),
        }
    }
}

impl SpaceSettings {
    /// The stored settings. This platform removes no unused accounts, and says so unless somebody
    /// has set something else.
    pub(crate) fn of(stored: Option<&str>) -> Self {
        let stored = stored.and_then(|json| serde_json::from_str(json).ok());
        let mut settings: Self = stored.unwrap_or_default();
        settings
            .unused_service_accounts_configuration
            .get_or_insert(UnusedServiceAccountsConfiguration {
                cleanup: Some(false),
                after: None,
            });
        settings
    }
}
