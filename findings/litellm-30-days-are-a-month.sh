#!/usr/bin/env bash
# LiteLLM's budget of `30d` does not last 30 days: it ends on the first of the next month, and `7d` on the next Monday.
# `31d` and `29d` last so many days. A budget that is read from its table as 30 times 24 hours ends on other days than it
# did there, and what was spent of it is counted against a period that had begun elsewhere.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
python3 -m venv "$WORK/venv"
"$WORK/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: 'litellm==1.108.7'
cat >"$WORK/ends.py" <<'PYTHON'
from datetime import datetime, timezone

from litellm.litellm_core_utils.duration_parser import get_next_standardized_reset_time

start = datetime(2026, 1, 20, 12, tzinfo=timezone.utc)
for duration in ("7d", "29d", "30d", "31d", "1mo"):
    print(duration, get_next_standardized_reset_time(duration, start).date())
PYTHON
LITELLM_LOCAL_MODEL_COST_MAP=True "$WORK/venv/bin/python" "$WORK/ends.py" | tee "$WORK/ends"
printf '%s\n' '7d 2026-01-26' '29d 2026-02-18' '30d 2026-02-01' '31d 2026-02-20' '1mo 2026-02-01' |
    cmp -s - "$WORK/ends" || { echo 'this has changed' >&2; exit 1; }
