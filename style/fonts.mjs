// Puts npm's fonts where the style sheet expects them, under names without a version (scripts/bootstrap.sh).
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// A browser loads the extended alphabets only when a page has such characters.
const FONTS = {
  'inter-latin.woff2': 'inter/files/inter-latin-opsz-normal.woff2',
  'inter-latin-ext.woff2': 'inter/files/inter-latin-ext-opsz-normal.woff2',
  'jetbrains-mono-latin.woff2': 'jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2',
  'jetbrains-mono-latin-ext.woff2': 'jetbrains-mono/files/jetbrains-mono-latin-ext-wght-normal.woff2',
};

const here = dirname(fileURLToPath(import.meta.url));
const fonts = join(here, 'public/fonts');
mkdirSync(fonts, { recursive: true });
for (const [name, source] of Object.entries(FONTS)) {
  copyFileSync(join(here, 'node_modules/@fontsource-variable', source), join(fonts, name));
}
