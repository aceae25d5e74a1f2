//! Speed and size of the embedded platform: seeds 100,000 accounts in 1,000 spaces and as many in
//! one, reads pages at every depth, prints what it took, and fails beyond the limits.
//!
//! `scripts/platform-speed` runs it optimized. CPU time and memory are the kernel's own numbers.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that ends at the first surprise"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rolecall_server::{App, Identity, Options, Quirks, Request, Seed, Storage};
use serde_json::{Value, json};

const SEEDING: Duration = Duration::from_secs(60);
const PAGE: Duration = Duration::from_millis(5);
const MEMORY_KB: u64 = 300 * 1024;

const LIST: &str = "query($scopeMrn: String, $first: Int, $after: String, \
    $orderBy: ServiceAccountOrder){serviceAccounts(scopeMrn: $scopeMrn, first: $first, \
    after: $after, orderBy: $orderBy){TOTAL edges{cursor node{mrn name description notes \
    roles{mrn} labels{key value} createdAt lastUsed creator{mrn}}} \
    pageInfo{endCursor hasNextPage}}}";

/// CPU time of this thread; requests are executed on it.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

fn peak_kb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

struct Bench {
    failed: bool,
}

impl Bench {
    fn expect(&mut self, what: &str, number: String, good: bool) {
        println!(
            "{what:<64} {number:>12} {}",
            if good { "ok" } else { "TOO MUCH" }
        );
        self.failed |= !good;
    }

    fn seed(&mut self, path: &Path, spaces: u32, accounts: u32, quirks: Quirks) -> App {
        let options = Options {
            quirks,
            ..Options::default()
        };
        let start = Instant::now();
        let seed = Seed::generate(1, spaces, accounts, 1);
        let app = App::open(Storage::File(path), options).unwrap();
        app.seed(&seed, Timestamp::now()).unwrap();
        let took = start.elapsed();
        let what = format!("seed {spaces} x {accounts} accounts");
        self.expect(
            &what,
            format!("{:.1} s", took.as_secs_f64()),
            took < SEEDING,
        );
        app
    }

    /// Reads all pages of a listing. The mean is measured, of all and of the deepest; single pages
    /// suffer from what else the machine does, so the dear ones are only told.
    fn pages(&mut self, app: &App, scope: &str, field: &str, total: bool, direction: &str) {
        let me = app
            .ensure_owner("generated-organization-000001", Timestamp::now())
            .unwrap();
        let identity = me
            .map(|credential| credential.mrn.clone())
            .or_else(|| app.meta_get("bench.owner").unwrap());
        let identity = identity.unwrap();
        app.meta_set("bench.owner", &identity).unwrap();
        let identity = Identity { mrn: identity };
        let query = LIST.replace("TOTAL", if total { "totalCount" } else { "" });
        let mut after = Value::Null;
        let (mut seen, mut costs) = (0, Vec::new());
        loop {
            let variables = json!({
                "scopeMrn": scope, "first": 100, "after": after,
                "orderBy": { "field": field, "direction": direction },
            });
            let request = Request {
                query: query.clone(),
                variables,
                operation_name: None,
            };
            let before = cpu();
            let reply = app.handle(&identity, request, Timestamp::now());
            costs.push(cpu() - before);
            let body: Value = serde_json::from_slice(&reply.body).unwrap();
            let list = &body["data"]["serviceAccounts"];
            seen += list["edges"]
                .as_array()
                .unwrap_or_else(|| panic!("{body}"))
                .len();
            if list["pageInfo"]["hasNextPage"] != true {
                break;
            }
            after = list["pageInfo"]["endCursor"].clone();
        }
        let sum: Duration = costs.iter().sum();
        let mean = sum / u32::try_from(costs.len()).unwrap();
        let tail = &costs[costs.len() - costs.len().div_ceil(10)..];
        let tail: Duration = tail.iter().sum::<Duration>() / u32::try_from(tail.len()).unwrap();
        costs.sort_unstable();
        let dear = costs[costs.len() - 1 - costs.len() / 100];
        let count = if total { ", with totalCount" } else { "" };
        let what = format!("{} pages by {field} {direction}{count}: mean", costs.len());
        self.expect(&what, milliseconds(mean), mean < PAGE);
        self.expect("  the deepest tenth", milliseconds(tail), tail < PAGE);
        println!("  one in a hundred costs more than {}", milliseconds(dear));
        println!("  {seen} accounts");
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench { failed: false };
    let across = Quirks {
        org_listing_includes_spaces: true,
        ..Quirks::default()
    };
    let organization = "//captain.api.mondoo.app/organizations/generated-organization-000001";
    let space = "//captain.api.mondoo.app/spaces/generated-001-space-000001";
    let app = bench.seed(&folder.path().join("wide.db"), 1000, 100, across);
    for field in ["ID", "NAME", "LAST_USED", "CREATED_AT"] {
        bench.pages(&app, organization, field, false, "ASC");
    }
    bench.pages(&app, organization, "ID", true, "DESC");
    drop(app);
    let app = bench.seed(
        &folder.path().join("deep.db"),
        1,
        100_000,
        Quirks::default(),
    );
    for field in ["ID", "NAME", "LAST_USED", "CREATED_AT"] {
        bench.pages(&app, space, field, true, "ASC");
    }
    let peak = peak_kb();
    let what = "peak memory of it all";
    bench.expect(what, format!("{} MB", peak / 1024), peak < MEMORY_KB);
    if bench.failed {
        std::process::exit(1);
    }
}
