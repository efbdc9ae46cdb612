import { z } from 'zod';
import { dom0 } from '../dom0/dom0.ts';
import { SealiftError } from '../domain/error.ts';
import { parseJson } from '../domain/json.ts';

/** Variables for the programs that are run. */
export type Environment = Readonly<Record<string, string>>;

/** LVM waits for locks that other commands hold, and for udev. */
const commandLimitMs = 120_000;

/**
 * Runs a command of LVM and gives what it wrote. Throws `lvm-failed` with the first line that it complained with, and where there
 * is no LVM on this host.
 */
export async function lvm(args: readonly string[], env: Environment = {}): Promise<string> {
  const { ended, exitCode, stdout, stderr } = await dom0().run(['lvm', ...args], {
    limitMs: commandLimitMs,
    // In the midst of a change it would leave a device suspended.
    gently: true,
    // It complains of every descriptor that it inherits.
    env: { ...env, LVM_SUPPRESS_FD_WARNINGS: '1' },
  });
  if (exitCode === 0) return stdout;
  if (ended === 'limit') throw new SealiftError('lvm-failed', `${args[0] ?? 'lvm'} took too long, and was ended`);
  if (ended === 'missing') {
    throw new SealiftError('lvm-failed', 'this host has no LVM', { hint: 'install lvm2' });
  }
  const said = stderr.split('\n').filter((line) => line.trim() !== '' && !/^\s*WARNING/.test(line));
  const why = said[0]?.trim().slice(0, 200) ?? `exit ${String(exitCode)}`;
  throw new SealiftError('lvm-failed', `${args[0] ?? 'lvm'} failed: ${why}`);
}

/** A logical volume as LVM reports it, internal ones left out. */
export interface LogicalVolume {
  uuid: string;
  group: string;
  name: string;
  /** Where its device is, or would be if it were active. */
  path: string;
  dmPath: string;
  active: boolean;
  sizeBytes: number;
  /** `linear`, `striped`, `thin`, `thin-pool`, `raid1`, `snapshot`, … */
  segmentType: string;
  /** `public`, `origin`, `snapshot`, … */
  roles: string[];
  tags: string[];
  /** The pool that a thin volume takes its space from. */
  thinPool: string | null;
  /** How much of a thin volume or a pool is taken, 0 to 1; null for others. */
  dataShare: number | null;
}

const count = z.string().regex(/^\d+$/).transform(Number);
const share = z
  .string()
  .regex(/^(\d+(\.\d+)?)?$/)
  .transform((text) => (text === '' ? null : Number(text) / 100));
const list = z.string().transform((text) => text.split(',').filter((item) => item !== ''));
const volumeRow = z
  .object({
    lv_uuid: z.string(),
    vg_name: z.string(),
    lv_name: z.string(),
    lv_path: z.string(),
    lv_dm_path: z.string(),
    lv_active: z.string(),
    lv_size: count,
    segtype: z.string(),
    lv_role: list,
    lv_tags: list,
    pool_lv: z.string(),
    data_percent: share,
  })
  .transform((row): LogicalVolume => ({
    uuid: row.lv_uuid,
    group: row.vg_name,
    name: row.lv_name,
    path: row.lv_path,
    dmPath: row.lv_dm_path,
    active: row.lv_active.startsWith('active'),
    sizeBytes: row.lv_size,
    segmentType: row.segtype,
    roles: row.lv_role,
    tags: row.lv_tags,
    thinPool: row.pool_lv === '' ? null : row.pool_lv,
    dataShare: row.data_percent,
  }));
const volumeFields =
  'lv_uuid,vg_name,lv_name,lv_path,lv_dm_path,lv_active,lv_size,segtype,lv_role,lv_tags,pool_lv,data_percent';

/** The volumes of a group; none where there is no such group. Throws `lvm-failed`. */
export function volumesOf(group: string): Promise<LogicalVolume[]> {
  return report(['lvs', '--options', volumeFields, '--select', `vg_name=${group}`], 'lv', volumeRow);
}

export interface VolumeGroup {
  freeBytes: number;
  sizeBytes: number;
  extentBytes: number;
  /** Other machines may use it at the same time. */
  shared: boolean;
}

const groupRow = z
  .object({ vg_free: count, vg_size: count, vg_extent_size: count, vg_shared: z.string(), vg_clustered: z.string() })
  .transform((row): VolumeGroup => ({
    freeBytes: row.vg_free,
    sizeBytes: row.vg_size,
    extentBytes: row.vg_extent_size,
    shared: row.vg_shared !== '' || row.vg_clustered !== '',
  }));

/** A volume group; null where there is no such one. Throws `lvm-failed`. */
export async function volumeGroup(group: string): Promise<VolumeGroup | null> {
  const fields = 'vg_free,vg_size,vg_extent_size,vg_shared,vg_clustered';
  const [found] = await report(['vgs', '--options', fields, '--select', `vg_name=${group}`], 'vg', groupRow);
  return found ?? null;
}

/** The devices that a group lies on. Throws `lvm-failed`. */
export async function devicesOf(group: string): Promise<string[]> {
  const row = z.object({ pv_name: z.string() }).transform(({ pv_name }) => pv_name);
  return report(['pvs', '--options', 'pv_name', '--select', `vg_name=${group}`], 'pv', row);
}

async function report<Row>(args: string[], kind: 'lv' | 'vg' | 'pv', row: z.ZodType<Row>): Promise<Row[]> {
  const [command = '', ...rest] = args;
  const text = await lvm([command, '--reportformat', 'json', '--units', 'b', '--nosuffix', ...rest]);
  const shape = z.object({ report: z.tuple([z.object({ [kind]: z.array(row) })]) });
  const parsed = shape.safeParse(parseJson(text));
  if (!parsed.success) throw new SealiftError('lvm-failed', `the report of ${command} does not parse`);
  return parsed.data.report[0][kind] ?? [];
}
