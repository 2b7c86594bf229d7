// What promtool does not look at: that the dashboard, the rules and the docs name only metrics, labels and values that
// a server shows, that each alert is documented and tested, and that the dashboard is whole.
//
//   node scripts/check-alerts.mjs METRICS QUERIES
//
// METRICS is what /metrics said. QUERIES is written: the dashboard's queries as rules, for promtool to parse.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";

const [METRICS, QUERIES] = process.argv.slice(2);
const FOLDER = "docs/operating/prometheus";
const DASHBOARD = "docs/operating/grafana/latchkey.json";
const RUNBOOK = "docs/operating/alerts.md";
const PAGES = [RUNBOOK, "docs/operating/scaling.md", "docs/operating/sizes.md", "docs/operation.md"];

const faults = [];
const fault = (where, what) => faults.push(`${where}: ${what}`);

/** The metrics that are shown: by name, the values of each label. */
function shownMetrics(text) {
  const shown = new Map();
  const add = (name, labels) => {
    const values = shown.get(name) ?? new Map();
    for (const [, label, value] of labels.matchAll(/(\w+)="([^"]*)"/g)) values.set(label, (values.get(label) ?? new Set()).add(value));
    shown.set(name, values);
  };
  for (const line of text.split("\n")) {
    const sample = line.match(/^(\w+)(?:\{(.*)\})? /);
    if (sample) add(sample[1], sample[2] ?? "");
    // Buckets without an infinite one give no quantile, and promtool does not mind.
    const histogram = line.match(/^# TYPE (\w+) histogram$/);
    if (histogram && !text.includes(`${histogram[1]}_bucket{le="+Inf"`)) fault(METRICS, `${histogram[1]} has no bucket +Inf`);
  }
  return shown;
}

/** Each rule of the file: `{ kind, name, expr, runbook }`. */
function rulesOf(text) {
  return text.split(/\n +- (?=(?:alert|record): )/).slice(1).map((rule) => {
    const [, kind, name] = rule.match(/^(alert|record): (\S+)/);
    const [, expr] = rule.match(/\n +expr: ([\s\S]*?)(?=\n +(?:for|labels|annotations):|\n\n|$)/);
    return { kind, name, expr, runbook: rule.match(/\n +runbook: (\S+)/)?.[1] };
  });
}

const shown = shownMetrics(readFileSync(METRICS, "utf8"));
const rules = rulesOf(readFileSync(`${FOLDER}/latchkey.rules.yml`, "utf8"));
const OF_PROMETHEUS = ["job", "instance", "alertname", "alertstate"];

/** The labels of a metric that is shown or recorded; undefined if it is neither. */
function labelsOf(name) {
  const rule = rules.find((one) => one.kind === "record" && one.name === name);
  if (!rule) return shown.get(name);
  const all = new Map();
  for (const part of namesIn(rule.expr)) for (const entry of labelsOf(part) ?? []) all.set(...entry);
  return all;
}

const withoutTexts = (expr) => expr.replace(/"(?:[^"\\]|\\.)*"/g, '""');
const namesIn = (expr) => (withoutTexts(expr).match(/[A-Za-z_][\w:]*/g) ?? []).filter((word) => /^latchkey_|:/.test(word));

function checkQuery(where, expr) {
  for (const name of namesIn(expr)) if (!labelsOf(name)) fault(where, `${name} is no metric`);
  for (const [, name, matchers] of expr.matchAll(/([A-Za-z_][\w:]*)\{([^}]*)\}/g)) {
    const labels = labelsOf(name);
    for (const [, label, value] of matchers.matchAll(/(\w+)\s*[=!]~?\s*"([^"]*)"/g)) {
      if (OF_PROMETHEUS.includes(label) || !labels) continue;
      if (!labels.has(label)) fault(where, `${name} has no label ${label}`);
      for (const one of value.split("|")) {
        if (!one.includes("$") && !labels.get(label)?.has(one)) fault(where, `${name} has no ${label}="${one}"`);
      }
    }
  }
  const all = new Set([...shown.values()].flatMap((labels) => [...labels.keys()]).concat(OF_PROMETHEUS));
  for (const [, list] of expr.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)) {
    for (const label of list.split(",").map((one) => one.trim())) if (!all.has(label)) fault(where, `no metric has a label ${label}`);
  }
}

function checkAlerts() {
  const page = readFileSync(RUNBOOK, "utf8");
  const sections = [...page.matchAll(/^## (Latchkey\w+)$/gm)].map(([, name]) => name);
  const tests = readdirSync(FOLDER).filter((file) => file.endsWith(".test.yml"));
  const tested = tests.map((file) => readFileSync(`${FOLDER}/${file}`, "utf8")).join("\n");
  const alerts = rules.filter((rule) => rule.kind === "alert");
  for (const { name, runbook } of alerts) {
    const at = `${RUNBOOK}#${name.toLowerCase()}`;
    if (runbook !== at) fault(name, `its runbook is not ${at}`);
    if (!sections.includes(name)) fault(RUNBOOK, `has no section ${name}`);
    const expected = (words) => new RegExp(`alertname: ${name}\n +eval_time: \\S+\n +exp_alerts:${words}\n`).test(tested);
    if (!expected("")) fault(name, "no test has it fire");
    if (!expected(" \\[\\]")) fault(name, "no test has it not fire");
  }
  for (const name of sections) if (!alerts.some((alert) => alert.name === name)) fault(RUNBOOK, `${name} is no alert`);
  for (const { name, expr } of rules) checkQuery(name, expr);
}

function checkDashboard() {
  const board = JSON.parse(readFileSync(DASHBOARD, "utf8"));
  const variables = board.templating.list.map((variable) => variable.name);
  const ids = new Set(), queries = [];
  for (const panel of board.panels) {
    const where = `${DASHBOARD}: ${panel.title}`;
    if (ids.has(panel.id)) fault(where, `its id ${panel.id} is another panel's`);
    ids.add(panel.id);
    for (const other of board.panels) {
      const [a, b] = [panel.gridPos, other.gridPos];
      if (panel !== other && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h) fault(where, `covers ${other.title}`);
    }
    for (const target of panel.targets ?? []) {
      if (target.datasource.uid !== "${datasource}") fault(where, "its data source is no variable");
      for (const [, name] of target.expr.matchAll(/\$(\w+)/g)) if (!variables.includes(name) && name !== "__rate_interval") fault(where, `$${name} is no variable`);
      checkQuery(where, target.expr);
      queries.push(target.expr);
    }
  }
  for (const variable of board.templating.list) checkQuery(`${DASHBOARD}: $${variable.name}`, variable.definition ?? "");
  const rule = (expr, at) => `      - record: "query:${at}"\n        expr: ${JSON.stringify(expr.replaceAll("$__rate_interval", "1m"))}\n`;
  writeFileSync(QUERIES, `groups:\n  - name: dashboard\n    rules:\n${queries.map(rule).join("")}`);
  return queries.length;
}

function checkPages() {
  const families = [...shown.keys()].map((name) => name.replace(/_(?:bucket|sum|count)$/, ""));
  for (const page of PAGES) {
    for (const [, name] of readFileSync(page, "utf8").matchAll(/`(latchkey_\w+)/g)) {
      if (!shown.has(name) && !families.includes(name)) fault(page, `${name} is no metric`);
    }
  }
}

checkAlerts();
const queries = checkDashboard();
checkPages();
if (faults.length > 0) {
  console.error([...new Set(faults)].join("\n"));
  process.exit(1);
}
console.log(`    ${rules.length} rules and ${queries} queries of ${shown.size} metrics`);
