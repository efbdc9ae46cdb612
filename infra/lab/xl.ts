import { strike, strikeAtEnd, strikeHalfWay } from './command-faults.ts';
import { writeSync } from './fs.ts';
import { labPlaces } from './places.ts';
import type { LabPlaces } from './places.ts';
import { LabState } from './state.ts';
import { XlFailure } from './xl-failure.ts';

/** What a command of the stand-in's `xl` works with. */
export interface XlCall {
  places: LabPlaces;
  state: LabState;
  command: string;
  args: string[];
  out: (text: string) => void;
  /** One line on stderr. */
  log: (line: string) => void;
  /** The place at which the command is half done, for the fault that kills it there. */
  halfWay: () => void;
}

type Command = (call: XlCall) => Promise<void> | void;

/** Loaded when needed only: `xl` starts for every single question. */
const commands: Record<string, () => Promise<Command>> = {
  list: async () => (await import('./commands/list.ts')).list,
  info: async () => (await import('./commands/info.ts')).info,
  create: async () => (await import('./commands/create.ts')).create,
  shutdown: async () => (await import('./commands/shutdown.ts')).shutdown,
  reboot: async () => (await import('./commands/shutdown.ts')).reboot,
  destroy: async () => (await import('./commands/power.ts')).destroy,
  pause: async () => (await import('./commands/power.ts')).pause,
  unpause: async () => (await import('./commands/power.ts')).unpause,
  save: async () => (await import('./commands/save.ts')).save,
  migrate: async () => (await import('./commands/migrate.ts')).migrate,
  'migrate-receive': async () => (await import('./commands/migrate-receive.ts')).migrateReceive,
  restore: async () => (await import('./commands/restore.ts')).restore,
  domid: async () => (await import('./commands/names.ts')).domid,
  domname: async () => (await import('./commands/names.ts')).domname,
  uptime: async () => (await import('./commands/tables.ts')).uptime,
  'vcpu-list': async () => (await import('./commands/tables.ts')).vcpuList,
  'network-list': async () => (await import('./commands/tables.ts')).networkList,
  'block-list': async () => (await import('./commands/tables.ts')).blockList,
};

process.exitCode = await run(process.argv.slice(2));

async function run(argv: string[]): Promise<number> {
  const log = (line: string): void => void writeSync(2, `${line}\n`);
  while (/^-[vfNtT]+$/.test(argv[0] ?? '')) argv.shift();
  const [name = '', ...args] = argv;
  const load = commands[name];
  if (load === undefined) {
    log(name === '' ? 'Usage xl [-vfNtT] <subcommand> [args]' : 'command not implemented');
    return 1;
  }
  const places = labPlaces(process.env.SEALIFT_LAB_ROOT ?? '');
  const state = new LabState(places);
  try {
    const vm = vmOf(state, args);
    if (await strike(places, name, vm)) return 0;
    const command = await load();
    const out = (text: string): void => void writeSync(1, text);
    const halfWay = (): void => {
      strikeHalfWay(places, name, vm);
    };
    await command({ places, state, command: name, args, out, log, halfWay });
    return strikeAtEnd(places, name, vm) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof XlFailure)) throw error;
    for (const line of error.lines) log(line);
    return error.exitCode;
  } finally {
    state.close();
  }
}

/** The VM that a command is about, for the faults: `xl save NAME FILE`, `xl create FILE`, `xl destroy DOMID`. */
function vmOf(state: LabState, args: string[]): string | null {
  const operand = args.find((arg) => arg !== '' && !arg.startsWith('-'));
  if (operand === undefined) return null;
  if (/^\d+$/.test(operand)) return state.get(Number(operand))?.name ?? null;
  return operand.slice(operand.lastIndexOf('/') + 1).replace(/\.(cfg|save)$/, '');
}
