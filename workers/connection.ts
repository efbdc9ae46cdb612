import { NativeConnection } from '@temporalio/worker';
import type { TemporalSettings } from '../client/connect.ts';
import { temporalAway } from '../client/errors.ts';

/** A worker's connection by Temporal's own settings. Sealed payloads do not compress. */
export async function nativeConnection(settings: TemporalSettings): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect({ ...settings.connectionOptions, grpcCompression: { codec: 'none' } });
  } catch (error) {
    throw temporalAway(settings.address, error);
  }
}

/** How long a worker waits for Temporal's first answer: its host may be slow, or its line bad. */
export const patienceMs = 30_000;
