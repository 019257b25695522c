#!/bin/sh
# One note from beginning to end. Usage: API_KEY=... scripts/smoke.sh https://gateway.example.com
set -eu
base=${1:?the address of api-gateway}
call() { curl -fsS -H "x-api-key: ${API_KEY:?one of API_KEYS}" -H 'content-type: application/json' "$@"; echo; }
number() { sed 's/[^0-9]*\([0-9]*\).*/\1/'; }

curl -fsS "$base/api/v1/health/services"; echo
speaker=$(call -d '{"name": "Ada"}' "$base/api/v1/speakers" | number)
draft=$(call -d "{\"speaker_id\": $speaker, \"text\": \"a draft  to tidy\"}" "$base/api/v1/drafts" | number)
call -d "{\"draft_id\": $draft}" "$base/api/v1/dfns"
sleep 2
call "$base/api/v1/evaluations"
