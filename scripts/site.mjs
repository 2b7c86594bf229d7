// Puts together target/site, or target/site-release, from what build-site.sh has made: content-hashed names,
// references rewritten, manifest.json, and in release each file compressed beside it and the first load weighed.
//
//   node scripts/site.mjs dev|release
//
// The folder is replaced as a whole, never written in place: a server that reads it sees the old site or
// the new one. Nothing is written when nothing has changed.
import { createHash } from 'node:crypto';
import {
  chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { basename, dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

// Bytes of css, js and wasm in brotli that the first page of somebody new, the login page, may weigh
// (docs/decisions/006-first-load.md).
const FIRST_LOAD_CEILING = 250_000;
const FIRST_PIECE = 'sign_in';
// Stands around the pages of all other pieces.
const FRAME_PIECE = 'dashboard';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const mode = process.argv[2];
const target = join(root, 'target');
const site = join(target, mode === 'release' ? 'site-release' : 'site');
const publicFolder = join(root, 'style/public');
// What the first paint needs; the others are loaded when a page has such characters.
const PRELOADED = ['inter-latin.woff2'];
const COMPRESSIBLE = new Set(['.css', '.html', '.js', '.json', '.svg', '.txt', '.wasm', '.webmanifest', '.xml']);

// What wasm-split calls the script that loads the pieces.
const SPLIT_JS = '__wasm_split.js';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const hashedName = (name, bytes) => {
  const extension = extname(name);
  return `${basename(name, extension)}.${sha256(bytes).slice(0, 12)}${extension}`;
};
const filesUnder = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
        .sort()
    : [];
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

function fail(message) {
  console.error(`site.mjs: ${message}`);
  process.exit(1);
}

/**
 * The WebAssembly files of each piece, from the script that wasm-split has written to load them:
 * `const __chunk_3 = makeLoad(… "./chunk_3.wasm" …, []);` and then, for each piece,
 * `export const __wasm_split_load_NAME = wrapAsyncCb(makeLoad(… "./split_NAME.wasm" …, [__chunk_3]));`
 */
function piecesOf(loader, add) {
  const chunks = new Map();
  const pieces = {};
  const statement = /^(?:export )?const (__chunk_\d+|__wasm_split_load_\w+) = (.*?)\[([^\]]*)\]\)+;$/gms;
  for (const [, name, fetches, needs] of loader.matchAll(statement)) {
    const needed = needs.split(',').map((need) => need.trim()).filter(Boolean);
    const own = [...fetches.matchAll(/"\.\/(\w+\.wasm)"/g)].map(([, file]) => add(file));
    const all = [...needed.flatMap((need) => chunks.get(need) ?? fail(`${name} needs the unknown ${need}`)), ...own];
    if (name.startsWith('__chunk_')) chunks.set(name, all);
    else pieces[name.replace('__wasm_split_load_', '')] = all;
  }
  if (Object.keys(pieces).length === 0) fail(`${SPLIT_JS} names no piece`);
  return pieces;
}

/**
 * The script of the first piece and the piece itself, their names written so that they compress. wasm-bindgen ends
 * the name of each import in a hash, and both files have all of them. Numbers of the same length take their place:
 * nothing in the WebAssembly moves.
 */
function withPlainNames(js, wasm) {
  let [script, binary] = [js, wasm.toString('latin1')];
  const names = new Set([...js.matchAll(/\b__wb(?:g|indgen)_\w*?_[0-9a-f]{16}\b/g)].map(([name]) => name));
  [...names].forEach((name, index) => {
    if (!binary.includes(name)) fail(`the WebAssembly does not import ${name}`);
    const plain = name.slice(0, -16) + String(index).padStart(16, '0');
    script = script.replaceAll(name, plain);
    binary = binary.replaceAll(name, plain);
  });
  return { js: script, wasm: Buffer.from(binary, 'latin1') };
}

/** A script that a tool has written, without its comments and indentation. */
function compact(script) {
  const lines = script.split('\n').map((line) => line.trim());
  return lines.filter((line) => line && !/^(\/\/|\/\*|\*)/.test(line)).join('\n');
}

