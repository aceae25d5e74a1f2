#!/bin/sh
# rolecall workflows, version @VERSION@, form by-hand: 3 of 3, every night.
# Written by `rolecall init --ci shell`; `rolecall validate` tells when a newer rolecall writes it otherwise.
# `rolecall docs workflows` explains all of it.
#
# Usage: ci/rolecall-check.sh DIRECTORY [OPTIONS OF CHECK]
# For a job that runs every night, with the account that plans. Leaves check.json in the folder ROLECALL_OUT
# (rolecall-out). Ends as rolecall does: 0 all is as declared, 2 what is merged is not applied, 6 something drifted
# or needs a person; 1 and all else: nobody could look, or not everywhere, which settles nothing.
# Keys that are due get a successor by another job, with what the apply has: `rolecall rotate --due --yes DIRECTORY`.
set -u
if [ "$#" -lt 1 ]; then
    echo 'usage: ci/rolecall-check.sh DIRECTORY [OPTIONS OF CHECK]' >&2
    exit 64
fi
directory=$1
shift
out=${ROLECALL_OUT:-rolecall-out}
mkdir -p "$out" || exit 1
rm -f "$out/check.json" || exit 1
code=0
rolecall check --allow-unmanaged --unused 90d --json-out "$out/check.json" "$@" "$directory" || code=$?
exit "$code"
