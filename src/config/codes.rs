//! The kinds of findings about the blocks of a configuration.

crate::diag::codes! {
    UNKNOWN_BLOCK = "unknown-block", "unknown block type";
    TERRAFORM_BLOCK = "terraform-only", "this belongs to Terraform";
    NOT_YET = "not-supported-yet", "not supported by this version yet";
    WRONG_LABELS = "wrong-labels", "wrong number of block labels";
    INVALID_NAME = "invalid-name", "invalid name";
    UNKNOWN_ATTRIBUTE = "unknown-attribute", "unknown attribute";
    MISSING_ATTRIBUTE = "missing-attribute", "required attribute is missing";
    MISSING_BLOCK = "missing-block", "required block is missing";
    DUPLICATE_DECLARATION = "duplicate-declaration", "declared twice";
    INVALID_VALUE = "invalid-value", "invalid value";
    SENSITIVE_VALUE = "sensitive-value", "sensitive value would be shown";
    NOT_A_SCOPE = "not-a-scope", "a scope is required";
    UNKNOWN_ROLE = "unknown-role", "unknown role";
    UNKNOWN_ROLE_MRN = "unknown-role-mrn", "role is not in the public catalogue";
    RESERVED_ROLE_NAME = "reserved-role-name", "role block is named like a platform role";
    UNUSED_ROLE = "unused-role", "role block is not used";
    DUPLICATE_ACCOUNT = "duplicate-service-account", "duplicate service account";
    DUPLICATE_DESTINATION = "duplicate-destination", "two credentials for one place";
    MISSING_CREDENTIAL = "missing-credential", "credential has no destination";
    INVALID_FOR_EACH = "invalid-for-each", "invalid for_each";
    RESERVED_LABEL = "reserved-label", "label key is reserved";
    UNKNOWN_IMPORT_TARGET = "unknown-import-target", "import target is not declared";
    DUPLICATE_IMPORT = "duplicate-import", "imported twice";
    IMPORT_SCOPE = "import-scope-mismatch", "import leads to another scope";
    MISSING_VARIABLE = "missing-variable", "variable has no value";
    UNDECLARED_VARIABLE = "undeclared-variable", "variable is not declared";
    INVALID_VARIABLE = "invalid-variable-value", "invalid value for a variable";
    VALIDATION_FAILED = "variable-validation", "value of a variable is refused";
    UNSUPPORTED_VERSION = "unsupported-version", "configuration is for another version";
    UNSUPPORTED_FILE = "unsupported-file", "file is in a form that is not read yet";
    SKIPPED_FILE = "skipped-file", "file is not part of the configuration";
    TOO_MANY_INSTANCES = "too-many-instances", "too many service accounts";
}
