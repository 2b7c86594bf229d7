// No two files of a crate import each other, directly or through others. Cargo checks this between
// crates, nothing checks it between the files of one.
//
//   node scripts/check-circles.mjs [--write] [CRATE…]
//
// What counts as an import of file B by file A:
// - a `use` of something that B defines, also through a re-export elsewhere (`use crate::keys::Key`
//   imports the file that defines `Key`), and a path in code such as `crate::keys::find(…)`;
// - not `mod b;`, and not `pub use b::Key` by itself: that is how a module shows what is below it.
//   If A also uses the name that it re-exports, A imports B;
// - nothing in tests.
//
// scripts/check-circles.json counts, per crate, the files that are part of a circle. The numbers may
// only fall: `--write` counts again.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const LIST = "scripts/check-circles.json";

/** Blanks out comments, strings and characters; every line stays where it is. */
function withoutComments(text) {
  const blank = (found) => found.replace(/[^\n]/g, " ");
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|\bb?r(#*)"[\s\S]*?"\1|b?"(?:\\[\s\S]|[^"\\])*"|b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\\n])'/g;
  return text.replace(token, blank);
}

/** Where the item that begins at `from` ends: behind its `;` or its closing brace. */
function endOfItem(code, from) {
  let depth = 0;
  for (let at = from; at < code.length; at++) {
    if ("([{".includes(code[at])) depth++;
    if (")]}".includes(code[at])) depth--;
    if (depth < 0) return at;
    if (depth === 0 && (code[at] === ";" || code[at] === "," || code[at] === "}")) return at + 1;
  }
  return code.length;
}

/** Blanks out what only tests compile. */
function withoutTests(code) {
  const attribute = /#\[cfg\((?:test\b|all\(test\b)[^\]]*\]/g;
  for (let found; (found = attribute.exec(code)); ) {
    const end = endOfItem(code, attribute.lastIndex);
    code = code.slice(0, found.index) + code.slice(found.index, end).replace(/[^\n]/g, " ") + code.slice(end);
  }
  return code;
}

const lineOf = (code, at) => code.slice(0, at).split("\n").length;

/** The leaves of `a::{b, c::d as e}` as `{ path, name }`; a glob has the name `*`. */
function leaves(tree, above = []) {
  const text = tree.trim();
  const open = text.indexOf("{");
  if (open < 0) {
    const [, path, alias] = /^(\S+)(?:\s+as\s+(\w+))?$/.exec(text) ?? [];
    if (!path) return [];
    const full = [...above, ...path.split("::").filter(Boolean)];
    if (full.at(-1) === "self" && full.length > 1) full.pop();
    return [{ path: full, name: alias ?? full.at(-1) }];
  }
  const prefix = [...above, ...text.slice(0, open).split("::").map((part) => part.trim()).filter(Boolean)];
  const parts = [];
  let depth = 0;
  let begin = open + 1;
  for (let at = begin; at < text.length; at++) {
    if (text[at] === "{") depth++;
    const isEnd = depth === 0 && (text[at] === "," || text[at] === "}");
    if (isEnd) {
      parts.push(text.slice(begin, at));
      begin = at + 1;
    }
    if (text[at] === "}") depth--;
  }
  return parts.flatMap((part) => leaves(part, prefix));
}

const USE = /(^|[\s;{}])(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);/g;
const MODULE = /(?:^|[\s;{}\]])mod\s+(?:r#)?(\w+)\s*;/g;
/** Items of the file itself: methods are indented. */
const DEFINED =
  /^(?:pub(?:\([^)]*\))?\s+)?(?:(?:async|const|unsafe)\s+)*(?:fn|struct|enum|union|trait|type|static|const|macro_rules!)\s+(?:mut\s+)?([A-Za-z_]\w*)/gm;
const PATH = /(?<![\w:.])\$?[A-Za-z_]\w*(?:\s*::\s*[A-Za-z_]\w*)+/g;

