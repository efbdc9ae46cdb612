import { execFile } from 'node:child_process';

/**
 * Tells whoever started this process that it is ready: one line of JSON on standard output, and systemd by `systemd-notify`
 * when it asks (NOTIFY_SOCKET, with NotifyAccess=all). Then shows systemd that the event loop turns, when its watchdog asks.
 */
export function announceReady(facts: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, ...facts })}\n`);
  if (process.env.NOTIFY_SOCKET === undefined) return;
  notify('--ready');
  const watchdogMicros = Number(process.env.WATCHDOG_USEC);
  if (watchdogMicros > 0)
    setInterval(() => {
      notify('WATCHDOG=1');
    }, watchdogMicros / 2_000).unref();
}

function notify(what: string): void {
  execFile('systemd-notify', [what], () => {
    // Without systemd-notify the service manager waits in vain and says so itself.
  });
}
