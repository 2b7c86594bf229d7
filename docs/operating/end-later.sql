-- Ends the keys of a restored PostgreSQL database that had ended in the one that was used since, whose keys are in
-- later-keys.csv (backup-and-restore.md says how). It lists each. No server may use the database meanwhile.
CREATE TEMPORARY TABLE later (
    id uuid PRIMARY KEY, revoked_at bigint, disabled boolean, hint text, old_hint text, old_ends_at bigint
);
\copy later FROM 'later-keys.csv' CSV

DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM later) THEN
        RAISE EXCEPTION 'later-keys.csv has no keys; write it again from the database that was used since';
    END IF;
END $$;

-- A deleted key has no row any more.
UPDATE keys SET revoked_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE revoked_at IS NULL AND id NOT IN (SELECT id FROM later)
RETURNING id, name, 'deleted: revoked' AS done;

UPDATE keys SET revoked_at = later.revoked_at FROM later
WHERE keys.id = later.id AND keys.revoked_at IS NULL AND later.revoked_at IS NOT NULL
RETURNING keys.id, name, 'revoked: revoked again' AS done;

-- The restored database has the secret that was replaced.
UPDATE keys SET disabled = true FROM later
WHERE keys.id = later.id AND keys.revoked_at IS NULL AND keys.hint <> later.hint
RETURNING keys.id, name, 'rotated: disabled' AS done;

UPDATE keys SET disabled = true FROM later
WHERE keys.id = later.id AND keys.revoked_at IS NULL AND later.disabled AND NOT keys.disabled
RETURNING keys.id, name, 'disabled: disabled again' AS done;

UPDATE keys SET old_ends_at = later.old_ends_at FROM later
WHERE keys.id = later.id AND keys.old_hint = later.old_hint AND later.old_ends_at < keys.old_ends_at
RETURNING keys.id, name, 'grace period ended: ended again' AS done;
