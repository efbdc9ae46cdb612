import { setTimeout as pause } from 'node:timers/promises';
import type { RunningProgram, StartOptions } from '../dom0/access.ts';
import { dom0 } from '../dom0/dom0.ts';
import { notThere } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import type { DomainState } from '../domain/survey.ts';
import { domainGone, domainsOf, onlyDomain } from './gone.ts';
import type { CommandOptions, Domain, ImageOptions, Toolstack } from './toolstack.ts';
import { parseXlConfig } from './xl-config/parse.ts';
import { configString } from './xl-config/values.ts';
import { parseConfigs, parseInfo, parseList } from './xl-output.ts';
import { runXl, xlFailed } from './xl-run.ts';
import type { XlCommand, XlOutcome } from './xl-run.ts';

export interface XlOptions {
  /** Path of the `xl` executable. */
  command: string;
  /** Added to this process's own environment. */
  env?: Record<string, string>;
  /** After this many milliseconds a command is killed; `create`, which waits for device scripts, has four times as long, `save` and `restore` also a time by the memory. Default 30 000. */
  limitMs?: number;
}

/** The toolstack that is the `xl` command of this machine's dom0. See `Toolstack` for what its calls promise. */
export function xlToolstack(options: XlOptions): Toolstack {
  return new Xl(options);
}

/** xl gives its stream to a command of a shell, in the place of ssh; this one takes it to the pipes that xl itself was started with. */
const transport = 'exec 6<&0; cat <&6 >&4 & exec cat <&3';
const withPipes = 'exec "$@" 3<&0 4>&1 0</dev/null 1>&2';
/** Pause between two looks at what somebody else began. */
const pollMs = 100;
/** At so many bytes a second at least an image is written or read, on a slow disk below everything else. */
const imageBytesPerSecond = 5 * 1024 * 1024;
/** A domain that is shut down for this long is kept so by its configuration. */
const keptMs = 5000;

class Xl implements Toolstack {
  readonly #xl: XlCommand;
  readonly #limitMs: number;

  constructor({ command, env = {}, limitMs = 30_000 }: XlOptions) {
    this.#xl = { command, env };
    this.#limitMs = limitMs;
  }

