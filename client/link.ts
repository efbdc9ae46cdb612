import type { Client } from '@temporalio/client';

/** What every part of the client needs. */
export interface Link {
  client: Client;
  /** Of the Temporal server, for error messages. */
  address: string;
  /** How long a host may take to pick a question up before it counts as away, in milliseconds. */
  hostMs: number;
}