/** Every file of the site by its path, and the manifest that names them. */
function assemble(stage) {
  const files = new Map();
  const add = (name, bytes) => {
    const path = `pkg/${hashedName(name, bytes)}`;
    files.set(path, bytes);
    return `/${path}`;
  };

  const [fontFiles, publicFiles] = [true, false].map((font) =>
    filesUnder(publicFolder).filter((path) => path.startsWith('fonts/') === font),
  );
  for (const path of publicFiles) files.set(path, readFileSync(join(publicFolder, path)));
  const fonts = new Map(fontFiles.map((path) => [basename(path), add(path, readFileSync(join(publicFolder, path)))]));

  const css = readFileSync(join(stage, 'latchkey.css'), 'utf8').replace(
    /url\(\s*(["']?)([^"')]+)\1\s*\)/g,
    (whole, _quote, url) => {
      if (/^(data:|#)/.test(url)) return whole;
      const hashed = fonts.get(basename(url));
      if (hashed) return `url("${hashed}")`;
      if (publicFiles.includes(url.replace(/^\//, ''))) return whole;
      return fail(`the style sheet asks for ${url}, which is neither a font nor a file of style/public`);
    },
  );

  const built = join(stage, 'pkg');
  const first = withPlainNames(
    readFileSync(join(built, 'latchkey.js'), 'utf8'),
    readFileSync(join(built, 'latchkey_bg.wasm')),
  );
  const wasm = add('latchkey.wasm', first.wasm);
  let js = compact(first.js).replaceAll('latchkey_bg.wasm', basename(wasm));
  // Pieces of JavaScript that crates bring along; each is a module the main one imports.
  const snippets = filesUnder(join(built, 'snippets')).map((path) => {
    const url = add(path.replaceAll('/', '-'), readFileSync(join(built, 'snippets', path)));
    js = js.replaceAll(`./snippets/${path}`, `./${basename(url)}`);
    return url;
  });

  // The pieces that the WebAssembly was split into, and the script that fetches them. That script and the
  // main one import each other: both get the hash of both.
  let loader = readFileSync(join(built, SPLIT_JS), 'utf8');
  const pieces = piecesOf(loader, (file) => {
    const url = add(file, readFileSync(join(built, file)));
    loader = loader.replaceAll(`"./${file}"`, `"./${basename(url)}"`);
    return url;
  });
  // A file that can't be fetched is told of when its piece is put together. Until then, while the others are
  // still on their way, nobody listens, which a browser would call an uncaught error.
  loader = loader.replace(/^( *)(const src = fetch\(.*\);)$/gm, '$1$2\n$1src.catch(() => {});');
  loader = compact(loader);
  const hash = sha256(js + loader).slice(0, 12);
  js = js.replace(/^(import .* from )"\.\/__wasm_split\.js"/gm, `$1"./latchkey-pieces.${hash}.js"`);
  loader = loader.replace(/(import .* from )"\.\/latchkey\.js"/, `$1"./latchkey.${hash}.js"`);
  files.set(`pkg/latchkey.${hash}.js`, Buffer.from(js));
  files.set(`pkg/latchkey-pieces.${hash}.js`, Buffer.from(loader));

  const manifest = {
    js: `/pkg/latchkey.${hash}.js`,
    modules: [`/pkg/latchkey-pieces.${hash}.js`, ...snippets],
    wasm,
    pieces,
    css: add('latchkey.css', Buffer.from(css)),
    preload: PRELOADED.map((name) => fonts.get(name)),
  };
  files.set('manifest.json', Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  return { files, manifest };
}

/** Both compressed forms; kept by content, as the best compression of the WebAssembly takes seconds. */
function compressed(bytes, cache) {
  const read = (extension, compress) => {
    const path = join(cache, `${sha256(bytes)}${extension}`);
    if (!existsSync(path)) writeFileSync(path, compress());
    return readFileSync(path);
  };
  return {
    '.br': read('.br', () =>
      brotliCompressSync(bytes, {
        params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
      }),
    ),
    '.gz': read('.gz', () => gzipSync(bytes, { level: 9 })),
  };
}

function addCompressed(files, cache) {
  mkdirSync(cache, { recursive: true });
  for (const [path, bytes] of [...files]) {
    if (!COMPRESSIBLE.has(extname(path)) || path === 'manifest.json') continue;
    for (const [extension, small] of Object.entries(compressed(bytes, cache))) files.set(path + extension, small);
  }
}

/** Replaces the folder by these files, in two renames. */
function replaceSite(files) {
  const fresh = mkdtempSync(join(target, '.site-'));
  chmodSync(fresh, 0o755);
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(fresh, path)), { recursive: true });
    writeFileSync(join(fresh, path), bytes);
  }
  const old = `${fresh}-old`;
  if (existsSync(site)) renameSync(site, old);
  renameSync(fresh, site);
  rmSync(old, { recursive: true, force: true });
}

/** Is this very site there already? Sizes suffice beside the content in the names. */
function isThere(files) {
  const there = filesUnder(site);
  return (
    there.length === files.size &&
    there.every((path) => files.has(path) && statSync(join(site, path)).size === files.get(path).length) &&
    [...files].every(([path, bytes]) => path.startsWith('pkg/') || readFileSync(join(site, path)).equals(bytes))
  );
}

function weigh(files, manifest) {
  const size = (...urls) =>
    urls.reduce((sum, url) => sum + (files.get(`${url.slice(1)}.br`) ?? files.get(url.slice(1))).length, 0);
  const css = size(manifest.css);
  const js = size(manifest.js, ...manifest.modules);
  const totals = Object.entries(manifest.pieces).map(([piece, urls]) => {
    const around = piece === FIRST_PIECE ? [] : (manifest.pieces[FRAME_PIECE] ?? []);
    const wasm = size(manifest.wasm, ...new Set([...around, ...urls]));
    console.log(
      `    First load of ${piece} in brotli, without the HTML: css ${kilobytes(css)}, js ${kilobytes(js)}, ` +
        `wasm ${kilobytes(wasm)}: ${kilobytes(css + js + wasm)}`,
    );
    return [piece, css + js + wasm];
  });
  const fonts = [...files.keys()].filter((path) => path.endsWith('.woff2'));
  console.log(`    Fonts: ${fonts.map((path) => `${basename(path)} ${kilobytes(files.get(path).length)}`).join(', ')}`);
  const first = Object.fromEntries(totals)[FIRST_PIECE] ?? fail(`there is no piece ${FIRST_PIECE}`);
  if (first > FIRST_LOAD_CEILING) {
    fail(`the first load is ${kilobytes(first - FIRST_LOAD_CEILING)} over its ceiling of ${kilobytes(FIRST_LOAD_CEILING)}`);
  }
}

if (mode === 'dev' || mode === 'release') {
  const { files, manifest } = assemble(join(target, 'site-build', mode));
  if (mode === 'release') addCompressed(files, join(target, 'site-build/compressed'));
  if (!isThere(files)) replaceSite(files);
  if (mode === 'release') weigh(files, manifest);
} else {
  fail('usage: site.mjs dev|release');
}