/** A module that has a file of its own. */
function parse(file, path) {
  const code = withoutTests(withoutComments(readFileSync(file, "utf8")));
  const uses = [];
  for (const found of code.matchAll(USE)) {
    const [, before, isPublic, tree] = found;
    const line = lineOf(code, found.index + before.length);
    for (const leaf of leaves(tree.replace(/\s+/g, " "))) uses.push({ ...leaf, isPublic: !!isPublic, line });
  }
  const rest = code.replace(USE, (found) => found.replace(/[^\n]/g, " "));
  const calls = [...rest.matchAll(PATH)].map((found) => ({
    path: found[0].replace(/[\s$]/g, "").split("::"),
    line: lineOf(rest, found.index),
  }));
  return {
    file,
    path,
    uses,
    calls,
    names: new Set(rest.replace(MODULE, " ").match(/[A-Za-z_]\w*/g)),
    defined: new Set([...rest.matchAll(DEFINED)].map((found) => found[1])),
    children: [...code.matchAll(MODULE)].map((found) => found[1]),
  };
}

/** All modules below a root, by their path. */
function modulesOf(root) {
  const modules = new Map();
  const read = (file, path, folder) => {
    const module = parse(file, path);
    modules.set(path.join("::"), module);
    for (const child of module.children) {
      const found = [join(folder, `${child}.rs`), join(folder, child, "mod.rs")].find((each) => existsSync(each));
      if (found) read(found, [...path, child], join(folder, child));
    }
  };
  read(root, [], dirname(root));
  return modules;
}

/** What a path names, as `{ module }` or as `{ module, item }`; nothing if that is in another crate. */
function resolver(modules) {
  const childOf = (module, name) => (module.children.includes(name) ? modules.get([...module.path, name].join("::")) : undefined);

  function start(module, [first, ...rest], seen) {
    if (first === "crate") return walk(modules.get(""), rest, seen);
    if (first === "self") return walk(module, rest, seen);
    if (first === "super") return walk(modules.get(module.path.slice(0, -1).join("::")), rest, seen);
    if (childOf(module, first)) return walk(childOf(module, first), rest, seen);
    const use = module.uses.find(({ name, path }) => name === first && path[0] !== first);
    return use && follow(module, use, rest, seen);
  }

  function follow(module, use, rest, seen) {
    const key = `${module.file} ${use.path.join("::")}`;
    return seen.has(key) ? undefined : start(module, [...use.path, ...rest], new Set(seen).add(key));
  }

  function walk(module, [name, ...rest], seen) {
    if (!module || name === undefined) return module && { module };
    if (name === "super") return walk(modules.get(module.path.slice(0, -1).join("::")), rest, seen);
    if (name === "*") return { module, item: name };
    const isLast = rest.length === 0;
    if (isLast && module.defined.has(name)) return { module, item: name };
    const use = module.uses.find((each) => each.name === name);
    if (isLast && use) return follow(module, use, rest, seen);
    if (childOf(module, name)) return walk(childOf(module, name), rest, seen);
    if (use) return follow(module, use, rest, seen);
    if (module.defined.has(name)) return { module, item: name };
    return throughGlobs(module, [name, ...rest], seen) ?? { module, item: name };
  }

  /** Only what is certain to be there: a name that a macro makes is looked for in the module itself. */
  function throughGlobs(module, path, seen) {
    for (const use of module.uses.filter(({ name, isPublic }) => name === "*" && isPublic)) {
      const found = start(module, use.path.slice(0, -1), seen);
      if (found?.module.defined.has(path[0])) return { module: found.module, item: path[0] };
    }
    return undefined;
  }

  return (module, path) => start(module, path, new Set());
}

