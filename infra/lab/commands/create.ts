import { readFileSync } from '../fs.ts';
import { configJson, printJson } from '../config-json.ts';
import { createDomain } from '../create.ts';
import { readGuestConfig } from '../guest-config.ts';
import { errorCode, errorText } from '../guest-disks.ts';
import { parseOptions } from '../options.ts';
import type { XlCall } from '../xl.ts';
import { XlFailure } from '../xl-failure.ts';

/** `xl create [-n] [-p] [-q] [-e] FILE [SETTING=VALUE ...]` */
export async function create(call: XlCall): Promise<void> {
  const long = { dryrun: 'n', quiet: 'q', defconfig: 'f', paused: 'p' };
  const options = parseOptions('create', call.args, 'npqef:', long);
  const [operand, ...settings] = options.operands;
  const file = options.value('f') ?? operand;
  if (file === undefined) throw new XlFailure(2, "'xl create' requires at least 1 argument.", '');
  const text = [readConfig(file), ...settings].join('\n');
  if (options.count('q') === 0) call.log(`Parsing config from ${file}`);
  const config = readGuestConfig(text, file);
  if (options.count('n') > 0) {
    call.out(`${printJson(configJson(config, true))}\n`);
    return;
  }
  const paused = options.count('p') > 0;
  await createDomain(call.places, call.state, config, { paused, memory: null, halfWay: call.halfWay });
}

/** The text of a configuration; a file that cannot be read is xl's failure. */
export function readConfig(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    if (code === null) throw error;
    throw new XlFailure(3, `Failed to read config file: ${file}: ${errorText(code)}`);
  }
}
