#!/usr/bin/env bash
# promtool: a unit test evaluates the groups of a rule file in another order each time, not in the order of the file. An
# alert that reads what a recording rule of an earlier group writes is now a step late and now not, so the same test of
# the same rules passes and fails by turns. It always passes with both rules in one group, and with `group_eval_order`.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
chmod 755 "$WORK"
cd "$WORK"
apt-get download -qq prometheus=2.42.0+ds-5+deb12u1 >/dev/null 2>&1
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
./usr/bin/promtool --version 2>&1 | head -n 1

RECORD='{ record: "job:up:sum", expr: sum by (job) (up) }'
ALERT='{ alert: AllDown, expr: "job:up:sum == 0" }'
echo "groups: [{ name: records, rules: [$RECORD] }, { name: alerts, rules: [$ALERT] }]" >two.yml
echo "groups: [{ name: both, rules: [$RECORD, $ALERT] }]" >one.yml

# passes RULES [LINE]: how many of 80 runs pass.
passes() {
    local run passed=0
    cat >test.yml <<YAML
rule_files: [$1]
evaluation_interval: 1m
${2:-}
tests:
  - interval: 1m
    input_series:
      - { series: 'up{job="a"}', values: '1x4 0x6' }
    alert_rule_test:
      - alertname: AllDown
        eval_time: 5m
        exp_alerts: [{ exp_labels: { job: a } }]
YAML
    for run in $(seq 80); do
        if ./usr/bin/promtool test rules test.yml >/dev/null 2>&1; then passed=$((passed + 1)); fi
    done
    : "$run"
    echo "$passed"
}

TWO=$(passes two.yml)
ONE=$(passes one.yml)
ORDERED=$(passes two.yml 'group_eval_order: [records, alerts]')
echo "two groups: $TWO of 80 pass; one group: $ONE; two groups in a given order: $ORDERED"
[ "$TWO" -gt 0 ] && [ "$TWO" -lt 80 ] && [ "$ONE" = 80 ] && [ "$ORDERED" = 80 ]