/** Per file, the files that it imports, each with the first place where it does. */
function importsOf(modules) {
  const resolve = resolver(modules);
  const imports = new Map([...modules.values()].map(({ file }) => [file, new Map()]));
  for (const module of modules.values()) {
    const note = ({ path, line }) => {
      const found = resolve(module, path);
      const file = found?.item && found.module.file;
      if (file && file !== module.file && !imports.get(module.file).has(file)) {
        imports.get(module.file).set(file, `${module.file}:${line} (${path.join("::")})`);
      }
    };
    for (const use of module.uses) if (!use.isPublic || module.names.has(use.name)) note(use);
    const isLocal = ([first]) => ["crate", "self", "super"].includes(first) || module.children.includes(first);
    const isImported = ([first]) => module.uses.some(({ name }) => name === first);
    for (const call of module.calls) if (isLocal(call.path) || isImported(call.path)) note(call);
  }
  return imports;
}

/** The shortest way from a file back to itself. */
function circleThrough(file, imports) {
  const cameFrom = new Map();
  const waiting = [file];
  while (waiting.length > 0) {
    const at = waiting.shift();
    for (const next of imports.get(at)?.keys() ?? []) {
      if (next === file) {
        const circle = [file];
        for (let step = at; step !== file; step = cameFrom.get(step)) circle.splice(1, 0, step);
        return circle;
      }
      if (!cameFrom.has(next)) {
        cameFrom.set(next, at);
        waiting.push(next);
      }
    }
  }
  return undefined;
}

/** The files that are in circles, and each circle once, shortest first. */
function circlesOf(imports) {
  const circles = new Map();
  let files = 0;
  for (const file of imports.keys()) {
    const circle = circleThrough(file, imports);
    if (!circle) continue;
    files++;
    const first = circle.indexOf([...circle].sort()[0]);
    const turned = [...circle.slice(first), ...circle.slice(0, first)];
    circles.set(turned.join(), turned);
  }
  return { files, circles: [...circles.values()].sort((a, b) => a.length - b.length) };
}

/** Each source folder with its crate's name; a folder may have a library and a program. */
function crates() {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" });
  const manifests = listed.split("\n").filter((path) => basename(path) === "Cargo.toml" && existsSync(path));
  return manifests.flatMap((manifest) => {
    const folder = dirname(manifest);
    const roots = ["lib.rs", "main.rs"].map((root) => join(folder, "src", root)).filter((root) => existsSync(root));
    return roots.length > 0 ? [{ name: basename(folder), roots }] : [];
  });
}

const chosen = process.argv.slice(2).filter((word) => word !== "--write");
const isWriting = process.argv.includes("--write");
const known = existsSync(LIST) ? JSON.parse(readFileSync(LIST, "utf8")) : {};
const counts = {};
let faults = 0;
for (const { name, roots } of crates()) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const found = roots.map((root) => circlesOf(importsOf(modulesOf(root))));
  const files = found.reduce((sum, each) => sum + each.files, 0);
  if (files > 0) counts[name] = files;
  const isFault = !isWriting && files > (known[name] ?? 0);
  if (isFault) faults++;
  if (!isFault && !chosen.includes(name)) continue;
  for (const [at, { circles }] of found.entries()) {
    const imports = importsOf(modulesOf(roots[at]));
    for (const circle of circles) {
      console.error(`${[...circle, circle[0]].join(" → ")}`);
      for (const [step, file] of circle.entries()) console.error(`    ${imports.get(file).get(circle[(step + 1) % circle.length])}`);
    }
  }
  console.error(`${name}: ${files} files import each other in circles; ${known[name] ?? 0} are known in ${LIST}.`);
}
if (isWriting && chosen.length === 0) writeFileSync(LIST, `${JSON.stringify(counts, null, 2)}\n`);
const left = Object.values(counts).reduce((sum, files) => sum + files, 0);
console.log(`Circles of files: ${faults} crates with new ones; ${left} known files are left in ${LIST}.`);
process.exitCode = faults > 0 ? 1 : 0;
