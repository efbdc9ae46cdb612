import { concernKind, concernKinds } from '../../domain/concern-kinds.ts';
import type { ConcernName } from '../../domain/concern-kinds.ts';
import { tableRow } from './table-row.ts';

const severities = { refuses: 'refusal', warns: 'warning', note: 'note' };

/** The table of all concerns as Markdown. */
export function concernsPage(): string {
  const rows = (Object.keys(concernKinds) as ConcernName[]).map((name) => {
    const { severity, meaning, remedy = '' } = concernKind(name);
    return tableRow([`\`${name}\``, severities[severity], meaning, remedy]);
  });
  return [
    '# Concerns',
    '',
    'Before anything is changed, both hosts look at the VM, and the plan joins what they say: its *concerns*. Each has a name',
    'that stays the same and one severity. A **refusal** stops the move: it could not end well, or would endanger the VM. A',
    '**warning** is asked about where a person is: it is likely, not sure, or only a person can know. A **note** is good to know.',
    '`sealift plan` shows them all and changes nothing; `sealift vm inspect` shows those that the VM has where it is; a',
    'receipt keeps those of its move.',
    '',
    '- **Older Xen** is a warning and no refusal. What Xen promises about versions is about the stream that carries a running',
    "  guest's memory: the same release or one newer reads it. `sealed` and `staged` carry disks and a configuration; the guest is",
    '  shut down and boots anew. Numbers behind the second one (4.17.**7**) do not count.',
    '- **Memory** is what Xen surely takes: `memory`, and for HVM and PVH `shadow_memory`, or one MiB for each virtual processor',
    '  and 4 KiB for each MiB. A VM that is stopped is not started at the destination and needs none. Looked at again before the VM is',
    '  stopped.',
    '- **Settings of xl.conf** that a VM took from its source (`max_grant_frames`, `max_maptrack_frames`, the default bridge) are',
    '  written into the configuration that crosses, so that they hold at the destination too.',
    '- A question between the hosts that fails refuses the move as well, under the name of the error: [errors.md](errors.md).',
    '',
    'Made from `domain/concern-kinds.ts` by `npm run docs`.',
    '',
    '| name | severity | what it means | what to do |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
