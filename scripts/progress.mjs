// Shows how far cargo is instead of a line for each crate. Warnings, errors and what is odd pass unchanged.
//
//   cargo build … 2>&1 | node scripts/progress.mjs
//
// Cargo has to be told to draw its bar, as it does not write to a terminal itself (`with_progress` in env.sh).
// In a terminal one line changes in place; in a log there is a line for each tenth.
import { stdin, stdout } from 'node:process';

// What cargo says of each crate. "Blocking waiting for file lock" and "Finished" are told.
const ROUTINE =
  /^ *(Adding|Checking|Compiling|Documenting|Downloaded|Downloading|Executable|Fresh|Generated|Locking|Scraping|Updating) /;
const BAR = /^ *Building \[[=> ]*\] (\d+)\/(\d+)/;
const ESCAPES = /\x1b\[[0-9;]*[A-Za-z]/g;

let [shown, tenth] = [false, 0];

function clear() {
  if (shown) stdout.write('\r\x1b[K');
  shown = false;
}

function progress(done, total) {
  if (stdout.isTTY) {
    stdout.write(`\r    ${done} of ${total} crates built\x1b[K`);
    shown = true;
    return;
  }
  const now = Math.floor((done * 10) / total);
  // Few crates are done before anybody would ask.
  if (now > tenth && total > 20) stdout.write(`    ${done} of ${total} crates built\n`);
  tenth = Math.max(tenth, now);
}

function line(text) {
  const plain = text.replace(ESCAPES, '');
  const bar = BAR.exec(plain);
  if (bar) return progress(Number(bar[1]), Number(bar[2]));
  if (plain.trim() === '' && shown) return undefined;
  if (ROUTINE.test(plain)) return undefined;
  clear();
  stdout.write(`${text}\n`);
  return undefined;
}

let rest = '';
stdin.setEncoding('utf8');
stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split(/\r\n|\r|\n/);
  rest = lines.pop();
  lines.forEach(line);
});
stdin.on('end', () => {
  if (rest) line(rest);
  clear();
});
