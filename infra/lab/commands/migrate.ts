import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { readlinkSync } from '../fs.ts';
import { ExactReader, encodeHead, end, messages, pieceBytes, put } from '../migration-stream.ts';
import { parseOptions } from '../options.ts';
import { until } from '../patience.ts';
import { signalProcess } from '../process.ts';
import { findDomain } from '../state.ts';
import type { LivingDomain } from '../state.ts';
import type { XlCall } from '../xl.ts';
import { noSuchDomain, XlFailure } from '../xl-failure.ts';
import { endDomain } from './power.ts';
import { suspend } from './save.ts';

/** Pieces of the stream for each MiB of the guest's memory: a sixteenth of what crosses on Xen. */
const piecesPerMib = 1;

/** `xl migrate [-s SSH] DOMAIN HOST`: with an empty SSH, HOST is the command of a shell that reaches the receiver. */
export async function migrate(call: XlCall): Promise<void> {
  const { operands, value } = parseOptions('migrate', call.args, 'FC:s:ep', {}, 2);
  const [name = '', host = ''] = operands;
  const domain = findDomain(call.state, name);
  if (domain === null) throw noSuchDomain(name);
  const ssh = value('s') ?? 'ssh';
  const rune = ssh === '' ? host : `exec ${ssh} ${host} xl migrate-receive`;
  const transport = spawn('sh', ['-c', rune], {
    stdio: ['pipe', 'pipe', 'inherit', ...inherited()],
  }) as ChildProcessByStdio<Writable, Readable, null>;
  for (const stream of [transport.stdin, transport.stdout]) stream.on('error', () => undefined);
  const ended = new Promise<number | null>((resolve) => transport.once('exit', resolve));
  const leave = async (): Promise<string[]> => {
    transport.stdin.destroy();
    const status = await ended;
    if (status === 0 || status === null) return [];
    const what = `migration transport process [${String(transport.pid)}] exited with error status ${String(status)}`;
    return [`libxl: info: libxl_exec.c:117:libxl_report_child_exitstatus: ${what}`];
  };
  const from = new ExactReader(transport.stdout);
  if (!(await from.takes(messages.banner)))
    throw new XlFailure(
      1,
      'libxl: error: libxl_utils.c:505:libxl_read_exactly: file/stream truncated reading banner from migration receiver stream',
      ...(await leave()),
    );
  try {
    await send(call, domain, (bytes) => put(transport.stdin, bytes));
    if (!(await from.takes(messages.ready))) throw new XlFailure(1);
  } catch (error) {
    const lines = error instanceof XlFailure ? error.lines : ['migration sender: libxl_domain_suspend failed (rc=-3)'];
    const transported = await leave();
    await goOn(call, domain);
    throw new XlFailure(1, ...lines, ...transported, 'Migration failed, resuming at sender.');
  }
  call.log('migration sender: Target has acknowledged transfer.');
  call.log('migration sender: Giving target permission to start.');
  await put(transport.stdin, messages.go);
  if (!(await from.takes(`${messages.report}\0`))) throw new XlFailure(1, 'Migration failed', ...(await leave()));
  call.log('migration sender: Target reports successful startup.');
  await endDomain(call, domain);
  await leave();
  call.log('Migration successful.');
}

/** xl's own pipes are its transport's too, as all that it was started with; the first that node opens itself is none. */
function inherited(): number[] {
  return /^(pipe|socket):/.test(readlinkSync('/proc/self/fd/3')) ? [3, 4] : [];
}

/** The configuration and the pages while the guest runs; then it is suspended, and the rest of its memory follows. */
async function send(call: XlCall, domain: LivingDomain, put: (bytes: Buffer) => Promise<void>): Promise<void> {
  const { config, domid } = domain;
  const head = encodeHead(JSON.stringify(config));
  call.log(`Saving to migration stream new xl format (info 0x3/0x0/${String(head.readUInt32LE(44))})`);
  await put(head);
  call.log(`xc: info: Saving domain ${String(domid)}, type x86 ${config.type === 'pv' ? 'PV' : 'HVM'}`);
  if (config.type === 'pv')
    throw new XlFailure(
      1,
      'xc: error: Failed to enable logdirty: 95,22,0 (22 = Invalid argument): Internal error',
      'xc: error: Save failed (22 = Invalid argument): Internal error',
      `libxl: error: libxl_stream_write.c:347:libxl__xc_domain_save_done: Domain ${String(domid)}:saving domain: domain did not respond to suspend request: Invalid argument`,
      'migration sender: libxl_domain_suspend failed (rc=-8)',
    );
  const pieces = Math.ceil((config.memoryKb / 1024) * piecesPerMib);
  const count = Buffer.alloc(4);
  count.writeUInt32LE(pieces);
  await put(count);
  for (let piece = 0; piece < pieces; piece += 1) {
    if (piece === Math.floor(pieces / 2)) call.halfWay();
    await put(Buffer.alloc(pieceBytes, piece));
  }
  call.log(`libxl: debug: libxl_dom_suspend.c:203: Domain ${String(domid)}:issuing PVH/HVM suspend request`);
  const memory = Buffer.from(JSON.stringify(await suspend(call, domain)));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(memory.length);
  await put(Buffer.concat([length, memory, end]));
}

/** A guest that was suspended goes on where it is. */
async function goOn(call: XlCall, { domid, process }: LivingDomain): Promise<void> {
  if (process === null || call.state.get(domid)?.phase !== 'suspended') return;
  signalProcess(process, 'SIGUSR2');
  await until(5_000, () => call.state.get(domid)?.phase !== 'suspended');
}
