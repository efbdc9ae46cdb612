import { dirname, join } from 'node:path';
import type { Concern } from '../domain/survey.ts';
import { hidePaths } from '../domain/plain-text.ts';
import type { Host } from './host.ts';
import { findNotes } from './notes.ts';
import { lockedName } from '../storage/volume.ts';

/**
 * Says a line as Temporal may keep it: a disk of a run is named by its virtual device, other paths are cut to their last name.
 * Messages of libraries name paths, which help who stands at the host and are nobody else's business (I8).
 */
export function plainWords(host: Host): (text: string) => string {
  return (text) => {
    if (!text.includes('/')) return text;
    let plain = text;
    for (const [path, vdev] of disksOf(host)) {
      plain = plain.replaceAll(`disk ${path}`, `disk ${vdev}`).replaceAll(path, `disk ${vdev}`);
    }
    return hidePaths(plain);
  };
}

/** The same for what a survey says. */
export async function inPlainWords<Survey extends { concerns: Concern[] }>(asked: Promise<Survey>): Promise<Survey> {
  const survey = await asked;
  const concerns = survey.concerns.map((one) => ({ ...one, text: hidePaths(one.text) }));
  return { ...survey, concerns };
}

/** Path and virtual device of every disk that a run knows; a path that begins with another one comes first. */
function disksOf(host: Host): [path: string, vdev: string][] {
  const known = new Map<string, string>();
  for (const run of host.deeds.runs()) {
    const notes = findNotes(host.deeds, run.migrationId);
    for (const { path, vdev } of [...(notes?.luns ?? []), ...(run.places?.luns ?? [])]) known.set(path, vdev);
    for (const { path, vdev, volume } of [...(notes?.disks ?? []), ...(run.places?.disks ?? [])]) {
      known.set(path, vdev);
      if (volume !== undefined) known.set(join(dirname(path), lockedName(volume)), vdev);
    }
  }
  return [...known].sort(([a], [b]) => b.length - a.length);
}
