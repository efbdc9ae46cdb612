import { readFileSync } from './fs.ts';

/** Dom0's processor time in seconds: a number that grows, as real dom0's does. */
export function dom0CpuSeconds(): number {
  return dom0UptimeSeconds() / 10;
}

/** Seconds since dom0 has booted: this machine's. */
export function dom0UptimeSeconds(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
}
