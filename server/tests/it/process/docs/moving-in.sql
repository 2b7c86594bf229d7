-- The tables of other key systems, with the rows that end2end/moving-in has of them. Times are of another year: no key
-- may be made in the future.
CREATE TABLE lines (line text);
\copy lines FROM PROGRAM 'sed -e "s/\"2026-/\"2020-/g; s/179605/159605/g" out/samples.ndjson' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
CREATE TABLE samples AS SELECT line::jsonb ->> 'preset' AS preset, line::jsonb ->> 'secret' AS secret,
    line::jsonb -> 'row' AS row FROM lines;

CREATE TABLE "LiteLLM_VerificationToken" (
    token text, key_name text, key_alias text, expires timestamp, user_id text, team_id text, metadata jsonb,
    blocked boolean, created_at timestamp, last_active timestamp, spend float, models text[], max_budget float,
    budget_duration text, budget_reset_at timestamp, budget_id text, rpm_limit bigint, tpm_limit bigint,
    tpd_limit bigint, max_parallel_requests int
);
CREATE TABLE "LiteLLM_TeamTable" (team_id text, models text[]);
CREATE TABLE "LiteLLM_BudgetTable" (
    budget_id text, max_budget float, budget_duration text, budget_reset_at timestamp, rpm_limit bigint,
    tpm_limit bigint, tpd_limit bigint, max_parallel_requests int
);
CREATE TABLE "LiteLLM_DeprecatedVerificationToken" (
    token text, active_token_id text, revoke_at timestamp, created_at timestamp
);
INSERT INTO "LiteLLM_VerificationToken" SELECT (jsonb_populate_record(NULL::"LiteLLM_VerificationToken", row)).*
    FROM samples WHERE preset = 'litellm';
INSERT INTO "LiteLLM_DeprecatedVerificationToken" SELECT encode(sha256('sk-replaced'), 'hex'), token,
    now() + interval '1 day', created_at FROM "LiteLLM_VerificationToken";

-- A column is a text if the rows have texts, and so on: the exports print the rows as they are.
DO $$
DECLARE
    made record;
    columns text;
BEGIN
    FOR made IN SELECT * FROM (VALUES ('better-auth', 'apikey'), ('drf-api-key', 'rest_framework_api_key_apikey'),
        ('knox', 'knox_authtoken'), ('upblit', 'api_client'), ('strapi', 'strapi_api_tokens'), ('payload', 'users'),
        ('langfuse', 'api_keys'), ('posthog', 'posthog_personalapikey'), ('sentry', 'sentry_orgauthtoken'),
        ('helicone', 'helicone_api_keys'), ('directus', 'directus_users'), ('n8n', 'user_api_keys'),
        ('metabase', 'api_key'), ('gitea', 'access_token')) AS tables (preset, name)
    LOOP
        SELECT string_agg(format('%I %s', key, CASE kind WHEN 'string' THEN 'text' WHEN 'boolean' THEN 'boolean'
            ELSE 'jsonb' END), ', ') INTO columns
        FROM (SELECT key, max(jsonb_typeof(value)) FILTER (WHERE jsonb_typeof(value) <> 'null') AS kind
            FROM samples, jsonb_each(row) WHERE preset = made.preset GROUP BY key) AS keys;
        EXECUTE format('CREATE TABLE %I (%s)', made.name, columns);
        EXECUTE format('INSERT INTO %I SELECT (jsonb_populate_record(NULL::%I, row)).* FROM samples WHERE preset = %L',
            made.name, made.name, made.preset);
    END LOOP;
END $$;
ALTER TABLE helicone_api_keys ADD temp_key boolean DEFAULT false;
