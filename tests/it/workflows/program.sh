#!/usr/bin/env bash
# A recording of the commands that talk to a code host, in the place of the program: it keeps to their command lines,
# outputs and exit codes, and decides little. All else goes to the program itself.
set -euo pipefail
program='@PROGRAM@'
state='@STATE@'
command=$1
shift

declare -A given=()
positional=()
read_options() {
  while [ "$#" -gt 0 ]; do
    case "$1" in
      --removed | --public | --post | --all) given[${1#--}]=yes; shift ;;
      --*=*) name=${1%%=*}; given[${name#--}]=${1#*=}; shift ;;
      --*) given[${1#--}]=$2; shift 2 ;;
      *) positional+=("$1"); shift ;;
    esac
  done
}
output() { [ -z "${given[outputs]:-}" ] || printf '%s=%s\n' "$1" "$2" >> "${given[outputs]}"; }
post() {
  curl --fail --silent --show-error --request POST --header "authorization: Bearer $GITHUB_TOKEN" \
    --data-binary "$2" "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/$1" > /dev/null
}

case "$command" in
  verdict)
    read_options "$@"
    case "${given[ended]}" in
      0) result=none ;;
      2) result=changes ;;
      3) result=refused ;;
      *) exit 1 ;;
    esac
    code=0
    if [ -n "${given[removed]:-}" ]; then
      result=removed
      if [ "${given[ended]}" != 0 ]; then result=owned code=3; fi
    fi
    mkdir -p "${given[out]}"
    cp "${given[plan]}" "${given[out]}/plan.json"
    jq -n --arg d "${given[directory]}" --arg h "${given[head]}" --argjson n "${given[number]}" --arg r "$result" \
      '{directory: $d, head: $h, number: $n, result: $r}' > "${given[out]}/verdict.json"
    key=$(printf '%s' "${given[directory]}" | sha256sum)
    output artifact "rolecall-${given[number]}-${given[head]:0:12}-${key:0:12}"
    output result "$result"
    exit "$code"
    ;;
  comment)
    read_options "$@"
    text="plan of ${given[directory]} at ${given[head]:-}"
    if [ -n "${given[outdated]:-}" ] && [ -z "${given[stack]:-}" ]; then exit 64; fi
    [ -z "${given[outdated]:-}" ] || text="outdated: ${given[outdated]}"
    post "issues/${given[number]}/comments" "$(jq -n --arg b "$text" '{body: $b}')"
    [ -z "${given[summary]:-}" ] || echo "$text" >> "${given[summary]}"
    ;;
  gate)
    read_options "$@"
    result=success
    expected=$(jq -r '.include[] | select(.changed) | .directory' "${given[expected]}" 2> /dev/null) || result=failure
    [ -s "${given[expected]}" ] && [ "$(tr -d '[:space:]' < "${given[expected]}")" != '' ] || result=failure
    while IFS= read -r directory; do
      [ -n "$directory" ] || continue
      found=$(find "${given[found]}" -maxdepth 3 -name verdict.json -exec cat {} + \
        | jq -r --arg d "$directory" --arg h "${given[head]}" 'select(.directory == $d and .head == $h) | .result')
      echo "$directory: ${found:-no verdict}"
      case "$found" in none | changes | removed) ;; *) result=failure ;; esac
    done <<< "$expected"
    if [ -n "${given[post]:-}" ]; then
      post "statuses/${given[head]}" "$(jq -n --arg s "$result" --arg c "${given[context]}" '{state: $s, context: $c}')"
    fi
    [ "$result" = success ] || exit 3
    ;;
  approved)
    read_options "$@"
    case "${given[stack]}" in */*) ;; *) exit 64 ;; esac
    mkdir -p "${given[out]}"
    # Which artifact is the evidence stands in a file of the test.
    if [ ! -f "$state/approved" ]; then
      echo 'nothing was approved'
      echo 'missing: an approval' > "${given[markdown]}"
      output approved false
      output plan ''
      exit 4
    fi
    read -r number head evidence < "$state/approved"
    cp "$evidence/plan.json" "${given[out]}/plan.json"
    echo "approved in $number" > "${given[markdown]}"
    output number "$number"
    output approved true
    output plan "${given[out]}/plan.json"
    ;;
  *)
    exec "$program" "$command" "$@"
    ;;
esac
