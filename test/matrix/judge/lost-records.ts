import { isCurrent } from '../../../deed/record.ts';
import type { ObservedBoot } from '../../../infra/lab/observer.ts';
import { checkRecords, readRecords } from '../../../infra/lab/records.ts';
import type { TestHost, World } from '../../support/world.ts';
import { returnedCopies } from './copies.ts';
import type { HostRecords } from './host-records.ts';
import type { Suspect } from './suspect.ts';

/**
 * The surviving disk holds every record that the guest told the observer of, in order and none twice; those that a revert left
 * behind lie on a kept copy of the other host instead. What the guest has overwritten itself cannot be asked for.
 */
export async function judgeRecords(
  world: World,
  suspect: Suspect,
  holder: { at: TestHost; records: HostRecords; dataPath: string },
  others: HostRecords[],
): Promise<string[]> {
  const { vm } = suspect;
  const boots = world.observer.boots.filter(({ uuid, records }) => uuid === vm.uuid && records.length > 0);
  // Whatever was told by now must be there; the guest goes on telling.
  const told = boots.map((boot) => ({ boot, records: [...boot.records] }));
  noteLeftBehind(suspect, boots, holder);
  const { problems } = await checkRecords(holder.dataPath);
  const complaints = problems.map((problem) => `${vm.name} at ${holder.at.host.name}: ${problem}`);
  const there = await readRecords(holder.dataPath);
  const copies = [...others, holder.records].flatMap((host) =>
    returnedCopies(host, suspect).map((copy) => ({ ...copy, root: rootOf(world, host.name) })),
  );
  for (const { boot, records: written } of told) {
    const token = suspect.leftBehind.get(boot);
    const left = copies.find((one) => one.token === token)?.dataPath ?? null;
    // A copy that gc removed took what was left behind with it.
    if (token !== undefined && left === null) continue;
    const lost = missing(written, left === null ? there : await readRecords(left));
    if (lost.length === 0) continue;
    // Nobody looked between a return and the next move: what was left behind may lie on any copy that was given back there.
    const copy =
      token === undefined
        ? await firstWith(
            written,
            copies.filter(({ root }) => root === boot.root),
          )
        : null;
    if (copy !== null) {
      suspect.leftBehind.set(boot, copy.token);
      continue;
    }
    const numbers = `${String(lost[0]?.sequence)} to ${String(lost.at(-1)?.sequence)}`;
    const where = `not on ${left ?? holder.dataPath}`;
    complaints.push(
      `${vm.name}: ${String(lost.length)} records, ${numbers}, that its guest wrote in ${boot.root} are ${where}`,
    );
  }
  return complaints;
}

/** The first of the copies that has all of these. */
async function firstWith<Copy extends { dataPath: string }>(
  written: ObservedBoot['records'],
  copies: Copy[],
): Promise<Copy | null> {
  for (const copy of copies) if (missing(written, await readRecords(copy.dataPath)).length === 0) return copy;
  return null;
}

type Records = Awaited<ReturnType<typeof readRecords>>;

/** Which of the records told are not there; what the guest has overwritten itself is not asked for. */
function missing(written: ObservedBoot['records'], { records, oldest }: Records): ObservedBoot['records'] {
  return written.filter(
    ({ sequence, crc }) => records.get(sequence) !== crc && !(sequence < oldest && records.size > 0),
  );
}

function rootOf({ up }: World, name: string): string | undefined {
  return up.hosts.find(({ host }) => host.name === name)?.host.lab.root;
}

/** After a return, what the VM wrote at the host that gave it back is the newest group of boots there. */
function noteLeftBehind(suspect: Suspect, boots: ObservedBoot[], holder: { at: TestHost; records: HostRecords }): void {
  const record = holder.records.records.find(({ vmUuid }) => vmUuid === suspect.vm.uuid);
  if (record === undefined) return;
  const current = holder.records.runs.find((run) => run.lineage === record.lineage && isCurrent(record, run));
  if (current?.state !== 'returned') return;
  const { root } = holder.at.host.lab;
  let at = boots.length - 1;
  while (boots[at]?.root === root) at -= 1;
  for (let boot = boots[at]; boot !== undefined && boot.root !== root; boot = boots[at]) {
    if (!suspect.leftBehind.has(boot)) suspect.leftBehind.set(boot, current.token);
    at -= 1;
  }
}
