#!/bin/sh
# rolecall workflows, version @VERSION@, form by-hand: 1 of 3, the plan.
# Written by `rolecall init --ci shell`; `rolecall validate` tells when a newer rolecall writes it otherwise.
# `rolecall docs workflows` explains all of it.
#
# Usage: ci/rolecall-plan.sh DIRECTORY [OPTIONS OF PLAN]
# For a job of a pull request, and once more for the branch @BRANCH@ after the merge. It wants the account that plans
# (MONDOO_CONFIG_BASE64), the whole history of the checkout, and nothing else. A job for somebody else's fork gets
# no secret: let it run `rolecall validate DIRECTORY` alone.
# Leaves plan.json and plan.md in the folder ROLECALL_OUT (rolecall-out). Ends as rolecall does: 0 nothing to do, 2 there are
# changes, 3 a guard or a policy refuses, anything else is an error.
set -u
if [ "$#" -lt 1 ]; then
    echo 'usage: ci/rolecall-plan.sh DIRECTORY [OPTIONS OF PLAN]' >&2
    exit 64
fi
directory=$1
shift
out=${ROLECALL_OUT:-rolecall-out}
mkdir -p "$out" || exit 1
# What an earlier run left must not be taken for this one's.
rm -f "$out/plan.json" "$out/plan.md" || exit 1
code=0
rolecall validate "$directory" || code=$?
if [ "$code" -ne 0 ]; then exit "$code"; fi
rolecall plan --detailed-exitcode --out "$out/plan.json" --markdown "$out/plan.md" "$@" "$directory" || code=$?
exit "$code"
