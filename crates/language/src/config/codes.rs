//! The kinds of findings about the blocks of a configuration.

/// `internal-error`: a part of the configuration was lost. Apart from the table, since no configuration
/// is known that has it.
pub const INTERNAL_ERROR: crate::diag::Code = crate::diag::Code {
    id: "internal-error",
    summary: "a part of the configuration was lost",
    way_out: "this is a fault of rolecall, not of the configuration: report it with these lines, and \
              write what they name in another way until it is mended",
};

crate::diag::codes! {
    UNKNOWN_BLOCK = "unknown-block", "unknown block type",
        "`rolecall docs language` lists all blocks";
    TERRAFORM_BLOCK = "terraform-only", "this belongs to Terraform",
        "write it as `rolecall docs language` says";
    NOT_YET = "not-supported-yet", "not supported by this version yet",
        "leave it out: `rolecall docs language` says what this version understands";
    WRONG_LABELS = "wrong-labels", "wrong number of block labels",
        "give the block as many names as it takes";
    INVALID_NAME = "invalid-name", "invalid name",
        "choose a name of an allowed form";
    UNKNOWN_ATTRIBUTE = "unknown-attribute", "unknown attribute",
        "remove it: `rolecall docs language` lists the attributes of each block";
    MISSING_ATTRIBUTE = "missing-attribute", "required attribute is missing",
        "add it";
    MISSING_BLOCK = "missing-block", "required block is missing",
        "add the block";
    DUPLICATE_DECLARATION = "duplicate-declaration", "declared twice",
        "rename one of them or remove it";
    INVALID_VALUE = "invalid-value", "invalid value",
        "change the value: `rolecall docs language` says what each attribute takes";
    SENSITIVE_VALUE = "sensitive-value", "sensitive value would be shown",
        "make the attribute of values that may be shown";
    NOT_A_SCOPE = "not-a-scope", "a scope is required",
        "write `space.NAME` or `organization.NAME`";
    UNKNOWN_ROLE = "unknown-role", "unknown role",
        "`rolecall roles` lists the roles of the platform";
    UNKNOWN_ROLE_MRN = "unknown-role-mrn", "role is not in the public catalogue",
        "check that the platform has this role";
    RESERVED_ROLE_NAME = "reserved-role-name", "role block is named like a platform role",
        "choose another name";
    UNUSED_ROLE = "unused-role", "role block is not used",
        "remove it, or use it";
    DUPLICATE_ACCOUNT = "duplicate-service-account", "duplicate service account",
        "give one of them another name or scope, or remove it";
    DUPLICATE_DESTINATION = "duplicate-destination", "two credentials for one place",
        "let one of them go to another file";
    SIMILAR_NAMES = "similar-names", "names are easily taken for each other",
        "rename one of them";
    MIXED_SCRIPTS = "mixed-scripts", "name mixes letters of different scripts",
        "write each word in one script";
    MISSING_CREDENTIAL = "missing-credential", "credential has no destination",
        "add `credential { deliver_to = [sink.file.NAME] }`; only imported accounts do without";
    INVALID_FOR_EACH = "invalid-for-each", "invalid for_each",
        "give `for_each` a map, or a set of strings as in `toset([…])`, made of values that are known and not sensitive";
    RESERVED_LABEL = "reserved-label", "label key is reserved",
        "choose another key";
    UNKNOWN_IMPORT_TARGET = "unknown-import-target", "import target is not declared",
        "declare the account as it should be, and import it there";
    DUPLICATE_IMPORT = "duplicate-import", "imported twice",
        "remove one of them";
    IMPORT_SCOPE = "import-scope-mismatch", "import leads to another scope",
        "declare the account in the scope where it lives";
    INVALID_MOVE = "invalid-move", "moved block contradicts the configuration",
        "let it lead from an address that is declared no longer to one that is";
    INVALID_REMOVAL = "invalid-removal", "removed block contradicts the configuration",
        "let it name what is declared no longer";
    MISSING_VARIABLE = "missing-variable", "variable has no value",
        "give it a value or a default";
    UNDECLARED_VARIABLE = "undeclared-variable", "variable is not declared",
        "declare it, or take its value out";
    INVALID_VARIABLE = "invalid-variable-value", "invalid value for a variable",
        "give a value that fits the `type` of the variable, or change the type";
    VALIDATION_FAILED = "variable-validation", "value of a variable is refused",
        "give another value";
    UNSUPPORTED_VERSION = "unsupported-version", "configuration is for another version",
        "install a version that fits, or change the constraint";
    UNSUPPORTED_FILE = "unsupported-file", "file is in a form that is not read yet",
        "write it in native HCL";
    SKIPPED_FILE = "skipped-file", "file is not part of the configuration",
        "rename it if it belongs to the configuration";
    UNREAD_FILE = "unread-file", "nothing of this is read",
        "write it as `rolecall docs language` says, or move it away";
    CONSTANT_POLICY = "constant-policy", "policy does not look at the account",
        "let the condition use `self`, the account that is judged";
    NOT_A_POLICY = "not-a-policy", "only policies, limits and destinations may stand here",
        "keep this block in the configuration; a policy directory holds `policy`, `limits` and \
         `destinations` blocks";
    NOT_THE_CONFIGURATIONS = "not-the-configurations", "a configuration cannot say this",
        "let a policy directory say it (--policy-dir, ROLECALL_POLICY_DIR), which who writes the \
         configuration cannot change";
    TOO_MANY_INSTANCES = "too-many-instances", "too many service accounts",
        "split the configuration into several stacks, each in its own directory with its own `id`";
}
