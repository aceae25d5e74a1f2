//! Who logs in, and where a login is sent.

use super::*;
