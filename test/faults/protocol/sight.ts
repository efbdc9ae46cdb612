import { existsSync, lstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { keptStatements } from '../../../deed/book.ts';
import { isLocked } from '../../../deed/locks.ts';
import { allRuns, findRecordOfVm } from '../../../deed/record.ts';
import type { DeedRecord, DeedRun } from '../../../deed/record.ts';
import type { Claim, Signed } from '../../../domain/statement.ts';
import { checkRecords } from '../../../infra/lab/records.ts';
import type { Observer } from '../../../infra/lab/observer.ts';
import type { StandInHost } from '../../../infra/stand-in-host.ts';
import { readMark } from '../../../storage/mark.ts';
import { configDisks } from '../../../xen/xl-config/disk.ts';
import { parseXlConfig } from '../../../xen/xl-config/parse.ts';

/** What a stranger finds of a VM on a host, whether its process lives or not. */
export interface Sight {
  record: DeedRecord | null;
  runs: DeedRun[];
  /** The runs whose disks are there still, and bear their mark. */
  copies: Set<string>;
  /** What this host itself has signed, in order. */
  said: Signed[];
  /** What an operator has claimed, as far as it is known here. */
  claims: Signed<Claim>[];
  /** `on`: nothing here starts the VM or writes its disk. `off`: anybody may. `between`: cut short on the way. */
  fence: 'on' | 'between' | 'off';
  running: boolean;
  /** How many records the guest has written to the copy that counts here; null where there is none. */
  content: number | null;
  /** What is wrong with those records. */
  problems: string[];
}

export async function lookAt(
  { filePath, lab, identity }: StandInHost,
  vm: { name: string; uuid: string },
  observer: Observer,
): Promise<Sight> {
  const running = observer.living(vm.uuid).some(({ root }) => root === lab.root);
  const book = readBook(filePath, vm.uuid);
  const config = join(lab.etcFolder, `${vm.name}.cfg`);
  const startable = existsSync(config) || isThere(join(lab.autoFolder, `${vm.name}.cfg`));
  const configured = existsSync(config) ? diskOf(await readFile(config, 'utf8')) : null;
  const { record } = book;
  const path = configured ?? record?.places?.disks[0]?.path ?? null;
  const report = path !== null && existsSync(path) ? await checkRecords(path) : null;
  return {
    record,
    runs: book.runs,
    copies: await copiesOf(book.runs),
    said: book.statements.filter(({ body }) => body.from === identity),
    claims: book.statements.filter((one): one is Signed<Claim> => one.body.kind === 'claim'),
    fence: await fenceOf(path, startable, book),
    running,
    content: report?.last ?? null,
    problems: record?.state === 'receiving' && record.madeToken !== record.token ? [] : (report?.problems ?? []),
  };
}

async function fenceOf(
  path: string | null,
  startable: boolean,
  { record, runs }: { record: DeedRecord | null; runs: DeedRun[] },
): Promise<Sight['fence']> {
  if (path === null || !existsSync(path)) return startable ? 'between' : 'on';
  // A landing's disks are fenced by what they are, until READY; also those of one that a claim has ended.
  const lands = record?.state === 'receiving' && record.madeToken !== record.token;
  const ended =
    record?.state === 'none' && runs.some(({ role, state }) => role === 'destination' && state === 'aborted');
  // Nor does anybody go back to what is being removed.
  const removed = runs.some((run) => run.collected && disksOf(run).includes(path));
  if (lands || ended || removed) return startable ? 'between' : 'on';
  const locked = (lstatSync(path).mode & 0o222) === 0 || (await isLocked(path, 'immutable'));
  if (locked) return startable ? 'between' : 'on';
  return startable ? 'off' : 'between';
}

function readBook(
  filePath: string,
  uuid: string,
): { record: DeedRecord | null; runs: DeedRun[]; statements: Signed[] } {
  const sql = new DatabaseSync(join(filePath, '../state/host.db'), { readOnly: true, timeout: 5_000 });
  try {
    sql.exec('BEGIN');
    const record = findRecordOfVm(sql, uuid);
    if (record === null) return { record, runs: [], statements: [] };
    return {
      record,
      runs: allRuns(sql, record.lineage),
      statements: keptStatements(sql, record.lineage).map(({ statement }) => statement),
    };
  } finally {
    sql.close();
  }
}

async function copiesOf(runs: DeedRun[]): Promise<Set<string>> {
  const own = new Set<string>();
  for (const run of runs) {
    for (const path of disksOf(run).filter((one) => existsSync(one))) {
      const mark = await readMark({ path });
      // what was given back bears the token by which it went
      if (mark?.lineage === run.lineage && mark.token <= run.token + 1) own.add(run.migrationId);
    }
  }
  return own;
}

const landed = z.object({ disks: z.array(z.object({ path: z.string() })) });

/** A source's are its fence's; a landing's are in its notes, until a later run takes them over. */
function disksOf({ role, places, notes }: DeedRun): string[] {
  const disks = role === 'source' ? places?.disks : landed.safeParse(notes).data?.disks;
  return (disks ?? []).map(({ path }) => path);
}

function diskOf(config: string): string | null {
  return configDisks(parseXlConfig(config, 'the VM'))[0]?.target ?? null;
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
