import type { RunningProgram, StartOptions } from '../dom0/access.ts';
import type { DomainState } from '../domain/survey.ts';

/** A guest as the hypervisor sees it. Domain-0 is never among them. */
export interface Domain {
  domid: number;
  /** As `xl` prints it: may hold anything, and is `(null)` while a domain is being built or torn down. */
  name: string;
  uuid: string;
  state: DomainState;
  /** Why it shut down, when it has; `suspend` while it is being saved. */
  shutdownReason: 'poweroff' | 'reboot' | 'suspend' | 'crash' | 'watchdog' | 'soft-reset' | 'unknown' | null;
  /** What it holds now, to the MiB; 0 when it is nearly gone. */
  memoryBytes: number;
  vcpus: number;
  /** To a tenth of a second: 0 for a domain that has never run. */
  cpuSeconds: number;
}

export interface ToolstackInfo {
  host: string;
  /** As `4.17.7`. */
  xenVersion: string;
  /** What its guests may be, as `hvm-3.0-x86_64`. */
  capabilities: string[];
  commandLine: string;
  /** Processors that are on, one more than the highest number of a processor, and NUMA nodes. */
  processors: number;
  cpuNumbers: number;
  nodes: number;
  /** Which features its processors have, as words of bits, and by what it can virtualize them (`hap`, `shadow`). */
  cpuFeatures: string;
  virtualization: string[];
  totalMemoryBytes: number;
  freeMemoryBytes: number;
}

export interface CommandOptions {
  /** Added to the command's environment, which all that it starts inherits. */
  env?: Record<string, string>;
}

/** An image of a guest's memory, to be made or to be read. */
export interface ImageOptions extends CommandOptions {
  /** Path of the file. */
  image: string;
  /** The guest's memory: what `xl` may take for it is measured by this. */
  memoryBytes: number;
}

/**
 * What Sealift asks of Xen. `vm` is a domain's uuid, its exact name, or the domain as a look of the same step saw it, which is
 * then not looked for again; two domains that fit a name or uuid are 'unknown-state' (Xen lets the same uuid run twice under
 * two names). Any call may fail with 'xl-failed' (non-zero exit, or output that does not parse) or
 * 'xl-hangs' (no end within the time limit; its processes were killed, what it did is open): look, then try again.
 */
export interface Toolstack {
  info(): Promise<ToolstackInfo>;
  list(): Promise<Domain[]>;
  /** The configurations in force, as libxl's JSON (`xl list -l`). They carry no state. */
  runningConfigs(): Promise<{ domid: number; config: unknown }[]>;
  /**
   * Starts the domain of a configuration. Looks first: the same uuid and name running is done already (a domain that was left
   * unfinished, paused and with no processor time, is destroyed and made anew); the same name or uuid otherwise in use is 'name-taken'.
   * False when it was done already.
   */
  create(configPath: string, options?: CommandOptions & { paused?: boolean }): Promise<boolean>;
  /** The same, paused and with the memory in an image that `save` made; false says that the image was not looked at. */
  restore(configPath: string, options: ImageOptions): Promise<boolean>;
  /**
   * Writes the memory of a running guest into a file, which is there and is overwritten, and leaves the guest paused. A guest that does not suspend is left
   * running ('xl-failed'); after 'xl-hangs' its domain may be there, shut down for `suspend`, and cannot go on. The file is not synced.
   */
  save(domain: Domain, options: ImageOptions): Promise<void>;
  /**
   * Begins to send a running guest's memory away, while it runs on: what the program writes goes to a receiver, its standard input is what the receiver says
   * (xen/migration-stream.ts). When it is told that all has arrived, it waits for more of a word, and the guest is suspended. Told nothing more, by the
   * end of its input, it lets the guest go on where it is; so it does when this process ends.
   */
  send(domain: Domain, options: StartOptions): Promise<RunningProgram>;
  /** Begins to receive one, which comes to be paused; without the last word, or cut short, it leaves nothing. */
  receive(options: StartOptions): Promise<RunningProgram>;
  /** The four below do nothing when the domain is already so, or (shutdown, destroy) gone; pause and unpause of an absent one are 'unknown-vm'. */
  unpause(vm: string | Domain, options?: CommandOptions): Promise<void>;
  pause(vm: string | Domain, options?: CommandOptions): Promise<void>;
  /** Orders the guest to shut down and returns at once; see `awaitGone`. */
  shutdown(vm: string | Domain, options?: CommandOptions): Promise<void>;
  /** Pulls the plug; the domain may be listed as dying for some seconds. */
  destroy(vm: string | Domain, options?: CommandOptions): Promise<void>;
}
