import { mkdirSync } from './fs.ts';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { GuestConfig } from './guest-config.ts';
import type { LabPlaces } from './places.ts';
import { livingProcess } from './process.ts';
import type { ProcessFacts, ProcessRef } from './process.ts';

/**
 * What the host knows of a domain besides its process.
 *
 * `building`: `xl` makes it. `running`: it runs or is paused (the process knows). `suspended`: for a save.
 * `shutdown`: halted and preserved. `dying`: being taken down, disks open. `nameless`: the last moment, when its name is gone.
 */
export type DomainPhase = 'building' | 'running' | 'suspended' | 'shutdown' | 'dying' | 'nameless';

export interface DomainRow {
  domid: number;
  name: string;
  uuid: string;
  config: GuestConfig;
  phase: DomainPhase;
  /** Why it shut down: 0 poweroff, 1 reboot, 2 suspend, 3 crash. */
  reason: number | null;
  /** The domain's process, once it has registered itself. */
  process: ProcessRef | null;
  /** The process that builds it: counts until the domain has registered. */
  builder: ProcessRef;
  /** Its guest has run: until then it has used no processor time, however long its process took to get ready. */
  ran: boolean;
  createdMs: number;
  /** Device and inode of every disk, and how it is held: what the block script's sharing check looks at. */
  held: { id: string; access: 'r' | 'w' | 'w!' }[];
}

/** A domain whose process is there. A row without one is a dead domain's: nobody sees it. */
export interface LivingDomain extends DomainRow {
  facts: ProcessFacts;
}

/** The host's memory of its domains: xenstore and the hypervisor in one file, gone after a reboot. */
export class LabState {
  readonly #database: DatabaseSync;

  constructor(places: LabPlaces) {
    mkdirSync(places.runFolder, { recursive: true });
    // SQLite's lock is the kernel's: it ends with an `xl` that is killed in the middle, and its change is undone.
    this.#database = new DatabaseSync(join(places.runFolder, 'xend.db'), { timeout: 10_000 });
    this.#database.exec(`
      PRAGMA synchronous = OFF;
      CREATE TABLE IF NOT EXISTS domain (domid INTEGER PRIMARY KEY AUTOINCREMENT, row TEXT NOT NULL) STRICT;
    `);
  }

  /** Runs `act` alone on this host; what it throws undoes it. */
  alone<T>(act: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = act();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** A domid that was never used before on this host since its boot. */
  nextDomid(): number {
    const { lastInsertRowid } = this.#database.prepare("INSERT INTO domain (row) VALUES ('')").run();
    this.remove(Number(lastInsertRowid));
    return Number(lastInsertRowid);
  }

  put(row: DomainRow): void {
    this.#database
      .prepare('INSERT INTO domain VALUES (?, ?) ON CONFLICT (domid) DO UPDATE SET row = excluded.row')
      .run(row.domid, JSON.stringify(row));
  }

  /** Changes fields of a domain's row; false when the domain is not there any more. */
  change(domid: number, fields: Partial<DomainRow>): boolean {
    return this.alone(() => {
      const row = this.get(domid);
      if (row === null) return false;
      this.put({ ...row, ...fields });
      return true;
    });
  }

  get(domid: number): DomainRow | null {
    const found = this.#database.prepare('SELECT row FROM domain WHERE domid = ?').get(domid);
    return found === undefined ? null : (JSON.parse(String(found.row)) as DomainRow);
  }

  remove(domid: number): void {
    this.#database.prepare('DELETE FROM domain WHERE domid = ?').run(domid);
  }

  /** Every domain that lives, by domid. Those that `xl` is only about to build have the facts of their builder. */
  living(): LivingDomain[] {
    return this.#database
      .prepare('SELECT row FROM domain ORDER BY domid')
      .all()
      .map((found) => JSON.parse(String(found.row)) as DomainRow)
      .flatMap((row) => {
        const facts = livingProcess(row.process ?? row.builder);
        return facts === null ? [] : [{ ...row, facts }];
      });
  }

  close(): void {
    this.#database.close();
  }
}

/** The living domain that `nameOrId` means, as libxl looks it up: a number is a domid, else a name. */
export function findDomain(state: LabState, nameOrId: string): LivingDomain | null {
  const domains = state.living();
  if (/^\d+$/.test(nameOrId)) return domains.find(({ domid }) => domid === Number(nameOrId)) ?? null;
  return domains.find(({ name, phase }) => name === nameOrId && phase !== 'nameless') ?? null;
}
