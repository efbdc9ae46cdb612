import { join } from 'node:path';
import type { DeedRun } from '../deed/record.ts';
import { SealiftError } from '../domain/error.ts';
import type { Host } from './host.ts';

/** A container's file name, the same at both hosts; the destination knows it from its own record, not from anybody's word. */
export function containerName(migrationId: string): string {
  return `${migrationId}.sealift`;
}

/** Where the source makes the container of a `staged` run. Throws `bad-config` without `[ssh]` in the host's file. */
export function sealedPath(host: Host, migrationId: string): string {
  return join(ssh(host).folder, containerName(migrationId));
}

/** Where the container arrives at the destination. Throws `bad-config` without `[staging]` in the host's file. */
export function arrivedPath(host: Host, migrationId: string): string {
  const { staging } = host.file;
  if (staging === undefined) throw new SealiftError('bad-config', `${host.file.name} has no [staging] in its file`);
  return join(staging.folder, containerName(migrationId));
}

/** The `[ssh]` part of the host's file. Throws `bad-config` when there is none. */
export function ssh(host: Host): { folder: string; private_key: string } {
  if (host.file.ssh === undefined) throw new SealiftError('bad-config', `${host.file.name} has no [ssh] in its file`);
  return host.file.ssh;
}

/** The files that a run's container may have left at this host. */
export function containerPaths(host: Host, run: DeedRun): string[] {
  if (run.method !== 'staged') return [];
  const folder = run.role === 'source' ? host.file.ssh?.folder : host.file.staging?.folder;
  if (folder === undefined) return [];
  const path = join(folder, containerName(run.migrationId));
  return [path, `${path}.part`];
}
