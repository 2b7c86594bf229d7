#!/usr/bin/env bash
# promtool: `promtool check metrics` accepts a histogram without a bucket `+Inf`, in silence and with status 0, although
# it parses what it is given and names far lesser faults. Every `histogram_quantile` of it is NaN, which is neither above
# nor below a threshold: alerts about latency never fire, and nothing says why. A client library that is upgraded and
# then ends the last bucket at the largest number instead of infinity goes unnoticed in this way.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
chmod 755 "$WORK"
cd "$WORK"
apt-get download -qq prometheus=2.42.0+ds-5+deb12u1 >/dev/null 2>&1
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
PROMTOOL="$WORK/usr/bin/promtool"

cat >wait.prom <<'TEXT'
# HELP wait_seconds How long it took.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.1"} 90
wait_seconds_bucket{le="1.7976931348623157e308"} 100
wait_seconds_sum 17
wait_seconds_count 100
TEXT
status=0
"$PROMTOOL" check metrics <wait.prom >said 2>&1 || status=$?
echo "promtool check metrics: status $status, says: '$(cat said)'"

# A lesser fault is named.
lesser=0
printf '# TYPE wait_seconds gauge\nwait_seconds 1\n' | "$PROMTOOL" check metrics >lesser 2>&1 || lesser=$?
echo "of a metric without help: status $lesser, says: '$(cat lesser)'"

cat >rules.yml <<'YAML'
groups:
  - name: slow
    rules:
      - alert: Slow
        expr: histogram_quantile(0.5, rate(wait_seconds_bucket[5m])) > 0
YAML
# test_of LE COUNT: what fires for a histogram whose last bucket ends there.
test_of() {
    cat >test.yml <<YAML
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - { series: 'wait_seconds_bucket{le="0.1"}', values: '0+90x10' }
      - { series: 'wait_seconds_bucket{le="$1"}', values: '0+100x10' }
    promql_expr_test:
      - expr: count(ALERTS{alertstate="firing"})
        eval_time: 10m
        exp_samples: [$2]
YAML
    "$PROMTOOL" test rules test.yml >said 2>&1 || { cat said >&2 && return 1; }
}
test_of +Inf '{ labels: "{}", value: 1 }'
echo 'with +Inf the alert fires'
test_of 1.7976931348623157e308 ''
echo 'without, the same calls and the same rule: it does not'
if [ "$status" -ne 0 ] || [ "$lesser" -eq 0 ]; then
    echo 'this is no longer so' >&2
    exit 1
fi
