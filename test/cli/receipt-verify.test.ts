import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Receipt } from '../../client/index.ts';
import { createIdentity } from '../../deed/identity.ts';
import type { Identity } from '../../deed/identity.ts';
import { receiptExample } from './examples.ts';
import { runCli } from './fake-io.ts';

describe('sealift receipt verify', () => {
  let folder: string;
  let lon: Identity;
  let fra: Identity;
  let receipt: Receipt;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-receipt-'));
    lon = await createIdentity(join(folder, 'lon'));
    fra = await createIdentity(join(folder, 'fra'));
    const { body } = receiptExample({
      source: { name: 'lon-1', identity: lon.name },
      destination: { name: 'fra-1', identity: fra.name },
    });
    receipt = { body, signatures: { source: lon.sign(body), destination: fra.sign(body) } };
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function verify(given: Receipt, ...identities: string[]) {
    const path = join(folder, 'receipt.json');
    await writeFile(path, JSON.stringify(given));
    const pinned = identities.length === 0 ? [] : ['--identity', ...identities];
    return runCli(['receipt', 'verify', path, ...pinned], {});
  }

  test('both signatures, by identities that came another way', async () => {
    const { code, stdout } = await verify(receipt, `lon-1=${lon.name}`, `fra-1=${fra.name}`);
    expect(stdout).toContain('source       lon-1: signed and verified');
    expect(code).toBe(0);
  });

  test('a changed word, a missing signature, another identity: exit code 1', async () => {
    const both = [`lon-1=${lon.name}`, `fra-1=${fra.name}`];
    const changed = { ...receipt, body: { ...receipt.body, token: 3 } };
    const said = await verify(changed, ...both);
    expect(said.code).toBe(1);
    expect(said.stdout).toContain('the signature is wrong');
    const unsigned = { ...receipt, signatures: { ...receipt.signatures, source: null } };
    expect(await verify(unsigned, ...both)).toMatchObject({ code: 1 });
    expect(await verify(receipt, `lon-1=${fra.name}`, `fra-1=${fra.name}`)).toMatchObject({ code: 1 });
    expect(await verify(receipt, `lon-1=${lon.name}`)).toMatchObject({ code: 1 });
  });

  test('the identities that a receipt names itself are never believed', async () => {
    const { code, stderr } = await verify(receipt);
    expect(code).toBe(2);
    expect(stderr).toContain('no identity to check against');
  });
});
