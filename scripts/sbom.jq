# The bill of materials of the program, in CycloneDX 1.6, of what `cargo metadata` says: every package that is built
# into it, by the edges of what is not for tests or for building alone.
# Source: the schema of CycloneDX 1.6 (bom-1.6.schema.json).
. as $all
| ($all.packages | map({key: .id, value: .}) | from_entries) as $packages
| ($all.resolve.nodes | map({key: .id, value: .}) | from_entries) as $nodes
| ($all.packages[] | select(.name == "rolecall") | .id) as $root
| def uses: $nodes[.].deps | map(select(any(.dep_kinds[]; .kind == null)) | .pkg);
  def reach: {seen: {($root): true}, next: [$root]}
    | until(.next == [];
        (.seen) as $seen
        | ([.next[] | uses[]] | unique | map(select($seen[.] | not))) as $new
        | {seen: ($seen + ($new | map({key: ., value: true}) | from_entries)), next: $new})
    | .seen | keys;
  def purl: "pkg:cargo/\(.name)@\(.version)";
  def component(kind): {
    type: kind, "bom-ref": purl, name: .name, version: .version, purl: purl,
    licenses: (if .license then [{expression: (.license | gsub("/"; " OR "))}] else [] end)
  };
  reach as $built
| {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: ($packages[$root] | component("application")),
      properties: [{name: "cargo:target", value: $target}]
    },
    components: [$built[] | select(. != $root) | $packages[.] | component("library")] | sort_by(.purl),
    dependencies: [$built[] | {ref: ($packages[.] | purl), dependsOn: [uses[] | $packages[.] | purl] | unique}] | sort_by(.ref)
  }
