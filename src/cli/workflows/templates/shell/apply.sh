#!/bin/sh
# rolecall workflows, version @VERSION@, form by-hand: 2 of 3, the apply.
# Written by `rolecall init --ci shell`; `rolecall validate` tells when a newer rolecall writes it otherwise.
# `rolecall docs workflows` explains all of it.
#
# Usage: ci/rolecall-apply.sh PLAN DIRECTORY [OPTIONS OF APPLY]
# PLAN is what somebody has read and means: the digest of a plan (64 digits, with sha256: before them or not), or its
# plan.json, of which a second run can do the rest where a first one ended half-way. That plan is applied, or nothing.
# For a job that runs on the branch @BRANCH@ alone, one at a time, and is never stopped in the middle. It wants the
# account that applies (MONDOO_CONFIG_BASE64), ROLECALL_SEAL_KEY, the logins of sinks and the whole history.
# Options of apply are --ack GUARD=DIGEST, --replace ADDRESS, --resume=NONCE and the like.
# Ends as rolecall does: 0 done, 3 refused, 4 something moved, so plan anew, 5 in part.
set -u
if [ "$#" -lt 2 ]; then
    echo 'usage: ci/rolecall-apply.sh PLAN DIRECTORY [OPTIONS OF APPLY]' >&2
    exit 64
fi
plan=$1
directory=$2
shift 2
code=0
if [ -f "$plan" ]; then
    rolecall apply --yes --wait=10m --plan "$plan" "$@" "$directory" || code=$?
else
    rolecall apply --yes --wait=10m --digest "$plan" "$@" "$directory" || code=$?
fi
exit "$code"
