import { fstatSync, readFileSync, writeSync } from './fs.ts';
import type { GuestConfig } from './guest-config.ts';
import { recordRegion } from './record-format.ts';
import { RecordWriter } from './record-writer.ts';
import type { GuestMemory, WrittenRecord } from './record-writer.ts';

/** An open disk of the domain. */
export interface OpenDisk {
  vdev: string;
  file: number;
  writable: boolean;
}

/** The guest inside the domain: writes a numbered record every few milliseconds to its last writable disk. */
export class Guest {
  readonly #writer: RecordWriter | null;
  readonly #beforeWrite: () => void;
  readonly #tell: (record: WrittenRecord) => void;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | null = null;
  #failed = false;

  /** Boots, or goes on with `memory`. `beforeWrite` may throw, as a failing disk does; `tell` hears of each record once it is synced. */
  constructor(
    config: GuestConfig,
    host: string,
    disks: OpenDisk[],
    memory: GuestMemory | null,
    beforeWrite: () => void,
    tell: (record: WrittenRecord) => void,
  ) {
    this.#beforeWrite = beforeWrite;
    this.#tell = tell;
    this.#everyMs = guestSetting(config, 'records_ms', 50);
    this.#writer = openRing(config, host, disks, memory);
    if (this.#writer?.first != null) tell(this.#writer.first);
    this.#resume();
  }

  get memory(): GuestMemory | null {
    return this.#writer?.memory ?? null;
  }

  /** The guest halts by itself: its last write says so. */
  halt(): void {
    this.suspend();
    this.#write('halt');
    if (this.#writer !== null) say(`halted after record ${String(this.#writer.memory.nextSequence - 1)}`);
  }

  /** Stops between two writes. */
  suspend(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #resume(): void {
    if (this.#writer === null) return;
    say(`writes from record ${String(this.#writer.memory.nextSequence)} on`);
    this.#timer = setInterval(() => {
      this.#write('data');
    }, this.#everyMs);
  }

  resume(): void {
    this.#resume();
  }

  #write(kind: 'data' | 'halt'): void {
    if (this.#failed || this.#writer === null) return;
    try {
      this.#beforeWrite();
      this.#tell(this.#writer.write(kind));
    } catch (error) {
      // A guest remounts its file system read-only and lives on.
      this.#failed = true;
      say(`I/O error, no more writes: ${String(error)}`);
    }
  }
}

/** One line on the guest's console. */
export function say(line: string): void {
  writeSync(1, `${new Date().toISOString()} ${line}\n`);
}

function openRing(
  config: GuestConfig,
  host: string,
  disks: OpenDisk[],
  memory: GuestMemory | null,
): RecordWriter | null {
  const writable = disks.filter((disk) => disk.writable);
  const disk = writable.at(-1);
  if (disk === undefined) return null;
  const region = recordRegion(sizeOf(disk.file), writable.length === 1, guestSetting(config, 'records_mib', 16));
  const guest = { uuid: config.uuid, host };
  const writer =
    region === null
      ? null
      : memory === null
        ? RecordWriter.boot(disk.file, region, guest)
        : RecordWriter.resume(disk.file, region, guest, memory);
  if (writer === null) say(`${disk.vdev} has no room for records: too small, or somebody else's bytes are there`);
  return writer;
}

/** A setting of the stand-in's guest, from its kernel command line: `extra = "records_ms=5 records_mib=1"`. */
function guestSetting(config: GuestConfig, key: string, otherwise: number): number {
  const written = new RegExp(`(?:^|\\s)${key}=(\\d+)`).exec(config.cmdline ?? '')?.[1];
  return written === undefined ? otherwise : Math.max(1, Number(written));
}

/** A disk's size in bytes. A block device's stat has none: /sys has it, in sectors of 512 bytes. */
function sizeOf(file: number): number {
  const stat = fstatSync(file);
  if (!stat.isBlockDevice()) return stat.size;
  const [major, minor] = [(stat.rdev >> 8) & 0xfff, (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00)];
  return Number(readFileSync(`/sys/dev/block/${String(major)}:${String(minor)}/size`, 'utf8')) * 512;
}
