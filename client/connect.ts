import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { SealiftError } from '../domain/error.ts';
import { temporalAway } from './errors.ts';
import { Retries } from './retries.ts';
import { createSealift } from './sealift.ts';
import type { ConnectOptions, Sealift } from './types.ts';

type ConnectConfig = ReturnType<typeof loadClientConnectConfig>;

/** Where Temporal is, and how to get in: the same for clients and workers. */
export interface TemporalSettings {
  address: string;
  namespace: string;
  connectionOptions: ConnectConfig['connectionOptions'];
}

/**
 * Reads Temporal's own settings: profile file, TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, TLS and key.
 * @throws 'bad-config' when they do not parse or name a file that cannot be read.
 */
export function temporalSettings(
  options: Pick<ConnectOptions, 'address' | 'namespace' | 'profile'> = {},
): TemporalSettings {
  let config: ConnectConfig;
  try {
    config = loadClientConnectConfig(options.profile === undefined ? {} : { profile: options.profile });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SealiftError('bad-config', `the Temporal settings cannot be used: ${reason}`, {
      hint: 'see TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE and the certificate paths in the profile',
      cause: error,
    });
  }
  const address = options.address ?? config.connectionOptions.address ?? 'localhost:7233';
  return {
    address,
    namespace: options.namespace ?? config.namespace ?? 'default',
    connectionOptions: { ...config.connectionOptions, address },
  };
}

/**
 * Connects to Temporal by its own settings; `options` override them.
 * @throws 'temporal-away' when no server answers in time, 'bad-config' for unusable settings.
 */
export async function connect(options: ConnectOptions = {}): Promise<Sealift> {
  const settings = temporalSettings(options);
  const connection = await openConnection(settings, options.connectMs);
  const client = new Client({ connection, namespace: settings.namespace });
  return createSealift({ client, address: settings.address, hostMs: options.hostMs ?? 4_000 });
}

/** A connection whose server has answered once. Its `close` waits until no call of it is tried again. */
export async function openConnection(settings: TemporalSettings, connectMs = 5_000): Promise<Connection> {
  const { address, apiKey, metadata, tls } = settings.connectionOptions;
  const retries = new Retries();
  try {
    const connection = await Connection.connect({
      address: address ?? settings.address,
      connectTimeout: connectMs,
      interceptors: [retries.interceptor],
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata: textOnly(metadata) }),
      ...(tls === undefined ? {} : { tls }),
    });
    const close = connection.close.bind(connection);
    connection.close = async () => {
      await retries.end();
      await close();
    };
    return connection;
  } catch (error) {
    throw temporalAway(settings.address, error);
  }
}

function textOnly(metadata: Record<string, string | Buffer>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, value.toString()]));
}
