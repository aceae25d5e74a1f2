// Renders a comment of rolecall's with marked and holds it to what no text in it may change: nothing outside of
// code is a link, an image, raw HTML that is not ours, or one of the texts. Takes the library's folder, the comment,
// and the texts that it is made of.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [library, comment, texts] = process.argv.slice(2);
const { marked } = await import(pathToFileURL(join(library, 'lib', 'marked.esm.js')));
const markdown = readFileSync(comment, 'utf8');
const page = marked.parse(markdown, { gfm: true, async: false });

let failed = 0;
const wrong = (what) => {
  failed += 1;
  console.error(`${comment}: ${what}`);
};

const outside = page.replace(/<code[^>]*>[\s\S]*?<\/code>/g, '');
const ours = new Set(['h3', 'h4', 'p', 'strong', 'ul', 'li', 'details', 'summary', 'pre']);
for (const [tag, name] of outside.matchAll(/<\/?([a-zA-Z0-9!-]+)[^>]*>/g)) {
  if (!ours.has(name) || tag.includes('=')) wrong(`outside of code: ${tag}`);
}
for (const tag of ['details', 'summary', 'code', 'ul', 'li', 'pre']) {
  const opened = page.split(`<${tag}>`).length + page.split(`<${tag} `).length - 2;
  const closed = page.split(`</${tag}>`).length - 1;
  if (opened !== closed) wrong(`${opened} of ${tag} are opened, ${closed} closed`);
}
for (const sign of ['@', '#', '!', '$', '|', '~', '`', 'http', 'www', 'evil']) {
  if (outside.replaceAll(/&#\d+;/g, '').includes(sign)) wrong(`outside of code: ${sign}`);
}
for (const line of ['Plan digest: sha256:', 'Verdict: ']) {
  if (outside.split(line).length !== 2) wrong(`not once outside of code: ${line}`);
}
const decoded = page
  .replaceAll('&lt;', '<')
  .replaceAll('&gt;', '>')
  .replaceAll('&quot;', '"')
  .replaceAll('&#39;', "'")
  .replaceAll('&amp;', '&');
let seen = 0;
for (const text of JSON.parse(readFileSync(texts, 'utf8'))) {
  // Those without anything that a terminal shows as an escape are there letter by letter.
  if (/^[ -~]+$/.test(text) && !text.includes('"') && !text.includes('##') && !/`{21}/.test(text)) {
    seen += 1;
    if (!decoded.includes(text.trim())) wrong(`is not shown: ${text}`);
  }
}
if (seen < 15) wrong(`only ${seen} texts were looked for`);
if (failed > 0) process.exit(1);
console.log(`${comment}: ${seen} texts shown, none acts`);
