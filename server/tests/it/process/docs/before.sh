# Makes the installation that each page begins with, and prints what its placeholders stand for: a server that was
# used a little, with a service key, and an application's key that is called Billing.
# shellcheck shell=bash
serve 'exec latchkey serve'
sign_in
latchkey tier set "$ORGANIZATION" enterprise >out/said
APPLICATION=$(curl -fs -H "Authorization: Bearer $LATCHKEY_TOKEN" "$LATCHKEY_URL/v1/projects/$PROJECT/applications" |
    grep -o 'app_[0-9a-z]*' | head -n 1)
SERVICE_KEY=$(latchkey keys create --project "$PROJECT" --name operator --kind service \
    --permission keys:read,keys:write,keys:verify,usage:read 2>>out/said)
KEY=$(latchkey keys create --project "$PROJECT" --name Billing --application-id "$APPLICATION" 2>>out/said)
ID=$(latchkey keys list --project "$PROJECT" --q Billing | cut -f 1)
printf '%s\t%s\n' 'KEY=lk_live_…' "KEY=$KEY" 'lk_live_…' "$SERVICE_KEY" 'prj_…' "$PROJECT" 'org_…' "$ORGANIZATION" \
    'app_…' "$APPLICATION" 'key_…' "$ID"
