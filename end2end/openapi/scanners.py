"""kingfisher with the rule of docs/secret-scanning.md: it finds a key whose checksum holds, and no other."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

KEY = "lk_live_000000000000000000000000000000004cjNQE"
LINES = {
    f"key={KEY}": 1,
    f"ü{KEY}ü": 1,
    f'\\n{KEY}"': 1,
    f"%22{KEY}%22": 1,
    f"key={KEY[:-1]}F": 0,
}

rule = Path("docs/secret-scanning.md").read_text().split("```yaml\n")[1].split("```")[0]
for line, expected in LINES.items():
    with tempfile.TemporaryDirectory(prefix="latchkey-scanners-") as folder:
        rules, scanned = Path(folder, "rule.yml"), Path(folder, "scanned.txt")
        rules.write_text(rule)
        scanned.write_text(f"{line}\n")
        options = ["--load-builtins=false", "--no-validate", "--no-update-check", "--format", "json"]
        command = ["kingfisher", "scan", scanned, "--rules-path", rules, *options]
        told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # The findings stand on the first line, their sum on the second.
        lines = [one for one in told.stdout.splitlines() if one.startswith("{")]
        if not lines or len(json.loads(lines[0])["findings"]) != expected:
            sys.exit(f"{line}: expected {expected}, got {told.stdout}{told.stderr}")
