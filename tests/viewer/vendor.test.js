import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const vendor = new URL('../../src/viewer/vendor/', import.meta.url);

test('vendored files are those that their README names', () => {
  const said = readFileSync(new URL('README.md', vendor), 'utf8');
  const files = readdirSync(vendor).filter((name) => name !== 'README.md');
  for (const name of files) {
    const sum = createHash('sha256').update(readFileSync(new URL(name, vendor))).digest('hex');
    assert.ok(said.includes(name) && said.includes(sum), `${name}: ${sum}`);
  }
});
