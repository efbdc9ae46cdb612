import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where an operator's key lies when nobody says otherwise. */
export function defaultOperatorFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CONFIG_HOME ?? join(env.HOME ?? homedir(), '.config'), 'sealift', 'operator');
}
