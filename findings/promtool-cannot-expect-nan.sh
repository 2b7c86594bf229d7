#!/usr/bin/env bash
# promtool: a unit test of rules can't expect NaN, though `value: .nan` is read: the test fails and prints that it expected
# NaN and got NaN. What an expression says when nothing happened (0 / 0, a quantile of no calls) is NaN, so that an alert
# stays silent then has to be tested by what does not fire, or by an expression that is not equal to itself (`x != x`).
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
chmod 755 "$WORK"
cd "$WORK"
apt-get download -qq prometheus=2.42.0+ds-5+deb12u1 >/dev/null 2>&1
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool

# test_of EXPRESSION VALUE: whether promtool finds that the one is the other.
test_of() {
    cat >test.yml <<YAML
rule_files: []
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - { series: calls_total, values: '0x10' }
    promql_expr_test:
      - expr: $1
        eval_time: 10m
        exp_samples: [{ labels: '{}', value: $2 }]
YAML
    "$WORK/usr/bin/promtool" test rules test.yml >said 2>&1
}
test_of 'rate(calls_total[5m])' 0
echo 'rate of no calls is 0: passes'
test_of 'rate(calls_total[5m]) / rate(calls_total[5m]) > bool 0' 0
echo '0 / 0 is not above 0: passes'
RATIO='(rate(calls_total[5m]) / rate(calls_total[5m]))'
test_of "count($RATIO != $RATIO)" 1
echo 'and it is not equal to itself: passes'
if test_of "$RATIO" .nan; then
    echo 'this is no longer so' >&2
    exit 1
fi
grep -E 'exp:|got:' said
grep -q 'exp: {} NaN' said && grep -q 'got: {} NaN' said
