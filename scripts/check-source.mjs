// What no compiler says of the Rust code: a comment's line is at most 100 columns, no `///` only repeats the
// name of what it stands above, and no two types of a crate share a name.
//
//   node scripts/check-source.mjs [--write]
//
// What was there before the rule is counted by name in scripts/check-source.json, to be emptied. More than that is
// a fault; once there is less, `--write` counts again.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const COLUMNS = 100;
const LIST = "scripts/check-source.json";

/** Words that say nothing by themselves. */
const EMPTY = new Set("a an and are at for from has have in is it its of on or our that the their these this those to with".split(" "));

/** What SeaORM's macros and traits want each entity's and each migration's types to be called. */
const GIVEN = new Set(["Migration", "Model", "Relation"]);

const ITEM =
  /^(?:pub(?:\([^)]*\))?\s+)?(?:(?:async|const|unsafe|default)\s+)*(?:(?:fn|struct|enum|union|trait|type|mod|static|const|let)\s+)?(?:mut\s+)?([A-Za-z_]\w*)/;
const TYPE = /^\s*(?:pub(?:\([^)]*\))?\s+)?(struct|enum|union|trait|type)\s+([A-Z]\w*)/;

/** As one word, whatever their number. */
const stem = (word) => word.replace(/ies$/, "y").replace(/([^s])s$/, "$1");

/** `UsageBuffer` and `usage_buffer` are two words. */
const words = (text) =>
  (text.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase().match(/[a-z0-9]+/g) ?? []).map(stem);

function repeats(doc, name) {
  const named = new Set(words(name));
  const said = words(doc).filter((word) => !EMPTY.has(word));
  return said.length > 0 && said.every((word) => named.has(word));
}

/** The first line of the item below, past its attributes. */
function itemBelow(lines, at) {
  let open = 0;
  for (; at < lines.length; at++) {
    const line = lines[at].trim();
    if (open === 0 && line !== "" && !line.startsWith("#[")) return line;
    open += (line.match(/\[/g) ?? []).length - (line.match(/\]/g) ?? []).length;
  }
  return "";
}

const isDoc = (line) => /^\s*\/\/\//.test(line ?? "");

/** Each fault is `{ of, says }`: the name that it is about, and the words. */
function* longComments(file, lines) {
  for (const [at, line] of lines.entries()) {
    const columns = [...line].length;
    // A table's row and an address have no place to go on.
    const isOneWord = /^\s*\/\/[/!] \|/.test(line) || /\S{80}/.test(line);
    if (/^\s*\/\//.test(line) && columns > COLUMNS && !isOneWord) yield { of: "", says: `${file}:${at + 1}: a comment of ${columns} columns` };
  }
}

function* repeatedNames(file, lines) {
  for (const [at, line] of lines.entries()) {
    if (!isDoc(line) || isDoc(lines[at - 1]) || isDoc(lines[at + 1])) continue;
    const doc = line.trim().slice(3).trim();
    const of = ITEM.exec(itemBelow(lines, at + 1))?.[1];
    if (of && repeats(doc, of)) yield { of, says: `${file}:${at + 1}: “${doc}” only repeats the name ${of}` };
  }
}

/** The types of a file, `[name, place]`. An indented `type` belongs to an implementation. */
function* typesOf(file, lines) {
  for (const [at, line] of lines.entries()) {
    const [, keyword, name] = TYPE.exec(line) ?? [];
    if (name && !GIVEN.has(name) && !(keyword === "type" && line.startsWith(" "))) yield [name, `${file}:${at + 1}`];
  }
}

function* sharedNames(files) {
  const types = new Map();
  for (const [file, lines] of files) {
    for (const [name, place] of typesOf(file, lines)) types.set(name, [...(types.get(name) ?? []), place]);
  }
  for (const [of, places] of types) {
    // All but one have to find another name.
    for (const place of places.slice(1)) yield { of, says: `${place}: another type of the crate is called ${of} (${places[0]})` };
  }
}

function read() {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" });
  const paths = listed.split("\n").filter((path) => existsSync(path));
  const sources = paths.filter((path) => basename(path) === "Cargo.toml").map((path) => join(dirname(path), "src", "/"));
  const files = paths.filter((path) => path.endsWith(".rs")).map((path) => [path, readFileSync(path, "utf8").split("\n")]);
  return { files, crates: sources.map((source) => files.filter(([path]) => path.startsWith(source))) };
}

const byName = (faults) => {
  const sorted = faults.map(({ of }) => of).sort();
  return Object.fromEntries(sorted.map((of) => [of, sorted.filter((other) => other === of).length]));
};

const { files, crates } = read();
const long = files.flatMap(([file, lines]) => [...longComments(file, lines)]);
const found = {
  repeated: files.flatMap(([file, lines]) => [...repeatedNames(file, lines)]),
  shared: crates.flatMap((crate) => [...sharedNames(crate)]),
};
const counts = { repeated: byName(found.repeated), shared: byName(found.shared) };
if (process.argv[2] === "--write") writeFileSync(LIST, `${JSON.stringify(counts, null, 2)}\n`);

const known = JSON.parse(readFileSync(LIST, "utf8"));
const isNew = (kind) => ({ of }) => counts[kind][of] > (known[kind][of] ?? 0);
const faults = [...long, ...found.repeated.filter(isNew("repeated")), ...found.shared.filter(isNew("shared"))];
for (const { says } of faults) console.error(says);
const left = found.repeated.length + found.shared.length + long.length - faults.length;
console.log(`Comments and names of types: ${faults.length} faults; ${left} known ones are left in ${LIST}.`);
process.exitCode = faults.length > 0 ? 1 : 0;