  async info(): ReturnType<Toolstack['info']> {
    return parseInfo((await this.#must('info')).stdout);
  }

  async list(): Promise<Domain[]> {
    return parseList((await this.#must('list', '-v')).stdout);
  }

  async runningConfigs(): ReturnType<Toolstack['runningConfigs']> {
    return parseConfigs((await this.#must('list', '-l')).stdout);
  }

  async create(
    configPath: string,
    { paused = false, env = {} }: CommandOptions & { paused?: boolean } = {},
  ): Promise<boolean> {
    const argv: [string, ...string[]] = paused ? ['create', '-p', configPath] : ['create', configPath];
    return this.#build(configPath, argv, 4 * this.#limitMs, env);
  }

  async restore(configPath: string, { image, memoryBytes, env = {} }: ImageOptions): Promise<boolean> {
    return this.#build(configPath, ['restore', '-p', configPath, image], this.#imageLimitMs(memoryBytes), env);
  }

  async save({ domid }: Domain, { image, memoryBytes, env = {} }: ImageOptions): Promise<void> {
    // -p: until the image is durable the guest itself is still there.
    const argv: [string, ...string[]] = ['save', '-p', String(domid), image];
    const outcome = await runXl(this.#with(env), argv, this.#imageLimitMs(memoryBytes));
    if (outcome.exitCode !== 0) throw xlFailed('save', outcome);
  }

  async send({ domid }: Domain, { env = {}, onLine }: StartOptions): Promise<RunningProgram> {
    // -vvv: it tells then when it suspends the guest.
    const migrate = ['-vvv', 'migrate', '-s', '', String(domid), transport];
    return dom0().start(['sh', '-c', withPipes, 'sh', this.#xl.command, ...migrate], {
      env: { ...this.#xl.env, ...env },
      ...(onLine === undefined ? {} : { onLine }),
    });
  }

  async receive({ env = {}, onLine }: StartOptions): Promise<RunningProgram> {
    return dom0().start([this.#xl.command, 'migrate-receive', '-p'], {
      env: { ...this.#xl.env, ...env },
      ...(onLine === undefined ? {} : { onLine }),
    });
  }

  /** Makes a domain by `argv`, unless one of its configuration is there and is no leftover: then false. */
  async #build(
    configPath: string,
    argv: [string, ...string[]],
    limitMs: number,
    env: Record<string, string>,
  ): Promise<boolean> {
    const vm = await readIdentity(configPath);
    const domains = await this.#settled(vm);
    if (domains.some((domain) => domain.uuid === vm.uuid && domain.name !== vm.name)) {
      throw new SealiftError('name-taken', `a domain with the uuid of ${vm.name} is there under another name`);
    }
    if (domains.some((domain) => domain.uuid !== vm.uuid)) {
      throw new SealiftError('name-taken', `a domain named ${vm.name} is there with another uuid`);
    }
    const [own] = domains;
    if (own !== undefined && !isLeftover(own)) return false;
    if (own !== undefined) {
      await this.destroy(vm.uuid, { env });
      await this.#until('destroy', () => domainGone(this, vm.uuid));
    }
    const outcome = await runXl(this.#with(env), argv, limitMs);
    if (outcome.exitCode !== 0) throw xlFailed(argv[0], outcome);
    return true;
  }

  async pause(vm: string | Domain, options: CommandOptions = {}): Promise<void> {
    await this.#order(['pause'], vm, options, (domain) => domain?.state === 'paused', 'running');
  }

  async unpause(vm: string | Domain, options: CommandOptions = {}): Promise<void> {
    await this.#order(['unpause'], vm, options, (domain) => domain?.state === 'running', 'paused');
  }

  async shutdown(vm: string | Domain, options: CommandOptions = {}): Promise<void> {
    // -F: a guest without PV drivers gets its power button pressed instead of nothing at all.
    await this.#order(['shutdown', '-F'], vm, options, (domain) => domain === null || isDown(domain));
  }

  async destroy(vm: string | Domain, options: CommandOptions = {}): Promise<void> {
    await this.#order(['destroy'], vm, options, (domain) => domain === null || domain.state === 'dying');
  }

  /**
   * Looks, acts, and looks again before it calls a non-zero exit a failure: xl fails at times after it has done its work. An order that
   * takes effect at once must have ended the state `undone`, whatever xl reports.
   */
  async #order(
    [verb, ...flags]: [verb: string, ...flags: string[]],
    vm: string | Domain,
    { env = {} }: CommandOptions,
    done: (domain: Domain | null) => boolean,
    undone?: DomainState,
  ): Promise<void> {
    const domain = typeof vm === 'string' ? await this.#find(vm) : vm;
    if (done(domain)) return;
    if (domain === null) throw new SealiftError('unknown-vm', `no domain is there to ${verb}`);
    // By number: xl takes a name made of digits for one.
    const outcome = await runXl(this.#with(env), [verb, ...flags, String(domain.domid)], this.#limitMs);
    if (outcome.exitCode === 0 && undone === undefined) return;
    const now = await this.#find(domain.uuid);
    if (outcome.exitCode !== 0 && !done(now)) throw xlFailed(verb, outcome);
    if (now !== null && now.state === undone)
      throw new SealiftError('xl-failed', `xl ${verb} reported success, and ${now.name} is ${undone} still`);
  }

  async #find(vm: string): Promise<Domain | null> {
    return onlyDomain((await this.list()).filter((domain) => domain.uuid === vm || domain.name === vm));
  }

  /** The domains of a VM once none of them is about to go: one that dies, or has just shut down, is given time for it. */
  async #settled(vm: { uuid: string; name: string }): Promise<Domain[]> {
    let domains: Domain[] = [];
    let downSince: number | null = null;
    await this.#until('the end of a dying domain', async () => {
      domains = await domainsOf(this, vm);
      if (domains.some((domain) => domain.state === 'dying')) return false;
      downSince ??= performance.now();
      return !domains.some(isDown) || performance.now() - downSince >= Math.min(this.#limitMs / 2, keptMs);
    });
    return domains;
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + this.#limitMs;
    while (!(await holds())) {
      if (performance.now() > end)
        throw new SealiftError('xl-hangs', `xl: ${what} is not there after ${String(this.#limitMs)} ms`);
      await pause(pollMs);
    }
  }

  async #must(...argv: [string, ...string[]]): Promise<XlOutcome> {
    const outcome = await runXl(this.#xl, argv, this.#limitMs);
    if (outcome.exitCode !== 0) throw xlFailed(argv[0], outcome);
    return outcome;
  }

  /** Beside the time for device scripts: libxl alone gives a guest a minute to suspend. */
  #imageLimitMs(memoryBytes: number): number {
    return 4 * this.#limitMs + (memoryBytes / imageBytesPerSecond) * 1000;
  }

  #with(env: Record<string, string>): XlCommand {
    return { ...this.#xl, env: { ...this.#xl.env, ...env } };
  }
}

function isDown(domain: Domain): boolean {
  return domain.state === 'shutdown' || domain.state === 'crashed' || domain.state === 'dying';
}

/**
 * Whether a domain of our own has to make way: one that has shut down and is kept, or one that never ran, as a create that
 * was killed leaves it, perhaps without its devices. Nothing is lost with either. A crashed one somebody may want to look at.
 */
function isLeftover(domain: Domain): boolean {
  if (domain.state === 'crashed') {
    throw new SealiftError('unknown-state', `${domain.name} has crashed and its domain is kept`, {
      hint: `look at it, then remove it on its host: xl destroy ${String(domain.domid)}`,
    });
  }
  return (
    domain.state === 'shutdown' ||
    (domain.state === 'paused' && domain.cpuSeconds === 0 && domain.shutdownReason === null)
  );
}

async function readIdentity(configPath: string): Promise<{ name: string; uuid: string }> {
  const bytes = await dom0().readFile(configPath).catch(notThere);
  if (bytes === null) throw new SealiftError('bad-config', 'the configuration to start from cannot be read');
  const config = parseXlConfig(bytes.toString('utf8'));
  const [name, uuid] = [configString(config, 'name'), configString(config, 'uuid')?.toLowerCase()];
  // Without them a domain that runs already could not be known again.
  if (name === null || uuid === undefined)
    throw new SealiftError('bad-config', 'the configuration to start from has no name or no uuid');
  return { name, uuid };
}
