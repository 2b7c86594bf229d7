// Puts together target/site from what build-site.sh has made: content-hashed names, references rewritten,
// manifest.json, and in release each file compressed beside it and the first load weighed.
//
//   node scripts/site.mjs dev|release
//   node scripts/site.mjs assets FOLDER    (for `cargo leptos watch`: the same under fixed names)
//
// The folder is replaced as a whole, never written in place: a server that reads it sees the old site or
// the new one. Nothing is written when nothing has changed.
import { createHash } from 'node:crypto';
import {
  chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { basename, dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

// Bytes of css, js and wasm in brotli: what the first load shall weigh, and what it may weigh until it does
// (docs/decisions/006-first-load.md). Lower the ceiling with every step towards the goal.
const FIRST_LOAD_GOAL = 250_000;
const FIRST_LOAD_CEILING = 430_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, 'target');
const site = join(target, 'site');
const publicFolder = join(root, 'style/public');
const fontFolder = (family) => join(root, 'style/node_modules/@fontsource-variable', family, 'files');

// The style sheet names them `/fonts/<name>`; a browser loads the extended alphabets only when it needs them.
const FONTS = {
  'inter-latin.woff2': join(fontFolder('inter'), 'inter-latin-opsz-normal.woff2'),
  'inter-latin-ext.woff2': join(fontFolder('inter'), 'inter-latin-ext-opsz-normal.woff2'),
  'jetbrains-mono-latin.woff2': join(fontFolder('jetbrains-mono'), 'jetbrains-mono-latin-wght-normal.woff2'),
  'jetbrains-mono-latin-ext.woff2': join(fontFolder('jetbrains-mono'), 'jetbrains-mono-latin-ext-wght-normal.woff2'),
};
const PRELOADED = ['inter-latin.woff2'];
const COMPRESSIBLE = new Set(['.css', '.html', '.js', '.json', '.svg', '.txt', '.wasm', '.webmanifest', '.xml']);

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

/** Every file of the site by its path, and the manifest that names them. */
function assemble(stage) {
  const files = new Map();
  const add = (name, bytes) => {
    const path = `pkg/${hashedName(name, bytes)}`;
    files.set(path, bytes);
    return `/${path}`;
  };

  const publicFiles = filesUnder(publicFolder);
  for (const path of publicFiles) files.set(path, readFileSync(join(publicFolder, path)));

  const fonts = new Map(Object.entries(FONTS).map(([name, source]) => [name, add(name, readFileSync(source))]));

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

  const wasm = add('latchkey.wasm', readFileSync(join(stage, 'pkg/latchkey_bg.wasm')));
  let js = readFileSync(join(stage, 'pkg/latchkey.js'), 'utf8').replaceAll('latchkey_bg.wasm', basename(wasm));
  // Pieces of JavaScript that crates bring along; each is a module the main one imports.
  const snippets = filesUnder(join(stage, 'pkg/snippets')).map((path) => {
    const url = add(path.replaceAll('/', '-'), readFileSync(join(stage, 'pkg/snippets', path)));
    js = js.replaceAll(`./snippets/${path}`, `./${basename(url)}`);
    return url;
  });

  const manifest = {
    js: add('latchkey.js', Buffer.from(js)),
    wasm,
    css: add('latchkey.css', Buffer.from(css)),
    preload: PRELOADED.map((name) => fonts.get(name)),
    ...(snippets.length > 0 && { snippets }),
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
  const size = (url) => (files.get(`${url.slice(1)}.br`) ?? files.get(url.slice(1))).length;
  const js = [manifest.js, ...(manifest.snippets ?? [])].reduce((sum, url) => sum + size(url), 0);
  const total = size(manifest.css) + js + size(manifest.wasm);
  console.log(
    `    First load in brotli, without the HTML: css ${kilobytes(size(manifest.css))}, js ${kilobytes(js)}, ` +
      `wasm ${kilobytes(size(manifest.wasm))}: ${kilobytes(total)}; the goal is ${kilobytes(FIRST_LOAD_GOAL)}`,
  );
  const fonts = [...files.keys()].filter((path) => path.endsWith('.woff2'));
  console.log(`    Fonts: ${fonts.map((path) => `${basename(path)} ${kilobytes(files.get(path).length)}`).join(', ')}`);
  if (total > FIRST_LOAD_GOAL) {
    console.log(`    *** The first load misses its goal by ${kilobytes(total - FIRST_LOAD_GOAL)}.`);
  }
  if (total > FIRST_LOAD_CEILING) {
    fail(`the first load is ${kilobytes(total - FIRST_LOAD_CEILING)} over its ceiling of ${kilobytes(FIRST_LOAD_CEILING)}`);
  }
}

/** What cargo-leptos copies beside what it builds itself: fonts, public files and a manifest of its names. */
function writeWatchAssets(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'fonts'), { recursive: true });
  if (existsSync(publicFolder)) cpSync(publicFolder, folder, { recursive: true });
  for (const [name, source] of Object.entries(FONTS)) cpSync(source, join(folder, 'fonts', name));
  const manifest = {
    js: '/pkg/latchkey.js',
    wasm: '/pkg/latchkey.wasm',
    css: '/pkg/latchkey.css',
    preload: PRELOADED.map((name) => `/fonts/${name}`),
  };
  writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

const [mode, folder] = process.argv.slice(2);
if (mode === 'assets') {
  writeWatchAssets(folder);
} else if (mode === 'dev' || mode === 'release') {
  const { files, manifest } = assemble(join(target, 'site-build', mode));
  if (mode === 'release') addCompressed(files, join(target, 'site-build/compressed'));
  if (!isThere(files)) replaceSite(files);
  if (mode === 'release') weigh(files, manifest);
} else {
  fail('usage: site.mjs dev|release, or site.mjs assets FOLDER');
}
