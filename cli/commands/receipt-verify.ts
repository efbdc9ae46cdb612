import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Receipt } from '../../client/index.ts';
import { loadIdentity, verifySignature } from '../../deed/identity.ts';
import { SealiftError } from '../../domain/error.ts';
import { parseHostFile } from '../../domain/host-file.ts';
import { hostName, identity } from '../../domain/names.ts';
import { receipt as receiptSchema } from '../../domain/receipt.ts';
import type { Cli } from '../cli.ts';
import { readHostFile } from '../host-file.ts';
import { exitCodes } from '../exit-codes.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const pinned = z.string().transform((text, context): [string, string] => {
  const [, name = '', key = ''] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (hostName.safeParse(name).success && identity.safeParse(key).success) return [name, key];
  context.addIssue(`'${text}' is not a host with its identity: use fra-1=ed25519:…`);
  return z.NEVER;
});
const options = z.object({
  identity: z.array(pinned).default([]),
  file: z.string().optional(),
  fromHosts: z.boolean().default(false),
});

interface Finding {
  side: 'source' | 'destination';
  host: string;
  finding: string;
  verified: boolean;
}

export function addReceiptVerify(receipt: Command, cli: Cli): void {
  receipt
    .command('verify')
    .argument('<file>', 'a receipt as `sealift receipt show --json` prints it')
    .description("check both hosts' signatures on a receipt against identities that you know; needs no server")
    .option('--identity <host=identity...>', 'the identity of a host')
    .option('--file <path>', "take the identities from this host's file: its own and its peers'")
    .option('--from-hosts', 'ask the hosts themselves for their identities (trusts the server)')
    .addHelpText(
      'after',
      examples(
        'sealift receipt verify web-1.receipt.json --file /etc/sealift/host.toml',
        'sealift receipt verify web-1.receipt.json --identity lon-1=ed25519:… fra-1=ed25519:…',
      ),
    )
    .action(async (path: string, raw: unknown) => {
      const known = await knownIdentities(cli, parseOptions(options, raw));
      const found = await readReceipt(path);
      const findings = (['source', 'destination'] as const).map((side) => verifySide(found, side, known));
      const verified = findings.every((one) => one.verified);
      const head = `${found.body.vmName}: ${found.body.source.name} → ${found.body.destination.name}, token ${found.body.token}`;
      cli.answer({ verified, findings }, [
        head,
        ...findings.map((one) => `  ${one.side.padEnd(12)} ${one.host}: ${one.finding}`),
      ]);
      if (!verified) cli.exitCode = exitCodes.failed;
    });
}

async function knownIdentities(cli: Cli, from: z.output<typeof options>): Promise<Map<string, string>> {
  const known = new Map(from.identity);
  if (from.file !== undefined) {
    const file = parseHostFile(await readHostFile(from.file), from.file);
    known.set(file.name, (await loadIdentity(file.state)).name);
    for (const peer of file.peer) known.set(peer.name, peer.identity);
  }
  if (from.fromHosts) {
    for (const { name, card } of await (await cli.connect()).hosts()) if (card !== null) known.set(name, card.identity);
  }
  if (known.size > 0) return known;
  // A receipt names identities itself; believing those would verify any forgery.
  throw new SealiftError('bad-usage', 'no identity to check against', {
    hint: 'give --identity HOST=IDENTITY, --file HOST-FILE or --from-hosts',
  });
}

async function readReceipt(path: string): Promise<Receipt> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new SealiftError('bad-usage', `the receipt cannot be read: ${path}`, { cause: error });
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new SealiftError('bad-usage', `not JSON: ${path}`);
  }
  const parsed = receiptSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new SealiftError('bad-usage', `not a receipt: ${path}: ${parsed.error.issues[0]?.path.join('.') ?? ''}`);
}

function verifySide({ body, signatures }: Receipt, side: Finding['side'], known: Map<string, string>): Finding {
  const { name: host, identity: claimed } = body[side];
  const expected = known.get(host);
  const signature = signatures[side];
  const say = (finding: string, verified = false): Finding => ({ side, host, finding, verified });
  if (expected === undefined) return say('its identity is not known here');
  if (claimed !== expected) return say(`the receipt names another identity: ${claimed}`);
  if (signature === null) return say('not signed');
  return verifySignature(expected, body, signature) ? say('signed and verified', true) : say('the signature is wrong');
}
